//! Decides which remediation applies to a service, and releases idle tasks.

use crate::config::policy::Policy;
use crate::ecs::arn::TaskId;
use crate::service::blocking_task::{BlockingTask, ProtectedFor, protected_among};
use crate::service::diagnosis::{Assessment, Diagnosis};
use crate::service::remediation::{
    IDLE_RESERVE_TAG, POLICY_TAG, Remediation, RemediationPolicy, RemediationState, count_tag, policy_tag, raise,
};
use crate::service::rollout::Rollout;
use crate::service::rollout_status::RolloutStatus;
use crate::service::snapshot::managed::{Managed, is_managed};
use crate::service::snapshot::{ServiceSnapshot, TaskSnapshot};
use jiff::{SignedDuration, Timestamp};

/// How long notes are kept after the rollout is over.
const NOTES_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Decides which remediation applies to a service, and records it.
pub fn decide_remediation(
    state: &mut RemediationState,
    assessment: Assessment<'_>,
    policy: &RemediationPolicy,
) -> Option<Remediation> {
    let Assessment { snapshot, diagnosis, .. } = assessment;
    if !diagnosis.gaps.is_empty() {
        return None;
    }
    if let Some(action) = raise::settle_raise(state, assessment) {
        return Some(action);
    }
    let none_refused = diagnosis.refused_by_ecs().next().is_none();
    let is_over = diagnosis.rollout == Rollout::None && none_refused && state.raised.is_none();
    if is_over {
        state.notes.retain(|note| snapshot.at.duration_since(note.at) < NOTES_KEPT);
        return None;
    }
    if diagnosis.rollout_status != RolloutStatus::Blocked && none_refused {
        return None;
    }
    // The tag overrides the setting. If its value is invalid, the function does nothing instead of falling back to the
    // setting.
    let of_service = snapshot.service.tags.get(POLICY_TAG).map(|value| policy_tag(value).unwrap_or(Policy::Notify));
    match of_service.unwrap_or(policy.policy) {
        Policy::Notify => None,
        wanted if !policy.allowed.allow(wanted) => {
            let wanted = wanted.as_str();
            state.note(
                snapshot.at,
                format!("the policy {wanted} is not allowed by TASKHOLD_REMEDIATIONS: nothing was done"),
            );
            None
        }
        Policy::ReleaseIdle => release_idle(state, assessment, policy),
        Policy::RaiseDesiredCount => raise::raise(state, assessment, policy),
    }
}

/// Releases idle blocking tasks. A task counts as idle if the state store says so and if two snapshots, at least the
/// grace time apart, showed it idle. Foreign protection stays, unless the service's tag lets taskhold treat it as its
/// own.
fn release_idle(
    state: &mut RemediationState,
    assessment: Assessment<'_>,
    policy: &RemediationPolicy,
) -> Option<Remediation> {
    let Assessment { snapshot, diagnosis, idle_since, .. } = assessment;
    let idle = releasable(snapshot, diagnosis);
    if idle.is_empty() {
        state.note(snapshot.at, nothing_idle(snapshot, diagnosis));
        return None;
    }
    let for_long = |since: Timestamp| snapshot.at.duration_since(since) >= policy.release_grace;
    let by_store = |task: &TaskId| {
        let known = snapshot.tasks.iter().find(|known| known.id == *task);
        known.and_then(|known| known.idle_since).is_some_and(for_long)
    };
    let by_snapshots = |task: &TaskId| idle_since.get(task).copied().is_some_and(for_long);
    let mut tasks: Vec<TaskId> = idle.iter().filter(|task| by_snapshots(task) && by_store(task)).cloned().collect();
    tasks.truncate(idle.len().saturating_sub(idle_reserve(snapshot)).min(diagnosis.blocking_tasks.len()));
    (!tasks.is_empty()).then(|| Remediation::Release { tasks, managed: is_managed(&snapshot.service) })
}

/// The idle tasks whose release unblocks the rollout, the longest protected first. In a scale-in that is any idle task:
/// its blocking tasks are only those that ECS would stop first.
fn releasable(snapshot: &ServiceSnapshot, diagnosis: &Diagnosis) -> Vec<TaskId> {
    let all: Vec<&TaskSnapshot> = snapshot.tasks.iter().collect();
    let any = diagnosis.rollout.is_scale_in().then(|| protected_among(&all));
    let candidates = any.as_ref().unwrap_or(&diagnosis.blocking_tasks);
    let idle = candidates.iter().filter(|blocking_task| blocking_task.protected_for == ProtectedFor::NoJob);
    idle.filter(|blocking_task| !is_foreign(snapshot, blocking_task))
        .map(|blocking_task| blocking_task.task.clone())
        .collect()
}

/// Whether the protection is another writer's, and the service's tag does not let taskhold clear it.
fn is_foreign(snapshot: &ServiceSnapshot, blocking_task: &BlockingTask) -> bool {
    let is_left = |known: &TaskSnapshot| known.id == blocking_task.task && known.is_left_protected;
    match blocking_task.protected_for {
        ProtectedFor::Foreign => true,
        ProtectedFor::NoJob => is_managed(&snapshot.service) == Managed::No && snapshot.tasks.iter().any(is_left),
        ProtectedFor::Jobs(_) | ProtectedFor::Unknown => false,
    }
}

fn nothing_idle(snapshot: &ServiceSnapshot, diagnosis: &Diagnosis) -> String {
    let foreign = diagnosis.blocking_tasks.iter().filter(|blocking_task| is_foreign(snapshot, blocking_task)).count();
    let theirs = match foreign {
        0 => String::new(),
        1 => "; 1 has foreign protection".to_owned(),
        more => format!("; {more} have foreign protection"),
    };
    format!("no blocking task is known to be idle: nothing was released{theirs}")
}

/// The number of idle tasks that stay protected: none without the tag, all if its value is not valid.
fn idle_reserve(snapshot: &ServiceSnapshot) -> usize {
    snapshot
        .service
        .tags
        .get(IDLE_RESERVE_TAG)
        .map_or(0, |value| count_tag(value).map_or(usize::MAX, |count| count as usize))
}
