"""A typical function in Python: a loop over the records, with a call of UpdateTaskProtection for each.

No handicaps: the client is created during initialization, a failed message is retried alone, and a refusal inside
the answer (`failures`) counts as a failure. Successful messages are not logged.
"""

import json
import logging

import boto3

logger = logging.getLogger()
ecs = boto3.client("ecs")


def handler(event, _context):
    failed = []
    for record in event["Records"]:
        try:
            protect(json.loads(record["body"]))
        except Exception:
            logger.exception("message %s comes again", record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def protect(message):
    call = {"cluster": message["cluster"], "tasks": [message["taskId"]]}
    if message["type"] == "job.finished":
        call["protectionEnabled"] = False
    else:
        call["protectionEnabled"] = True
        call["expiresInMinutes"] = message["maxDurationMinutes"]
    answer = ecs.update_task_protection(**call)
    if answer["failures"]:
        raise RuntimeError(f"refused: {answer['failures']}")
