//! The reference model: what workers, people and ECS did, and what taskhold has promised with its answers. It does not
//! use taskhold's store, except where a check compares the two.
//!
//! # Promises
//!
//! *Safety.* The promise begins when a message that starts or prolongs a job is acknowledged as done. It ends when the
//! job's finish is sent, its task stops, or its end passes. During that time ECS protects the task until the job's end,
//! less [`GRANT_TOLERANCE`]. This holds at every moment: while other invocations run, are cut off, and while their
//! calls take effect late. The end is the latest that an acknowledged message declared. If none declared one, it is the
//! end presumed from acknowledged heartbeats, unless another message of the job declares an earlier one (which may
//! already be known although the message is not acknowledged). Not promised: protection before the acknowledgement, for
//! jobs for which the task protects itself, and after another writer has shortened it, until taskhold protects the task
//! again.
//!
//! *Releases* (`chaos/protection_calls.rs`). A release breaks a promise if it clears protection that another writer had set
//! before taskhold's last read of it, or if a job that taskhold knew keeps the protection: a live one, or one that has
//! outlived its declared time while protection that was granted in its lifetime has not expired. For a task that
//! protects itself for all of its jobs, taskhold makes no call.

use super::job::{Ends, JobModel};
use super::protection::ProtectionModel;
use super::rules::Rules;
use crate::control_plane::Millis;
use std::collections::BTreeMap;
use taskhold::service::alert::{AlertKind, Transition};
use taskhold::task::minutes::GRANT_TOLERANCE;

/// The tolerance that taskhold uses.
pub(super) const TOLERANCE_MS: Millis = GRANT_TOLERANCE.as_secs() * 1000;

/// A grant may exceed the request by one minute of rounding, by 5 % or one more minute for sharing a call, and by the
/// two minutes between a decision and its effect.
const LONGER_THAN_ASKED_MS: Millis = 5 * 60_000;

#[derive(Default)]
pub(super) struct Model {
    /// In the order in which ECS made them.
    pub(super) tasks: Vec<TaskModel>,
    places: BTreeMap<String, usize>,
    pub(super) services: BTreeMap<String, ServiceModel>,
    /// What workers sent, by SQS message id.
    pub(super) messages: BTreeMap<String, MessageModel>,
    pub(super) incidents: BTreeMap<String, IncidentModel>,
    /// How often a writer other than taskhold has set or cleared a task's protection.
    pub(super) changes_by_others: u64,
    /// How often each job was forwarded as interrupted.
    pub(super) forwarded: BTreeMap<(String, u32), u32>,
    /// The number of failures after which alerts may be sent twice: a failed send or store, or a cut-off. Each may
    /// affect everything that one invocation has claimed, so it excuses one repetition of each incident.
    pub(super) hiccups: u32,
}

pub(super) struct TaskModel {
    pub(super) id: String,
    pub(super) service: Option<String>,
    pub(super) jobs: Vec<JobModel>,
    pub(super) protection: ProtectionModel,
    /// Another writer has shortened or cleared its protection while taskhold protected it for jobs, and ECS has granted
    /// taskhold nothing since that covers them.
    pub(super) is_meddled_with: bool,
    /// The jobs that were promised protection when it stopped, with the promised ends.
    pub(super) interrupted: Vec<(usize, Millis)>,
    has_stopped: bool,
}

/// The contents of a message in the job queue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Job {
        task: usize,
        job: usize,
        ends: Ends,
    },
    Forecast {
        task: usize,
    },
    /// An event of ECS that is sent through the queue.
    Stop,
    Malformed,
}

impl Content {
    /// The task that a worker's message is about.
    pub(super) fn task(self) -> Option<usize> {
        match self {
            Self::Job { task, .. } | Self::Forecast { task } => Some(task),
            Self::Stop | Self::Malformed => None,
        }
    }
}

pub(super) struct MessageModel {
    pub(super) body: String,
    pub(super) sent_at: Millis,
    pub(super) content: Content,
    /// Whether an invocation acknowledged it as done.
    pub(super) is_done: bool,
    /// The invocations that dead-lettered it.
    pub(super) dead_lettered_by: Vec<usize>,
    /// The message, and its copies that SQS delivers too.
    pub(super) copies: u32,
    /// How often SQS has delivered it.
    pub(super) receives: u32,
    /// How often it was delivered since the end of the storm while ECS did not refuse its task.
    pub(super) deliveries_in_calm: u32,
}

pub(super) struct ServiceModel {
    pub(super) count: CountModel,
    /// A person deleted it.
    pub(super) is_deleted: bool,
    /// It has or had the tag `taskhold:managed`.
    pub(super) was_managed: bool,
}

/// The model of a service's desired count.
pub(super) struct CountModel {
    /// The count in ECS at the last check.
    pub(super) known: u32,
    /// The last count set by an actor other than taskhold.
    pub(super) set_by_others: u32,
    /// When.
    pub(super) set_at: Millis,
    /// The highest ceiling that a tag has allowed so far.
    pub(super) ceiling: u32,
    /// taskhold may not know whose count it is, as the documentation says: its call came a moment after another
    /// actor's, since ECS offers no conditional update; or another actor set exactly the count of a raise that was
    /// sent.
    pub(super) is_overruled: bool,
}

impl CountModel {
    pub(super) fn set_by_others(&mut self, count: u32, now: Millis) {
        (self.known, self.set_by_others, self.set_at) = (count, count, now);
    }
}

/// The published alerts of an incident.
pub(super) struct IncidentModel {
    pub(super) kind: AlertKind,
    pub(super) service: Option<String>,
    pub(super) is_open: bool,
    /// The number of its alerts beyond the expected ones.
    pub(super) repetitions: u32,
}

impl TaskModel {
    pub(super) fn has_unfinished_job(&self) -> bool {
        self.jobs.iter().any(JobModel::is_unfinished)
    }

    /// It has stopped: its live jobs are interrupted.
    pub(super) fn has_stopped(&mut self, now: Millis) {
        if !std::mem::replace(&mut self.has_stopped, true) {
            let promised = |(number, job): (usize, &JobModel)| Some((number, job.promised_until()?));
            self.interrupted =
                self.jobs.iter().enumerate().filter_map(promised).filter(|(_, end)| *end > now).collect();
        }
    }

    /// Until when taskhold has promised its protection, if it has.
    pub(super) fn promised_until(&self) -> Option<Millis> {
        self.jobs.iter().filter(|job| !job.is_by_agent).filter_map(JobModel::promised_until).max()
    }

    /// The latest time until which the sent jobs, and other writers, justify its protection.
    pub(super) fn protected_at_most_until(&self) -> Option<Millis> {
        let latest = self.jobs.iter().filter_map(JobModel::needs_at_most).max()?;
        let latest = self.protection.others_until.map_or(latest, |until| until.max(latest));
        let first = self.jobs.iter().filter_map(|job| job.started_at).min()?;
        Some(latest + (latest - first) / 20 + LONGER_THAN_ASKED_MS)
    }
}

impl Model {
    /// The number of a task, from 0; assigns the next number to a new task.
    pub(super) fn meet(&mut self, id: &str, service: Option<&str>) -> usize {
        if let Some(known) = self.places.get(id) {
            return *known;
        }
        let number = self.tasks.len();
        self.places.insert(id.to_owned(), number);
        self.tasks.push(TaskModel {
            id: id.to_owned(),
            service: service.map(str::to_owned),
            jobs: Vec::new(),
            protection: ProtectionModel::default(),
            is_meddled_with: false,
            interrupted: Vec::new(),
            has_stopped: false,
        });
        number
    }

    pub(super) fn number_of(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// Replaces task ids in the text by short names: `t0`, `t1` …
    pub(super) fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (number, task) in self.tasks.iter().enumerate() {
            if text.contains(&task.id) {
                text = text.replace(&task.id, &format!("t{number}"));
            }
        }
        text.replace("arn:aws:ecs:eu-west-1:111122223333:", "").replace("task/video/", "").replace("service/video/", "")
    }

    /// An alert has reached the topic. Returns whether it came more often than the failures excuse.
    pub(super) fn published(
        &mut self,
        incident: &str,
        kind: AlertKind,
        event: Transition,
        service: Option<&str>,
    ) -> bool {
        let new = || IncidentModel { kind, service: service.map(str::to_owned), is_open: false, repetitions: 0 };
        let known = self.incidents.entry(incident.to_owned()).or_insert_with(new);
        let is_again = match event {
            Transition::Opened => known.is_open,
            Transition::Resolved | Transition::Repeated | Transition::Escalated => !known.is_open,
        };
        known.is_open = event != Transition::Resolved;
        known.repetitions += u32::from(is_again);
        known.repetitions > self.hiccups
    }

    /// Whether an alert of this kind was published for the service and not resolved since.
    pub(super) fn is_open(&self, kind: AlertKind, service: &str) -> bool {
        let is_it = |incident: &IncidentModel| incident.kind == kind && incident.service.as_deref() == Some(service);
        self.incidents.values().any(|incident| incident.is_open && is_it(incident))
    }
}

/// Maximum number of concurrent jobs on one task, and of jobs of a task in a run.
pub(super) const JOBS_AT_ONCE_MAX: usize = 3;
pub(super) const JOBS_MAX: usize = 12;

impl Rules {
    /// How long the state store remembers a finished job.
    pub(super) fn finished_job_retention_ms(&self) -> Millis {
        Millis::from(self.finished_job_retention_hours) * 3_600_000
    }
}
