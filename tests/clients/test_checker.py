"""The checker rejects answers that AWS could not give; a checker that accepts everything would prove nothing."""

import json

import pytest
from checker import problems_of
from recorder import Exchange

DESCRIBED = {
    "services": [
        {
            "serviceName": "web",
            "desiredCount": 2,
            "createdAt": 1767603600.25,
            "schedulingStrategy": "REPLICA",
            "enableECSManagedTags": False,
            "deploymentConfiguration": {"canaryConfiguration": {"canaryPercent": 5.0}},
        }
    ],
    "failures": [],
}
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/video/web",
    "ScalableDimension": "ecs:service:DesiredCount",
    "MinCapacity": 1,
    "MaxCapacity": 4,
    "RoleARN": "arn:aws:iam::111122223333:role/x",
    "CreationTime": 1767603600,
}
SENT = (
    b'<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Successful/><Failed><member>'
    b"<Id>a</Id><Code>InvalidParameter</Code><SenderFault>true</SenderFault></member></Failed></PublishBatchResult>"
    b"<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PublishBatchResponse>"
)
REFUSED = (
    b'<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>InvalidParameter</Code>'
    b"<Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>"
)


def answer(service, operation, body, status=200, **headers):
    version = {"sqs": "1.0"}.get(service, "1.1")
    kind = "text/xml" if service == "sns" else f"application/x-amz-json-{version}"
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(
        service, operation, "made up", b"{}", status, {"content-type": kind, "x-amzn-requestid": "1", **headers}, body
    )


def described(path, value):
    """The valid answer with one misplaced value."""
    body = json.loads(json.dumps(DESCRIBED))
    at = body
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return answer("ecs", "DescribeServices", body)


def refusal(code, status=400, operation="DescribeServices", **more):
    body = {"__type": code, "message": "no", **more}
    return answer("ecs", operation, body, status, **{"x-amzn-errortype": code})


GOOD = [
    answer("ecs", "DescribeServices", DESCRIBED),
    answer("ecs", "TagResource", {}),
    answer("application-autoscaling", "DescribeScalableTargets", {"ScalableTargets": [TARGET]}),
    answer("sqs", "PurgeQueue", {}),
    answer("sqs", "ReceiveMessage", {"Messages": [{"MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "AAE="}}}]}),
    answer("sns", "PublishBatch", SENT),
    answer("sns", "Publish", REFUSED, 400),
    refusal("ClusterNotFoundException"),
    refusal("ServerException", 500),
    refusal("ThrottlingException"),
]


@pytest.mark.parametrize("exchange", GOOD, ids=lambda exchange: f"{exchange.operation}-{exchange.status}")
def test_an_answer_as_the_model_has_it_is_taken(exchange):
    assert problems_of(exchange) == []


SERVICE = ("services", 0)
BAD = {
    "an invented member": (described(("servicez",), []), "output.servicez is invented"),
    "an invented member far inside": (described((*SERVICE, "mood"), "fine"), "output.services[0].mood is invented"),
    "a member of another case": (described((*SERVICE, "DesiredCount"), 2), "output.services[0].DesiredCount is invented"),
    "text for a number": (described((*SERVICE, "desiredCount"), "2"), "desiredCount is no integer: '2'"),
    "a fraction for a whole number": (described((*SERVICE, "desiredCount"), 2.0), "desiredCount is no integer: 2.0"),
    "a number for text": (described((*SERVICE, "serviceName"), 7), "serviceName is no string: 7"),
    "a number for a truth": (described((*SERVICE, "enableECSManagedTags"), 0), "enableECSManagedTags is no boolean: 0"),
    "a truth for a number": (described((*SERVICE, "desiredCount"), True), "desiredCount is no integer: True"),
    "nothing for a member": (described((*SERVICE, "serviceName"), None), "serviceName is no string: None"),
    "a list for a structure": (described((*SERVICE, "deploymentConfiguration"), []), "is no structure: []"),
    "a structure for a list": (described(("failures",), {}), "output.failures is no list: {}"),
    "a value that the enumeration has not": (
        described((*SERVICE, "schedulingStrategy"), "SOMETIMES"),
        "schedulingStrategy is SOMETIMES, which is none of REPLICA, DAEMON",
    ),
    "a moment in milliseconds": (described((*SERVICE, "createdAt"), 1767603600250), "createdAt is no timestamp"),
    "a moment as text": (described((*SERVICE, "createdAt"), "2026-01-05T09:00:00Z"), "createdAt is no timestamp"),
    "a moment before all services": (described((*SERVICE, "createdAt"), 0), "createdAt is no timestamp"),
    "a required member left out": (
        answer("application-autoscaling", "DescribeScalableTargets", {"ScalableTargets": [{**TARGET, "RoleARN": None}, {}]}),
        "output.ScalableTargets[1].RoleARN is missing",
    ),
    "text that is not base64": (
        answer("sqs", "ReceiveMessage", {"Messages": [{"MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "?"}}}]}),
        "BinaryValue is no blob",
    ),
    "a map of other values": (
        answer("sqs", "ReceiveMessage", {"Messages": [{"Attributes": {"SenderId": 1}}]}),
        "is no string: 1",
    ),
    "a map with a key that the enumeration has not": (
        answer("sqs", "GetQueueAttributes", {"Attributes": {"Mood": "fine"}}),
        "Mood, which is none of",
    ),
    "output of an operation that has none": (answer("sqs", "PurgeQueue", {"done": True}), "it has a body"),
    "a body that is no JSON": (answer("ecs", "DescribeServices", b"{"), "the body cannot be read"),
    "an error of another operation": (refusal("TaskSetNotFoundException"), "TaskSetNotFoundException is none of its errors"),
    "an error that does not exist": (refusal("MoodException"), "MoodException is none of its errors"),
    "an error with another status": (refusal("ClusterNotFoundException", 404), "came with HTTP 404 and not 400"),
    "a fault with the status of a mistake": (refusal("ServerException"), "came with HTTP 400 and not 500"),
    "an error with an invented member": (refusal("ClientException", mood="bad"), "the error has the invented member mood"),
    "an operation of nobody's": (refusal("ClientException", operation="DescribeMood"), "it is not in the model"),
    "a header that says another error": (
        answer("ecs", "DescribeServices", {"__type": "ClientException", "message": "no"}, 400, **{"x-amzn-errortype": "Other"}),
        "the header says Other and the body ClientException",
    ),
    "an error of SQS without its older code": (
        answer(
            "sqs",
            "PurgeQueue",
            {"__type": "QueueDoesNotExist", "message": "no"},
            400,
            **{"x-amzn-errortype": "QueueDoesNotExist"},
        ),
        "x-amzn-query-error is ``",
    ),
    "another content type": (
        answer("ecs", "DescribeServices", DESCRIBED, **{"content-type": "application/json"}),
        "the content type is application/json",
    ),
    "no request id": (answer("ecs", "DescribeServices", DESCRIBED, **{"x-amzn-requestid": ""}), "it carries no request id"),
    "an invented element": (answer("sns", "PublishBatch", SENT.replace(b"<Id>a</Id>", b"<Id>a</Id><Mood/>")), "Mood is invented"),
    "a truth that is none": (
        answer("sns", "PublishBatch", SENT.replace(b"<SenderFault>true", b"<SenderFault>yes")),
        "SenderFault is no boolean: 'yes'",
    ),
    "a list of other elements": (answer("sns", "PublishBatch", SENT.replace(b"member", b"item")), "Failed is no list"),
    "a required element left out": (
        answer("sns", "PublishBatch", SENT.replace(b"<Code>InvalidParameter</Code>", b"")),
        "output.Failed[0].Code is missing",
    ),
    "elements of another namespace": (
        answer("sns", "PublishBatch", SENT.replace(b"2010-03-31", b"2010-04-01")),
        "elements outside",
    ),
    "another envelope": (answer("sns", "PublishBatch", SENT.replace(b"PublishBatchResult", b"Result")), "the answer is built of"),
    "an error of SNS that does not exist": (
        answer("sns", "Publish", REFUSED.replace(b"InvalidParameter", b"Mood"), 400),
        "Mood is none",
    ),
    "an error without its type": (
        answer("sns", "Publish", REFUSED.replace(b"<Type>Sender</Type>", b""), 400),
        "the error is built of",
    ),
}


@pytest.mark.parametrize("made_up", BAD)
def test_an_answer_that_aws_could_not_have_given_is_refused(made_up):
    exchange, wanted = BAD[made_up]
    problems = problems_of(exchange)
    assert any(wanted in problem for problem in problems), problems
