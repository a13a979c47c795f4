"""Load: three instances of the function share the state store and are killed at random moments, while workers report
jobs, services deploy, sweeps run, and other workers protect their tasks themselves. No busy task loses its protection,
and no message is lost.

The defaults of `--messages` and `--kills` fit into a minute; `make test-load` sends 20,000 messages with 200 kills.
"""

import json
import random
import time

import figures
import pytest
from killer import Killer
from others import DEPLOYED_TASKS, Deployments, SelfProtectingWorkers
from waiting import eventually
from workload import TASKS_A_CALL_MAX, Workload

INSTANCES = 3
TASKS = 200
# Calls of all instances for each message, roughly: kills are spread over the whole load.
CALLS_A_MESSAGE = 3
SWEEP_SECONDS = 4
SECONDS_A_MESSAGE_MAX = 0.5  # on a slow machine
# The call of a killed instance may take effect for two minutes (SEMANTICS.md, "A release never leaves a live job
# unprotected"), and the task's messages are retried for as long. A small load does not wait for that: there, what is
# not done must still be in the queue.
CATCH_UP_SECONDS_MAX = 300
SMALL_CATCH_UP_SECONDS = 10
COME_AGAIN_AFTER_SECONDS = 3


class Load:
    """Everything that goes on at once, step by step in one thread, so that no job finishes during a check."""

    def __init__(self, world, seed, messages, is_small):
        self.world, self.messages, self.is_small = world, messages, is_small
        tasks = [world.idle_task() for _ in range(TASKS)]
        self.workload = Workload(world, tasks, random.Random(seed))
        self.deployments = Deployments(world, self.workload, "api")
        self.self_protecting = SelfProtectingWorkers(world, self.workload, random.Random(seed + 2), "self")
        self.checks = self.sweeps = 0
        self._waiting = set()
        self._swept_at = 0

    def step(self):
        self.deployments.step()
        self.self_protecting.step()
        if time.monotonic() - self._swept_at > SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            self.sweeps += 1
            self.world.fire_the_schedule()

    def check(self):
        self.checks += 1
        assert self.workload.unprotected() + self.self_protecting.unprotected() == []

    def is_sent(self):
        return len(self.workload.sent) >= self.messages

    def finish(self):
        """Ends every job and waits until every message is done, or in a small load still in the queue."""
        self.deployments.end()
        self.self_protecting.end()
        for job in self.workload.live + self.workload.driven:
            self.workload.finish(job)
        end = time.monotonic() + (SMALL_CATCH_UP_SECONDS if self.is_small else CATCH_UP_SECONDS_MAX)
        while self.workload.undone() and time.monotonic() < end:
            time.sleep(0.2)
        undone = {sent.id for sent in self.workload.undone()}
        assert self.is_small or not undone, f"{len(undone)} messages are not done"
        self.world.jobs.stop()
        undone -= {sent.id for sent in self.workload.sent if self.world.jobs.is_done(sent.id)}
        eventually(lambda: undone <= self.waiting(), "the unfinished messages are in the queue", within=30, every=0.5)
        return undone

    def idle_tasks(self, undone):
        """The tasks that no undone message is about. Deployments have stopped some of the others."""
        busy = {sent.task for sent in self.workload.sent if sent.id in undone}
        tasks = [worker.task for worker in self.workload.used] + self.self_protecting.reporting_tasks
        return [task for task in tasks if task not in busy]

    def happened(self):
        """How often each thing has happened that the test is about. Even a small load goes on until each has."""
        return {
            "jobs on tasks that had one before": self.workload.jobs_again,
            "deployments": self.deployments.count,
            "sweeps": self.sweeps,
            "protections by workers themselves": self.self_protecting.protections,
            "jobs of theirs that began during another": self.self_protecting.overlaps,
            "tasks refused": len(self.deployments.refused()),
            "checks": self.checks,
        }

    def waiting(self):
        """The messages that were ever received from the job queue since its deliveries ended. They are gone then."""
        found = iter(lambda: self.world.received(self.world.stack.queue("JobQueue")), [])
        self._waiting |= {message["MessageId"] for messages in found for message in messages}
        return self._waiting


def go_through(load, killer):
    end = time.monotonic() + 120 + SECONDS_A_MESSAGE_MAX * load.messages
    steps = 0
    while True:
        if not (load.is_sent() and killer.enough.is_set()):
            load.workload.go_on()
        elif all(load.happened().values()):
            return
        else:
            time.sleep(0.1)  # the checks use the same rate limits of ECS as the function
        assert time.monotonic() < end, f"{killer.kills} kills, {len(load.workload.sent)} messages, {load.happened()}"
        load.step()
        steps += 1
        if steps % 20 == 0:
            load.check()


def protected_among(world, tasks):
    parts = [tasks[at : at + TASKS_A_CALL_MAX] for at in range(0, len(tasks), TASKS_A_CALL_MAX)]
    protections = [one for part in parts for one in world.protections(part).values()]
    return {one["taskArn"] for one in protections if one["protectionEnabled"]}


def redrive(world):
    """Carries out events and sweeps that killed instances failed three times, and one more, so that there is at least
    one. No job message may be among them.
    """
    world.sqs.send_message(QueueUrl=world.stack.queue("DeadLetterQueue"), MessageBody=json.dumps({"sweep": {}}))
    invoked = world.instances.invoke(json.dumps({"redrive": {}}))
    assert invoked.error is None, invoked
    report = invoked.answer["redrive"]
    assert report["kept"] == [] and not report["more"] and report["received"] > 0, report
    return report["received"]


def reported_as_refused(world):
    """The tasks in `protection-refused` alerts."""
    alerts = iter(lambda: world.received(world.stack.outputs["AlertQueueUrl"]), [])
    bodies = [json.loads(message["Body"]) for messages in alerts for message in messages]
    return {one["taskArn"] for notified in bodies if notified["kind"] == "protection-refused" for one in notified["refusedTasks"]}


@pytest.mark.long(60)
def test_three_instances_under_load_leave_no_busy_task_unprotected_and_lose_no_message(deploy, seed, pytestconfig):
    messages, kills = pytestconfig.getoption("messages"), pytestconfig.getoption("kills")
    is_small = messages <= 1000
    # In these minutes a message is received as often as in hours of normal operation.
    services = {"web": TASKS, "api": DEPLOYED_TASKS, "self": 8}
    world = deploy(functions=INSTANCES, services=services, settings={"TASKHOLD_RECEIVES_MAX": "90"})
    world.gateway.keeps_items = False
    world.come_again_after(COME_AGAIN_AFTER_SECONDS)
    world.deliver(BatchSize=10, MaximumBatchingWindowInSeconds=0, ScalingConfig={"MaximumConcurrency": INSTANCES})
    load = Load(world, seed, messages, is_small)
    calls_until_a_kill_max = max(10, 2 * CALLS_A_MESSAGE * messages // kills)
    killer = Killer(world.functions, random.Random(seed + 1), kills, calls_until_a_kill_max)
    begun = time.monotonic()
    with world.gateway.between(killer):
        go_through(load, killer)
    left = load.finish()
    tasks = load.idle_tasks(left)
    eventually(lambda: protected_among(world, tasks) == set(), "every idle task is released", within=60, every=1)
    redriven = redrive(world)
    assert world.left_in("DeadLetterQueue") == 0
    refused = load.deployments.refused()
    assert refused <= reported_as_refused(world), "ECS refused a task, and no alert names it"
    happened = load.happened()
    moments = ", ".join(f"{count} {moment} a call" for moment, count in killer.by_moment.items())
    counts = ", ".join(f"{count} {what}" for what, count in happened.items())
    text = (
        f"load of seed {seed}: {len(load.workload.sent)} messages about {load.workload.jobs} jobs, {killer.kills} kills of "
        f"{INSTANCES} instances ({moments}), {counts}: 0 busy tasks unprotected, each refused task reported, 0 messages "
        f"lost, {len(left)} still in the queue, {len(tasks)} idle tasks released; {redriven} undelivered events and sweeps "
        f"redriven; "
        f"{time.monotonic() - begun:.0f} s"
    )
    figures.note("kills", text=text)
