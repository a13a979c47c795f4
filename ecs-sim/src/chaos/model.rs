//! The reference model: what workers, people and ECS did, and what taskhold has promised by its answers. It knows nothing of
//! taskhold's store, but where a check compares the two.
//!
//! # What is promised
//!
//! *Safety.* Once a message that begins or prolongs a job was acknowledged as done, and until the job's finish is sent, its
//! task stops or its end comes, ECS protects the task until that end, less [`GRANT_TOLERANCE`]. At every moment: while other
//! invocations run, are cut off, and while calls of theirs take effect late. The end is the latest that an acknowledged
//! message declared; with none declared, the one presumed from acknowledged heartbeats, as far as no other message of the job
//! declares an earlier one (which may be known already though it is not acknowledged). Not promised: protection before the
//! acknowledgement, and protection that somebody else has shortened.

use super::rules::Rules;
use crate::control_plane::Millis;
use std::collections::BTreeMap;
use taskhold::service::alert::{AlertKind, Transition};
use taskhold::task::plan::GRANT_TOLERANCE;

/// As taskhold reckons.
pub(super) const TOLERANCE_MS: Millis = GRANT_TOLERANCE.as_secs() * 1000;

/// A grant may be longer than what was asked by a minute of rounding up, 5 % or another minute for sharing a call, and the
/// two minutes between a decision and its effect.
const LONGER_THAN_ASKED_MS: Millis = 5 * 60_000;

#[derive(Default)]
pub(super) struct Model {
    /// In the order in which ECS made them.
    pub(super) tasks: Vec<TaskModel>,
    places: BTreeMap<String, usize>,
    pub(super) services: BTreeMap<String, ServiceModel>,
    /// What workers sent, by SQS's id.
    pub(super) messages: BTreeMap<String, Message>,
    pub(super) incidents: BTreeMap<String, IncidentModel>,
    /// How often each job was handed on as interrupted.
    pub(super) forwarded: BTreeMap<(String, u32), u32>,
    /// How often something happened after which alerts may come twice: a send or a store that failed, a cut off. Each may
    /// concern all that one invocation has claimed, so it excuses one repetition of each incident.
    pub(super) hiccups: u32,
}

pub(super) struct TaskModel {
    pub(super) id: String,
    pub(super) service: Option<String>,
    pub(super) jobs: Vec<JobModel>,
    /// Somebody else has changed its protection while it had jobs: what is certain then is no matter of taskhold's calls.
    pub(super) is_meddled_with: bool,
    /// Whether its present protection, or the lack of one, is taskhold's doing.
    pub(super) is_set_by_taskhold: bool,
    /// The jobs that were promised protection when it stopped, with the ends that were promised.
    pub(super) interrupted: Vec<(usize, Millis)>,
    has_stopped: bool,
}

#[derive(Default)]
pub(super) struct JobModel {
    pub(super) id: String,
    pub(super) attempt: u32,
    pub(super) started_at: Option<Millis>,
    pub(super) finish_sent: bool,
    /// Its worker crashes and never tells its end.
    pub(super) is_abandoned: bool,
    /// The earliest and the latest end declared by any message that was sent.
    declared: Option<(Millis, Millis)>,
    /// The latest end that any message that was sent declared or implied.
    pub(super) latest: Option<Millis>,
    acknowledged_declared: Option<Millis>,
    acknowledged_presumed: Option<Millis>,
}

/// The ends that a message tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) declared: Option<Millis>,
    pub(super) presumed: Option<Millis>,
}

/// What a message in the job queue tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tells {
    Job {
        task: usize,
        job: usize,
        ends: Ends,
    },
    Forecast {
        task: usize,
    },
    /// An event of ECS, sent through the queue.
    Stop,
    Malformed,
}

pub(super) struct Message {
    pub(super) body: String,
    pub(super) sent_at: Millis,
    pub(super) tells: Tells,
    /// Whether an invocation ended it as done.
    pub(super) is_done: bool,
    /// The invocations that dead-lettered it.
    pub(super) dead_lettered_by: Vec<usize>,
    /// How often it was delivered since the storm was over.
    pub(super) deliveries_in_calm: u32,
}

pub(super) struct ServiceModel {
    pub(super) count: CountModel,
    /// A person deleted it.
    pub(super) is_deleted: bool,
}

/// What is known of a service's desired count.
pub(super) struct CountModel {
    /// As ECS had it when it was last looked at.
    pub(super) known: u32,
    /// What somebody other than taskhold set last.
    pub(super) set_by_others: u32,
    /// When.
    pub(super) set_at: Millis,
    /// The highest ceiling that a tag has allowed so far.
    pub(super) ceiling: u32,
    /// Taskhold may not know whose count it is, which documents say: its call came a moment after somebody else's, since ECS
    /// knows no condition; or somebody set the very count of a raise that was sent.
    pub(super) is_overruled: bool,
}

impl CountModel {
    pub(super) fn set_by_others(&mut self, count: u32, now: Millis) {
        (self.known, self.set_by_others, self.set_at) = (count, count, now);
    }
}

/// What was published of an incident.
pub(super) struct IncidentModel {
    pub(super) kind: AlertKind,
    pub(super) service: Option<String>,
    pub(super) is_open: bool,
    /// How often an alert of it came once more than it should.
    pub(super) repetitions: u32,
}

impl TaskModel {
    /// It has stopped: the jobs that live now are interrupted.
    pub(super) fn has_stopped(&mut self, now: Millis) {
        if !std::mem::replace(&mut self.has_stopped, true) {
            let promised = |(number, job): (usize, &JobModel)| Some((number, job.promised_until()?));
            self.interrupted =
                self.jobs.iter().enumerate().filter_map(promised).filter(|(_, end)| *end > now).collect();
        }
    }

    /// Until when its protection is promised, if it is.
    pub(super) fn promised_until(&self) -> Option<Millis> {
        self.jobs.iter().filter_map(JobModel::promised_until).max()
    }

    /// Longer than this the jobs that were sent give no reason to protect it.
    pub(super) fn protected_at_most_until(&self) -> Option<Millis> {
        let latest = self.jobs.iter().filter_map(|job| job.latest).max()?;
        let first = self.jobs.iter().filter_map(|job| job.started_at).min()?;
        Some(latest + (latest - first) / 20 + LONGER_THAN_ASKED_MS)
    }
}

impl JobModel {
    /// The task's job of this number. Every second one is another attempt at the one before.
    pub(super) fn new(task: usize, number: usize, is_abandoned: bool) -> Self {
        let attempt = if number.is_multiple_of(2) { 1 } else { 2 };
        Self { id: format!("j-{task}-{}", number / 2), attempt, is_abandoned, ..Self::default() }
    }

    /// Whether its worker is at it.
    pub(super) fn is_active(&self) -> bool {
        self.started_at.is_some() && !self.finish_sent && !self.is_abandoned
    }

    /// When it may last no longer, by all that was sent: what is declared goes before what is presumed.
    pub(super) fn until(&self) -> Option<Millis> {
        self.declared.map(|(_, most)| most).or(self.latest)
    }

    pub(super) fn sent(&mut self, ends: Ends, now: Millis) {
        self.started_at = self.started_at.or(Some(now));
        if let Some(end) = ends.declared {
            self.declared = Some(self.declared.map_or((end, end), |(least, most)| (least.min(end), most.max(end))));
        }
        self.latest = self.latest.max(ends.declared).max(ends.presumed);
    }

    pub(super) fn acknowledged(&mut self, ends: Ends) {
        self.acknowledged_declared = self.acknowledged_declared.max(ends.declared);
        self.acknowledged_presumed = self.acknowledged_presumed.max(ends.presumed);
    }

    pub(super) fn promised_until(&self) -> Option<Millis> {
        let presumed = || self.acknowledged_presumed.map(|end| self.declared.map_or(end, |(least, _)| end.min(least)));
        self.acknowledged_declared.or_else(presumed).filter(|_| !self.finish_sent)
    }
}

impl Model {
    /// The number of a task, from 0; a new one if it is new.
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
            is_meddled_with: false,
            is_set_by_taskhold: false,
            interrupted: Vec::new(),
            has_stopped: false,
        });
        number
    }

    pub(super) fn number_of(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The text with short names for tasks: `t0`, `t1` …
    pub(super) fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (number, task) in self.tasks.iter().enumerate() {
            if text.contains(&task.id) {
                text = text.replace(&task.id, &format!("t{number}"));
            }
        }
        text.replace("arn:aws:ecs:eu-west-1:111122223333:", "").replace("task/video/", "").replace("service/video/", "")
    }

    /// An alert has reached the topic. Answers whether that was more often than all that failed excuses.
    pub(super) fn published(
        &mut self,
        incident: &str,
        (kind, event): (AlertKind, Transition),
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

    /// Whether somebody was told that this is wrong with a service, and not that it is over.
    pub(super) fn is_open(&self, kind: AlertKind, service: &str) -> bool {
        let is_it = |incident: &IncidentModel| incident.kind == kind && incident.service.as_deref() == Some(service);
        self.incidents.values().any(|incident| incident.is_open && is_it(incident))
    }
}

/// Jobs alive at once on one task, and jobs of a task in a run.
pub(super) const JOBS_AT_ONCE_MAX: usize = 3;
pub(super) const JOBS_MAX: usize = 12;

impl Rules {
    /// The state store remembers a finished job for so long.
    pub(super) fn finished_job_retention_ms(&self) -> Millis {
        Millis::from(self.finished_job_retention_hours) * 3_600_000
    }
}
