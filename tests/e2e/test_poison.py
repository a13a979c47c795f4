"""Messages that cannot be processed."""

import json

from stack import CLUSTER
from waiting import eventually

FOREIGN = "arn:aws:ecs:eu-west-1:111122223333:task/another/6b777c1809a94925ab48098fa09824de"
UNKNOWN = f"arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/ffffffffffffffffffffffffffffffff"


def dead_lettered(world):
    """The next message in the dead-letter queue."""
    return eventually(lambda: world.received(world.stack.outputs["DeadLetterQueueUrl"], 1), "a message is dead-lettered", every=0.1)[0]


def text(message, attribute):
    return message["MessageAttributes"][attribute]["StringValue"]


def standalone_task(world):
    """A task without a service, which ECS does not protect."""
    return world.ecs.run_task(cluster=CLUSTER, taskDefinition="batch:1")["tasks"][0]["taskArn"]


def job_message(task, **fields):
    return json.dumps({"version": 1, "type": "job.started", "jobId": "encode-17", "taskArn": task} | fields)


def test_malformed_messages_end_in_the_dead_letter_queue_with_their_reasons_and_their_neighbours_are_carried_out(deploy):
    world = deploy()
    worker = world.worker(world.idle_task())
    malformed = {
        "transcode this": "JSON",
        job_message(worker.task, version=2): "version",
        job_message(worker.task, jobId=""): "jobId",
        job_message(FOREIGN): "`another`",
        job_message(worker.task, maxDurationMinutes="90"): "maxDurationMinutes",
    }
    sent = {body: worker.send(body).id for body in malformed}
    good = worker.tell("started", "encode-17").id
    world.deliver()
    world.jobs.await_done([good, *sent.values()])
    assert world.protected_until(worker.task)
    queue_arn = world.stack.event_source("JobQueue")["EventSourceArn"]
    while malformed:
        message = dead_lettered(world)
        body = message["Body"]
        assert malformed.pop(body) in text(message, "taskhold.reason")
        assert text(message, "taskhold.messageId") == sent[body]
        assert text(message, "taskhold.sourceQueueArn") == queue_arn
    assert world.left_in("DeadLetterQueue") == world.left_in("JobQueue") == 0


def test_a_message_about_a_task_that_ecs_does_not_protect_is_dead_lettered_with_ecs_s_own_word(deploy):
    world = deploy()
    world.deliver()
    sent = world.worker(standalone_task(world)).tell("started", "batch-1")
    world.jobs.await_done([sent.id])
    assert "TASK_NOT_VALID" in text(dead_lettered(world), "taskhold.reason")


def test_a_message_about_a_task_that_ecs_does_not_know_is_dead_lettered_once_it_is_not_young_any_more(deploy):
    world = deploy(settings={"TASKHOLD_UNKNOWN_TASK_GRACE_SECONDS": "10"})
    world.come_again_after(5)
    world.deliver()
    sent = world.worker(UNKNOWN).tell("started", "encode-17")
    message = dead_lettered(world)
    assert "MISSING" in text(message, "taskhold.reason")
    failures = [invoked.answer["batchItemFailures"] for _, invoked, _ in world.jobs.batches]
    assert failures[0] == [{"itemIdentifier": sent.id}], "it was given up while it was young"


def test_a_batch_that_kills_the_function_each_time_is_given_up_by_the_queue_itself(deploy):
    world = deploy()
    world.come_again_after(1)
    url = world.stack.outputs["JobQueueUrl"]
    attributes = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"]) | {"maxReceiveCount": 3}  # the template's 100 would take minutes
    world.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(redrive)})
    sent = world.worker(world.idle_task()).tell("started", "encode-17")
    (function,) = world.functions

    def kill(call, forward):
        assert eventually(function.kill, "the function is killed")

    with world.gateway.between(kill):
        world.deliver()
        message = dead_lettered(world)
    assert message["MessageId"] == sent.id and "taskhold.reason" not in message.get("MessageAttributes", {})
    assert [invoked.error is not None for _, invoked, _ in world.jobs.batches] == [True] * len(world.jobs.batches)
    assert world.left_in("JobQueue") == 0
