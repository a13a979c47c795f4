//! When to notify: an incident opens once, escalates at its marks, repeats at an interval, and resolves once.
//!
//! Pure. Incidents are part of the service record, so any instance of the function continues what another one began. A
//! transition is stored together with its pending notification ([`Incident::pending`]), which is cleared only after
//! delivery. A crash in between therefore sends a notification twice rather than never. If
//! two instances reconcile concurrently, only the one that stores its record notifies.

pub mod pending;

use crate::ecs::arn::TaskId;
use crate::service::alert::{AlertKind, Transition};
use crate::service::diagnosis::{DEPLOYMENTS_MAX, Diagnosis, RolloutStatus};
use crate::service::incident::pending::PendingNotification;
use crate::service::snapshot::{Jobs, ServiceSnapshot};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long an incident is remembered once its resolution was delivered.
pub const RESOLVED_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a task without live jobs may stay protected before its protection counts as orphaned. Its release may be in
/// progress.
pub const ORPHAN_GRACE: SignedDuration = SignedDuration::from_mins(10);

/// When to notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertPolicy {
    /// How long a rollout must have been blocked before an incident opens.
    pub blocked_after: SignedDuration,
    /// The interval at which an open incident is repeated.
    pub repeat_after: SignedDuration,
}

/// One problem of a service, present or past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The kind of problem.
    pub kind: AlertKind,
    /// When the problem began.
    pub since: Timestamp,
    /// When the latest notification became due.
    pub notified_at: Timestamp,
    /// How many escalation marks have been passed.
    #[serde(default)]
    pub escalations: u8,
    /// When the problem ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Whether a delivery was attempted. The notification may have arrived, because a failed delivery may have succeeded
    /// nevertheless, or in part.
    #[serde(default)]
    pub attempted: bool,
    /// The notification that is not delivered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingNotification>,
}

/// The incidents of one service by key.
pub type Incidents = BTreeMap<String, Incident>;

/// The result of one read of the service.
#[derive(Clone, Copy, Debug)]
pub struct Assessment<'a> {
    /// The snapshot.
    pub snapshot: &'a ServiceSnapshot,
    /// Its diagnosis.
    pub diagnosis: &'a Diagnosis,
    /// Protected tasks without a live job, with the moment at which a snapshot first showed them idle. The end of the
    /// last job is not enough: a worker may protect its task first and then take the next job.
    pub idle_seen: &'a BTreeMap<TaskId, Timestamp>,
}

/// Updates the incidents with a new snapshot. With gaps in the snapshot, no incident is resolved.
pub fn advance(incidents: &mut Incidents, seen: Assessment<'_>, policy: &AlertPolicy) {
    let Assessment { snapshot, diagnosis, .. } = seen;
    let now = snapshot.at;
    let wrong = wrongs(incidents, seen, policy);
    let blocked = wrong.values().any(|(kind, _)| *kind == AlertKind::DeploymentBlocked);
    // An open `deployment-blocked` incident suppresses the lesser kinds: they are neither opened nor resolved
    // meanwhile. A job that runs unprotected is never a lesser problem.
    let carried = |kind: AlertKind| blocked && is_lesser(kind);
    for (key, (kind, since)) in wrong.iter().filter(|(_, (kind, _))| !carried(*kind)) {
        let incident = incidents.entry(key.clone()).or_insert_with(|| Incident {
            kind: *kind,
            since: *since,
            notified_at: now,
            escalations: marks_passed(diagnosis, now),
            resolved_at: None,
            attempted: false,
            pending: Some(PendingNotification::new(Transition::Opened)),
        });
        continue_incident(incident, diagnosis, now, policy);
    }
    if diagnosis.gaps.is_empty() {
        let open =
            incidents.iter_mut().filter(|(_, incident)| incident.resolved_at.is_none() && !carried(incident.kind));
        open.filter(|(key, _)| !wrong.contains_key(*key)).for_each(|(_, incident)| resolve(incident, now));
    }
    incidents.retain(|_, incident| {
        incident.pending.is_some() || incident.resolved_at.is_none_or(|at| now.duration_since(at) < RESOLVED_KEPT)
    });
}

fn resolve(incident: &mut Incident, now: Timestamp) {
    incident.resolved_at = Some(now);
    incident.notified_at = now;
    incident.pending = match incident.pending {
        // No RESOLVED for an incident that was never reported.
        _ if !incident.attempted => None,
        // The problem came back and went away again before its OPENED was sent: drop both.
        Some(pending) if pending.event == Transition::Opened && pending.is_fresh() => pending.taken_back(),
        pending => Some(PendingNotification::instead(pending, Transition::Resolved, now)),
    };
}

fn continue_incident(incident: &mut Incident, diagnosis: &Diagnosis, now: Timestamp, policy: &AlertPolicy) {
    if incident.resolved_at.take().is_some() {
        if let Some(pending) =
            incident.pending.filter(|pending| pending.event == Transition::Resolved && pending.is_fresh())
        {
            // Its RESOLVED was not sent yet: the incident simply continues.
            incident.pending = pending.taken_back();
            return;
        }
        // The problem came back after it was resolved: open it anew.
        (incident.since, incident.notified_at, incident.escalations) = (now, now, marks_passed(diagnosis, now));
        incident.pending = Some(PendingNotification::instead(incident.pending, Transition::Opened, now));
        return;
    }
    if incident.pending.is_some() {
        return;
    }
    let marks = marks_passed(diagnosis, now);
    if marks > incident.escalations {
        incident.escalations = marks;
        incident.notified_at = now;
        incident.pending = Some(PendingNotification::new(Transition::Escalated));
    } else if now.duration_since(incident.notified_at) >= policy.repeat_after {
        incident.notified_at = now;
        incident.pending = Some(PendingNotification::new(Transition::Repeated));
    }
}

/// When an open incident escalates: at 50 % and at 80 % of the time to the deadline. `None` without a deadline.
pub(crate) fn marks(diagnosis: &Diagnosis) -> Option<[Timestamp; 2]> {
    let (started_at, deadline) = (diagnosis.rollout.started_at()?, diagnosis.deadline?);
    let whole = deadline.at.duration_since(started_at).as_secs().max(1);
    let mark = |percent: i64| {
        let seconds = SignedDuration::from_secs((whole * percent + 99) / 100);
        started_at.saturating_add(seconds).unwrap_or(Timestamp::MAX)
    };
    Some([mark(50), mark(80)])
}

/// The number of [`marks`] that have passed.
fn marks_passed(diagnosis: &Diagnosis, now: Timestamp) -> u8 {
    let passed = marks(diagnosis).into_iter().flatten().filter(|mark| *mark <= now);
    u8::try_from(passed.count()).unwrap_or(u8::MAX)
}

/// The current problems of a service by incident key, each with the moment it began.
fn wrongs(
    incidents: &Incidents,
    seen: Assessment<'_>,
    policy: &AlertPolicy,
) -> BTreeMap<String, (AlertKind, Timestamp)> {
    let Assessment { snapshot, diagnosis, idle_seen } = seen;
    let mut wrongs = BTreeMap::new();
    let now = snapshot.at;
    let rollout = diagnosis.rollout.id().unwrap_or("-").to_owned();
    let mut add = |kind: AlertKind, of: &str, since| {
        wrongs.insert(key(snapshot, of, kind), (kind, since));
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
    let refused_since = |is_protected: bool| {
        let refused_tasks = diagnosis
            .refused_tasks
            .iter()
            .filter(|refused_task| refused_task.protected_until.is_some() == is_protected);
        refused_tasks.map(|refused_task| refused_task.since).min()
    };
    for (kind, is_protected) in [(AlertKind::ProtectionRefused, false), (AlertKind::ProtectionExpiring, true)] {
        if let Some(since) = refused_since(is_protected) {
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
    wrongs
}

fn is_lesser(kind: AlertKind) -> bool {
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
    incidents.get(key).filter(|incident| incident.resolved_at.is_none()).map(|incident| incident.since)
}

fn misses_deadline(diagnosis: &Diagnosis) -> bool {
    let in_the_way = matches!(diagnosis.rollout_status, RolloutStatus::Blocked | RolloutStatus::WillBlock);
    let margin = diagnosis.deadline.zip(diagnosis.forecast).map(|(deadline, forecast)| deadline.margin(&forecast));
    in_the_way && margin.is_some_and(|margin| margin.is_negative())
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

#[cfg(test)]
mod tests;
