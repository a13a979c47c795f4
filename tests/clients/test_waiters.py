"""The waiters of boto3 and of the AWS CLI, which compare states in ECS's answers, all finish.

The simulator runs in real time here: a task takes 30 seconds to start and 10 to stop. All waiters wait concurrently,
while other tests run.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import WaiterError
from world import CLUSTER

EACH_SECOND = {"Delay": 1, "MaxAttempts": 100}


class Waits:
    """The conditions that running waiters wait for."""

    def __init__(self, world, pool):
        self.world = world
        for name in ("new", "going"):
            world.ecs.create_service(cluster=CLUSTER, serviceName=name, taskDefinition=f"{name}:1", desiredCount=1)
        for service in ("web", "going"):
            world.ecs.delete_service(cluster=CLUSTER, service=service, force=True)
        self.starting, self.stopping = [
            world.ecs.run_task(cluster=CLUSTER, taskDefinition="once:1")["tasks"][0]["taskArn"] for _ in range(2)
        ]
        world.ecs.stop_task(cluster=CLUSTER, task=self.stopping)
        self.by_boto3 = [
            pool.submit(self._wait, "services_stable", services=["new"]),
            pool.submit(self._wait, "services_inactive", services=["web", "going"]),
            pool.submit(self._wait, "tasks_running", tasks=[self.starting]),
            pool.submit(self._wait, "tasks_stopped", tasks=[self.stopping]),
        ]
        self.by_cli = [
            pool.submit(self._wait_by_cli, "services-stable --services new"),
            pool.submit(self._wait_by_cli, "services-inactive --services web going"),
            pool.submit(self._wait_by_cli, f"tasks-running --tasks {self.starting}"),
            pool.submit(self._wait_by_cli, f"tasks-stopped --tasks {self.stopping}"),
        ]

    def _wait(self, waiter, **what):
        self.world.ecs.get_waiter(waiter).wait(cluster=CLUSTER, WaiterConfig=EACH_SECOND, **what)

    def _wait_by_cli(self, what):
        done = self.world.cli_process(f"aws ecs wait {what} --cluster {CLUSTER}")
        assert (done.returncode, done.stderr) == (0, ""), what


@pytest.fixture(scope="session")
def waits(open_world):
    with open_world() as world, ThreadPoolExecutor(8) as pool:
        yield Waits(world, pool)


@pytest.mark.first
def test_what_is_waited_for_is_under_way(waits):
    described = waits.world.ecs.describe_tasks(cluster=CLUSTER, tasks=[waits.starting, waits.stopping])["tasks"]
    assert [task["desiredStatus"] for task in described] == ["RUNNING", "STOPPED"]
    assert waits.world.described("new")["desiredCount"] == 1
    assert waits.world.described("going")["desiredCount"] == 0


@pytest.mark.last
def test_each_waiter_waits_until_it_is_so(waits):
    for waited in [*waits.by_boto3, *waits.by_cli]:
        waited.result()
    assert waits.world.described("new")["runningCount"] == 1
    assert waits.world.described("going")["status"] == "INACTIVE"


def test_a_waiter_gives_up_at_once_on_what_will_never_be_so(world):
    [task, _] = world.tasks()
    world.ecs.stop_task(cluster=CLUSTER, task=task)
    world.ecs.delete_service(cluster=CLUSTER, service="web", force=True)
    for waiter, what in (
        ("tasks_running", {"tasks": ["0" * 32]}),
        ("services_stable", {"services": ["missing"]}),
        ("services_stable", {"services": ["web"]}),
        ("services_inactive", {"services": ["missing"]}),
    ):
        with pytest.raises(WaiterError, match="Waiter encountered a terminal failure state"):
            world.ecs.get_waiter(waiter).wait(cluster=CLUSTER, WaiterConfig={"Delay": 0, "MaxAttempts": 2}, **what)
