//! When to tell: an incident opens once, escalates at its marks, repeats at an interval, and resolves once.
//!
//! Pure. The state of a service's incidents is part of its state store record, so that any instance of the function continues
//! what another began. A transition is stored together with the alert that follows from it ([`Incident::untold`]); only
//! when the alert was taken is it struck out. So a crash in between tells twice, and never not at all; and of two instances
//! at once only the one whose store wins tells.

pub mod pending;

use crate::ecs::arn::TaskId;
use crate::service::alert::{AlertKind, Transition};
use crate::service::diagnosis::{DEPLOYMENTS_MAX, Diagnosis, RolloutStatus};
use crate::service::incident::pending::PendingNotification;
use crate::service::snapshot::{Jobs, ServiceSnapshot};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So long an incident is remembered after it was resolved and told.
pub const RESOLVED_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// A protection whose jobs have all ended is an orphan after this time: its release may be on its way.
pub const ORPHAN_GRACE: SignedDuration = SignedDuration::from_mins(10);

/// When to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertPolicy {
    /// A rollout is an incident when it has been blocked for so long.
    pub blocked_after: SignedDuration,
    /// What is still so is told again after this time.
    pub repeat_after: SignedDuration,
}

/// One thing that is or was wrong with a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// What.
    pub kind: AlertKind,
    /// Since when it is so.
    pub since: Timestamp,
    /// When it was last told of, or is to be.
    pub notified_at: Timestamp,
    /// How many escalation marks have been passed.
    #[serde(default)]
    pub escalations: u8,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Whether somebody may have heard of it: a send that failed may have arrived all the same, or in part.
    #[serde(default)]
    pub heard: bool,
    /// What is still to be told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<PendingNotification>,
}

/// The incidents of one service, by their keys.
pub type Incidents = BTreeMap<String, Incident>;

/// What a look has found out.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// What was seen.
    pub snapshot: &'a ServiceSnapshot,
    /// What was made of it.
    pub diagnosis: &'a Diagnosis,
    /// Protected tasks without a live job, by when a look first saw them so. The end of the last job alone does not tell: a
    /// worker may protect its task first, and then take the next job.
    pub idle_seen: &'a BTreeMap<TaskId, Timestamp>,
}

/// Brings the incidents up to a new look. Without a complete picture nothing is resolved.
pub fn advance(incidents: &mut Incidents, seen: Sight<'_>, policy: &AlertPolicy) {
    let Sight { snapshot, diagnosis, .. } = seen;
    let now = snapshot.at;
    let wrong = wrongs(incidents, seen, policy);
    let blocked = wrong.values().any(|(kind, _)| *kind == AlertKind::DeploymentBlocked);
    // While a service is blocked, that incident carries the lesser ones: they are neither told of nor called off. A job
    // that goes on without protection is no lesser one.
    let carried = |kind: AlertKind| blocked && is_lesser(kind);
    for (key, (kind, since)) in wrong.iter().filter(|(_, (kind, _))| !carried(*kind)) {
        let incident = incidents.entry(key.clone()).or_insert_with(|| Incident {
            kind: *kind,
            since: *since,
            notified_at: now,
            escalations: marks_passed(diagnosis, now),
            resolved_at: None,
            heard: false,
            untold: Some(PendingNotification::new(Transition::Opened)),
        });
        go_on(incident, diagnosis, (now, policy));
    }
    if diagnosis.gaps.is_empty() {
        let open =
            incidents.iter_mut().filter(|(_, incident)| incident.resolved_at.is_none() && !carried(incident.kind));
        open.filter(|(key, _)| !wrong.contains_key(*key)).for_each(|(_, incident)| resolve(incident, now));
    }
    incidents.retain(|_, incident| {
        incident.untold.is_some() || incident.resolved_at.is_none_or(|at| now.duration_since(at) < RESOLVED_KEPT)
    });
}

fn resolve(incident: &mut Incident, now: Timestamp) {
    incident.resolved_at = Some(now);
    incident.notified_at = now;
    incident.untold = match incident.untold {
        // What nobody has heard of need not be called off.
        _ if !incident.heard => None,
        // Nor need that it came back.
        Some(untold) if untold.event == Transition::Opened && untold.is_fresh() => untold.taken_back(),
        untold => Some(PendingNotification::instead(untold, Transition::Resolved, now)),
    };
}

fn go_on(incident: &mut Incident, diagnosis: &Diagnosis, when: (Timestamp, &AlertPolicy)) {
    let (now, policy) = when;
    if incident.resolved_at.take().is_some() {
        if let Some(untold) = incident.untold.filter(|untold| untold.event == Transition::Resolved && untold.is_fresh())
        {
            // Nobody has been told that it was over.
            incident.untold = untold.taken_back();
            return;
        }
        // It came back: that is told as a new one.
        (incident.since, incident.notified_at, incident.escalations) = (now, now, marks_passed(diagnosis, now));
        incident.untold = Some(PendingNotification::instead(incident.untold, Transition::Opened, now));
        return;
    }
    if incident.untold.is_some() {
        return;
    }
    let marks = marks_passed(diagnosis, now);
    if marks > incident.escalations {
        incident.escalations = marks;
        incident.notified_at = now;
        incident.untold = Some(PendingNotification::new(Transition::Escalated));
    } else if now.duration_since(incident.notified_at) >= policy.repeat_after {
        incident.notified_at = now;
        incident.untold = Some(PendingNotification::new(Transition::Repeated));
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

/// How many of the [`marks`] have passed.
fn marks_passed(diagnosis: &Diagnosis, now: Timestamp) -> u8 {
    let passed = marks(diagnosis).into_iter().flatten().filter(|mark| *mark <= now);
    u8::try_from(passed.count()).unwrap_or(u8::MAX)
}

/// What is wrong with a service, by incident key, and since when.
fn wrongs(incidents: &Incidents, seen: Sight<'_>, policy: &AlertPolicy) -> BTreeMap<String, (AlertKind, Timestamp)> {
    let Sight { snapshot, diagnosis, idle_seen } = seen;
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
        // One of several blocking tasks has gone, say, and ECS is about to stop it: that is not the end of it.
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
            .filter(|refused_tasks| refused_tasks.protected_until.is_some() == is_protected);
        refused_tasks.map(|refused_tasks| refused_tasks.since).min()
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

/// Since when an incident is open, if it is.
fn open_since(incidents: &Incidents, key: &str) -> Option<Timestamp> {
    incidents.get(key).filter(|incident| incident.resolved_at.is_none()).map(|incident| incident.since)
}

fn misses_deadline(diagnosis: &Diagnosis) -> bool {
    let in_the_way = matches!(diagnosis.rollout_status, RolloutStatus::Blocked | RolloutStatus::WillBlock);
    let margin = diagnosis.deadline.zip(diagnosis.forecast).map(|(deadline, forecast)| deadline.margin(&forecast));
    in_the_way && margin.is_some_and(|margin| margin.is_negative())
}

/// The protected tasks without a live job, as far as the state store knows them, with the moment from which that counts: the end
/// of the last job, or this look.
pub fn idle_tasks(snapshot: &ServiceSnapshot) -> impl Iterator<Item = (&TaskId, Timestamp)> {
    snapshot.protected().filter_map(|(task, _)| match &task.jobs {
        Jobs::Known(jobs) if jobs.is_empty() => Some((&task.id, task.idle_since?)),
        _ => None,
    })
}

/// Since when, at the latest, some protected task has had no live job.
fn orphaned_since(snapshot: &ServiceSnapshot, idle_seen: &BTreeMap<TaskId, Timestamp>) -> Option<Timestamp> {
    let idle = idle_tasks(snapshot).filter_map(|(task, since)| Some(since.max(*idle_seen.get(task)?)));
    idle.filter(|since| snapshot.at.duration_since(*since) >= ORPHAN_GRACE).min()
}

/// Service, deployment and kind: stable, whatever else changes.
fn key(snapshot: &ServiceSnapshot, rollout: &str, kind: AlertKind) -> String {
    format!("{}/{}/{rollout}/{}", snapshot.service.arn.cluster.name, snapshot.service.arn.name, kind.as_str())
}

#[cfg(test)]
mod tests;
