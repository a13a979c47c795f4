//! A job: what its worker did and reported, and which of its messages were acknowledged.

use super::protection::ProtectionModel;
use crate::control_plane::Millis;
use taskhold::task::protection::SENT_WITHIN;

const SENT_WITHIN_MS: Millis = SENT_WITHIN.as_secs() * 1000;

#[derive(Default)]
pub(super) struct JobModel {
    pub(super) id: String,
    pub(super) attempt: u32,
    pub(super) started_at: Option<Millis>,
    pub(super) finish_sent: bool,
    /// Its worker crashes and never reports an end.
    pub(super) is_abandoned: bool,
    /// Whether the task protects itself for it.
    pub(super) is_by_agent: bool,
    /// What its worker reported about that, the last report last.
    pub(super) agent_reports: Vec<WorkerReport>,
    /// The earliest and the latest end that any sent message declared.
    declared: Option<(Millis, Millis)>,
    /// The latest end that any sent message declared or implied.
    pub(super) latest: Option<Millis>,
    acknowledged: Vec<Acknowledged>,
}

/// What a worker reports about protection that it requested from the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WorkerReport {
    /// ECS granted it until then.
    Until(Millis),
    /// ECS refused it for this reason.
    Refused(String),
}

/// The ends that a message declares.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) declared: Option<Millis>,
    pub(super) presumed: Option<Millis>,
}

/// A message that an invocation acknowledged as done.
struct Acknowledged {
    at: Millis,
    ends: Ends,
}

impl Acknowledged {
    /// Whether it was acknowledged before the end that it declares. A job of which taskhold hears later keeps nothing.
    fn is_in_time(&self) -> bool {
        self.ends.declared.or(self.ends.presumed).is_some_and(|end| end > self.at)
    }

    /// Whether taskhold knew it when it decided on a call that was sent at this time.
    fn is_known_to_call(&self, sent_at: Millis) -> bool {
        self.at + SENT_WITHIN_MS < sent_at
    }
}

impl JobModel {
    /// The task's job of this number. Every second one is another attempt at the one before.
    pub(super) fn new(task: usize, number: usize) -> Self {
        let attempt = if number.is_multiple_of(2) { 1 } else { 2 };
        Self { id: format!("j-{task}-{}", number / 2), attempt, ..Self::default() }
    }

    /// Whether its worker is running it.
    pub(super) fn is_active(&self) -> bool {
        self.is_unfinished() && !self.is_abandoned
    }

    /// Whether it started and its finish was not sent, however long ago its declared time ended.
    pub(super) fn is_unfinished(&self) -> bool {
        self.started_at.is_some() && !self.finish_sent
    }

    /// Whether its worker may still be running it, according to every message that was ever sent.
    pub(super) fn is_live_at(&self, now: Millis) -> bool {
        !self.finish_sent && self.until().is_some_and(|end| end > now)
    }

    /// Its latest end according to all messages sent; a declared end takes precedence over a presumed one.
    pub(super) fn until(&self) -> Option<Millis> {
        self.declared.map(|(_, most)| most).or(self.latest)
    }

    /// The latest end that justifies protection of its task.
    pub(super) fn needs_at_most(&self) -> Option<Millis> {
        self.latest.max(self.agent_reports.iter().filter_map(WorkerReport::until).max())
    }

    pub(super) fn sent(&mut self, ends: Ends, now: Millis) {
        self.started_at = self.started_at.or(Some(now));
        if let Some(end) = ends.declared {
            self.declared = Some(self.declared.map_or((end, end), |(least, most)| (least.min(end), most.max(end))));
        }
        self.latest = self.latest.max(ends.declared).max(ends.presumed);
    }

    pub(super) fn acknowledged(&mut self, ends: Ends, at: Millis) {
        self.acknowledged.push(Acknowledged { at, ends });
    }

    /// The end that the acknowledged messages declare, unless the finish was sent.
    pub(super) fn promised_until(&self) -> Option<Millis> {
        self.acknowledged_until(|_| true)
    }

    /// Until when the job keeps the protection of its task from a release that was sent at this time and takes effect
    /// now. `None` if it keeps nothing.
    pub(super) fn keeps_until(&self, protection: &ProtectionModel, sent_at: Millis, now: Millis) -> Option<Millis> {
        let end = self.acknowledged_until(|message| message.is_known_to_call(sent_at))?;
        if end > sent_at {
            return Some(end);
        }
        let in_time = |message: &Acknowledged| message.is_known_to_call(sent_at) && message.is_in_time();
        let by_function = protection.granted_before(self.acknowledged_until(in_time)?);
        by_function.max(self.agent_until()).filter(|until| *until > now)
    }

    /// Until when the task has protected itself for the job, according to each report of its worker: reports may still be
    /// on their way. `None` after a refusal.
    fn agent_until(&self) -> Option<Millis> {
        let reported: Option<Vec<Millis>> = self.agent_reports.iter().map(WorkerReport::until).collect();
        reported?.into_iter().min()
    }

    /// Whether its worker last reported that ECS refuses to protect the task.
    pub(super) fn is_refused_to_agent(&self) -> bool {
        matches!(self.agent_reports.last(), Some(WorkerReport::Refused(_)))
    }

    fn acknowledged_until(&self, counts: impl Fn(&Acknowledged) -> bool) -> Option<Millis> {
        let counted = || self.acknowledged.iter().filter(|message| counts(message)).map(|message| message.ends);
        let presumed = || {
            let presumed = counted().filter_map(|ends| ends.presumed).max();
            presumed.map(|end| self.declared.map_or(end, |(least, _)| end.min(least)))
        };
        counted().filter_map(|ends| ends.declared).max().or_else(presumed).filter(|_| !self.finish_sent)
    }
}

impl WorkerReport {
    pub(super) fn until(&self) -> Option<Millis> {
        match self {
            Self::Until(until) => Some(*until),
            Self::Refused(_) => None,
        }
    }
}
