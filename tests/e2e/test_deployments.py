"""Deployments that protected tasks block, and tasks that stop: the alerts for people and programs, through the topic
and the queues of the template.
"""

import json
import os
import subprocess

import jsonschema
import pytest
from stack import CLUSTER
from waiting import eventually

# A task of the simulated ECS takes 30 seconds to start, and 10 to stop.


def subscriber(world):
    """The URL of a queue that is subscribed to the alert topic, as a user's queue would be."""
    url = world.sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = world.stack.outputs["AlertTopicArn"]
    world.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return url


def alert(world, queue_url, kind, event):
    """Waits for an alert, which must match the published schema."""

    def wanted(message):
        attributes = message["MessageAttributes"]
        return (attributes["kind"]["StringValue"], attributes["event"]["StringValue"]) == (kind, event)

    message = world.await_one(queue_url, wanted, f"alert {kind} {event}", within=180)
    schema = json.loads((world.programs.project / "schemas/alert.schema.json").read_text())
    notified = json.loads(message["Body"])
    jsonschema.Draft202012Validator(schema).validate(notified)
    assert (notified["kind"], notified["event"]) == (kind, event)
    return notified


def ask_by_the_aws_cli(world, command, folder):
    """The command of docs/commands.md."""
    answer = folder / "answer.json"
    (function,) = world.functions
    words = ["lambda", "invoke", "--function-name", "function", "--payload", json.dumps(command), str(answer)]
    settings = ["--endpoint-url", f"http://127.0.0.1:{function.port}", "--region", "eu-west-1"]
    credentials = {"AWS_ACCESS_KEY_ID": "TEST", "AWS_SECRET_ACCESS_KEY": "secret"}
    subprocess.run([world.programs.aws, *words, *settings], check=True, capture_output=True, env=os.environ | credentials)
    return json.loads(answer.read_text())


def service_arn(world):
    (service,) = world.ecs.describe_services(cluster=CLUSTER, services=["web"])["services"]
    return service["serviceArn"]


def is_steady(world):
    (service,) = world.ecs.describe_services(cluster=CLUSTER, services=["web"])["services"]
    return [one["status"] for one in service["deployments"]] == ["PRIMARY"] and service["runningCount"] == service["desiredCount"]


@pytest.mark.long(60)
def test_a_blocked_deployment_is_notified_once_and_once_when_it_is_over(deploy, tmp_path):
    world = deploy(parameters={"BlockedAfterMinutes": "0"})
    world.deliver()
    people, machines = subscriber(world), world.stack.outputs["AlertQueueUrl"]
    worker = world.worker(world.idle_task())
    world.jobs.await_done([worker.tell("started", "encode-17", maxDurationMinutes=60, labels={"title": "Episode 17"}).id])
    world.ecs.update_service(cluster=CLUSTER, service="web", forceNewDeployment=True)
    world.put_event("ecs-deployment-state-change-in-progress.json", service_arn(world))
    # The first reconcile finds tasks that have not started yet. A recheck, through its delayed message, finds the
    # service blocked.
    opened = [alert(world, queue, "deployment-blocked", "opened") for queue in (people, machines)]
    for notified in opened:
        (blocking,) = notified["blockingTasks"]
        assert blocking["taskArn"] == worker.task
        assert [(job["jobId"], job["labels"]) for job in blocking["jobs"]] == [("encode-17", {"title": "Episode 17"})]
    (status,) = ask_by_the_aws_cli(world, {"status": {"service": "web"}}, tmp_path)["status"]["services"]
    assert status["rolloutStatus"] == "blocked" and [one["taskArn"] for one in status["blockingTasks"]] == [worker.task]
    world.jobs.await_done([worker.tell("finished", "encode-17").id])
    eventually(lambda: is_steady(world), "the deployment goes on")
    world.put_event("ecs-service-action-steady-state.json", service_arn(world))
    for queue in (people, machines):
        assert alert(world, queue, "deployment-blocked", "resolved")["incident"] == opened[0]["incident"]
    for queue in (people, machines):
        assert world.received(queue) == [], "a notification was sent twice"
    assert world.left_in("DeadLetterQueue") == 0


@pytest.mark.long(15)
def test_the_jobs_of_a_task_that_must_stop_are_notified_and_forwarded(deploy):
    world = deploy(parameters={"InterruptedJobs": "true"})
    world.deliver()
    worker = world.worker(world.idle_task())
    world.jobs.await_done([worker.tell("started", "encode-17", maxDurationMinutes=60).id])
    world.ecs.stop_task(cluster=CLUSTER, task=worker.task, reason="a person stopped it")
    world.put_event("ecs-task-state-change-stopping.json", worker.task, taskArn=worker.task, group="service:web")
    notified = alert(world, world.stack.outputs["AlertQueueUrl"], "job-interrupted", "opened")
    job = json.loads(world.await_one(world.stack.outputs["InterruptedJobQueueUrl"], lambda _: True, "the job")["Body"])
    schema = json.loads((world.programs.project / "schemas/interrupted-job.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(job)
    assert (job["jobId"], job["taskArn"], job["stage"]) == ("encode-17", worker.task, "stopping")
    assert worker.task in json.dumps(notified)
    eventually(lambda: task_status(world, worker.task) == "STOPPED", "the task has stopped")
    world.put_event("ecs-task-state-change-stopped.json", worker.task, taskArn=worker.task, group="service:web")
    eventually(lambda: len(world.events.handled) == 2, "the second event is handled")
    assert [invoked.error for _, invoked in world.events.handled] == [None, None]
    assert world.left_in("InterruptedJobQueue") == world.left_in("AlertQueue") == 0, "a notification was sent twice"


def task_status(world, task):
    (described,) = world.ecs.describe_tasks(cluster=CLUSTER, tasks=[task])["tasks"]
    return described["lastStatus"]
