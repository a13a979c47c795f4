"""The function is killed a hundred times, and no job is lost."""

import random
import time

import figures
import pytest
from killer import Killer
from stack import CLUSTER
from waiting import eventually
from workload import Workload

KILLS = 100
TASKS = 100
SECONDS_MAX = 240  # time for the kills on any machine; an idle one needs about 30 seconds
# A call that a killed function had stored may take effect for two minutes (SEMANTICS.md, "A release never leaves a
# live job unprotected"), and its message may be retried for the same time. The rest is for a slow machine.
LATE_EFFECT_SECONDS_MAX = 120
CATCH_UP_SECONDS_MAX = LATE_EFFECT_SECONDS_MAX + 120


def go_through_kills(world, workload, killer):
    with world.gateway.between(killer):
        end = time.monotonic() + SECONDS_MAX
        looks = 0
        while not killer.enough.wait(0.05):
            assert time.monotonic() < end, f"only {killer.kills} kills"
            workload.go_on()
            looks += 1
            if looks % 10 == 0:
                assert workload.unprotected() == []


def catch_up(workload):
    """Waits until every sent message is done."""

    def is_done():
        assert workload.unprotected() == []
        return not workload.undone()

    eventually(is_done, "every message is done", within=CATCH_UP_SECONDS_MAX, every=0.5)


@pytest.mark.long(150)
def test_a_hundred_kills_at_random_moments_lose_no_job(deploy, seed):
    # In these minutes a message is received as often as in hours of normal operation.
    world = deploy(functions=2, services={"web": TASKS}, settings={"TASKHOLD_RECEIVES_MAX": "90"})
    world.come_again_after(3)
    world.deliver(BatchSize=10, MaximumBatchingWindowInSeconds=0)  # small batches mean many invocations to kill
    tasks = [world.idle_task() for _ in range(TASKS)]
    workload = Workload(world, tasks, random.Random(seed))
    killer = Killer(world.functions, random.Random(seed + 1), KILLS)
    begun = time.monotonic()
    go_through_kills(world, workload, killer)
    killed_after = time.monotonic() - begun
    for job in workload.live[::2]:
        workload.finish(job)
    catch_up(workload)
    live = {job.worker.task for job in workload.live}
    assert {task for task, one in world.protections(tasks).items() if one["protectionEnabled"]} >= live
    assert live, "no job has outlived the kills"
    for job in list(workload.live):
        workload.finish(job)
    catch_up(workload)
    assert [task for task, one in world.protections(tasks).items() if one["protectionEnabled"]] == []
    eventually(lambda: world.left_in("JobQueue") == 0, "what was delivered twice is deleted too")
    assert world.left_in("DeadLetterQueue") == 0
    died = sum(invoked.error is not None for _, invoked, _ in world.jobs.batches)
    moments = ", ".join(f"{count} {moment} a call" for moment, count in killer.by_moment.items())
    text = (
        f"{killer.kills} kills ({moments}) of seed {seed} within {killed_after:.0f} s, {died} of {len(world.jobs.batches)} batches "
        f"died: {workload.jobs} jobs on {len(workload.used)} tasks, {len(workload.sent)} messages, none lost; over after "
        f"{time.monotonic() - begun:.0f} s"
    )
    figures.note("kills", text=text)


def test_the_watch_over_live_jobs_notices_a_task_that_is_released_under_one(deploy, seed):
    world = deploy()
    world.deliver()
    workload = Workload(world, [world.idle_task()], random.Random(seed))
    workload.start()
    world.jobs.await_done([one.id for one in workload.sent])
    assert workload.unprotected() == []
    (job,) = workload.live
    world.ecs.update_task_protection(cluster=CLUSTER, tasks=[job.worker.task], protectionEnabled=False)
    (problem,) = workload.unprotected()
    assert job.worker.task in problem
