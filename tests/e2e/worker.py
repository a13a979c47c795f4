"""A worker: a task that reports its jobs to the job queue."""

import json
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Sent:
    """A message that SQS has accepted."""

    id: str
    at: float  # by this machine's clock, in seconds since the epoch, before it was sent
    task: str


class Worker:
    def __init__(self, sqs, job_queue_url, task):
        self.task = task
        self._sqs, self._job_queue_url = sqs, job_queue_url

    def message(self, kind, job_id, **fields):
        """A message as docs/workers.md defines it."""
        return json.dumps({"version": 1, "type": f"job.{kind}", "jobId": job_id, "taskArn": self.task, **fields})

    def tell(self, kind, job_id, **fields):
        """Reports that a job has `started`, still runs (`heartbeat`), or has `finished`."""
        return self.send(self.message(kind, job_id, **fields))

    def send(self, body):
        at = time.time()
        answer = self._sqs.send_message(QueueUrl=self._job_queue_url, MessageBody=body)
        return Sent(answer["MessageId"], at, self.task)
