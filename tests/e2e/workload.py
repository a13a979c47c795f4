"""Workers that start, continue and finish jobs at random from a seed, and the conditions that must hold for their
tasks meanwhile.
"""

from dataclasses import dataclass, field

MINUTE = 60
SHORT_SECONDS_MAX = 30  # SEMANTICS.md, "A busy task is protected until its jobs' declared end"
LIVE_JOBS_MAX = 40
AGAIN = 0.2  # the share of jobs that run on a task with current or past jobs
TASKS_A_CALL_MAX = 100  # of GetTaskProtection
# Workers that wait for each answer would send no more than this; retried messages must not displace the rest.
UNDONE_MAX = 60


@dataclass
class Job:
    worker: object
    id: str
    declared: list = field(default_factory=list)  # each message that declared an end, and the declared end


class Workload:
    def __init__(self, world, tasks, random):
        self.world, self.random = world, random
        self.fresh = list(tasks)
        self.used, self.live, self.sent, self.bodies = [], [], [], []
        self.driven = []  # live jobs that a test drives itself
        self.jobs = self.jobs_again = 0
        self._undone = []  # of those sent, at least the undone ones
        self._seen = 0  # how many of those sent were considered for it

    def go_on(self):
        """Acts on one job, unless too many messages are still unprocessed."""
        if len(self.undone()) > UNDONE_MAX:
            return
        drawn = self.random.random()
        if not self.live or (drawn < 0.5 and len(self.live) < LIVE_JOBS_MAX):
            self.start()
        elif drawn < 0.75:
            self.finish(self.random.choice(self.live))
        elif drawn < 0.9:
            self.declare(self.random.choice(self.live), "heartbeat")
        else:
            worker, body = self.random.choice(self.bodies)  # of any job, including finished ones
            self.sent.append(worker.send(body))

    def start(self):
        """Mostly on a separate task, sometimes on one with current or past jobs."""
        if self.fresh and (not self.used or self.random.random() >= AGAIN):
            self.used.append(self.world.worker(self.fresh.pop()))
            worker = self.used[-1]
        else:
            worker = self.random.choice(self.used)
            self.jobs_again += 1
        self.live.append(self.start_on(worker))

    def start_on(self, worker, **fields):
        self.jobs += 1
        job = Job(worker, f"job-{self.jobs}")
        self.declare(job, "started", **fields)
        return job

    def declare(self, job, kind, **fields):
        minutes = fields.setdefault("maxDurationMinutes", self.random.randint(30, 240))
        body = job.worker.message(kind, job.id, **fields)
        self.bodies.append((job.worker, body))
        self.sent.append(job.worker.send(body))
        job.declared.append((self.sent[-1], self.sent[-1].at + minutes * MINUTE))

    def finish(self, job):
        (self.live if job in self.live else self.driven).remove(job)
        body = job.worker.message("finished", job.id)
        self.bodies.append((job.worker, body))
        self.sent.append(job.worker.send(body))

    def undone(self):
        self._undone += self.sent[self._seen :]
        self._seen = len(self.sent)
        self._undone = [sent for sent in self._undone if not self.world.jobs.is_done(sent.id)]
        return self._undone

    def unprotected(self):
        """The live jobs whose tasks are protected for less than confirmed: a message that is done confirms its job's
        protection. No job finishes during this check, because the same thread finishes jobs.
        """
        confirmed = {}
        for job in self.live + self.driven:
            ends = [end for sent, end in job.declared if self.world.jobs.is_done(sent.id)]
            if ends:
                confirmed[job.id] = (job.worker.task, max(ends))
        tasks = sorted({task for task, _ in confirmed.values()})
        protections = {}
        for at in range(0, len(tasks), TASKS_A_CALL_MAX):
            protections |= self.world.protections(tasks[at : at + TASKS_A_CALL_MAX])
        problems = []
        for job, (task, end) in confirmed.items():
            protection = protections[task]
            until = protection["expirationDate"].timestamp() if protection["protectionEnabled"] else 0
            if until < end - SHORT_SECONDS_MAX:
                problems.append(f"{job} on {task}: confirmed until {end}, protected until {until}")
        return problems
