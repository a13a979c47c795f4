//! A job of a task, and the merge of reports about it.
//!
//! [`Job`] is a join-semilattice: every field changes in one direction only, and [`Job::merge`] keeps the
//! further value of the two. The merge is commutative, associative and idempotent, so any order and number of
//! deliveries leads to the same state.

use crate::task::agent_protection::AgentProtection;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A worker that has sent nothing for this many of its heartbeat intervals is silent. Single messages may be late.
const HEARTBEATS_MISSED: i64 = 3;

/// Identifies a job within its task. A retried job has the same id and another attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobKey {
    /// 1..=256 characters, chosen by the worker.
    pub job_id: String,
    /// Counts from 1.
    pub attempt: u32,
}

impl std::fmt::Display for JobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.attempt {
            1 => write!(f, "{}", self.job_id),
            attempt => write!(f, "{} (attempt {attempt})", self.job_id),
        }
    }
}

/// What one message reports about one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobReport {
    /// The job.
    pub key: JobKey,
    /// What the message reports about it.
    pub job: Job,
}

/// Short texts from the worker, shown to people.
pub type Labels = BTreeMap<String, String>;

/// What the messages report about a job. All times are SQS's `SentTimestamp` or derived from it, never from a
/// sender's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// When the first `job.started` was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// The latest end that the worker declared with `maxDurationMinutes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_until: Option<Timestamp>,
    /// The end presumed from heartbeats that declare none. It counts only while no end is declared, as after
    /// a heartbeat that arrived before the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presumed_until: Option<Timestamp>,
    /// The last report of when the worker expects to finish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_until: Option<Reported<Timestamp>>,
    /// When the latest message of any type was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Timestamp>,
    /// The most minutes that its worker lets pass between two messages about it. If reports differ, the longest wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_minutes: Option<u32>,
    /// When `job.finished` was sent. A finished job never becomes live again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The kind of job; durations are learned from finished jobs of the same kind. If reports differ, the greatest
    /// wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The last report of labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Reported<Labels>>,
    /// The last report about the protection that the task sets itself for this job. `None` if the function protects
    /// the task for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Reported<AgentProtection>>,
}

/// A reported value with its time. The latest value wins; of two with the same time the greater wins, so that
/// order does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reported<T> {
    /// When the reporting message was sent. Compared first.
    pub at: Timestamp,
    /// The reported value.
    pub value: T,
}

impl Job {
    /// Merges the report of another delivery or instance about the same job. A finished job keeps neither labels, nor an
    /// expectation, nor reports about protection and heartbeats.
    pub fn merge(&mut self, other: &Self) {
        self.started_at = match (self.started_at, other.started_at) {
            (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        later(&mut self.declared_until, other.declared_until.as_ref());
        later(&mut self.presumed_until, other.presumed_until.as_ref());
        later(&mut self.expected_until, other.expected_until.as_ref());
        later(&mut self.reported_at, other.reported_at.as_ref());
        later(&mut self.heartbeat_minutes, other.heartbeat_minutes.as_ref());
        later(&mut self.finished_at, other.finished_at.as_ref());
        later(&mut self.kind, other.kind.as_ref());
        later(&mut self.labels, other.labels.as_ref());
        later(&mut self.protection, other.protection.as_ref());
        if self.finished_at.is_some() {
            // Nothing uses them any more, and they are most of a job's size.
            (self.expected_until, self.labels, self.protection, self.heartbeat_minutes) = (None, None, None, None);
        }
    }

    /// Until when the job may run: the declared end, or else the presumed one.
    pub fn until(&self) -> Option<Timestamp> {
        self.declared_until.or(self.presumed_until)
    }

    /// Whether the task protects itself for this job.
    pub fn is_protected_by_agent(&self) -> bool {
        self.protection.is_some()
    }

    /// Until when the task has protected itself for this job, according to its worker.
    pub fn agent_until(&self) -> Option<Timestamp> {
        match self.protection.as_ref()?.value {
            AgentProtection::Until(until) => Some(until),
            AgentProtection::Refused { .. } => None,
        }
    }

    /// Since when ECS refuses to protect the task for this job, according to its worker.
    pub fn agent_refused_at(&self) -> Option<Timestamp> {
        let report = self.protection.as_ref()?;
        matches!(report.value, AgentProtection::Refused { .. }).then_some(report.at)
    }

    /// The end of the job if it is live at `now`; `None` if it has finished or its end has passed.
    pub fn lives_until(&self, now: Timestamp) -> Option<Timestamp> {
        if self.finished_at.is_some() {
            return None;
        }
        self.until().filter(|until| *until > now)
    }

    /// When its worker last sent a message, if the worker is silent: it has probably died.
    pub fn silent_since(&self, now: Timestamp) -> Option<Timestamp> {
        let minutes = i64::from(self.heartbeat_minutes?).saturating_mul(HEARTBEATS_MISSED);
        let is_silent = |last: &Timestamp| now.duration_since(*last) >= SignedDuration::from_mins(minutes);
        self.reported_at.filter(is_silent)
    }

    /// How long a finished job ran. `None` if its start is unknown, or if its worker did not report the finish as its
    /// last message: a forced release also finishes jobs.
    pub fn duration(&self) -> Option<SignedDuration> {
        let finished_at = self.finished_at.filter(|at| self.reported_at == Some(*at))?;
        Some(finished_at.duration_since(self.started_at?)).filter(SignedDuration::is_positive)
    }

    /// When the job can be forgotten: from then on no redelivery can make it live again.
    pub(crate) fn forgettable_from(&self, finished_job_retention: SignedDuration) -> Timestamp {
        let last_report = self.reported_at.max(self.finished_at).unwrap_or(Timestamp::MIN);
        let end = self.until().unwrap_or(Timestamp::MIN);
        last_report.saturating_add(finished_job_retention).unwrap_or(Timestamp::MAX).max(end)
    }
}

fn later<T: Ord + Clone>(mine: &mut Option<T>, theirs: Option<&T>) {
    if mine.as_ref() < theirs {
        *mine = theirs.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixture::at;

    fn started(minute: i64, minutes: i64) -> Job {
        Job {
            started_at: Some(at(minute)),
            declared_until: Some(at(minute + minutes)),
            reported_at: Some(at(minute)),
            ..Job::default()
        }
    }

    fn finished(minute: i64) -> Job {
        Job { finished_at: Some(at(minute)), reported_at: Some(at(minute)), ..Job::default() }
    }

    fn merged(parts: &[Job]) -> Job {
        parts.iter().fold(Job::default(), |mut job, part| {
            job.merge(part);
            job
        })
    }

    #[test]
    fn a_finish_that_overtakes_its_start_still_finishes_the_job() {
        assert_eq!(merged(&[finished(5), started(0, 60)]).lives_until(at(6)), None);
    }

    #[test]
    fn a_job_lives_until_the_latest_end_that_it_declared() {
        let longer = Job { declared_until: Some(at(90)), ..Job::default() };
        assert_eq!(merged(&[started(0, 60), longer]).lives_until(at(1)), Some(at(90)));
        let shorter = Job { declared_until: Some(at(20)), ..Job::default() };
        assert_eq!(merged(&[started(0, 60), shorter]).lives_until(at(1)), Some(at(60)));
    }

    #[test]
    fn a_silent_heartbeat_does_not_extend_what_a_start_declared_whichever_comes_first() {
        let beat = Job { presumed_until: Some(at(125)), reported_at: Some(at(5)), ..Job::default() };
        assert_eq!(merged(&[started(0, 30), beat.clone()]), merged(&[beat.clone(), started(0, 30)]));
        assert_eq!(merged(&[beat.clone(), started(0, 30)]).until(), Some(at(30)));
        assert_eq!(beat.until(), Some(at(125)));
    }

    #[test]
    fn a_job_that_outlived_its_declared_end_no_longer_lives() {
        assert_eq!(started(0, 60).lives_until(at(60)), None);
    }

    #[test]
    fn a_finished_job_is_kept_while_its_messages_can_be_redelivered_or_its_end_lies_ahead() {
        let finished_job_retention = SignedDuration::from_hours(1);
        assert_eq!(merged(&[started(0, 30), finished(10)]).forgettable_from(finished_job_retention), at(70));
        assert_eq!(merged(&[started(0, 600), finished(10)]).forgettable_from(finished_job_retention), at(600));
    }

    #[test]
    fn the_duration_of_a_job_is_known_once_its_worker_has_reported_its_finish() {
        let minutes = |job: Job| job.duration().map(|duration| duration.as_mins());
        assert_eq!(minutes(merged(&[started(3, 60), finished(10)])), Some(7));
        assert_eq!(minutes(started(3, 60)), None);
        assert_eq!(minutes(finished(10)), None, "its start is unknown");
        let by_force = Job { finished_at: Some(at(10)), ..Job::default() };
        assert_eq!(minutes(merged(&[started(3, 60), by_force])), None, "no worker reported it");
    }

    #[test]
    fn a_finished_job_loses_what_nothing_uses_any_more() {
        let labels = Some(Reported { value: Labels::default(), at: at(0) });
        let expected_until = Some(Reported { value: at(30), at: at(0) });
        let protection = Some(Reported { value: AgentProtection::Until(at(60)), at: at(0) });
        let whole = Job { labels, expected_until, protection, ..started(0, 60) };
        for reports in [[whole.clone(), finished(10)], [finished(10), whole]] {
            let job = merged(&reports);
            assert_eq!((job.finished_at, job.started_at), (Some(at(10)), Some(at(0))));
            assert_eq!((job.labels, job.expected_until, job.protection), (None, None, None));
        }
    }

    #[test]
    fn a_first_attempt_is_shown_by_its_id_alone() {
        let shown = |attempt| JobKey { job_id: "render-7".to_owned(), attempt }.to_string();
        assert_eq!([shown(1), shown(2)], ["render-7", "render-7 (attempt 2)"]);
    }
}
