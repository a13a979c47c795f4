"""SAM's own expansion of the function in template.yaml. `tests/terraform/template.rs` relies on it when it compares
the Terraform module with the template; so do the template's own tests.
"""

import os

import pytest
from samcli.yamlhelper import yaml_parse
from stage import ROOT

os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"  # the translator requires a Region but calls no service

from samtranslator.public.translator import ManagedPolicyLoader  # noqa: E402
from samtranslator.translator.transform import transform  # noqa: E402


class NoOthers(ManagedPolicyLoader):
    """The template names no managed policy, so there is none to look up."""

    def __init__(self):
        pass

    def load(self):
        return {}


@pytest.fixture(scope="session")
def resources():
    template = yaml_parse((ROOT / "template.yaml").read_text())
    template["Resources"]["Function"]["Properties"]["CodeUri"] = "s3://bucket/bootstrap.zip"
    return transform(template, {"ClusterName": "video"}, NoOthers())["Resources"]


def properties(resources, kind):
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def arn(name):
    return {"Fn::GetAtt": [name, "Arn"]}


def test_sam_adds_a_role_and_one_resource_or_two_for_each_event(resources):
    written = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    added = {name: resource["Type"] for name, resource in resources.items() if name not in written}
    assert added == {
        "FunctionRole": "AWS::IAM::Role",
        "FunctionEventInvokeConfig": "AWS::Lambda::EventInvokeConfig",
        "FunctionJobs": "AWS::Lambda::EventSourceMapping",
        "FunctionRechecks": "AWS::Lambda::EventSourceMapping",
        "FunctionTaskStopped": "AWS::Events::Rule",
        "FunctionTaskStoppedPermission": "AWS::Lambda::Permission",
        "FunctionServiceEvents": "AWS::Events::Rule",
        "FunctionServiceEventsPermission": "AWS::Lambda::Permission",
        "FunctionSweep": "AWS::Events::Rule",
        "FunctionSweepPermission": "AWS::Lambda::Permission",
    }


def test_lambda_alone_may_take_the_role(resources):
    (statement,) = resources["FunctionRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    expected = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"Service": ["lambda.amazonaws.com"]}}
    assert statement == expected


def test_the_role_may_what_the_template_says_and_read_queues_write_logs_and_send_to_the_dead_letter_queue(resources):
    role = resources["FunctionRole"]["Properties"]
    managed = [policy.rsplit("/")[-1] for policy in role["ManagedPolicyArns"]]
    assert sorted(managed) == ["AWSLambdaBasicExecutionRole", "AWSLambdaSQSQueueExecutionRole"]
    dead_letters, ours = role["Policies"]
    (statement,) = dead_letters["PolicyDocument"]["Statement"]
    assert statement == {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn("DeadLetterQueue")}
    written = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]["Function"]["Properties"]["Policies"]
    assert [ours["PolicyDocument"]] == written


def test_each_rule_and_no_other_may_invoke_the_function(resources):
    permissions = properties(resources, "AWS::Lambda::Permission")
    for rule in properties(resources, "AWS::Events::Rule"):
        assert permissions.pop(f"{rule}Permission") == {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": "Function"},
            "Principal": "events.amazonaws.com",
            "SourceArn": arn(rule),
        }
    assert permissions == {}


def test_each_rule_has_the_function_as_its_only_target(resources):
    for name, rule in properties(resources, "AWS::Events::Rule").items():
        (target,) = rule["Targets"]
        assert target["Arn"] == arn("Function"), name
        assert target["RetryPolicy"], name


def test_events_that_the_function_fails_go_to_the_dead_letter_queue(resources):
    assert resources["Function"]["Properties"]["DeadLetterConfig"] == {"TargetArn": arn("DeadLetterQueue")}
    invoked = resources["FunctionEventInvokeConfig"]["Properties"]
    assert (invoked["FunctionName"], invoked["DestinationConfig"]) == ({"Ref": "Function"}, {})
