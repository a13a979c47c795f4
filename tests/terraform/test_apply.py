"""Terraform itself accepts the module: it validates the example of its README and applies it to an emulated AWS.
`cargo test -p taskhold-tests terraform::` compares the details with the template, without Terraform. Run by `make test-terraform`.
"""

import json
import logging
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "terraform"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
TERRAFORM = os.environ.get("TERRAFORM", "terraform")
REGION = "eu-west-1"

# Time to download a provider, and for the provider to confirm that a queue attribute has propagated.
SECONDS_MAX = 600

# moto does not keep the function's logging configuration, and stores a redrive policy with different white space.
# Everything else must be as applied.
CHANGED_BY_MOTO = {
    "module.taskhold.aws_lambda_function.function",
    "module.taskhold.aws_sqs_queue.recheck",
    "module.taskhold.aws_sqs_queue.job",
}


@pytest.fixture(scope="session")
def aws():
    """The endpoint of an emulated AWS."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no log line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Use:
    """A configuration that uses the module as the README shows it."""

    def __init__(self, folder: Path, aws: str):
        if shutil.which(TERRAFORM) is None:
            pytest.exit(f"`{TERRAFORM}` is not installed; TERRAFORM names another program, such as tofu", returncode=1)
        self.folder = folder
        plugins = TARGET / "terraform-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": REGION, "AWS_ENDPOINT_URL": aws}
        ours = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_PLUGIN_CACHE_DIR": str(plugins)}
        self.environment = os.environ | keys | ours | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        package = folder / "bootstrap.zip"
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("bootstrap", "no Lambda runs it")
        example = re.search(r"```hcl\n(.*?)```", (MODULE / "README.md").read_text(), re.DOTALL)[1]
        for documented, here in [("./taskhold/terraform", MODULE), ("./taskhold/target/lambda/bootstrap.zip", package)]:
            assert documented in example
            example = example.replace(documented, str(here))
        # The example leaves the role to its reader.
        role = """
resource "aws_iam_role" "worker" {
  name               = "video-worker"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}
"""
        assert '"video-worker"' in example
        example = example.replace('"video-worker"', "aws_iam_role.worker.name")
        (folder / "main.tf").write_text(example + role)
        self.terraform("init", "-no-color", "-input=false")

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [TERRAFORM, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )

    def terraform(self, *arguments: str) -> str:
        """Runs Terraform and returns its output. Fails if Terraform fails."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def changes(self) -> dict[str, list[str]]:
        """The change that Terraform would make to each resource that deviates from its configuration."""
        self.terraform("plan", "-no-color", "-input=false", "-out=plan")
        plan = json.loads(self.terraform("show", "-json", "plan"))
        changes = {change["address"]: change["change"]["actions"] for change in plan["resource_changes"]}
        return {address: actions for address, actions in changes.items() if actions not in (["no-op"], ["read"])}


@pytest.fixture(scope="session")
def use(tmp_path_factory, aws):
    return Use(tmp_path_factory.mktemp("use"), aws)


def test_the_module_is_formatted_as_terraform_formats_it(use):
    done = use.run("fmt", "-check", "-recursive", "-diff", str(MODULE))
    assert (done.returncode, done.stdout) == (0, "")


def test_terraform_finds_the_example_valid(use):
    assert json.loads(use.terraform("validate", "-json"))["diagnostics"] == []


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        ('cluster_name = "arn:aws:ecs:eu-west-1:111122223333:cluster/video"', "name of a cluster, not its ARN"),
        ('alert_mail = "on call"', "must be a mail address"),
        ("sweep_minutes = 1", "whole number from 2 to 60"),
        ('policy = "raise-desired-count"', "policy raise-desired-count needs allow_raise_desired_count"),
        ('policy = "release-idle"', "policy release-idle needs allow_release_idle"),
    ],
)
def test_what_the_function_would_refuse_is_refused_before_anything_is_made(tmp_path, aws, variable, problem):
    use = Use(tmp_path, aws)
    main, name = tmp_path / "main.tf", variable.split()[0]
    lines = [line for line in main.read_text().splitlines() if not line.strip().startswith(f"{name} ")]
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("package"))
    main.write_text("\n".join([*lines[:at], variable, *lines[at:]]))
    planned = use.run("plan", "-no-color", "-input=false")
    assert planned.returncode == 1
    assert problem in " ".join(planned.stderr.replace("│", " ").split()), planned.stderr


def test_what_is_applied_is_there_and_stays_as_it_is(use, aws):
    use.terraform("apply", "-no-color", "-input=false", "-auto-approve")
    changes = use.changes()
    assert set(changes) <= CHANGED_BY_MOTO
    assert all(actions == ["update"] for actions in changes.values()), "nothing is made anew"

    def client(service):
        return boto3.client(service, region_name=REGION, endpoint_url=aws, aws_access_key_id="x", aws_secret_access_key="x")

    url = json.loads(use.terraform("output", "-json"))["job_queue_url"]["value"]
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 100
    function = client("lambda").get_function_configuration(FunctionName="taskhold")
    settings = function["Environment"]["Variables"]
    assert settings["TASKHOLD_CLUSTERS"] == f"arn:aws:ecs:{REGION}:123456789012:cluster/video"
    assert "TASKHOLD_REMEDIATIONS" not in settings
    mappings = client("lambda").list_event_source_mappings()["EventSourceMappings"]
    batches = {mapping["EventSourceArn"].rsplit(":")[-1]: mapping["BatchSize"] for mapping in mappings}
    assert batches == {"taskhold-jobs": 1000, "taskhold-rechecks": 10}
    rules = [rule["Name"] for rule in client("events").list_rules()["Rules"]]
    assert sorted(rules) == ["taskhold-service-events", "taskhold-sweep", "taskhold-task-stopped"]
