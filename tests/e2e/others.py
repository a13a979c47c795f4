"""What else goes on under load: a service that is deployed again and again under busy tasks, and workers that protect
their tasks themselves, as the agent endpoint would for them.
"""

import json
import math
import time
from datetime import UTC, datetime

from stack import CLUSTER

# Every task of the service has a job when its deployment starts. One more protected task exceeds the desired count, so
# ECS refuses it.
DEPLOYED_TASKS = 4
MINUTES = (30, 240)  # that jobs of self-protecting tasks last at most
HELD_SECONDS = 40  # longer than the new tasks take to start, so that the busy ones block the deployment


class Deployments:
    """Deploys a service under busy tasks, lets them block it, and ends their jobs; then again. While it is blocked, a new
    task gets a job, which ECS may refuse to protect.
    """

    def __init__(self, world, workload, service):
        self.world, self.workload, self.service = world, workload, service
        self.count = 0
        self._jobs, self._deployed_at, self._asked_new_task = [], None, False
        self._tasks = set()
        self._stepped_at = 0

    def step(self):
        # These reads use the same rate limits of ECS as the function's.
        if time.monotonic() - self._stepped_at < 1:
            return
        self._stepped_at = time.monotonic()
        if not self._jobs:
            if self._is_steady():
                self._tasks = set(self._running())
                self._start_on(sorted(self._tasks))
        elif self._deployed_at is None:
            if all(self.world.jobs.is_done(job.declared[0][0].id) for job in self._jobs):
                self._deploy()
        elif time.monotonic() - self._deployed_at > HELD_SECONDS:
            self.end()
        elif not self._asked_new_task:
            new = sorted(set(self._running()) - self._tasks)
            if new:
                self._asked_new_task = True
                self._start_on(new[:1])

    def end(self):
        for job in self._jobs:
            self.workload.finish(job)
        self._jobs, self._deployed_at, self._asked_new_task = [], None, False

    def refused(self):
        """The tasks that ECS refused to protect."""
        refused = set()
        for call in self.world.gateway.of("ECS", "UpdateTaskProtection"):
            for failure in json.loads(call.answer or b"{}").get("failures", []):
                if failure["reason"] == "DEPLOYMENT_BLOCKED":
                    refused.add(failure["arn"])
        return refused

    def _start_on(self, tasks):
        for task in tasks:
            job = self.workload.start_on(self.world.worker(task))
            self.workload.driven.append(job)
            self._jobs.append(job)

    def _deploy(self):
        self.count += 1
        self._deployed_at = time.monotonic()
        self.world.ecs.update_service(cluster=CLUSTER, service=self.service, forceNewDeployment=True)
        (service,) = self._described()
        self.world.put_event("ecs-deployment-state-change-in-progress.json", service["serviceArn"])

    def _described(self):
        return self.world.ecs.describe_services(cluster=CLUSTER, services=[self.service])["services"]

    def _is_steady(self):
        (service,) = self._described()
        return len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"]

    def _running(self):
        arns = self.world.ecs.list_tasks(cluster=CLUSTER, serviceName=self.service)["taskArns"]
        described = self.world.ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        return [one["taskArn"] for one in described if one["lastStatus"] == "RUNNING" and one["desiredStatus"] == "RUNNING"]


class SelfProtectingWorkers:
    """Workers that protect their tasks before they take a job, and take the next one at once: half of the time before
    the previous one has finished, and otherwise after. Half of them report the job too, and say who protects. The others
    report nothing. The function must touch none of their tasks.
    """

    def __init__(self, world, workload, random, service):
        self.world, self.workload, self.random = world, workload, random
        tasks = world.idle_tasks(service)
        self.reporting_tasks, self.silent_tasks = tasks[::2], tasks[1::2]
        self.protections = self.overlaps = 0
        self._busy = {}  # by task: until when its worker has protected it, and its job, if it reports one
        self._stepped_at = 0

    def step(self):
        if time.monotonic() - self._stepped_at < 0.5:
            return
        self._stepped_at = time.monotonic()
        task = self.random.choice(self.reporting_tasks + self.silent_tasks)
        if task in self._busy and self.random.random() < 0.5:
            self._overlap(task)
            return
        if task in self._busy:
            self._finish(task)
        self._start(task, self.random.randint(*MINUTES))

    def end(self):
        for task in list(self._busy):
            self._finish(task)

    def unprotected(self):
        """The busy tasks whose protection is not what their workers have set."""
        if not self._busy:
            return []
        problems = []
        for task, protection in self.world.protections(sorted(self._busy)).items():
            until = protection["expirationDate"].timestamp() if protection["protectionEnabled"] else 0
            wanted, _ = self._busy[task]
            if abs(until - wanted) > 1:
                problems.append(f"{task}, whose worker has protected it until {wanted}: protected until {until}")
        return problems

    def _overlap(self, task):
        """Starts the next job while the previous one runs, whose protection the worker does not shorten."""
        until, previous = self._busy[task]
        left = math.ceil((until - time.time()) / 60)
        self._start(task, max(left, self.random.randint(*MINUTES)))
        if previous:
            self.workload.finish(previous)
            self.overlaps += 1

    def _start(self, task, minutes):
        until = self._protect(task, protectionEnabled=True, expiresInMinutes=minutes).timestamp()
        self.protections += 1
        job = None
        if task in self.reporting_tasks:
            protection = {"by": "agent", "until": datetime.fromtimestamp(until, UTC).isoformat()}
            job = self.workload.start_on(self.world.worker(task), maxDurationMinutes=minutes, protection=protection)
            self.workload.driven.append(job)
        self._busy[task] = until, job

    def _finish(self, task):
        _, job = self._busy.pop(task)
        if job:
            self.workload.finish(job)
        self._protect(task, protectionEnabled=False)

    def _protect(self, task, **wanted):
        answer = self.world.ecs.update_task_protection(cluster=CLUSTER, tasks=[task], **wanted)
        (protected,) = answer["protectedTasks"]
        return protected.get("expirationDate")
