"""The shell settings that `ecs-sim serve` prints work unchanged for the AWS CLI and boto3, without any other setting."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from world import CLUSTER, ENVIRONMENT, REGION, TARGET, TOPIC

SECONDS = 300
# No Region, endpoint or credentials. Requests that leave loopback fail at a proxy that does not exist. One attempt each.
ELSEWHERE = ("PATH", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED", "AWS_MAX_ATTEMPTS")
BARE = {name: ENVIRONMENT[name] for name in (*ELSEWHERE, "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")}
BARE["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{BARE['PATH']}"

# One call to each service. The arguments of boto3 are those of the command.
CALLS = {
    "ecs": ("list_services", {"cluster": CLUSTER}, f"ecs list-services --cluster {CLUSTER}"),
    "sqs": ("list_queues", {}, "sqs list-queues"),
    "sns": (
        "publish",
        {"TopicArn": TOPIC, "Message": "a"},
        f"sns publish --topic-arn {TOPIC} --message a",
    ),
    "application-autoscaling": (
        "describe_scalable_targets",
        {"ServiceNamespace": TARGET["ServiceNamespace"]},
        f"application-autoscaling describe-scalable-targets --service-namespace {TARGET['ServiceNamespace']}",
    ),
}

BOTO3 = """
import boto3, json, sys
calls = json.loads(sys.argv[1])
for service, (operation, arguments, _) in calls.items():
    client = boto3.client(service)
    answer = getattr(client, operation)(**arguments)
    print(service, client.meta.region_name, client.meta.endpoint_url, answer["ResponseMetadata"]["HTTPStatusCode"])
"""


class Shell:
    """A shell that has read what the simulator printed for it."""

    def __init__(self, greeting, name="sh"):
        self.name = name
        self.environment, commands = re.fullmatch(r".*in a shell:\n\n(.*)\nThen:\n\n(.*)", greeting, re.DOTALL).groups()
        self.commands = commands.splitlines()
        self.endpoint = re.search(r"http://\S+", greeting)[0]

    def run(self, command, *arguments, **variables):
        script = f"set -eu\n{self.environment}\n{command}"
        words = [self.name, "-c", script, self.name, *arguments]
        environment = {**BARE, **variables}
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)

    def exported(self):
        """The AWS variables that a program started in this shell has in addition."""
        printed = self.run(f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'").stdout
        return {name: value for name, value in json.loads(printed).items() if name.startswith("AWS_") and name not in BARE}


@pytest.fixture
def shell(world):
    return Shell(world.greeting())


def test_each_command_that_is_printed_works_as_it_is(shell):
    assert len(shell.commands) == 3
    for command in shell.commands:
        done = shell.run(command)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert json.loads(done.stdout).get("failures", []) == []


@pytest.mark.parametrize("service", CALLS)
def test_the_aws_cli_finds_each_service(shell, service):
    _, _, command = CALLS[service]
    done = shell.run(f"aws {command}")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_aws_cli_finds_the_job_queue(shell):
    """Version 1 ignores the variables for SQS and uses its own endpoint."""
    listed = shell.run("aws sqs list-queues --queue-name-prefix jobs --query QueueUrls[0] --output text")
    assert listed.stdout.startswith(shell.endpoint), listed
    sent = shell.run(f"aws sqs send-message --queue-url {listed.stdout.strip()} --message-body a")
    assert (sent.returncode, sent.stderr) == (0, "")


def test_boto3_finds_each_service(shell):
    done = shell.run('python -c "$1" "$2"', BOTO3, json.dumps(CALLS))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{service} {REGION} {shell.endpoint} 200" for service in CALLS]


def test_an_endpoint_that_was_set_before_does_not_win(shell):
    before = {f"AWS_ENDPOINT_URL_{service}": "http://127.0.0.1:9" for service in ("ECS", "SQS", "SNS")}
    before |= {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    done = shell.run('python -c "$1" "$2"', BOTO3, json.dumps(CALLS), **before)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_exported_is_what_the_clients_read_that_are_not_run_here(shell):
    """Version 2 of the AWS CLI reads both variables of the Region, and the endpoint of a service before that of all; the SDKs of
    other languages read AWS_REGION (AWS SDKs and Tools Reference Guide, "AWS Region" and "Service-specific endpoints")."""
    services = ("", "_ECS", "_SQS", "_SNS", "_APPLICATION_AUTO_SCALING", "_LAMBDA")
    assert shell.exported() == {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        **{f"AWS_ENDPOINT_URL{service}": shell.endpoint for service in services},
    }


def test_bash_reads_it_too(world):
    done = Shell(world.greeting(), "bash").run(f"aws {CALLS['sqs'][2]}")
    assert (done.returncode, done.stderr) == (0, "")
