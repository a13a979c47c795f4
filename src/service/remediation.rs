//! Remediations: what the function may do about blocking tasks without a person, if the settings allow it. It releases
//! idle tasks, or raises the desired count above the number of protected tasks (aws-facts "ECS: deployments and
//! protection").
//!
//! Pure. A decision is stored in the service record before it is carried out, so that after a crash the next reconcile
//! knows what may have happened. With gaps in the snapshot, nothing is decided.

pub mod carry_out;
pub mod raise;

use crate::config::policy::{Policy, Remediations};
use crate::ecs::arn::TaskId;
use crate::service::diagnosis::{Diagnosis, ProtectedFor, RolloutStatus, protected_among};
use crate::service::incident::Assessment;
use crate::service::remediation::raise::{CountChange, Raised};
use crate::service::rollout::Rollout;
use crate::service::snapshot::managed::{Managed, is_managed};
use crate::service::snapshot::{ServiceSnapshot, TaskSnapshot};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tag for the service's own policy.
pub const POLICY_TAG: &str = "taskhold:policy";
/// The tag for the number of idle tasks that stay protected.
pub const IDLE_RESERVE_TAG: &str = "taskhold:idle-reserve";

/// ECS's quota of tasks per service ("Amazon ECS service quotas": 5,000).
pub const COUNT_TAG_MAX: u32 = 5_000;

/// The value of [`POLICY_TAG`], if it is a valid policy.
pub fn policy_tag(value: &str) -> Option<Policy> {
    value.trim().parse().ok()
}

/// The value of [`MAX_DESIRED_COUNT_TAG`](raise::MAX_DESIRED_COUNT_TAG) or [`IDLE_RESERVE_TAG`], if it is a valid
/// number of tasks for a service.
pub fn count_tag(value: &str) -> Option<u32> {
    value.trim().parse().ok().filter(|count| *count <= COUNT_TAG_MAX)
}

/// Maximum number of notes in a record.
const NOTES_MAX: usize = 10;
/// How long notes are kept after the rollout is over.
const NOTES_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// The policy for remediations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemediationPolicy {
    /// The policy where the service's tag sets no other.
    pub policy: Policy,
    /// The remediations that the settings allow at all.
    pub allowed: Remediations,
    /// How long a task must have been idle, both in the state store and in consecutive snapshots.
    pub release_grace: SignedDuration,
    /// The minimum time between two raises of one service.
    pub raise_cool_down: SignedDuration,
}

/// The remediations of a service in its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationState {
    /// A raise that is not put back yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Raised>,
    /// When the desired count was last raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_at: Option<Timestamp>,
    /// Remediations carried out, and those not applied with the reason; the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<RemediationNote>,
}

/// A remediation that was carried out, or not applied with the reason, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationNote {
    /// When.
    pub at: Timestamp,
    /// One sentence.
    pub text: String,
}

/// A remediation to carry out now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remediation {
    /// Release those of these tasks that are still idle.
    Release {
        /// The tasks.
        tasks: Vec<TaskId>,
        /// Whether that includes protection that taskhold has not set.
        managed: Managed,
    },
    /// Change the desired count, if it is still `from`.
    SetDesiredCount {
        /// The desired count in the snapshot.
        from: u32,
        /// The new desired count.
        to: u32,
        /// Whether this raises the count or puts it back.
        why: CountChange,
    },
}

impl RemediationState {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// When the next task has been idle for long enough to be released.
    pub fn ripe_from(&self, idle_seen: &BTreeMap<TaskId, Timestamp>, policy: &RemediationPolicy) -> Option<Timestamp> {
        let allowed = policy.allowed.release_idle;
        idle_seen.values().filter_map(|since| since.checked_add(policy.release_grace).ok()).min().filter(|_| allowed)
    }

    /// Adds a note, unless it repeats the last one.
    pub fn note(&mut self, at: Timestamp, text: String) {
        if self.notes.last().is_some_and(|last| last.text == text) {
            return;
        }
        self.notes.push(RemediationNote { at, text });
        let surplus = self.notes.len().saturating_sub(NOTES_MAX);
        self.notes.drain(..surplus);
    }
}

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
    let is_over = diagnosis.rollout == Rollout::None && diagnosis.refused_tasks.is_empty() && state.raised.is_none();
    if is_over {
        state.notes.retain(|note| snapshot.at.duration_since(note.at) < NOTES_KEPT);
        return None;
    }
    if diagnosis.rollout_status != RolloutStatus::Blocked && diagnosis.refused_tasks.is_empty() {
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
    let Assessment { snapshot, diagnosis, idle_seen } = assessment;
    let idle = releasable(snapshot, diagnosis);
    if idle.is_empty() {
        state.note(snapshot.at, nothing_idle(diagnosis));
        return None;
    }
    let for_long = |since: Timestamp| snapshot.at.duration_since(since) >= policy.release_grace;
    let by_store = |task: &TaskId| {
        let known = snapshot.tasks.iter().find(|known| known.id == *task);
        known.and_then(|known| known.idle_since).is_some_and(for_long)
    };
    let by_snapshots = |task: &TaskId| idle_seen.get(task).copied().is_some_and(for_long);
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
    idle.map(|blocking_task| blocking_task.task.clone()).collect()
}

fn nothing_idle(diagnosis: &Diagnosis) -> String {
    let foreign = diagnosis
        .blocking_tasks
        .iter()
        .filter(|blocking_task| blocking_task.protected_for == ProtectedFor::Foreign)
        .count();
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

#[cfg(test)]
mod tests;
