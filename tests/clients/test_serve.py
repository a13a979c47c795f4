"""The shell settings that `ecs-sim serve` prints work unchanged for the AWS CLI and boto3, without any other setting."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from world import CLUSTER, ENVIRONMENT, LIFETIME_SECONDS, REGION, TARGET, TOPIC

ROOT = Path(__file__).parents[2]
SECONDS = 300
# No Region, endpoint or credentials. Requests that leave loopback fail at a proxy that does not exist. One attempt each.
ELSEWHERE = ("PATH", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED", "AWS_MAX_ATTEMPTS")
BARE = {name: ENVIRONMENT[name] for name in (*ELSEWHERE, "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")}
PINNED = f"{Path(sys.executable).parent}{os.pathsep}{BARE['PATH']}"


def version_2():
    """The directory of version 2 of the AWS CLI, if the machine has one that speaks JSON to SQS. No package index has it."""
    cli = shutil.which("aws", path=BARE["PATH"])
    printed = cli and subprocess.run([cli, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"aws-cli/(2)\.(\d+)\.(\d+)", printed or "")
    return Path(cli).parent if version and tuple(map(int, version.groups())) >= (2, 13, 34) else None


# The directories in which a shell looks for `aws`: version 1 of the pinned list, and version 2 where the machine has it.
NEWER = version_2()
CLIS = {"1": PINNED} | ({"2": f"{NEWER}{os.pathsep}{PINNED}"} if NEWER else {})

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

    def __init__(self, greeting, name="sh", path=PINNED):
        self.name, self.path = name, path
        self.environment, commands = re.fullmatch(r".*in a shell:\n\n(.*)\nThen:\n\n(.*)", greeting, re.DOTALL).groups()
        self.commands = commands.splitlines()
        self.endpoint = re.search(r"http://\S+", greeting)[0]

    def run(self, command, *arguments, **variables):
        script = f"set -eu\n{self.environment}\n{command}"
        words = [self.name, "-c", script, self.name, *arguments]
        environment = {**BARE, "PATH": self.path, **variables}
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)

    def exported(self):
        """The AWS variables that a program started in this shell has in addition."""
        printed = self.run(f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'").stdout
        return {name: value for name, value in json.loads(printed).items() if name.startswith("AWS_") and name not in BARE}


@pytest.fixture(params=CLIS, ids=lambda version: f"aws{version}")
def shell(request, world):
    return Shell(world.greeting(), path=CLIS[request.param])


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


def test_boto3_finds_each_service(world):
    shell = Shell(world.greeting())
    done = shell.run(f'{sys.executable} -c "$1" "$2"', BOTO3, json.dumps(CALLS))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{service} {REGION} {shell.endpoint} 200" for service in CALLS]


def test_an_endpoint_that_was_set_before_does_not_win(world):
    before = {f"AWS_ENDPOINT_URL_{service}": "http://127.0.0.1:9" for service in ("ECS", "SQS", "SNS")}
    before |= {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    done = Shell(world.greeting()).run(f'{sys.executable} -c "$1" "$2"', BOTO3, json.dumps(CALLS), **before)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_exported_is_what_the_clients_read_that_are_not_run_here(world):
    """Version 2 of the AWS CLI, which not every machine has, reads both variables of the Region, and the endpoint of a service before
    that of all; the SDKs of other languages read AWS_REGION (AWS SDKs and Tools Reference Guide, "AWS Region" and
    "Service-specific endpoints")."""
    services = ("", "_ECS", "_SQS", "_SNS", "_APPLICATION_AUTO_SCALING", "_LAMBDA")
    shell = Shell(world.greeting())
    assert shell.exported() == {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        **{f"AWS_ENDPOINT_URL{service}": shell.endpoint for service in services},
    }


def test_the_function_answers_the_invocation_that_is_printed(pytestconfig):
    """Under `make serve`, which runs the function too. Its sample is named from the folder of the project."""
    simulator = Path(pytestconfig.getoption("ecs_sim")).resolve()
    words = [simulator, "serve", "--port", "0", "--bootstrap", simulator.with_name("bootstrap")]
    alarm = lambda: signal.alarm(LIFETIME_SECONDS)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=alarm) as process:
        try:
            printed = list(itertools.takewhile(lambda line: line != "What it does follows here:\n", process.stdout))
            shell = Shell("".join(printed))
            command = next(line.strip() for line in printed if line.startswith("  aws lambda invoke"))
            done = shell.run(f"cd {ROOT}; {command}")
        finally:
            process.send_signal(signal.SIGINT)
    assert (done.returncode, done.stderr) == (0, "")
    answer, _ = json.JSONDecoder().raw_decode(done.stdout)
    [service] = answer["status"]["services"]
    assert service["service"].endswith(f":service/{CLUSTER}/transcode")


def test_bash_reads_it_too(world):
    done = Shell(world.greeting(), "bash").run(f"aws {CALLS['sqs'][2]}")
    assert (done.returncode, done.stderr) == (0, "")
