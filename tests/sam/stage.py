"""The built function in SAM's container, with the simulated Region of `ecs-sim serve` behind it.

SAM passes a container only the variables that the template declares, and the template correctly declares no endpoint.
So the stage invokes the built template with one additional variable, and everything else as `sam deploy` would send
it.
"""

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import docker
from botocore.config import Config
from samcli.yamlhelper import yaml_dump, yaml_parse

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".aws-sam" / "build"
BINARY = BUILT / "Function" / "bootstrap"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

REGION = "eu-west-1"
CLUSTER = "video"
SERVICE = "transcode"
# The number of tasks in the payloads of events/.
TASKS = 3

# The names of the machine's processor in Rust and SAM.
ARCHITECTURE = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}[platform.machine().lower()]
IMAGE = f"public.ecr.aws/lambda/provided:al2023-{ARCHITECTURE}"

# Longer than any invocation takes, including the time to pull the image.
INVOCATION_SECONDS_MAX = 300
# How often in a row a busy machine may take longer than SAM waits for a log.
LOGS_CUT_OFF_MAX = 4
# Longer than any use of a stage. An abandoned stage ends by itself.
STAGE_SECONDS_MAX = 1800


class CannotRun(Exception):
    """A prerequisite is missing that this project does not provide."""


def engine() -> docker.DockerClient:
    """The Docker engine that SAM will use."""
    try:
        client = docker.from_env(timeout=10)
        client.ping()
        return client
    except docker.errors.DockerException as error:
        where = os.environ.get("DOCKER_HOST", "its usual place")
        raise CannotRun(f"`sam local invoke` needs a Docker engine, and none answers at {where}: {error}") from error


def host_of_containers(client: docker.DockerClient) -> tuple[str, str]:
    """The address on which only this machine and its containers can connect, and its name inside a container."""
    network = client.networks.get("bridge").attrs["IPAM"]["Config"][0]
    # Docker reports the gateway only once a container has needed it; it is the first address of the network.
    gateway = network.get("Gateway") or re.sub(r"\.\d+/\d+$", ".1", network["Subnet"])
    with socket.socket() as probe:
        try:
            probe.bind((gateway, 0))
            return gateway, gateway
        except OSError:
            # The engine runs in a virtual machine, as on macOS, which forwards this name to loopback.
            return "127.0.0.1", "host.docker.internal"


@dataclass(frozen=True)
class Invocation:
    """The result of `sam local invoke` with a payload."""

    code: int
    answer: object
    log: str


class Stage:
    """A simulated Region with one service, and the function that works on it."""

    def __init__(self, endpoint: str | None = None):
        client = engine()
        if not BINARY.is_file():
            raise CannotRun(f"{BINARY} is not there: `make build` makes it")
        # An image that is present is not pulled again: this needs no network, and the image is the same each time.
        self._pull = [] if not client.images.list(IMAGE) else ["--skip-pull-image"]
        self._server = None
        self._files = tempfile.TemporaryDirectory(prefix="taskhold-sam-")
        listen, called = host_of_containers(client)
        if endpoint is None:
            endpoint = self._serve(listen)
        port = urlsplit(endpoint).port
        self.endpoint = endpoint
        self._inside = f"http://{called}:{port}" if urlsplit(endpoint).hostname == listen else endpoint
        self._write_template()
        self._events = 0
        self.tasks = [arn.rsplit("/")[-1] for arn in self.ecs.list_tasks(cluster=CLUSTER)["taskArns"]]

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(timeout=30)
            self._server.stdout.close()
        self._files.cleanup()

    def _serve(self, listen: str) -> str:
        program = TARGET / "debug" / "ecs-sim"
        if not program.is_file():
            raise CannotRun(f"{program} is not there: `cargo test --workspace --no-run` makes it")
        bounded = ["timeout", str(STAGE_SECONDS_MAX)] if shutil.which("timeout") else []
        serve = [program, "serve", "--host", listen, "--port", "0", "--service", f"{SERVICE}={TASKS}"]
        self._server = subprocess.Popen([*bounded, *serve], stdout=subprocess.PIPE, text=True)
        # Its first line, which it prints once it listens; the end of its output if it could not.
        printed = self._server.stdout.readline()
        found = re.search(r"http://\S+", printed)
        if found is None:
            raise CannotRun(f"ecs-sim does not serve on {listen}")
        return found[0]

    def client(self, service: str):
        """AWS's own client for the simulated Region."""
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        config = Config(proxies={}, retries={"total_max_attempts": 1})
        return boto3.client(service, region_name=REGION, endpoint_url=self.endpoint, config=config, **keys)

    @property
    def ecs(self):
        """ECS of the simulated Region."""
        return self.client("ecs")

    def queue(self, name: str) -> str:
        """The URL of a queue of the simulated Region."""
        return f"{self._inside}/111122223333/{name}"

    def settings(self) -> dict[str, str]:
        """The settings of events/local/env.json, with the simulated Region as the endpoint."""
        settings = json.loads((ROOT / "events/local/env.json").read_text())["Parameters"]
        return settings | {
            "AWS_ENDPOINT_URL": self._inside,
            "TASKHOLD_DRY_RUN": "false",
            "TASKHOLD_DEAD_LETTER_QUEUE_URL": self.queue("jobs-dead-lettered"),
            "TASKHOLD_RECHECK_QUEUE_URL": self.queue("rechecks"),
            "TASKHOLD_INTERRUPTED_QUEUE_URL": self.queue("interrupted-jobs"),
            "TASKHOLD_ALERT_TOPIC_ARN": f"arn:aws:sns:{REGION}:111122223333:taskhold-alerts",
        }

    def _write_template(self) -> None:
        template = yaml_parse((BUILT / "template.yaml").read_text())
        function = template["Resources"]["Function"]["Properties"]
        function["CodeUri"] = str(BINARY.parent)
        function["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = ""
        self._file("template.yaml").write_text(yaml_dump(template))

    def _file(self, name: str) -> Path:
        return Path(self._files.name) / name

    def fresh(self, payload: str) -> str:
        """The payload adapted to this moment and this Region: its tasks are those that run here, its messages were
        sent just now, its rechecks come from the recheck queue.
        """
        for example, here in zip(tasks_of_payloads(), self.tasks, strict=True):
            payload = payload.replace(example, here)
        payload = payload.replace(":taskhold-rechecks", ":rechecks")
        event = json.loads(payload)
        records = event.get("Records") if isinstance(event, dict) else event
        for record in records or []:
            record.get("attributes", {}).pop("SentTimestamp", None)
        return json.dumps(event)

    def invoke_for_log(self, line: str, payload: str, **settings: str) -> Invocation:
        """An invocation whose log has the line, or the last of several without it: SAM collects the log one second
        after the answer, and then removes the container with the unread rest.
        """
        for _ in range(LOGS_CUT_OFF_MAX):
            invocation = self.invoke(payload, **settings)
            if line in invocation.log:
                break
        return invocation

    def invoke(self, payload: str, **settings: str) -> Invocation:
        """Runs `sam local invoke` with this payload, and these settings in place of the stage's own."""
        self._events += 1
        event, env = self._file(f"event-{self._events}.json"), self._file(f"env-{self._events}.json")
        event.write_text(payload)
        env.write_text(json.dumps({"Parameters": self.settings() | settings}))
        command = ["sam", "local", "invoke", "--template", self._file("template.yaml"), "--event", event]
        options = ["--env-vars", env, "--region", REGION, "--parameter-overrides", f"Architecture={ARCHITECTURE}"]
        environment = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
        done = subprocess.run(
            [*command, *options, *self._pull],
            capture_output=True,
            text=True,
            cwd=self._files.name,
            env=environment,
            timeout=INVOCATION_SECONDS_MAX,
        )
        return Invocation(done.returncode, answer_in(done.stdout), done.stderr)


def answer_in(output: str) -> object:
    """SAM prints only the answer; without one it prints nothing or text that is not JSON."""
    try:
        return json.loads(output)
    except json.JSONDecodeError:
        return None


def tasks_of_payloads() -> list[str]:
    """The ids of the cluster's tasks in the payloads of events/."""
    texts = [file.read_text() for file in sorted((ROOT / "events").glob("*.json"))]
    return sorted({task for text in texts for task in re.findall(rf"task/{CLUSTER}/([0-9a-f]{{32}})", text)})
