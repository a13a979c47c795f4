"""`sam local invoke` of the payloads in events/: the container starts the built binary, finds the simulated Region, and answers
what the README of events/ says. One payload of each kind; with TASKHOLD_TESTS=all every one."""

import json
import os
from datetime import datetime, timedelta, timezone

import jsonschema
import pytest
from stage import CLUSTER, ROOT, SERVICE

EVENTS = ROOT / "events"
SCHEMA = json.loads((ROOT / "schemas/answers.schema.json").read_text())
SERVICE_ARN = f"arn:aws:ecs:eu-west-1:111122223333:service/{CLUSTER}/{SERVICE}"

# What Lambda's event source mapping treats as "every message is done".
ALL_DONE = {"batchItemFailures": []}

BATCHES = [
    "pipes-batch.json",
    "sqs-eventbridge-job-message.json",
    "sqs-eventbridge-in-body.json",
    "sqs-fifo-job-messages.json",
    "sqs-recheck.json",
    "sqs-recheck-task.json",
    "sqs-job-finished.json",
    "sqs-job-heartbeat.json",
    "sqs-sns-envelope.json",
]

# How the answer to each event begins. The service is steady and the function has no records, so an event triggers at
# most a reconcile.
ANSWERS = {
    "console-test-event.json": "unrecognized, nothing done: ",
    "ecs-deployment-state-change-completed.json": "nothing to do for ",
    "ecs-deployment-state-change-failed.json": "nothing to do for ",
    "ecs-deployment-state-change-in-progress.json": f"reconciled service {SERVICE_ARN}: ",
    "ecs-hook-state-change-awaiting-action.json": f"reconciled service {SERVICE_ARN}: ",
    "ecs-service-action-steady-state.json": "nothing to do for ",
    "ecs-service-action-task-placement-failure.json": "nothing to do for ",
    "ecs-service-action-task-protection.json": f"reconciled service {SERVICE_ARN}: ",
    "ecs-task-state-change-running.json": "nothing to do for ",
    "ecs-task-state-change-spot-notice.json": "nothing to do for ",
    "ecs-task-state-change-spot-stopped.json": "nothing to do for ",
    "ecs-task-state-change-stopped-other-cluster.json": "nothing to do for ",
    "ecs-task-state-change-stopped.json": "nothing to do for ",
    "ecs-task-state-change-stopping.json": "nothing to do for ",
    "ecs-unknown-detail-type.json": "nothing to do for ",
    "eventbridge-job-message.json": "handled 1 messages",
    "scheduled-event.json": "nothing to do for ",
    "sns-invocation.json": "handled 1 messages",
}

# No task is protected here, so each deployment may continue.
HOOKS = ["lifecycle-hook-post-scale-up.json", "lifecycle-hook-waiting.json"]

COMMANDS = {
    "command-redrive.json": "redrive",
    "command-release.json": "release",
    "command-status-of-cluster.json": "status",
    "sweep.json": "sweep",
}


# A test of its own checks more of each than the answer.
COVERED = ["command-preflight.json", "command-status.json", "sqs-batch-mixed.json", "sqs-job-started.json"]


def kind(name):
    """The kind of a payload, as far as the function can tell before it reads the contents."""
    payload = json.loads((EVENTS / name).read_text())
    if isinstance(payload, list):
        return ("array",)
    if "Records" in payload:
        return ("messages", *sorted({carrier(record) for record in payload["Records"]}))
    return payload.get("detail-type") or tuple(payload)


def carrier(record):
    """How a message arrives: from SNS, or in the body of an SQS record, with or without an envelope; and the kind of its queue."""
    if "body" not in record:
        return "no body"
    try:
        body = json.loads(record["body"])
    except json.JSONDecodeError:
        body = {}
    envelope = next((member for member in ("detail-type", "Type", "recheck", "type") if member in body), "unreadable")
    return envelope + (".fifo" if record["eventSourceARN"].endswith(".fifo") else "")


def sampled(names):
    """The first payload of each kind, except kinds that a test of their own covers; or all of them."""
    if extent() == "all":
        return list(names)
    first = {}
    for name in names:
        first.setdefault(kind(name), name)
    covered = {kind(name) for name in COVERED}
    return [name for of, name in first.items() if of not in covered]


def extent():
    value = os.environ.get("TASKHOLD_TESTS") or "sample"
    assert value in ("sample", "all"), f"TASKHOLD_TESTS is `sample` or `all`, not `{value}`"
    return value


def invoked(stage, payload, **settings):
    """The answer to a payload that does not fail."""
    invocation = stage.invoke(payload, **settings)
    assert invocation.code == 0, invocation.log
    assert '"level":"ERROR"' not in invocation.log.replace(END_OF_CONTAINER, ""), invocation.log
    return invocation


# The runtime's message when the container ends, as SAM's does after each invocation.
END_OF_CONTAINER = '"level":"ERROR","message":"the runtime ended"'


def answer_to(stage, name):
    invocation = invoked(stage, stage.fresh((EVENTS / name).read_text()))
    assert invocation.answer is not None, invocation.log
    return invocation.answer


def protection(stage):
    """The end of each protected task's protection, by its id."""
    answer = stage.ecs.get_task_protection(cluster=CLUSTER, tasks=stage.tasks)
    protected = [task for task in answer["protectedTasks"] if task["protectionEnabled"]]
    return {task["taskArn"].rsplit("/")[-1]: task["expirationDate"] for task in protected}


@pytest.fixture(autouse=True)
def nothing_is_protected(stage):
    stage.ecs.update_task_protection(cluster=CLUSTER, tasks=stage.tasks, protectionEnabled=False)
    assert protection(stage) == {}


def test_every_payload_of_events_is_tried_here():
    assert sorted([*BATCHES, *ANSWERS, *HOOKS, *COMMANDS, *COVERED]) == sorted(file.name for file in EVENTS.glob("*.json"))


@pytest.mark.parametrize("name", sampled(BATCHES))
def test_every_message_of_a_batch_is_done(stage, name):
    assert answer_to(stage, name) == ALL_DONE


@pytest.mark.parametrize("name", sampled(ANSWERS))
def test_the_answer_to_an_event_says_what_the_function_did(stage, name):
    answer = answer_to(stage, name)
    assert list(answer) == ["taskhold"]
    assert answer["taskhold"].startswith(ANSWERS[name]), answer


@pytest.mark.parametrize("name", sampled(HOOKS))
def test_a_lifecycle_hook_lets_the_deployment_continue(stage, name):
    assert answer_to(stage, name) == {"hookStatus": "SUCCEEDED"}


@pytest.mark.parametrize("name", sampled(COMMANDS))
def test_a_command_gets_the_published_answer(stage, name):
    answer = answer_to(stage, name)
    jsonschema.validate(answer, SCHEMA)
    assert list(answer) == [COMMANDS[name]]


def test_a_started_job_protects_its_task_for_as_long_as_it_may_last(stage):
    sent = datetime.now(timezone.utc)
    assert answer_to(stage, "sqs-job-started.json") == ALL_DONE
    message = json.loads(json.loads((EVENTS / "sqs-job-started.json").read_text())["Records"][0]["body"])
    (until,) = protection(stage).values()
    assert until - sent >= timedelta(minutes=message["maxDurationMinutes"])


def test_status_and_preflight_see_what_is_protected(stage):
    task = stage.tasks[0]
    stage.ecs.update_task_protection(cluster=CLUSTER, tasks=[task], protectionEnabled=True, expiresInMinutes=60)
    status, preflight = answer_to(stage, "command-status.json"), answer_to(stage, "command-preflight.json")
    for answer in (status, preflight):
        jsonschema.validate(answer, SCHEMA)
    (service,) = status["status"]["services"]
    assert (service["service"], service["rolloutStatus"]) == (SERVICE_ARN, "steady")
    (protected,) = service["protectedTasks"]
    assert protected["taskArn"].endswith(task)
    assert protected["protectedFor"] == "foreign", "no state store outlives a container here"
    forecast = preflight["preflight"]
    assert (forecast["service"], forecast["verdict"], forecast["protectedTasks"]) == (SERVICE_ARN, "waits", 1)


def test_a_task_that_the_store_does_not_know_is_released_by_force_only(stage):
    task = stage.tasks[0]
    stage.ecs.update_task_protection(cluster=CLUSTER, tasks=[task], protectionEnabled=True)

    def released(**how):
        command = json.dumps({"release": {"tasks": [task], **how}})
        (released_task,) = invoked(stage, command).answer["release"]["tasks"]
        return released_task["outcome"]

    assert released() == "foreign"
    assert list(protection(stage)) == [task]
    assert released(force=True, by="test") == "released"
    assert protection(stage) == {}


def test_malformed_messages_are_dead_lettered_with_their_reasons_and_the_others_carried_out(stage):
    sqs, dead_letters = stage.client("sqs"), f"{stage.endpoint}/111122223333/jobs-dead-lettered"
    sqs.purge_queue(QueueUrl=dead_letters)
    assert answer_to(stage, "sqs-batch-mixed.json") == ALL_DONE
    found = sqs.receive_message(QueueUrl=dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"])["Messages"]
    reasons = [message["MessageAttributes"]["taskhold.reason"]["StringValue"] for message in found]
    assert len(reasons) == 7
    assert any("`jobId` is missing" in reason for reason in reasons), reasons
    assert len(protection(stage)) == 2


def test_a_dry_run_protects_nothing(stage):
    payload = stage.fresh((EVENTS / "sqs-job-started.json").read_text())
    assert invoked(stage, payload, TASKHOLD_DRY_RUN="true").answer == ALL_DONE
    message = "dry run: protection not requested"
    assert message in stage.invoke_for_log(message, payload, TASKHOLD_DRY_RUN="true").log
    assert protection(stage) == {}


# The first goes wrong before the function calls ECS, the second after a call.
INVALID_COMMANDS = [
    ({"statsu": {}}, "unknown-command"),
    ({"status": {"service": "nowhere"}}, "service-not-found"),
    ({"status": {"service": 5}}, "invalid-field"),
    ({"status": {"service": SERVICE, "cluster": "batch"}}, "not-configured"),
]


@pytest.mark.parametrize(("command", "code"), INVALID_COMMANDS if extent() == "all" else INVALID_COMMANDS[:2])
def test_the_answer_to_an_invalid_command_names_the_problem(stage, command, code):
    answer = invoked(stage, json.dumps(command)).answer
    jsonschema.validate(answer, SCHEMA)
    assert answer["error"]["code"] == code, answer


def test_a_batch_whose_messages_have_no_id_fails_as_a_whole(stage):
    # Its message has no id, so it could not be reported, and would count as done.
    invocation = stage.invoke(json.dumps({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}))
    assert invocation.answer["errorType"] == "UnreadableMessages", invocation.answer
    assert "cannot read the messages of the payload" in invocation.answer["errorMessage"]


def test_messages_of_a_source_that_the_function_cannot_read_fail(stage):
    payload = {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "e30="}}]}
    assert stage.invoke(json.dumps(payload)).answer["errorType"] == "UnreadableMessages"


def test_a_message_without_a_queue_that_must_be_retried_fails_the_invocation(stage):
    # Port 9 of the container has no listener.
    payload = stage.fresh((EVENTS / "sns-invocation.json").read_text())
    answer = stage.invoke(payload, AWS_ENDPOINT_URL="http://127.0.0.1:9").answer
    assert answer["errorType"] == "MessagesToRetry", answer
    assert answer["errorMessage"].startswith("1 of 1 messages must be retried"), answer
    assert protection(stage) == {}


def test_ecs_that_fails_sends_the_message_back(stage):
    # Port 9 of the container has no listener.
    payload = stage.fresh((EVENTS / "sqs-job-started.json").read_text())
    invocation = stage.invoke(payload, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    (record,) = json.loads(payload)["Records"]
    assert invocation.answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
    assert protection(stage) == {}


def test_a_wrong_setting_is_named_and_nothing_starts(stage):
    message = "taskhold cannot start"
    invocation = stage.invoke_for_log(message, "{}", TASKHOLD_POLICY="release-everything")
    assert message in invocation.log
    assert "TASKHOLD_POLICY" in invocation.log
    assert "batchItemFailures" not in json.dumps(invocation.answer)
