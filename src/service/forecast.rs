//! When a rollout can finish, and when it must have finished.

use crate::ecs::service::Service;
use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::snapshot::JobSnapshot;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;

/// How long CloudFormation waits for a service update before it rolls back (aws-facts "ECS: deployments and
/// protection").
const CLOUDFORMATION_DEADLINE: SignedDuration = SignedDuration::from_hours(3);
/// The tag of every service that CloudFormation created.
const CLOUDFORMATION_TAG: &str = "aws:cloudformation:stack-name";
/// The tag with which a service sets its own deadline, in minutes.
pub const DEADLINE_TAG: &str = "taskhold:deadline-minutes";
/// The longest deadline that the tag or the function's setting accepts: one week.
pub(crate) const DEADLINE_MINUTES_MAX: i64 = 10_080;

/// The earliest moment at which the last blocking task can be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Assuming that every protection lasts until it expires.
    pub by_expiry: Timestamp,
    /// Assuming that the jobs end when their workers expect, or at the latest when they declared. Foreign protection,
    /// and protection of tasks whose jobs could not be read, counts until it expires.
    pub by_jobs: Timestamp,
}

/// The policy by which a service is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlinePolicy {
    /// The deadline of a deployment when neither CloudFormation nor the service's tag sets one.
    pub deadline: SignedDuration,
}

/// When a rollout must have finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The moment.
    pub at: Timestamp,
    /// The source of the deadline.
    pub source: DeadlineSource,
}

/// The source of a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadlineSource {
    /// CloudFormation created the service, and rolls back after three hours.
    CloudFormation,
    /// The service's own tag.
    Tag,
    /// The function's setting.
    Setting,
}

impl Deadline {
    /// The time between the expected finish and the deadline; negative if the deadline will be missed.
    pub fn margin(&self, forecast: &Forecast) -> SignedDuration {
        self.at.duration_since(forecast.by_jobs)
    }
}

pub(crate) fn forecast(blocking_tasks: &[BlockingTask], to_go: usize, now: Timestamp) -> Option<Forecast> {
    let gone_by = |end: fn(&BlockingTask) -> Timestamp| {
        let mut ends: Vec<Timestamp> = blocking_tasks.iter().map(end).collect();
        ends.sort();
        // The rollout continues once `to_go` blocking tasks have ended.
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

/// The jobs, the one with the latest expected end first.
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

/// The value of [`DEADLINE_TAG`], if it is a whole number from 1 to 10,080 (one week).
pub fn deadline_minutes(value: &str) -> Option<i64> {
    value.trim().parse().ok().filter(|minutes| (1..=DEADLINE_MINUTES_MAX).contains(minutes))
}
