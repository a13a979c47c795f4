"""A checkout, an emulated AWS (moto) and `make deploy` between the two. Run by `make test-deploy`."""

import json
import os
import shutil
import stat
import subprocess
import urllib.request
from pathlib import Path

import boto3
import pytest
import yaml
from moto.cloudformation.models import cloudformation_backends
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT_ID
from moto.server import ThreadedMotoServer
from terminal import converse

ROOT = Path(__file__).parents[2]
REGION = "eu-west-1"

# Stands in for `make build`, which compiles for minutes: records its arguments and writes the files of `sam build`.
BUILD = """#!/bin/sh
echo "$@" >>{calls}
mkdir -p .aws-sam/build/Function
echo binary >.aws-sam/build/Function/bootstrap
# The emulated CloudFormation does not know what AWS makes of a serverless function, and so no attribute of it.
sed 's/CodeUri: \\.$/CodeUri: Function/; s/!GetAtt Function.Arn/!Ref Function/' template.yaml >.aws-sam/build/template.yaml
"""


class Account:
    """An AWS account on loopback, as far as `sam deploy` needs one."""

    def __init__(self, folder):
        # The URL of an uploaded template names localhost and has the bucket in its path, or moto does not find it.
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        endpoint = f"http://localhost:{self.server.get_host_and_port()[1]}"
        # moto keeps one state for the process, not one for each server.
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=10).close()
        config = folder / "aws-config"
        config.write_text(f"[default]\nregion = {REGION}\ns3 =\n  addressing_style = path\n")
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_ACCESS_KEY_ID": "example",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_REGION": REGION,
        }
        self.cloudformation = boto3.client(
            "cloudformation",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="example",
            aws_secret_access_key="example",
        )
        self.change_sets = []
        backend = cloudformation_backends[ACCOUNT_ID][REGION]  # moto runs in this process
        create_change_set = backend.create_change_set

        def recorded(**request):
            self.change_sets.append(request)
            return create_change_set(**request)

        backend.create_change_set = recorded
        # SAM creates this stack if it does not exist. moto cannot: it has no bucket policies, and then drops the
        # outputs.
        self.create(
            "aws-sam-cli-managed-default",
            {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"SourceBucket": {"Value": {"Ref": "Bucket"}}}},
            Tags=[{"Key": "ManagedStackSource", "Value": "AwsSamCli"}],
        )

    def create(self, name, template, **more):
        self.cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template), **more)

    def stack(self, name):
        return self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]

    def parameters(self, name):
        return {each["ParameterKey"]: each["ParameterValue"] for each in self.stack(name)["Parameters"]}

    def set_status(self, name, status):
        """Sets a stack to a status that moto never reaches."""
        cloudformation_backends[ACCOUNT_ID][REGION].get_stack(name).status = status

    def names(self):
        stacks = self.cloudformation.describe_stacks()["Stacks"]
        return {each["StackName"] for each in stacks} - {"aws-sam-cli-managed-default"}


class Checkout:
    """A copy of the project files that `make deploy` uses, so that a test sees which files it writes."""

    def __init__(self, folder, account):
        self.folder = folder / "checkout"
        self.folder.mkdir()
        for name in ("Makefile", "template.yaml", "samconfig.toml", ".gitignore"):
            shutil.copy(ROOT / name, self.folder)
        shutil.copytree(ROOT / "scripts", self.folder / "scripts")
        (self.folder / "tests").symlink_to(ROOT / "tests")
        self.builds = folder / "builds"
        build = folder / "build"
        build.write_text(BUILD.format(calls=self.builds))
        build.chmod(build.stat().st_mode | stat.S_IXUSR)
        self.command = ["make", f"MAKE={build}", "deploy"]
        foreign = ("AWS_", "MAKE", "MFLAGS", "ARCH", "STACK")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        self.environment |= {"CARGO_TARGET_DIR": str((ROOT / target).resolve()), "SAM_CLI_POLL_DELAY": "0.2"}
        self.environment |= account.environment

    def deploy(self, *variables, **answers):
        """Runs `make deploy` at a terminal. Presses Enter where `answers` has none, and confirms the change set."""
        answers.setdefault("Deploy this changeset?", "y")
        names = self.declared()
        return converse([*self.command, *variables], names, answers, cwd=self.folder, env=self.environment)

    def deploy_without_terminal(self, *variables):
        return subprocess.run(
            [*self.command, *variables],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )

    def built(self):
        """The arguments of each call of `make build`."""
        return self.builds.read_text().splitlines() if self.builds.exists() else []

    def files(self):
        """The content of all files by name, without the build output, which Git ignores."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        names = ((str(path.relative_to(self.folder)), path) for path in found)
        return {name: path.read_bytes() for name, path in names if not name.startswith((".aws-sam/", "tests/"))}

    def declared(self):
        """The template's parameters."""

        class Loader(yaml.SafeLoader):
            """Reads past CloudFormation's short functions."""

        Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
        return yaml.load((self.folder / "template.yaml").read_text(), Loader)["Parameters"]

    def defaults(self):
        return {name: str(each["Default"]) for name, each in self.declared().items() if "Default" in each}


@pytest.fixture
def account(tmp_path):
    account = Account(tmp_path)
    yield account
    account.server.stop()


@pytest.fixture
def checkout(tmp_path, account):
    return Checkout(tmp_path, account)
