//! The reference model: taskhold's promises to the workers so far, computed from the messages alone, and the checks
//! that taskhold keeps them.
//!
//! # Promises
//!
//! *Safety.* The promise begins when taskhold acknowledges as done a message that starts or extends a job. It ends when
//! the worker sends the job's finish, the task stops, or the job's end passes. In between, ECS protects the task until
//! the job's end, less [`GRANT_TOLERANCE`], at every moment: also while other invocations run or crash, and while their
//! calls take effect late. The job's end is the latest one that an acknowledged message declared. If none declared an
//! end, it is the end presumed from acknowledged heartbeats, or an earlier one that another message of the job
//! declares: the store may have that message already although it is not acknowledged.
//!
//! Two things follow. taskhold acknowledges a start only when ECS has granted the protection, the job has finished or
//! passed its end, or the message is dead-lettered. And when all messages of a task are acknowledged and no invocation
//! runs, the task is protected until the latest end of its active jobs. Protection before the acknowledgement is not
//! promised: a release that began before a job's start arrived may clear the task's protection after it. taskhold then
//! does not acknowledge the start, and SQS redelivers it.
//!
//! *Loss.* The state store has the content of every message that was acknowledged as done. A message is dead-lettered
//! only if it is malformed, its task has stopped, or it was received too often; and always with a reason.
//!
//! *Convergence.* Without new faults every message ends within a few deliveries. Then a task whose jobs have all
//! finished is unprotected. No task was ever protected longer than the longest request of its jobs, except for rounding
//! and delay.

use super::world::{Broken, Rules, World};
use jiff::{SignedDuration, Timestamp};
use taskhold::lambda::job_message::{JobMessage, JobMessageType, ReportedJob};
use taskhold::lambda::sqs_record;
use taskhold::lambda::sqs_record::QueueMessage;
use taskhold::task::plan::GRANT_TOLERANCE;

/// A protection may be longer than the jobs requested by a minute of rounding up, another minute (or 5 %) for sharing a
/// call, and the two minutes between a decision and its effect.
const LONGER_THAN_ASKED: SignedDuration = SignedDuration::from_mins(5);

#[derive(Debug)]
pub(crate) struct Promise {
    pub(crate) tasks: Vec<TaskPromise>,
}

#[derive(Debug, Default)]
pub(crate) struct TaskPromise {
    pub(crate) jobs: Vec<JobPromise>,
}

#[derive(Debug, Default)]
pub(crate) struct JobPromise {
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finish_sent: bool,
    /// The worker will crash and never send the finish.
    pub(crate) abandoned: bool,
    /// The earliest and the latest end declared by any message that was sent.
    declared: Option<(Timestamp, Timestamp)>,
    /// The latest end that any message that was sent declared or implied.
    pub(crate) latest: Option<Timestamp>,
    acknowledged_declared: Option<Timestamp>,
    acknowledged_presumed: Option<Timestamp>,
}

/// The content of a message in the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    Job { task: usize, job: usize, ends: Ends },
    Stop { task: usize },
    Nothing,
}

/// The job's ends according to a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) declared: Option<Timestamp>,
    pub(crate) presumed: Option<Timestamp>,
}

impl Told {
    pub(crate) fn task(self) -> Option<usize> {
        match self {
            Self::Job { task, .. } | Self::Stop { task } => Some(task),
            Self::Nothing => None,
        }
    }
}

impl JobPromise {
    /// Job `number` of a task. Every second job is another attempt of the previous one.
    pub(crate) fn new(number: usize, rules: &Rules, rng: &mut fastrand::Rng) -> Self {
        let attempt = 1 + u32::try_from(number % 2).expect("0 or 1");
        let abandoned = rng.u32(..100) < rules.abandoned_percent;
        Self { id: format!("j-{}", number / 2), attempt, abandoned, ..Self::default() }
    }

    /// A worker sends a message.
    pub(crate) fn sent(&mut self, message_type: JobMessageType, ends: Ends) {
        if let Some(end) = ends.declared {
            self.declared = Some(self.declared.map_or((end, end), |(least, most)| (least.min(end), most.max(end))));
        }
        self.latest = self.latest.max(ends.declared).max(ends.presumed);
        self.finish_sent |= message_type == JobMessageType::Finished;
    }

    fn promised_until(&self) -> Option<Timestamp> {
        let presumed = || self.acknowledged_presumed.map(|end| self.declared.map_or(end, |(least, _)| end.min(least)));
        self.acknowledged_declared.or_else(presumed).filter(|_| !self.finish_sent)
    }
}

impl Promise {
    pub(crate) fn new(tasks: usize, rules: &Rules, rng: &mut fastrand::Rng) -> Self {
        let jobs = |rng: &mut fastrand::Rng| {
            (0..rules.jobs_at_once).map(|number| JobPromise::new(number, rules, rng)).collect()
        };
        let task = |_| TaskPromise { jobs: jobs(rng) };
        Self { tasks: (0..tasks).map(task).collect() }
    }

    /// The latest time until which the jobs sent so far justify protecting a task.
    pub(crate) fn protected_at_most_until(&self, task: usize) -> Option<Timestamp> {
        let jobs = &self.tasks[task].jobs;
        let latest = jobs.iter().filter_map(|job| job.latest).max()?;
        let first = jobs.iter().filter_map(|job| job.started_at).min()?;
        Some(latest + latest.duration_since(first) / 20 + LONGER_THAN_ASKED)
    }
}

impl World {
    /// Turns a message that was acknowledged as done into a promise.
    pub(crate) fn promise_done(&mut self, number: usize) {
        let message = &self.queue.messages[number];
        let Told::Job { task, job, ends, .. } = message.told else {
            if matches!(message.told, Told::Nothing) {
                self.break_off(Broken::Loss, format!("m-{number} is malformed and was acknowledged as done"));
            }
            return;
        };
        self.check_is_recorded(number, task);
        let job = &mut self.promise.tasks[task].jobs[job];
        job.acknowledged_declared = job.acknowledged_declared.max(ends.declared);
        job.acknowledged_presumed = job.acknowledged_presumed.max(ends.presumed);
    }

    fn check_is_recorded(&mut self, number: usize, task: usize) {
        let message = &self.queue.messages[number];
        let finished_job_retention = SignedDuration::from_hours(i64::from(self.rules.finished_job_retention_hours));
        if self.now.duration_since(message.sent_at) >= finished_job_retention {
            return;
        }
        let clusters = super::clusters();
        let QueueMessage::Job(told) = sqs_record::parse(&message.body, &clusters) else {
            unreachable!("a worker sent it")
        };
        let ReportedJob { key, job, .. } = JobMessage::into_job(told, message.sent_at);
        let entry = self.entry(&self.ecs.tasks[task].task);
        let known = entry.jobs.get(&key).cloned().unwrap_or_default();
        let mut merged = known.clone();
        merged.merge(&job);
        if merged != known {
            self.break_off(Broken::Loss, format!("m-{number} is done and not in the state store: {known:?}"));
        }
    }

    /// Checks safety; the scheduler calls it after every move.
    pub(crate) fn check_promises(&mut self) {
        for (number, task) in self.promise.tasks.iter().enumerate() {
            let sim = &self.ecs.tasks[number];
            let Some(promised) = task.jobs.iter().filter_map(JobPromise::promised_until).max() else { continue };
            let needed = promised - GRANT_TOLERANCE;
            if sim.stopped || self.now >= needed || sim.protected_until >= Some(needed) {
                continue;
            }
            let (promised, found) = (self.shown(promised), sim.protected_until.map(|until| self.shown(until)));
            return self.break_off(
                Broken::Safety,
                format!("task {number} is uncovered: promised until {promised}, protected until {found:?}"),
            );
        }
    }

    /// Checks convergence; called when every message has ended.
    pub(crate) fn check_idle_tasks(&mut self) {
        for number in 0..self.promise.tasks.len() {
            let started = |job: &&JobPromise| job.latest.is_some();
            let all_finished = self.promise.tasks[number].jobs.iter().filter(started).all(|job| job.finish_sent);
            let dead_lettered = |message: &super::queue::Message| {
                message.told.task() == Some(number) && !message.dead_lettered_by.is_empty()
            };
            // A dead-lettered finish may have left its task protected. And where the queue keeps messages for longer
            // than the store keeps finished jobs, a late heartbeat may have revived a job.
            let excused = self.queue.messages.iter().any(dead_lettered) || self.rules.finished_job_retention_hours == 1;
            let sim = &self.ecs.tasks[number];
            let protected = sim.protected_until.filter(|until| *until > self.now);
            if let Some(until) = protected.filter(|_| all_finished && !excused && !sim.stopped) {
                let until = self.shown(until);
                self.break_off(
                    Broken::Convergence,
                    format!("all jobs of task {number} have finished, and it is protected until {until}"),
                );
            }
        }
    }
}
