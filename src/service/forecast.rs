//! When it can be over, and when it must be.

use crate::ecs::service::Service;
use crate::service::diagnosis::{BlockingTask, DeadlinePolicy, ProtectedFor};
use crate::service::snapshot::JobSnapshot;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;

/// What CloudFormation gives a service update before it rolls back (aws-facts "ECS: deployments and protection").
const CLOUDFORMATION_DEADLINE: SignedDuration = SignedDuration::from_hours(3);
/// The tag that a service made by CloudFormation carries.
const CLOUDFORMATION_TAG: &str = "aws:cloudformation:stack-name";
/// The tag by which a service sets its own deadline, in minutes.
pub const DEADLINE_TAG: &str = "taskhold:deadline-minutes";
/// The longest deadline, as of the function's setting: a week.
pub(crate) const DEADLINE_MINUTES_MAX: i64 = 10_080;

/// When the last blocking task can be gone at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// If every protection lasts to its end.
    pub by_expiry: Timestamp,
    /// If the jobs end when their workers expect, or at the latest when they declared. Protection of others, and of tasks
    /// whose jobs could not be read, counts to its end.
    pub by_jobs: Timestamp,
}

/// When a rollout must be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The moment.
    pub at: Timestamp,
    /// Whose it is.
    pub source: DeadlineSource,
}

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadlineSource {
    /// CloudFormation made the service and rolls back after three hours.
    CloudFormation,
    /// The service's own tag.
    Tag,
    /// The function's setting.
    Setting,
}

impl Deadline {
    /// Time that is left between the expected finish and the deadline; negative if it will be missed.
    pub fn margin(&self, forecast: &Forecast) -> SignedDuration {
        self.at.duration_since(forecast.by_jobs)
    }
}

pub(crate) fn forecast(blocking_tasks: &[BlockingTask], to_go: usize, now: Timestamp) -> Option<Forecast> {
    let gone_by = |end: fn(&BlockingTask) -> Timestamp| {
        let mut ends: Vec<Timestamp> = blocking_tasks.iter().map(end).collect();
        ends.sort();
        // When so many have ended, enough are gone.
        let last = to_go.min(ends.len()).checked_sub(1)?;
        Some(ends[last].max(now))
    };
    Some(Forecast {
        by_expiry: gone_by(|blocking_task| blocking_task.protected_until)?,
        by_jobs: gone_by(expected_end)?,
    })
}

fn expected_end(blocking_task: &BlockingTask) -> Timestamp {
    match &blocking_task.protected_for {
        ProtectedFor::Jobs(jobs) => {
            let ends = jobs.iter().map(JobSnapshot::expected_end);
            ends.max().unwrap_or(blocking_task.protected_until).min(blocking_task.protected_until)
        }
        ProtectedFor::NoJob | ProtectedFor::Foreign | ProtectedFor::Unknown => blocking_task.protected_until,
    }
}

/// The jobs, the one that is expected to last longest first.
pub(crate) fn longest_first(jobs: &[JobSnapshot]) -> Vec<&JobSnapshot> {
    let mut jobs: Vec<&JobSnapshot> = jobs.iter().collect();
    jobs.sort_by_key(|job| Reverse((job.expected_end(), job.until)));
    jobs
}

pub(crate) fn deadline(service: &Service, started_at: Timestamp, policy: &DeadlinePolicy) -> Deadline {
    let after = |duration: SignedDuration| started_at.saturating_add(duration).unwrap_or(Timestamp::MAX);
    if let Some(minutes) = service.tags.get(DEADLINE_TAG).and_then(|value| deadline_minutes(value)) {
        return Deadline { at: after(SignedDuration::from_mins(minutes)), source: DeadlineSource::Tag };
    }
    if service.tags.contains_key(CLOUDFORMATION_TAG) {
        return Deadline { at: after(CLOUDFORMATION_DEADLINE), source: DeadlineSource::CloudFormation };
    }
    Deadline { at: after(policy.deadline), source: DeadlineSource::Setting }
}

/// The value of [`DEADLINE_TAG`], if it is a whole number from 1 to 10,080 (a week).
pub fn deadline_minutes(value: &str) -> Option<i64> {
    value.trim().parse().ok().filter(|minutes| (1..=DEADLINE_MINUTES_MAX).contains(minutes))
}
