"""Asynchronous delivery of events to the function: EventBridge's rules match them, Lambda queues them, invokes the
function with one after the other, retries failures, and finally sends them to the function's dead-letter queue.
aws-facts: "Lambda and SQS".
"""

import json
import threading
from datetime import UTC, datetime

# The shortest useful pause: the emulator answers one call at a time.
_PAUSE_SECONDS = 0.1


class AsynchronousInvocations:
    """Invokes the function with each event in `queue_url`. Lambda waits a minute before a retry; this class does not.
    """

    def __init__(self, sqs, queue_url, invoke, attempts, dead_letter_queue_url):
        self.handled = []  # each event, and the result of the last invocation with it
        self._sqs, self._queue_url, self._invoke = sqs, queue_url, invoke
        self._attempts, self._dead_letter_queue_url = attempts, dead_letter_queue_url
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._thread.join()

    def _run(self):
        while not self._stopping.wait(_PAUSE_SECONDS):
            for message in self._sqs.receive_message(QueueUrl=self._queue_url).get("Messages", []):
                self._carry_out(message["Body"])
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])

    def _carry_out(self, event):
        for _ in range(self._attempts):
            invoked = self._invoke(event)
            if not invoked.error:
                break
        else:
            self._sqs.send_message(QueueUrl=self._dead_letter_queue_url, MessageBody=event)
        self.handled.append((json.loads(event), invoked))


def put_event(events, shape, resource, **detail):
    """Sends an event through EventBridge: one of events/, about `resource`, with these members of `detail` replaced.

    ECS itself would send it. AWS lets no other caller send events as aws.ecs, but the emulator does.
    """
    event = json.loads(shape.read_text())
    answer = events.put_events(
        Entries=[
            {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Resources": [resource],
                "Detail": json.dumps(event["detail"] | detail),
                "Time": datetime.now(UTC),
            }
        ]
    )
    assert answer["FailedEntryCount"] == 0, answer
