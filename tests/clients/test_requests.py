"""Invalid requests, derived from valid ones by botocore's model: with a missing member, an unknown member, values of
other types, and values outside of an enumeration. The service must reject all of them without an effect, and the
valid request must still succeed afterwards.
"""

import json

import pytest
from checker import service_model
from offered import OFFERED
from world import CLUSTER, GATED, TARGET, arn

WEB = {"cluster": CLUSTER, "service": "web"}
API = {"cluster": CLUSTER, "service": "api"}


class Stage:
    """The prerequisites of the valid requests: a service `api` with a second task set, a service `gated` whose deployment
    is paused, a received message, a scalable target.
    """

    def __init__(self, world):
        world.ecs.create_service(
            cluster=CLUSTER, serviceName="api", taskDefinition="api:1", desiredCount=1, deploymentController={"type": "EXTERNAL"}
        )
        gated = world.ecs.create_service(cluster=CLUSTER, serviceName="gated", **GATED)["service"]
        self.deployment = gated["currentServiceDeployment"]
        [deployment] = world.ecs.describe_service_deployments(serviceDeploymentArns=[self.deployment])["serviceDeployments"]
        self.hook = deployment["lifecycleHookDetails"][0]["hookId"]
        self.task_set = world.ecs.create_task_set(**API, taskDefinition="api:2")["taskSet"]["id"]
        self.task = world.tasks(serviceName="web")[0]
        self.queue = world.sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
        world.sqs.send_message(QueueUrl=self.queue, MessageBody="a")
        [message] = world.sqs.receive_message(QueueUrl=self.queue)["Messages"]
        self.handle = message["ReceiptHandle"]
        world.scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4)


# Valid input of each operation, as far as it is simulated.
GOOD = {
    "ecs": {
        "UpdateTaskProtection": lambda at: {
            "cluster": CLUSTER,
            "tasks": [at.task],
            "protectionEnabled": True,
            "expiresInMinutes": 5,
        },
        "GetTaskProtection": lambda at: {"cluster": CLUSTER, "tasks": [at.task]},
        "DescribeClusters": lambda at: {"clusters": [CLUSTER], "include": ["TAGS"]},
        "DescribeServices": lambda at: {"cluster": CLUSTER, "services": ["web"], "include": ["TAGS"]},
        "ListServices": lambda at: {
            "cluster": CLUSTER,
            "maxResults": 1,
            "launchType": "FARGATE",
            "schedulingStrategy": "REPLICA",
        },
        "DescribeServiceDeployments": lambda at: {"serviceDeploymentArns": [at.deployment]},
        "ListServiceDeployments": lambda at: {
            "cluster": CLUSTER,
            "service": "gated",
            "status": ["IN_PROGRESS"],
            "maxResults": 1,
        },
        "ContinueServiceDeployment": lambda at: {
            "serviceDeploymentArn": at.deployment,
            "hookId": at.hook,
            "action": "CONTINUE",
        },
        "StopServiceDeployment": lambda at: {"serviceDeploymentArn": at.deployment, "stopType": "ROLLBACK"},
        "ListTasks": lambda at: {
            "cluster": CLUSTER,
            "serviceName": "web",
            "family": "web",
            "desiredStatus": "RUNNING",
            "maxResults": 1,
        },
        "DescribeTasks": lambda at: {"cluster": CLUSTER, "tasks": [at.task]},
        "UpdateService": lambda at: {
            **WEB,
            "desiredCount": 2,
            "forceNewDeployment": False,
            "taskDefinition": "web:1",
            "deploymentConfiguration": {},
        },
        "StopTask": lambda at: {"cluster": CLUSTER, "task": at.task, "reason": "enough"},
        "RunTask": lambda at: {"cluster": CLUSTER, "taskDefinition": "once:1", "count": 1, "launchType": "FARGATE"},
        "CreateCluster": lambda at: {"clusterName": "audio", "tags": [{"key": "a", "value": "b"}]},
        "DeleteService": lambda at: {**WEB, "force": True},
        "CreateTaskSet": lambda at: {**API, "taskDefinition": "api:3", "scale": {"value": 50.0, "unit": "PERCENT"}},
        "UpdateServicePrimaryTaskSet": lambda at: {**API, "primaryTaskSet": at.task_set},
        "DeleteTaskSet": lambda at: {**API, "taskSet": at.task_set, "force": True},
        "DescribeTaskSets": lambda at: {**API, "taskSets": [at.task_set]},
        "CreateService": lambda at: {
            "cluster": CLUSTER,
            "serviceName": "new",
            "taskDefinition": "new:1",
            "desiredCount": 1,
            "deploymentController": {"type": "ECS"},
            "deploymentConfiguration": {"strategy": "ROLLING"},
            "tags": [],
        },
        "ListTagsForResource": lambda at: {"resourceArn": arn("cluster", CLUSTER)},
        "TagResource": lambda at: {"resourceArn": arn("cluster", CLUSTER), "tags": [{"key": "a", "value": "b"}]},
    },
    "sqs": {
        "CreateQueue": lambda at: {"QueueName": "new", "Attributes": {"DelaySeconds": "1"}},
        "GetQueueUrl": lambda at: {"QueueName": "jobs"},
        "ListQueues": lambda at: {"QueueNamePrefix": "j"},
        "GetQueueAttributes": lambda at: {"QueueUrl": at.queue, "AttributeNames": ["All"]},
        "PurgeQueue": lambda at: {"QueueUrl": at.queue},
        "SendMessage": lambda at: {"QueueUrl": at.queue, "MessageBody": "a", "DelaySeconds": 1, "MessageAttributes": {}},
        "SendMessageBatch": lambda at: {"QueueUrl": at.queue, "Entries": [{"Id": "a", "MessageBody": "a"}]},
        "ReceiveMessage": lambda at: {"QueueUrl": at.queue, "MaxNumberOfMessages": 1, "VisibilityTimeout": 1},
        "DeleteMessage": lambda at: {"QueueUrl": at.queue, "ReceiptHandle": at.handle},
        "DeleteMessageBatch": lambda at: {"QueueUrl": at.queue, "Entries": [{"Id": "a", "ReceiptHandle": at.handle}]},
        "ChangeMessageVisibility": lambda at: {"QueueUrl": at.queue, "ReceiptHandle": at.handle, "VisibilityTimeout": 1},
    },
    "application-autoscaling": {
        "DescribeScalableTargets": lambda at: {"ServiceNamespace": "ecs", "ResourceIds": [TARGET["ResourceId"]]},
        "RegisterScalableTarget": lambda at: {**TARGET, "MinCapacity": 1, "MaxCapacity": 2},
        "DeregisterScalableTarget": lambda at: TARGET,
    },
}
JSON_PAIRS = [(service, operation) for service in GOOD for operation in GOOD[service]]

# The errors for a missing member or an invalid value.
INVALID = {
    "ecs": {"InvalidParameterException"},
    # A missing list of entries counts as an empty one; the rest follows "Common Errors" of the SQS API Reference.
    "sqs": {"MissingParameter", "InvalidParameterValue", "EmptyBatchRequest"},
    "application-autoscaling": {"ValidationException"},
}


def input_of(service, operation):
    return service_model(service).operation_model(operation).input_shape


def enumeration(shape):
    """The allowed values of a member, or of each of its items."""
    shape = shape.member if shape.type_name == "list" else shape
    return shape.enum if shape.type_name == "string" else []


def some_value_of(shape):
    kind = shape.type_name
    if kind == "string":
        return shape.enum[0] if shape.enum else "x"
    return {"boolean": True, "list": [], "structure": {}, "map": {}}.get(kind, 1)


def of_another_type(value):
    return ["not", "this"] if not isinstance(value, list) else {"not": "this"}


def assert_refused(world, service, operation, body, codes):
    status, code, answer = world.by_hand(service, operation, body)
    assert status >= 400 and code in codes, f"{body} is answered with {status} {answer}"


def test_there_is_a_good_request_for_each_operation():
    assert {service: set(operations) for service, operations in GOOD.items()} == {
        service: set(OFFERED[service]) for service in GOOD
    }


@pytest.mark.parametrize(("service", "operation"), JSON_PAIRS)
def test_a_request_without_what_is_required_is_refused(world, service, operation):
    good = GOOD[service][operation](Stage(world))
    for name in input_of(service, operation).required_members:
        rest = {other: value for other, value in good.items() if other != name}
        assert_refused(world, service, operation, rest, INVALID[service])
        assert_refused(world, service, operation, {**rest, name: None}, INVALID[service])
    assert world.by_hand(service, operation, good)[0] == 200


@pytest.mark.parametrize(("service", "operation"), JSON_PAIRS)
def test_a_request_with_a_value_of_another_type_is_refused(world, service, operation):
    good = GOOD[service][operation](Stage(world))
    for name, value in good.items():
        codes = {"SerializationException"} | (INVALID[service] if service == "application-autoscaling" else set())
        assert_refused(world, service, operation, {**good, name: of_another_type(value)}, codes)
    for body in (b"[]", b"text", b'{"cluster": ', json.dumps([good]).encode()):
        assert_refused(world, service, operation, body, {"SerializationException"})
    assert world.by_hand(service, operation, good)[0] == 200


@pytest.mark.parametrize("operation", GOOD["ecs"])
def test_a_member_that_ecs_does_not_know_is_refused_and_one_that_it_knows_is_not(world, operation):
    good = GOOD["ecs"][operation](Stage(world))
    for name in ("mood", "Cluster", "clusterArn", ""):
        status, code, answer = world.by_hand("ecs", operation, {**good, name: "x"})
        assert (status, code) == (400, "InvalidParameterException")
        assert answer["message"] == f"{operation} has no parameter {name}."
    for name, shape in input_of("ecs", operation).members.items():
        _, _, answer = world.by_hand("ecs", operation, {**good, name: some_value_of(shape)})
        assert "has no parameter" not in answer.get("message", ""), name


def test_a_member_that_is_null_is_none(world):
    response = world.by_hand("ecs", "ListTasks", {"cluster": CLUSTER, "serviceName": None, "mood": None})
    assert (response[0], len(response[2]["taskArns"])) == (200, 2)


@pytest.mark.parametrize("operation", GOOD["ecs"])
def test_a_value_that_is_not_of_its_list_is_refused_by_ecs(world, operation):
    good = GOOD["ecs"][operation](Stage(world))
    for name, shape in input_of("ecs", operation).members.items():
        if not enumeration(shape):
            continue
        for value in ("SOMETHING_NEW", enumeration(shape)[0].lower(), ""):
            wrong = [value] if shape.type_name == "list" else value
            assert_refused(world, "ecs", operation, {**good, name: wrong}, INVALID["ecs"])
    assert world.by_hand("ecs", operation, good)[0] == 200
