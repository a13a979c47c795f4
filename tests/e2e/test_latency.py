"""The time from a worker's message to the protection of its task: through SQS's poll, the function and the state
store to ECS and back, all on loopback. The figures have no limit; the test only asserts that each message ends in
protection.
"""

import time

import figures
import pytest
from stack import CLUSTER

MESSAGES = 100
SECONDS = 12  # the messages are sent evenly over this time: workers do not wait for each other
BARE_CALLS = 60  # fewer than ECS allows before it throttles


def bare_update_ms(world, task):
    """A round trip of UpdateTaskProtection alone, as fast as boto3 makes it: the lower bound."""
    begun = time.perf_counter()
    answer = world.ecs.update_task_protection(cluster=CLUSTER, tasks=[task], protectionEnabled=True, expiresInMinutes=60)
    took = time.perf_counter() - begun
    assert answer["protectedTasks"][0]["protectionEnabled"]
    return took * 1000


def confirmed_at(world):
    """When ECS's answer that a task is protected was on its way to the function, by the task's id."""
    confirmed = {}
    for call in world.gateway.of("ECS", "UpdateTaskProtection"):
        for task in call.request["tasks"]:
            confirmed.setdefault(task.rsplit("/", 1)[-1], call.answered_at)
    return confirmed


@pytest.mark.parametrize("how", ["as the template polls", "without a batching window"])
def test_each_message_of_many_workers_ends_in_a_protection(deploy, how):
    changed = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0} if how == "without a batching window" else {}
    world = deploy(services={"web": 1 + MESSAGES})
    task = world.idle_task()
    floor = [bare_update_ms(world, task) for _ in range(BARE_CALLS)]
    workers = [world.worker(world.idle_task()) for _ in range(MESSAGES)]
    world.deliver(**changed)
    begun, sent = time.monotonic(), []
    for number, worker in enumerate(workers):
        time.sleep(max(0, begun + number * SECONDS / MESSAGES - time.monotonic()))  # the load itself
        sent.append(worker.tell("started", "encode-17", maxDurationMinutes=60))
    world.jobs.await_done([one.id for one in sent])
    protections = world.protections([worker.task for worker in workers])
    assert all(one["protectionEnabled"] for one in protections.values())
    confirmed = confirmed_at(world)
    took = [confirmed[worker.task.rsplit("/", 1)[1]] - one.at for worker, one in zip(workers, sent, strict=True)]
    figures.note("latency", how=how, sent_to_confirmed_ms=[seconds * 1000 for seconds in took], floor_ms=floor)
