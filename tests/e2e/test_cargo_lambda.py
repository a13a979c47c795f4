"""The function as a developer runs it."""

import os

import pytest
from function import CargoLambdaWatch
from stack import CLUSTER


@pytest.mark.long(20)  # it may have to be built first
@pytest.mark.nightly("it builds the SDK once more: alone, a program has other features of what it depends on")
def test_under_cargo_lambda_watch_it_does_as_under_aws_s_emulator(deploy, programs, tmp_path):
    world = deploy(functions=0)
    # Cargo needs the environment of the person who runs the tests to find itself and its registry; the function must
    # not see it.
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TASKHOLD_"))}
    # A folder of its own, because other tests meanwhile run the bootstrap of the usual one, which has other features.
    target = programs.project / os.environ.get("CARGO_TARGET_DIR", "target") / "watch"
    environment = ours | world.environment("CARGO-LAMBDA") | {"CARGO_TARGET_DIR": str(target)}
    world.run(CargoLambdaWatch(programs.cargo_lambda, programs.project, environment, tmp_path / "watch.log", 30))
    world.deliver()
    worker = world.worker(world.idle_task())
    world.jobs.await_done([worker.tell("started", "encode-17").id], within=600)
    assert world.protected_until(worker.task)
    world.jobs.await_done([worker.tell("finished", "encode-17").id])
    assert world.protected_until(worker.task) is None
    (status,) = world.instances.invoke('{"status": {"service": "web"}}').answer["status"]["services"]
    assert status["rolloutStatus"] == "steady" and status["service"].endswith(f"service/{CLUSTER}/web")
