"""Workers and their jobs, with boto3 and the AWS CLI."""

import os
import subprocess

import pytest
from waiting import eventually

MINUTE = 60
# taskhold accepts a grant that is shorter by up to this, and rounds up by 5% or a minute (SEMANTICS.md, "A busy task
# is protected until its jobs' declared end").
SHORT_SECONDS_MAX = 30


def assert_covers(until, sent, minutes):
    assert until >= sent.at + minutes * MINUTE - SHORT_SECONDS_MAX
    assert until <= sent.at + max(minutes * 1.05, minutes + 1) * MINUTE + SHORT_SECONDS_MAX


def protection_calls(world, task):
    """The function's protection calls for a task, in order: whether each one sets or clears protection."""
    calls = world.gateway.of("ECS", "UpdateTaskProtection")
    return [call.request["protectionEnabled"] for call in calls if any(task.endswith(one) for one in call.request["tasks"])]


@pytest.fixture(scope="module")
def world(deploy_for_all):
    world = deploy_for_all(services={"web": 10})
    world.deliver()
    return world


def test_a_task_is_protected_from_the_start_of_its_job_to_its_end(world):
    worker = world.worker(world.idle_task())
    started = worker.tell("started", "encode-17", maxDurationMinutes=90)
    world.jobs.await_done([started.id])
    assert_covers(world.protected_until(worker.task), started, 90)
    heartbeat = worker.tell("heartbeat", "encode-17", maxDurationMinutes=240)
    world.jobs.await_done([heartbeat.id])
    assert_covers(world.protected_until(worker.task), heartbeat, 240)
    finished = worker.tell("finished", "encode-17")
    world.jobs.await_done([finished.id])
    assert world.protected_until(worker.task) is None
    assert world.left_in("JobQueue") == world.left_in("DeadLetterQueue") == 0


def test_a_job_that_the_aws_cli_reports_is_protected_too(world):
    worker = world.worker(world.idle_task())
    for kind, is_protected in [("started", True), ("finished", False)]:
        body = worker.message(kind, "encode-17")
        words = ["sqs", "send-message", "--queue-url", world.stack.outputs["JobQueueUrl"], "--message-body", body]
        settings = ["--endpoint-url", world.endpoint_of("SQS"), "--region", "eu-west-1", "--output", "text"]
        credentials = {"AWS_ACCESS_KEY_ID": "TEST", "AWS_SECRET_ACCESS_KEY": "secret"}
        command = [world.programs.aws, *words, *settings, "--query", "MessageId"]
        sent = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | credentials)
        world.jobs.await_done([sent.stdout.strip()])
        assert (world.protected_until(worker.task) is not None) == is_protected


def test_a_message_that_comes_more_often_than_once_changes_nothing_more(world):
    worker = world.worker(world.idle_task())
    starts = [worker.tell("started", "encode-17", maxDurationMinutes=90) for _ in range(3)]
    world.jobs.await_done([sent.id for sent in starts])
    until = world.protected_until(worker.task)
    again = worker.tell("heartbeat", "encode-17", maxDurationMinutes=5)
    world.jobs.await_done([again.id])
    assert world.protected_until(worker.task) == until, "a heartbeat has made the protection shorter"
    for kind in ["finished", "started", "finished", "started"]:
        late = worker.tell(kind, "encode-17", maxDurationMinutes=90)
        world.jobs.await_done([late.id])
        assert world.protected_until(worker.task) is None
    assert protection_calls(world, worker.task)[-1] is False
    assert protection_calls(world, worker.task).count(False) == 1
    # One call, unless the three messages came in several batches: then each call could serve only the last of them.
    assert 1 <= protection_calls(world, worker.task).count(True) <= 3


def test_a_task_stays_protected_until_the_last_of_its_jobs_has_finished(world):
    worker = world.worker(world.idle_task())
    jobs = {"long": 240, "short": 10}
    sent = {job: worker.tell("started", job, maxDurationMinutes=minutes) for job, minutes in jobs.items()}
    world.jobs.await_done([one.id for one in sent.values()])
    assert_covers(world.protected_until(worker.task), sent["long"], 240)
    world.jobs.await_done([worker.tell("finished", "short").id])
    assert_covers(world.protected_until(worker.task), sent["long"], 240)
    world.jobs.await_done([worker.tell("finished", "long").id])
    assert world.protected_until(worker.task) is None


@pytest.mark.long(15)
def test_a_task_that_lingers_takes_its_next_job_without_a_call_and_is_released_by_a_recheck(deploy):
    world = deploy(parameters={"LingerSeconds": "5"})
    world.deliver()
    worker = world.worker(world.idle_task())
    world.jobs.await_done([worker.tell("started", "encode-17", maxDurationMinutes=90).id])
    world.jobs.await_done([worker.tell("finished", "encode-17").id])
    world.jobs.await_done([worker.tell("started", "encode-18", maxDurationMinutes=10).id])
    assert protection_calls(world, worker.task) == [True]
    world.jobs.await_done([worker.tell("finished", "encode-18").id])
    assert world.protected_until(worker.task) is not None
    eventually(lambda: world.protected_until(worker.task) is None, "a recheck releases the task")
    assert protection_calls(world, worker.task) == [True, False]
    assert world.left_in("DeadLetterQueue") == 0


def test_of_a_task_whose_item_is_deleted_nothing_is_known_and_nothing_is_released(world):
    # docs/configuration.md, "What the function remembers": this makes taskhold forget a task.
    worker = world.worker(world.idle_task())
    world.jobs.await_done([worker.tell("started", "encode-17", maxDurationMinutes=90).id])
    until = world.protected_until(worker.task)
    table = world.stack.outputs["StateTableName"]
    world.client("dynamodb").delete_item(TableName=table, Key={"key": {"S": worker.task}})
    world.jobs.await_done([worker.tell("finished", "encode-17").id])
    assert until and world.protected_until(worker.task) == until
    assert protection_calls(world, worker.task) == [True]
