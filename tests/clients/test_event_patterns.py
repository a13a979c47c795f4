"""Checks each rule of template.yaml with an independent matcher: moto's, which follows EventBridge's documentation.

The expected matches are listed by hand, file by file and change by change. In addition to the files in events/, there
are events that differ from them in one respect, such as events of other clusters, accounts and sources.
"""

import copy
import json

import boto3
import pytest
from moto import mock_aws
from moto.events.models import EventPattern, EventPatternParser
from template import ROOT, patterns

RULES = ("ServiceEvents", "TaskStopped")
FILES = {path.name.removesuffix(".json"): path for path in sorted((ROOT / "events").glob("*.json"))}

# The rule that each EventBridge payload must match; events/README.md describes the payloads.
REACHES = {
    "ecs-deployment-state-change-completed": "ServiceEvents",
    "ecs-deployment-state-change-failed": "ServiceEvents",
    "ecs-deployment-state-change-in-progress": "ServiceEvents",
    "ecs-hook-state-change-awaiting-action": "ServiceEvents",
    "ecs-service-action-steady-state": "ServiceEvents",
    "ecs-service-action-task-placement-failure": "ServiceEvents",
    "ecs-service-action-task-protection": "ServiceEvents",
    "ecs-task-state-change-spot-notice": "TaskStopped",
    "ecs-task-state-change-spot-stopped": "TaskStopped",
    "ecs-task-state-change-stopped": "TaskStopped",
    "ecs-task-state-change-stopping": "TaskStopped",
    # These need no action, so they must not invoke the function.
    "ecs-task-state-change-running": None,
    "ecs-task-state-change-stopped-other-cluster": None,
    "ecs-unknown-detail-type": None,
    "scheduled-event": None,
    # A rule of your own delivers it.
    "eventbridge-job-message": None,
    # These do not come from EventBridge at all.
    "command-preflight": None,
    "command-redrive": None,
    "command-release": None,
    "command-status": None,
    "command-status-of-cluster": None,
    "console-test-event": None,
    "lifecycle-hook-post-scale-up": None,
    "lifecycle-hook-waiting": None,
    "pipes-batch": None,
    "sns-invocation": None,
    "sqs-batch-mixed": None,
    "sqs-eventbridge-in-body": None,
    "sqs-eventbridge-job-message": None,
    "sqs-fifo-job-messages": None,
    "sqs-recheck": None,
    "sqs-recheck-task": None,
    "sqs-job-finished": None,
    "sqs-job-heartbeat": None,
    "sqs-job-started": None,
    "sqs-sns-envelope": None,
    "sweep": None,
}

CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/video"
OTHER = "arn:aws:ecs:eu-west-1:111122223333:cluster/audio"
SERVICE = "arn:aws:ecs:eu-west-1:111122223333:service/video/transcode"
GONE = object()


def everywhere(before, after):
    """Replaces a text everywhere in the event."""

    def change(event):
        text = json.dumps(event)
        assert before in text, f"{before} stands in the event"
        return json.loads(text.replace(before, after))

    return change


def with_members(**members):
    """The event with other values at these paths, `detail__clusterArn` for that member of `detail`."""

    def change(event):
        event = copy.deepcopy(event)
        for path, value in members.items():
            at, (*way, last) = event, path.split("__")
            for step in way:
                at = at[step]
            if value is GONE:
                del at[last]
            else:
                at[last] = value
        return event

    return change


def with_envelope(name, value):
    return lambda event: {**event, name: value}


# Changes that turn an event into one of another cluster, account or source.
FOREIGN = {
    "another source": with_envelope("source", "made.up"),
    "a source in another case": with_envelope("source", "AWS.ECS"),
    "a source that begins alike": with_envelope("source", "aws.ecs2"),
    "no source": with_members(source=GONE),
    "a source that is a number": with_envelope("source", 7),
    "another detail-type": with_envelope("detail-type", "ECS Container Instance State Change"),
    "a detail-type in another case": lambda event: {**event, "detail-type": event["detail-type"].lower()},
    "a longer detail-type": lambda event: {**event, "detail-type": event["detail-type"] + "s"},
    "several other sources": with_envelope("source", ["aws.ec2", "aws.ebs"]),
    "another account": everywhere(":111122223333:", ":999922223333:"),
    "another Region": everywhere(":eu-west-1:", ":eu-west-2:"),
    "another partition": everywhere("arn:aws:", "arn:aws-cn:"),
    "another cluster": everywhere("/video", "/audio"),
    "a cluster whose name begins alike": everywhere("/video", "/video2"),
    "a cluster whose name goes on": everywhere("/video", "/video-next"),
    "a cluster whose name ends alike": everywhere("/video", "/my-video"),
    "a cluster in another case": everywhere("/video", "/Video"),
    "no mention of a cluster": with_members(detail__clusterArn=GONE, resources=[]),
    "another resource and no detail": with_members(detail=GONE, resources=["arn:aws:ecs:eu-west-1:111122223333:task/video/a"]),
    "another resource and a detail that is text": with_members(detail=CLUSTER, resources=[]),
    "another resource and a detail that is a list": with_members(detail=[{"clusterArn": CLUSTER}], resources=[]),
    "another resource and a detail that is null": with_members(detail=None, resources=[]),
    "a cluster by its name alone": with_members(detail__clusterArn="video", resources=[]),
}

# For each rule, changes and whether the rule must still match.
CHANGES = {
    "TaskStopped": {
        "a task that is to run": (with_members(detail__desiredStatus="RUNNING"), False),
        "a status in another case": (with_members(detail__desiredStatus="stopped"), False),
        "no status": (with_members(detail__desiredStatus=GONE), False),
        "a null status": (with_members(detail__desiredStatus=None), False),
        "one of several statuses": (with_members(detail__desiredStatus=["RUNNING", "STOPPED"]), True),
        "several other statuses": (with_members(detail__desiredStatus=["RUNNING", "PENDING"]), False),
        "a last status of any kind": (with_members(detail__lastStatus="SOMETHING_NEW"), True),
        "a stop code of any kind": (with_members(detail__stopCode="SomethingNew"), True),
        "no stop code": (with_members(detail__stopCode=GONE), True),
        "another service's task": (with_members(detail__group="service:other"), True),
        "a task of no service": (with_members(detail__group="family:once"), True),
        "no group": (with_members(detail__group=GONE), True),
        "a task by its old ARN": (with_members(resources=["arn:aws:ecs:eu-west-1:111122223333:task/a"]), True),
        "no resources": (with_members(resources=GONE), True),
        "no cluster in the detail": (with_members(detail__clusterArn=GONE), False),
        "one of several clusters": (with_members(detail__clusterArn=[OTHER, CLUSTER]), True),
        "several other clusters": (with_members(detail__clusterArn=[OTHER]), False),
        "the detail-type of services": (with_envelope("detail-type", "ECS Service Action"), False),
    },
    "ServiceEvents": {
        "an event type of any kind": (with_members(detail__eventType="WARN"), True),
        "an event name of any kind": (with_members(detail__eventName="SOMETHING_NEW"), True),
        "neither": (with_members(detail__eventType=GONE, detail__eventName=GONE), True),
        "the other detail-type": (with_envelope("detail-type", "ECS Deployment State Change"), True),
        "the one detail-type": (with_envelope("detail-type", "ECS Service Action"), True),
        "one of several detail-types": (with_envelope("detail-type", ["Else", "ECS Service Action"]), True),
        "the detail-type of tasks": (with_envelope("detail-type", "ECS Task State Change"), False),
        "another service of the cluster": (everywhere("/video/transcode", "/video/other"), True),
        "no cluster in the detail": (with_members(detail__clusterArn=GONE), True),
        "no detail": (with_members(detail=GONE), True),
        "a detail that is null": (with_members(detail=None), True),
        "a service by its old ARN": (everywhere("service/video/transcode", "service/transcode"), True),
        "a service by its old ARN, of no cluster": (
            with_members(detail__clusterArn=GONE, resources=["arn:aws:ecs:eu-west-1:111122223333:service/transcode"]),
            False,
        ),
        "a service that has the cluster's name, of no cluster": (
            with_members(detail__clusterArn=GONE, resources=["arn:aws:ecs:eu-west-1:111122223333:service/video"]),
            False,
        ),
        "no resources": (with_members(resources=GONE), True),
        "an empty list of resources": (with_members(resources=[]), True),
        "a resource that is no list": (with_members(resources=SERVICE, detail__clusterArn=GONE), True),
        "a service among other resources": (with_members(resources=[OTHER, SERVICE], detail__clusterArn=GONE), True),
        "a task as the only resource": (
            with_members(resources=["arn:aws:ecs:eu-west-1:111122223333:task/video/a"], detail__clusterArn=GONE),
            False,
        ),
        "a service of another cluster, and ours in the detail": (
            with_members(resources=[SERVICE.replace("video", "audio")]),
            True,
        ),
        "another cluster in the detail, and a service of ours": (with_members(detail__clusterArn=OTHER), True),
        "one of several clusters": (with_members(resources=[], detail__clusterArn=[OTHER, CLUSTER]), True),
    },
}

# The envelope names the account and the Region too, but no rule checks them: the ARNs identify the owner.
ENVELOPE = {
    "another account in the envelope": with_envelope("account", "999922223333"),
    "another Region in the envelope": with_envelope("region", "eu-west-2"),
    "no account in the envelope": with_members(account=GONE),
    "an unknown member": with_envelope("replay-name", "again"),
}


def payload(name):
    return json.loads(FILES[name].read_text())


def is_matched(pattern, event):
    text = json.dumps(pattern)
    return EventPattern(text, EventPatternParser(text).parse()).matches_event(event)


def cases(rule):
    """Every known event with its name, and whether the rule must match it."""
    for name in FILES:
        yield name, payload(name), REACHES[name] == rule
    for name in (name for name, reached in REACHES.items() if reached == rule):
        event = payload(name)
        for what, change in FOREIGN.items():
            yield f"{name}, with {what}", change(event), False
        for what, change in ENVELOPE.items():
            yield f"{name}, with {what}", change(event), True
        for what, (change, wanted) in CHANGES[rule].items():
            yield f"{name}, with {what}", change(event), wanted


def test_the_rules_of_the_template_are_those_that_are_known_here():
    assert sorted(patterns()) == sorted(RULES)
    assert set(FILES) == set(REACHES), "each payload has its row"


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_matches_what_it_must_and_nothing_else(rule, statistics):
    pattern, wrong = patterns()[rule], []
    for name, event, wanted in cases(rule):
        statistics.matches[rule] += 1
        if is_matched(pattern, event) != wanted:
            wrong.append(f"{name}: {'not ' if wanted else ''}matched")
    assert wrong == []


@pytest.mark.parametrize("rule", RULES)
def test_no_part_of_a_pattern_is_idle(rule):
    """Without any one of its parts, a pattern matches an event that it must not, or misses one that it must match."""
    pattern = patterns()[rule]
    lesser = list(without_one_part(pattern))
    assert len(lesser) > 4
    for part, changed in lesser:
        assert any(is_matched(changed, event) != wanted for _, event, wanted in cases(rule)), f"nothing needs {part}"


def without_one_part(node, path=""):
    """Each pattern without one member, or without one alternative of a member."""
    if isinstance(node, dict):
        for name, inner in node.items():
            rest = {other: value for other, value in node.items() if other != name}
            if rest:
                yield f"{path}/{name}", rest
            for part, changed in without_one_part(inner, f"{path}/{name}"):
                yield part, {**node, name: changed}
    elif isinstance(node, list):
        for at, inner in enumerate(node):
            if len(node) > 1:
                yield f"{path}[{at}]", node[:at] + node[at + 1 :]
            if isinstance(inner, dict):
                for part, changed in without_one_part(inner, f"{path}[{at}]"):
                    yield part, [*node[:at], changed, *node[at + 1 :]]


@pytest.mark.parametrize(
    ("changed", "change"),
    [
        ({"ClusterName": "audio"}, everywhere("/video", "/audio")),
        ({"AWS::Region": "eu-west-2"}, everywhere(":eu-west-1:", ":eu-west-2:")),
        ({"AWS::AccountId": "999922223333"}, everywhere(":111122223333:", ":999922223333:")),
        ({"AWS::Partition": "aws-cn"}, everywhere("arn:aws:", "arn:aws-cn:")),
    ],
)
@pytest.mark.parametrize("name", [name for name, reached in REACHES.items() if reached])
def test_a_stack_with_other_parameters_is_for_other_events(name, changed, change):
    pattern, event = patterns(**changed)[REACHES[name]], payload(name)
    assert not is_matched(pattern, event)
    assert is_matched(pattern, change(event))


def test_an_event_reaches_the_target_of_its_rule_and_no_other():
    """End to end: the rules in EventBridge, events put on a bus, and a queue behind each rule. moto lets any caller
    put events of the source aws.ecs, unlike EventBridge.
    """
    with mock_aws():
        session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-west-1")
        events, sqs = session.client("events"), session.client("sqs")
        urls = {}
        for rule, pattern in patterns().items():
            urls[rule] = sqs.create_queue(QueueName=rule)["QueueUrl"]
            response = sqs.get_queue_attributes(QueueUrl=urls[rule], AttributeNames=["QueueArn"])["Attributes"]
            events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
            events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": response["QueueArn"]}])
        for name, reached in REACHES.items():
            event = payload(name)
            if "detail-type" not in event:
                continue
            entry = {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Resources": event["resources"],
                "Detail": json.dumps(event["detail"]),
            }
            assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
            for rule, url in urls.items():
                came = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
                assert len(came) == int(rule == reached), f"{name} at {rule}"
