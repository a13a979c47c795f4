"""A Lambda event source mapping: polls a queue, invokes the function with the messages, and deletes those that the
function did not report as failed. Failed messages stay in the queue and are redelivered after the queue's visibility
timeout, until the queue's redrive policy moves them. aws-facts: "Lambda and SQS".
"""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

# SQS limit for one call, receiving or deleting.
_MESSAGES_A_CALL_MAX = 10
# Lambda Developer Guide, "Lambda quotas": the payload of a synchronous invocation.
PAYLOAD_BYTES_MAX = 6 * 1024 * 1024
_ENVELOPE_BYTES = len('{"Records": []}')
# Pause between two polls of an empty queue. Lambda's pollers wait for messages within the call; here that would block
# the emulator for all others, because it answers one call at a time.
_PAUSE_SECONDS = 0.05


class EventSourceMapping:
    """Polls from its creation until it is stopped. `settings` are the template's, `invoke` takes a payload."""

    def __init__(self, sqs, settings, queue_url, invoke):
        self.batches = []  # for each invocation the ids of its messages, and its result
        self._sqs, self._queue_url, self._invoke = sqs, queue_url, invoke
        self._arn = settings["EventSourceArn"]
        self._batch_size = int(settings["BatchSize"])
        self._window_seconds = int(settings.get("MaximumBatchingWindowInSeconds", 0))
        self._reports_failures = "ReportBatchItemFailures" in settings.get("FunctionResponseTypes", [])
        self._done = set()
        self._changed = threading.Condition()
        concurrency = settings["ScalingConfig"]["MaximumConcurrency"]
        self._free = threading.Semaphore(concurrency)
        self._invocations = ThreadPoolExecutor(concurrency)
        self._stopping = threading.Event()
        self.problem = None
        self._poller = threading.Thread(target=self._poll, daemon=True)
        self._poller.start()

    def stop(self):
        self._stopping.set()
        self._poller.join()
        self._invocations.shutdown()

    def await_done(self, message_ids, within=60):
        """Waits until all of these messages are deleted because the function reported them as done."""
        wanted = set(message_ids)
        with self._changed:
            in_time = self._changed.wait_for(lambda: wanted <= self._done or self.problem, timeout=within)
        assert not self.problem, self.problem
        assert in_time, f"{len(wanted - self._done)} of {len(wanted)} messages are not done within {within} s"

    def is_done(self, message_id):
        return message_id in self._done

    def _poll(self):
        try:
            while not self._stopping.is_set():
                with self._free:
                    pass  # a batch that waited for its invocation would lose part of its visibility timeout
                messages = self._gather()
                if messages:
                    self._free.acquire()
                    self._invocations.submit(self._deliver, messages)
        except Exception as problem:  # reported by the caller that waits for a message
            self._fail(problem)

    def _gather(self):
        """A batch: complete when it is full, or when the window has passed since its first message."""
        messages, size, end = [], _ENVELOPE_BYTES, None
        while len(messages) < self._batch_size and not self._stopping.is_set():
            wanted = min(_MESSAGES_A_CALL_MAX, self._batch_size - len(messages))
            received = self._receive(wanted)
            end = end or (received and time.monotonic() + self._window_seconds)
            messages += received
            size += sum(len(json.dumps(self.record(message))) + 2 for message in received)
            # Checked before the batch becomes too large: a received message cannot be returned unseen.
            if size + _MESSAGES_A_CALL_MAX * size / max(len(messages), 1) > PAYLOAD_BYTES_MAX:
                break
            if end and (time.monotonic() >= end or not received and self._window_seconds == 0):
                break
            if not received:
                self._stopping.wait(_PAUSE_SECONDS)
        return messages

    def _receive(self, count):
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=count,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def record(self, message):
        """An SQS message as Lambda passes it to the function."""
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {
                name: {member[0].lower() + member[1:]: value for member, value in attribute.items()}
                for name, attribute in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": self._arn.split(":")[3],
        }

    def _deliver(self, messages):
        try:
            payload = json.dumps({"Records": [self.record(message) for message in messages]})
            invoked = self._invoke(payload)
            failed = self._failed(invoked, {message["MessageId"] for message in messages})
            done = [message for message in messages if message["MessageId"] not in failed]
            self._delete(done)
            with self._changed:
                self.batches.append(([message["MessageId"] for message in messages], invoked, len(payload)))
                self._done |= {message["MessageId"] for message in done}
                self._changed.notify_all()
        except Exception as problem:
            self._fail(problem)
        finally:
            self._free.release()

    def _failed(self, invoked, all_ids):
        """Lambda Developer Guide, "Handling errors for an SQS event source in Lambda": the answers that mean success,
        and those that fail the whole batch.
        """
        if invoked.error:
            return all_ids
        if not self._reports_failures or not invoked.answer:
            return set()
        failures = invoked.answer.get("batchItemFailures") or []
        named = {failure.get("itemIdentifier") for failure in failures}
        return named if named <= all_ids else all_ids

    def _delete(self, messages):
        for at in range(0, len(messages), _MESSAGES_A_CALL_MAX):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages[at : at + _MESSAGES_A_CALL_MAX])
            ]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)

    def _fail(self, problem):
        with self._changed:
            self.problem = problem
            self._changed.notify_all()
