//! The reconciler of services without I/O: a snapshot, the service record and the policy in; the new record and the due
//! actions out.
//!
//! Pure, and a list of steps: each belongs to a file of its own ([`mod@crate::service::diagnosis`],
//! [`crate::service::incident`], [`crate::service::remediation`], [`crate::service::schedule`]).

use crate::ecs::arn::TaskId;
use crate::service::alert::AlertKind;
use crate::service::diagnosis::{Assessment, Diagnosis, Remembered, diagnose};
use crate::service::incident::Incident;
use crate::service::incident::advance::advance;
use crate::service::incident::delivery::{self, ClaimedNotification};
use crate::service::incident::problem::{idle_tasks, opens_at, quiet_until};
use crate::service::incident::scale_in;
use crate::service::pause::is_held;
use crate::service::policy::ServicePolicy;
use crate::service::record::{BlockedSince, PausedRollout, ServiceRecord};
use crate::service::remediation::decide::decide_remediation;
use crate::service::remediation::{Remediation, RemediationState};
use crate::service::rollout_status::{RolloutStatus, kept_until};
use crate::service::schedule::{Reason, RecheckInputs, next_watch};
use crate::service::snapshot::ServiceSnapshot;
use jiff::Timestamp;

/// The result of reconciling one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The diagnosis of the snapshot.
    pub diagnosis: Diagnosis,
    /// The remediation to carry out.
    pub action: Option<Remediation>,
    /// The remediations of the service.
    pub remediation: RemediationState,
    /// The end of its jobs as it was expected when the scale-in began to wait.
    pub first_expected_end: Option<Timestamp>,
    /// The notifications to send, claimed by the instance that stores the record.
    pub to_notify: Vec<ClaimedNotification>,
}

/// Reconciles a snapshot with the service record: since when the service is blocked, its incidents, its watch.
pub fn reconcile_snapshot(
    record: &mut ServiceRecord,
    snapshot: &ServiceSnapshot,
    reason: Reason,
    policy: &ServicePolicy,
) -> Findings {
    let first = diagnose(snapshot, Remembered::default(), &policy.diagnosis);
    let diagnosis = diagnose(snapshot, record.remembered(first.rollout.id()), &policy.diagnosis);
    record.durations.merge(&snapshot.durations);
    remember_idle(record, snapshot);
    record.waiting_scale_in = scale_in::waiting(record.waiting_scale_in, &diagnosis, snapshot.at);
    let waiting_scale_in = record.waiting_scale_in;
    let assessment = Assessment { snapshot, diagnosis: &diagnosis, idle_since: &record.idle_since, waiting_scale_in };
    let opens_at = opens_at(assessment, &policy.alerts);
    let quiet_until = quiet_until(assessment);
    advance(&mut record.incidents, assessment, &policy.alerts);
    remember(record, &diagnosis);
    remember_pause(record, &diagnosis, snapshot);
    remember_refused(record, &diagnosis);
    let action = decide_remediation(
        &mut record.remediation,
        Assessment { snapshot, diagnosis: &diagnosis, idle_since: &record.idle_since, waiting_scale_in },
        &policy.remediations,
    );
    let before = record.watch.take();
    let kept_until = kept_until(snapshot, &diagnosis.rollout).filter(|_| !diagnosis.blocking_tasks.is_empty());
    let ripe = record.remediation.ripe_from(&record.idle_since, &policy.remediations);
    let pause_over = diagnosis.pause.as_ref().and_then(|pause| Some(pause.timeout()?.0));
    let quiet_until = quiet_until.filter(|_| has_block_incident(record));
    let other_moments = [opens_at, quiet_until, kept_until, ripe, pause_over];
    let inputs = RecheckInputs { diagnosis: &diagnosis, remediation: &record.remediation, other_moments };
    let watch = policy.has_recheck_queue.then(|| next_watch(before, snapshot.at, reason, inputs, policy));
    record.watch = watch.flatten();
    let to_notify = delivery::claim(&mut record.incidents, snapshot.at);
    let first_expected_end = waiting_scale_in.map(|waiting| waiting.jobs_expected_until);
    Findings { diagnosis, action, remediation: record.remediation.clone(), first_expected_end, to_notify }
}

/// Records since when the rollout is blocked. Neither a gap in the snapshot nor a step back to `will-block` after an
/// incident opened clears it.
fn remember(record: &mut ServiceRecord, diagnosis: &Diagnosis) {
    match (diagnosis.rollout_status, diagnosis.rollout.id(), diagnosis.blocked_since) {
        (RolloutStatus::Blocked, Some(rollout), Some(since)) => {
            record.blocked = Some(BlockedSince { rollout: rollout.to_owned(), since });
        }
        (RolloutStatus::Unknown, ..) => {}
        (RolloutStatus::WillBlock, ..) if has_block_incident(record) => {}
        _ => record.blocked = None,
    }
}

/// Records until when a hook holds the rollout. Only another rollout, or none, clears it.
fn remember_pause(record: &mut ServiceRecord, diagnosis: &Diagnosis, snapshot: &ServiceSnapshot) {
    match (diagnosis.rollout_status, diagnosis.rollout.id()) {
        (_, Some(rollout)) if is_held(snapshot) => {
            record.paused = Some(PausedRollout { rollout: rollout.to_owned(), until: snapshot.at });
        }
        (RolloutStatus::Unknown, _) => {}
        (_, rollout) if record.paused.as_ref().is_some_and(|paused| Some(paused.rollout.as_str()) == rollout) => {}
        _ => record.paused = None,
    }
}

/// Records since when snapshots have shown protected tasks without a live job. A new job starts the time afresh.
fn remember_idle(record: &mut ServiceRecord, snapshot: &ServiceSnapshot) {
    let idle = idle_tasks(snapshot).map(|(task, _)| task.clone());
    let since = |task: &TaskId| record.idle_since.get(task).copied().unwrap_or(snapshot.at);
    let idle_since = idle.map(|task| (task.clone(), since(&task))).collect();
    if snapshot.gaps.is_empty() {
        record.idle_since = idle_since;
    }
}

/// Records the tasks that ECS refuses. With gaps in the snapshot, none is dropped.
fn remember_refused(record: &mut ServiceRecord, diagnosis: &Diagnosis) {
    let refused = diagnosis.refused_tasks.iter().map(|refused_task| refused_task.task.clone());
    if diagnosis.gaps.is_empty() {
        record.refused = refused.collect();
    } else {
        record.refused.extend(refused);
    }
}

fn has_block_incident(record: &ServiceRecord) -> bool {
    let is_of_a_block = |kind| matches!(kind, AlertKind::DeploymentBlocked | AlertKind::ScaleInBlocked);
    let blocked = |incident: &Incident| is_of_a_block(incident.kind) && incident.is_open();
    record.incidents.values().any(blocked)
}

#[cfg(test)]
mod tests;
