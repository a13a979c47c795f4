//! Remediations: what the function may do about blocking tasks without a person, if the settings allow it. It releases
//! idle tasks, or raises the desired count above the number of protected tasks (aws-facts "ECS: deployments and
//! protection").
//!
//! Pure. A decision is stored in the service record before it is carried out, so that after a crash the next reconcile
//! knows what may have happened. With gaps in the snapshot, nothing is decided.
//!
//! [`decide`] decides which remediation applies, [`raise`] follows a raised desired count, and [`carry_out`] carries
//! out the decision.

pub mod carry_out;
pub mod decide;
pub mod raise;

use crate::config::policy::{Policy, Remediations};
use crate::ecs::arn::TaskId;
use crate::service::snapshot::managed::Managed;
use crate::service::suggested_action::SuggestedAction;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tag for the service's own policy.
pub const POLICY_TAG: &str = "taskhold:policy";
/// The tag with the highest desired count that a raise may set. Without it the count is never raised.
pub const MAX_DESIRED_COUNT_TAG: &str = "taskhold:max-desired-count";
/// The tag for the number of idle tasks that stay protected.
pub const IDLE_RESERVE_TAG: &str = "taskhold:idle-reserve";

/// ECS's quota of tasks per service ("Amazon ECS service quotas": 5,000).
pub const COUNT_TAG_MAX: u32 = 5_000;

/// The value of [`POLICY_TAG`], if it is a valid policy.
pub fn policy_tag(value: &str) -> Option<Policy> {
    value.trim().parse().ok()
}

/// The value of [`MAX_DESIRED_COUNT_TAG`] or [`IDLE_RESERVE_TAG`], if it is a valid number of tasks for a service.
pub fn count_tag(value: &str) -> Option<u32> {
    value.trim().parse().ok().filter(|count| *count <= COUNT_TAG_MAX)
}

/// Maximum number of notes in a record.
const NOTES_MAX: usize = 10;

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

/// A desired count that taskhold raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// The count before the first raise, to which it is put back.
    pub from: u32,
    /// The raised count.
    pub to: u32,
    /// The count before this raise; ECS still reports it if the call was not made.
    pub before: u32,
    /// When the last call was decided.
    pub at: Timestamp,
    /// The stage of the raise.
    pub stage: RaiseStage,
}

/// The stage of a raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaiseStage {
    /// Decided; the call is not made yet.
    Raising,
    /// The call is made or about to be made; whether it took effect is unknown.
    Sending,
    /// ECS confirmed the raised count.
    Raised,
    /// The count is being put back; ECS has not confirmed it.
    PuttingBack,
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

/// A remediation that was carried out.
pub(crate) struct CarriedOut {
    /// The remediations of the service after it.
    pub(crate) state: RemediationState,
    /// The tasks that it released.
    pub(crate) released: Vec<TaskId>,
}

/// Why the desired count is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountChange {
    /// To exceed the number of protected tasks.
    Raise,
    /// To undo a raise whose reason is over.
    PutBack,
}

impl RemediationState {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Removes the actions that taskhold takes by itself: if a person set another count, taskhold would not restore the
    /// old one.
    pub(crate) fn leave_to_taskhold(&self, actions: &mut Vec<SuggestedAction>) {
        actions.retain(|action| self.raised.is_none() || !matches!(action, SuggestedAction::RaiseDesiredCount { .. }));
    }

    /// When the next task has been idle for long enough to be released.
    pub fn ripe_from(&self, idle_since: &BTreeMap<TaskId, Timestamp>, policy: &RemediationPolicy) -> Option<Timestamp> {
        let allowed = policy.allowed.release_idle;
        idle_since.values().filter_map(|since| since.checked_add(policy.release_grace).ok()).min().filter(|_| allowed)
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

#[cfg(test)]
mod tests;
