"""The fixtures of the scenarios, and the summary at the end. Run by `make test-e2e`."""

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import figures
import pytest
from stack import Template
from world import Programs, World

PROJECT = Path(__file__).parents[2]
TARGET = PROJECT / os.environ.get("CARGO_TARGET_DIR", "target")


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=1, help="of what is drawn; the summary prints it")
    parser.addoption("--messages", type=int, default=300, help="that the load sends")
    parser.addoption("--kills", type=int, default=6, help="of instances under load")


@pytest.fixture
def seed(pytestconfig):
    return pytestconfig.getoption("seed")


def pytest_configure(config):
    config.addinivalue_line("markers", "long(seconds): takes so long, most of it waiting, and so comes early")
    config.addinivalue_line("markers", "nightly(why): not in a sample, only with TASKHOLD_TESTS=all")
    _leave_nothing_of_the_machine_s()
    # The worker processes inherit it from the process that prints the summary.
    if figures.FOLDER not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="figures-")
        os.environ[figures.FOLDER] = folder.name
        config.add_cleanup(folder.cleanup)


def _leave_nothing_of_the_machine_s():
    """Keeps profiles, accounts and proxies of the person who runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    nowhere = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]
    os.environ.update(dict.fromkeys(nowhere, os.devnull), AWS_EC2_METADATA_DISABLED="true", NO_PROXY="127.0.0.1")


def pytest_collection_modifyitems(config, items):
    asked = os.environ.get("TASKHOLD_TESTS") or "sample"
    if asked not in ("sample", "all"):
        raise pytest.UsageError(f"TASKHOLD_TESTS is `sample` or `all`, not `{asked}`")
    omitted = [item for item in items if asked == "sample" and item.get_closest_marker("nightly")]
    config.hook.pytest_deselected(items=omitted)
    items[:] = [item for item in items if item not in omitted]
    # Each of the processes that share the tests out begins with two in a row: one of them long, as far as they go.
    long = [item for item in items if item.get_closest_marker("long")]
    long.sort(key=lambda item: -item.get_closest_marker("long").args[0])
    short = [item for item in items if item not in long]
    paired = [item for pair in zip(long, short, strict=False) for item in pair]
    items[:] = [*paired, *long[len(short) :], *short[len(long) :]]


@pytest.fixture(scope="session")
def programs():
    sam = _environment("sam")
    processor = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    (emulator,) = sam.glob(f"lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{processor}")
    return Programs(
        project=PROJECT,
        bootstrap=_built("TASKHOLD_BOOTSTRAP", "lambda/bootstrap/bootstrap", "make build"),
        ecs_sim=_built("TASKHOLD_ECS_SIM", "debug/ecs-sim", "cargo test --workspace --no-run"),
        runtime_interface_emulator=emulator,
        cargo_lambda=sam / "bin/cargo-lambda",
        python=Path(sys.executable),
        aws=Path(sys.executable).with_name("aws"),
    )


def _environment(name):
    """The folder of one of the project's Python environments."""
    venv = subprocess.run([PROJECT / "tests/tools/venv", name], check=True, stdout=subprocess.PIPE, text=True)
    return Path(venv.stdout.strip())


def _built(variable, path, how):
    program = (PROJECT / os.environ.get(variable, TARGET / path)).resolve()
    if not program.exists():
        pytest.exit(f"there is no {program}: {how}, or set {variable}", returncode=1)
    return program


@pytest.fixture(scope="session")
def template():
    return Template(_environment("sam") / "bin/python", PROJECT / "template.yaml")


class Deployments:
    """Creates the worlds of scenarios."""

    def __init__(self, programs, template, folder):
        self.folder = folder
        self._programs, self._template, self._worlds = programs, template, []

    def __call__(self, functions=1, settings=None, **options):
        world = World(self._programs, self._template, self.folder, **options)
        self._worlds.append(world)
        world.start_functions(functions, settings)
        return world

    def end(self):
        """Checks that the function did nothing forbidden and logged no unexpected error, in any scenario."""
        for world in self._worlds:
            world.close()
        assert [complaint for world in self._worlds for complaint in world.complaints()] == []


@pytest.fixture
def deploy(programs, template, tmp_path):
    deployments = Deployments(programs, template, tmp_path)
    yield deployments
    deployments.end()


@pytest.fixture(scope="module")
def deploy_for_all(programs, template, tmp_path_factory):
    """For scenarios that do not interfere with each other."""
    deployments = Deployments(programs, template, tmp_path_factory.mktemp("world"))
    yield deployments
    deployments.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the output of the function and of the emulators to the report of a failure."""
    report = yield
    deployments = item.funcargs.get("deploy") or item.funcargs.get("deploy_for_all")
    if report.failed and deployments:
        for log in sorted(deployments.folder.glob("*.log")):
            report.sections.append((log.name, log.read_text(errors="replace")[-6000:]))
    return report


def pytest_terminal_summary(terminalreporter):
    passed = len(terminalreporter.stats.get("passed", []))
    if not passed:
        return
    terminalreporter.section("over the wire")
    terminalreporter.write_line(f"{passed} scenarios")
    for line in figures.summary():
        terminalreporter.write_line(line)
