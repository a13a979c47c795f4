"""The simulator as a separate process, and its clients: boto3, the AWS CLI, and hand-made requests."""

import contextlib
import http.client
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import awscli.clidriver
import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError
from recorder import SERVICES, Recorder

CLUSTER = "video"
REGION = "eu-west-1"
ACCOUNT = "111122223333"

# Longer than any run. The alarm survives this process, so that a killed run leaves no simulator behind.
LIFETIME_SECONDS = 900
COMMAND_SECONDS = 300
AWS = Path(sys.executable).parent / "aws"

# Nothing from the environment of the person who runs the tests: neither credentials nor settings.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "AWS_DATA_PATH": os.environ["AWS_DATA_PATH"],  # the CLI sets it when imported
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_RETRY_MODE": "standard",
    "AWS_MAX_ATTEMPTS": "1",  # every answer counts
    # Requests that leave loopback go to a port without a listener.
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
}

TARGETS = {service: target for target, service in SERVICES.items()}
session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name=REGION)


# A scalable target: the desired count of a service.
TARGET = {"ServiceNamespace": "ecs", "ResourceId": f"service/{CLUSTER}/web", "ScalableDimension": "ecs:service:DesiredCount"}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"


def arn(kind, name):
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:{kind}/{name}"


# A service whose deployments wait for a person before they start a task.
GATED = {
    "taskDefinition": "gated:1",
    "desiredCount": 1,
    "deploymentConfiguration": {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}]},
}


def code_of(call, **parameters):
    """The error code of a failing boto3 call."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"]


class World:
    """A simulated Region with the cluster `video`, its service `web` with two running tasks, and the queues of a
    stack.
    """

    def __init__(self, binary):
        self.process = subprocess.Popen(
            [binary, "serve", "--port", "0", "--service", "web=2"],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.alarm(LIFETIME_SECONDS),
        )
        printed = self.process.stdout.readline()
        self.printed = [printed]
        found = re.search(r"http://(127\.0\.0\.1:\d+)", printed)
        assert found, f"the first line has no endpoint: `{printed}`"
        self.recorder = Recorder(found[1])
        self.clients = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.recorder.stop()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()

    def client(self, service, validated=True):
        """A client without retries. Without validation, it sends requests that a careful client would not."""
        if (service, validated) not in self.clients:
            settings = {"retries": {"total_max_attempts": 1}, "parameter_validation": validated, "proxies": {}}
            config = botocore.config.Config(**settings)
            endpoint = self.recorder.endpoint
            self.clients[service, validated] = session.client(service, endpoint_url=endpoint, config=config)
        return self.clients[service, validated]

    @property
    def ecs(self):
        return self.client("ecs")

    @property
    def sqs(self):
        return self.client("sqs")

    @property
    def sns(self):
        return self.client("sns")

    @property
    def scaling(self):
        return self.client("application-autoscaling")

    def tasks(self, cluster=CLUSTER, **filters):
        return self.ecs.list_tasks(cluster=cluster, **filters)["taskArns"]

    def cli(self, command):
        """Runs an AWS CLI command line and returns its exit code, JSON, and error output.

        In this process, because starting the command takes most of a second; `test_serve.py` starts it too. The
        endpoint is an argument, because version 1 of the CLI ignores AWS_ENDPOINT_URL for SQS.
        """
        printed, complaints = io.StringIO(), io.StringIO()
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(ENVIRONMENT)
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaints):
                words = ["--endpoint-url", self.recorder.endpoint, *shlex.split(command)]
                code = awscli.clidriver.create_clidriver().main(words)
        except SystemExit as ended:  # for words that it does not understand
            code = ended.code
        finally:
            os.environ.clear()
            os.environ.update(before)
        return code, json.loads(printed.getvalue()) if printed.getvalue().strip() else None, complaints.getvalue()

    def greeting(self):
        """The startup output of the simulator."""
        while not self.printed[-1].startswith("  aws ecs update-task-protection"):
            line = self.process.stdout.readline()
            assert line, "the simulator ended"
            self.printed.append(line)
        return "".join(self.printed)

    def cli_process(self, command_line):
        """The command `aws` in a separate process."""
        environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": self.recorder.endpoint}
        command = [sys.executable, str(AWS), *shlex.split(command_line)[1:]]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)

    def by_hand(self, service, operation, body):
        """One request of the JSON protocols with any body: status, error code, and the raw answer."""
        headers = {"X-Amz-Target": f"{TARGETS[service]}.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        status, answer = self._post(headers, body if isinstance(body, bytes) else json.dumps(body).encode())
        answer = json.loads(answer or b"{}")
        return status, answer.get("__type", "").rpartition("#")[2], answer

    def form(self, form):
        """One request of the query protocol: status and error code."""
        status, answer = self._post({"Content-Type": "application/x-www-form-urlencoded"}, form.encode())
        code = re.search("<Code>(.*)</Code>", answer.decode())
        return status, code and code[1]

    def _post(self, headers, body):
        connection = http.client.HTTPConnection(self.recorder.endpoint.removeprefix("http://"), timeout=30)
        try:
            connection.request("POST", "/", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def described(self, service="web", cluster=CLUSTER):
        [described] = self.ecs.describe_services(cluster=cluster, services=[service])["services"]
        return described
