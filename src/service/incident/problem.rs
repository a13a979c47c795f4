//! The problems that a snapshot of a service shows.

use crate::ecs::arn::TaskId;
use crate::service::alert::AlertKind;
use crate::service::diagnosis::{Assessment, Diagnosis};
use crate::service::incident::{AlertPolicy, Incidents};
use crate::service::rollout_status::RolloutStatus;
use crate::service::snapshot::{Jobs, ServiceSnapshot};
use crate::service::task_counts::DEPLOYMENTS_MAX;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long a task without live jobs may stay protected before its protection counts as orphaned. Its release may be in
/// progress.
pub const ORPHAN_GRACE: SignedDuration = SignedDuration::from_mins(10);

/// A current problem of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: AlertKind,
    /// When it began.
    pub(crate) since: Timestamp,
}

/// The current problems of a service by incident key.
pub(crate) fn problems(
    incidents: &Incidents,
    assessment: Assessment<'_>,
    policy: &AlertPolicy,
) -> BTreeMap<String, Problem> {
    let Assessment { snapshot, diagnosis, idle_seen } = assessment;
    let mut problems = BTreeMap::new();
    let now = snapshot.at;
    let rollout = diagnosis.rollout.id().unwrap_or("-").to_owned();
    let mut add = |kind: AlertKind, of: &str, since| {
        problems.insert(key(snapshot, of, kind), Problem { kind, since });
    };
    let blocked_since = match diagnosis.rollout_status {
        RolloutStatus::Blocked => {
            diagnosis.blocked_since.filter(|since| now.duration_since(*since) >= policy.blocked_after)
        }
        // For example, one of several blocking tasks was released and ECS is about to stop it: the incident continues.
        RolloutStatus::WillBlock => open_since(incidents, &key(snapshot, &rollout, AlertKind::DeploymentBlocked)),
        RolloutStatus::Steady | RolloutStatus::InProgress | RolloutStatus::Unknown => None,
    };
    if let Some(since) = blocked_since {
        add(AlertKind::DeploymentBlocked, &rollout, since);
    }
    let (protected, unprotected): (Vec<_>, Vec<_>) =
        diagnosis.refused_tasks.iter().partition(|refused_task| refused_task.protected_until.is_some());
    for (kind, tasks) in [(AlertKind::ProtectionRefused, unprotected), (AlertKind::ProtectionExpiring, protected)] {
        if let Some(since) = tasks.iter().map(|refused_task| refused_task.since).min() {
            add(kind, "-", since);
        }
    }
    if misses_deadline(diagnosis) {
        add(AlertKind::DeploymentAtRisk, &rollout, diagnosis.rollout.started_at().unwrap_or(now));
    }
    if snapshot.service.deployments.len() + 1 >= DEPLOYMENTS_MAX {
        add(AlertKind::TooManyDeployments, "-", now);
    }
    if let Some(since) = orphaned_since(snapshot, idle_seen) {
        add(AlertKind::OrphanedProtection, "-", since);
    }
    problems
}

pub(crate) fn is_lesser(kind: AlertKind) -> bool {
    match kind {
        AlertKind::DeploymentAtRisk | AlertKind::TooManyDeployments | AlertKind::OrphanedProtection => true,
        AlertKind::DeploymentBlocked
        | AlertKind::ProtectionRefused
        | AlertKind::ProtectionExpiring
        | AlertKind::JobInterrupted => false,
    }
}

/// When an incident opened, if it is open.
fn open_since(incidents: &Incidents, key: &str) -> Option<Timestamp> {
    incidents.get(key).filter(|incident| incident.is_open()).map(|incident| incident.since)
}

fn misses_deadline(diagnosis: &Diagnosis) -> bool {
    let waits = matches!(diagnosis.rollout_status, RolloutStatus::Blocked | RolloutStatus::WillBlock);
    let margin = diagnosis.deadline.zip(diagnosis.forecast).map(|(deadline, forecast)| deadline.margin(&forecast));
    waits && margin.is_some_and(|margin| margin.is_negative())
}

/// The protected tasks without a live job in the state store, with the end of their last job.
pub fn idle_tasks(snapshot: &ServiceSnapshot) -> impl Iterator<Item = (&TaskId, Timestamp)> {
    snapshot.protected().filter_map(|(task, _)| match &task.jobs {
        Jobs::Known(jobs) if jobs.is_empty() => Some((&task.id, task.idle_since?)),
        _ => None,
    })
}

/// Since when the first protected task has had no live job, if that is longer ago than [`ORPHAN_GRACE`].
fn orphaned_since(snapshot: &ServiceSnapshot, idle_seen: &BTreeMap<TaskId, Timestamp>) -> Option<Timestamp> {
    let idle = idle_tasks(snapshot).filter_map(|(task, since)| Some(since.max(*idle_seen.get(task)?)));
    idle.filter(|since| snapshot.at.duration_since(*since) >= ORPHAN_GRACE).min()
}

/// Service, deployment and kind: stable for the life of the incident.
fn key(snapshot: &ServiceSnapshot, rollout: &str, kind: AlertKind) -> String {
    format!("{}/{}/{rollout}/{}", snapshot.service.arn.cluster.name, snapshot.service.arn.name, kind.as_str())
}
