//! The problems that a snapshot of a service shows.

use crate::ecs::arn::TaskId;
use crate::service::alert::AlertKind;
use crate::service::diagnosis::{Assessment, Diagnosis};
use crate::service::incident::in_time::{self, blocked_opens_at};
use crate::service::incident::scope::{IncidentScope, Problem};
use crate::service::incident::{AlertPolicy, Incident, Incidents, scale_in};
use crate::service::refused_task::RefusedTask;
use crate::service::rollout_status::RolloutStatus;
use crate::service::snapshot::{Jobs, ServiceSnapshot, silent_since};
use crate::service::task_counts::DEPLOYMENTS_MAX;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long a task without live jobs may stay protected before its protection counts as orphaned. Its release may be in
/// progress.
pub const ORPHAN_GRACE: SignedDuration = SignedDuration::from_mins(10);
/// How long a service must have had almost as many deployments as ECS allows. A pipeline may deploy again while the
/// tasks of its previous deployment still stop.
const MANY_DEPLOYMENTS_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// The current problems of a service by incident key.
pub(crate) fn problems(
    incidents: &Incidents,
    assessment: Assessment<'_>,
    policy: &AlertPolicy,
) -> BTreeMap<String, Problem> {
    let Assessment { snapshot, diagnosis, .. } = assessment;
    let mut problems = BTreeMap::new();
    let now = snapshot.at;
    let rollout = diagnosis.rollout.id();
    let open = |kind| incidents.get(&key(snapshot, kind)).filter(|incident| incident.is_open());
    let mut add = |kind: AlertKind, since, scope| {
        let quiet_until = if kind == AlertKind::DeploymentBlocked { quiet_until(assessment) } else { None };
        problems.insert(key(snapshot, kind), Problem { kind, since, scope, quiet_until });
    };
    let blocking = IncidentScope::new(rollout, diagnosis.blocking_tasks.iter().map(|blocking| &blocking.task));
    // For example, one of several blocking tasks was released and ECS is about to stop it, or a new deployment waits
    // for the same blocking tasks: the incident continues.
    let blocked =
        if diagnosis.rollout.is_scale_in() { AlertKind::ScaleInBlocked } else { AlertKind::DeploymentBlocked };
    let continued = open(blocked).filter(|incident| incident.scope.continues(&blocking));
    let continued = continued.map(|incident| incident.since);
    let blocked_since = match diagnosis.rollout_status {
        // The clock of another instance may be behind: what it finds a moment too early resolves nothing.
        RolloutStatus::Blocked => {
            continued.or(diagnosis.blocked_since.filter(|_| opens_at(assessment, policy).is_some_and(|at| at <= now)))
        }
        RolloutStatus::WillBlock => continued,
        RolloutStatus::Steady | RolloutStatus::InProgress | RolloutStatus::Paused | RolloutStatus::Unknown => None,
    };
    if let Some(since) = blocked_since {
        add(blocked, since, blocking);
    }
    let (protected, unprotected): (Vec<_>, Vec<_>) =
        diagnosis.refused_tasks.iter().partition(|refused| alert_kind(refused) == AlertKind::ProtectionExpiring);
    for (kind, tasks) in [(AlertKind::ProtectionRefused, unprotected), (AlertKind::ProtectionExpiring, protected)] {
        if let Some(since) = tasks.iter().map(|refused_task| refused_task.since).min() {
            add(kind, since, IncidentScope::new(None, tasks.iter().map(|refused_task| &refused_task.task)));
        }
    }
    if misses_deadline(diagnosis, open(AlertKind::DeploymentAtRisk)) {
        let scope = IncidentScope::new(rollout, std::iter::empty());
        add(AlertKind::DeploymentAtRisk, diagnosis.rollout.started_at().unwrap_or(now), scope);
    }
    if let Some(since) = many_deployments_since(snapshot, open(AlertKind::TooManyDeployments)) {
        add(AlertKind::TooManyDeployments, since, IncidentScope::default());
    }
    if let Some(since) = orphaned_since(assessment) {
        add(AlertKind::OrphanedProtection, since, IncidentScope::default());
    }
    problems
}

/// The kind of the alert about a refused task.
pub(crate) fn alert_kind(refused: &RefusedTask) -> AlertKind {
    match refused.protected_until {
        None => AlertKind::ProtectionRefused,
        Some(_) => AlertKind::ProtectionExpiring,
    }
}

/// When `deployment-blocked` or `scale-in-blocked` opens if nothing changes; `None` if nothing is blocked.
pub(crate) fn opens_at(assessment: Assessment<'_>, policy: &AlertPolicy) -> Option<Timestamp> {
    let diagnosis = assessment.diagnosis;
    match diagnosis.rollout.is_scale_in() {
        true => scale_in::opens_at(assessment, policy),
        false => {
            let soonest = diagnosis.blocked_since?.saturating_add(policy.blocked_after).unwrap_or(Timestamp::MAX);
            Some(blocked_opens_at(diagnosis, soonest))
        }
    }
}

/// Until when an open `deployment-blocked` neither escalates nor repeats; `None` for a scale-in.
pub(crate) fn quiet_until(assessment: Assessment<'_>) -> Option<Timestamp> {
    let Assessment { snapshot, diagnosis, .. } = assessment;
    match diagnosis.rollout.is_scale_in() {
        true => None,
        false => in_time::quiet_until(diagnosis, snapshot.at),
    }
}

/// Whether a problem of `kind` suppresses one of the kind `lesser`. A job that runs unprotected is never a lesser
/// problem.
pub(crate) fn suppresses(kind: AlertKind, lesser: AlertKind) -> bool {
    match kind {
        AlertKind::DeploymentBlocked => is_lesser(lesser),
        // The alert about the scale-in already names the idle tasks.
        AlertKind::ScaleInBlocked => lesser == AlertKind::OrphanedProtection,
        _ => false,
    }
}

fn is_lesser(kind: AlertKind) -> bool {
    match kind {
        AlertKind::DeploymentAtRisk | AlertKind::TooManyDeployments | AlertKind::OrphanedProtection => true,
        AlertKind::DeploymentBlocked
        | AlertKind::ScaleInBlocked
        | AlertKind::ProtectionRefused
        | AlertKind::ProtectionExpiring
        | AlertKind::JobInterrupted => false,
    }
}

/// Since when the service has had almost as many deployments as ECS allows, if that has lasted.
fn many_deployments_since(snapshot: &ServiceSnapshot, open: Option<&Incident>) -> Option<Timestamp> {
    let mut begun: Vec<Timestamp> =
        snapshot.service.deployments.iter().map(|deployment| deployment.created_at).collect();
    begun.sort();
    let since = *begun.get(DEPLOYMENTS_MAX - 2)?;
    let lasts = |since: &Timestamp| snapshot.at.duration_since(*since) >= MANY_DEPLOYMENTS_AFTER;
    open.map(|incident| incident.since).or(Some(since).filter(lasts))
}

/// Whether the deadline is at risk. The maximum alone opens no incident, since most jobs end long before it; but it
/// keeps an open incident open if a job has run longer than expected. The two weeks of a clean-up are another matter: a
/// protection that outlasts them is enough.
fn misses_deadline(diagnosis: &Diagnosis, open: Option<&Incident>) -> bool {
    let Some((deadline, forecast)) = diagnosis.deadline.zip(diagnosis.forecast) else { return false };
    let is_late = match diagnosis.rollout.is_clean_up() {
        true => forecast.by_expiry > deadline.at,
        false => forecast.by_risk.is_some_and(|end| end > deadline.at),
    };
    let stays_late = open.is_some() && deadline.margin(&forecast).is_negative();
    let waits = match diagnosis.rollout_status {
        RolloutStatus::Blocked | RolloutStatus::WillBlock | RolloutStatus::Paused => true,
        RolloutStatus::Steady | RolloutStatus::InProgress | RolloutStatus::Unknown => diagnosis.rollout.is_clean_up(),
    };
    waits && (is_late || stays_late)
}

/// The protected tasks without a live job in the state store, with the end of their last job. Not those that linger: the
/// function releases them when that is over.
pub fn idle_tasks(snapshot: &ServiceSnapshot) -> impl Iterator<Item = (&TaskId, Timestamp)> {
    snapshot.protected().filter_map(|(task, _)| match &task.jobs {
        Jobs::Known(jobs) if jobs.is_empty() && task.lingers_until.is_none() => Some((&task.id, task.idle_since?)),
        _ => None,
    })
}

/// When the first protected task became orphaned: its last job ended at least [`ORPHAN_GRACE`] ago, or its silent worker
/// last sent a message.
fn orphaned_since(assessment: Assessment<'_>) -> Option<Timestamp> {
    let Assessment { snapshot, idle_since, .. } = assessment;
    let idle = idle_tasks(snapshot).filter_map(|(task, since)| Some(since.max(*idle_since.get(task)?)));
    let idle = idle.filter(|since| snapshot.at.duration_since(*since) >= ORPHAN_GRACE);
    let silent = snapshot.protected().filter_map(|(task, _)| match &task.jobs {
        Jobs::Known(jobs) => silent_since(jobs),
        Jobs::Unknown | Jobs::Unread => None,
    });
    idle.chain(silent).min()
}

/// Service and kind: stable for the life of the incident.
fn key(snapshot: &ServiceSnapshot, kind: AlertKind) -> String {
    format!("{}/{}/{}", snapshot.service.arn.cluster.name, snapshot.service.arn.name, kind.as_str())
}
