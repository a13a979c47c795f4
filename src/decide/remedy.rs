//! What taskhold does by itself about protected tasks that are in the way, where it is told to: release those that nobody
//! needs, or want more tasks than are protected (aws-facts "ECS: deployments and protection").
//!
//! Pure. What is done is decided with the state in the ledger and stored there before it is carried out, so that whoever
//! comes after a crash knows what may have happened. Nothing is done on an incomplete picture.

use super::diagnose::{HeldFor, Movement, Standing};
use crate::alert::incident::Sight;
use crate::config::{Policy, Remedies};
use crate::ecs::TaskId;
use crate::observe::Observed;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The service's own policy.
pub const POLICY_TAG: &str = "taskhold:policy";
/// No raise goes beyond it; without it there is none.
pub const MAX_DESIRED_COUNT_TAG: &str = "taskhold:max-desired-count";
/// So many idle tasks stay protected.
pub const IDLE_RESERVE_TAG: &str = "taskhold:idle-reserve";

/// A service has no more tasks than this ("Amazon ECS service quotas": tasks per service, 5,000).
pub const COUNT_TAG_MAX: u32 = 5_000;

/// The value of [`POLICY_TAG`], if it is a policy.
pub fn policy_tag(value: &str) -> Option<Policy> {
    value.trim().parse().ok()
}

/// The value of [`MAX_DESIRED_COUNT_TAG`] or [`IDLE_RESERVE_TAG`], if it is a number of tasks that a service can have.
pub fn count_tag(value: &str) -> Option<u32> {
    value.trim().parse().ok().filter(|count| *count <= COUNT_TAG_MAX)
}

/// So many notes are kept.
const NOTES_MAX: usize = 10;
/// Notes of what is over are kept for so long.
const NOTES_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// A call that was decided and of which nothing is known after this time was not made, or failed.
const CALL_MAX: SignedDuration = SignedDuration::from_mins(2);

/// What applies to remedies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemedyPolicy {
    /// Where the service's tag does not say otherwise.
    pub policy: Policy,
    /// Which may be applied at all.
    pub allowed: Remedies,
    /// How long a task must have been idle, by the ledger and from one look to another.
    pub release_grace: SignedDuration,
    /// The least time between two raises of a service.
    pub raise_cool_down: SignedDuration,
}

/// What is remembered of remedies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyState {
    /// A raise that is not put back yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Raised>,
    /// When the desired count was last raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_at: Option<Timestamp>,
    /// What was done and why not, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<RemedyNote>,
}

/// A desired count that taskhold has raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// What it was before the first raise, and will be again.
    pub from: u32,
    /// What it is now.
    pub to: u32,
    /// What it was before this raise: ECS still says so if the call was not made.
    pub before: u32,
    /// When the last call was decided.
    pub at: Timestamp,
    /// How far it has come.
    pub stage: RaiseStage,
}

/// How far a raise has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaiseStage {
    /// It was decided; ECS has not confirmed it.
    Raising,
    /// ECS has it.
    Raised,
    /// It is being put back; ECS has not confirmed that.
    PuttingBack,
}

/// Something that was done, or why not, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemedyNote {
    /// When.
    pub at: Timestamp,
    /// A sentence.
    pub text: String,
}

/// Something to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemedyAction {
    /// Release these tasks, those of them that are idle still.
    Release(Vec<TaskId>),
    /// Change the desired count, if it is `from` still.
    SetDesiredCount {
        /// As it was observed.
        from: u32,
        /// What it is to be.
        to: u32,
        /// Whether this raises it or puts it back.
        why: CountChange,
    },
}

/// Why a desired count is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountChange {
    /// To be above the number of protected tasks.
    Raise,
    /// It was raised, and what it was raised for is over.
    PutBack,
}

impl RemedyState {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// From when on another raise is allowed.
    pub fn cool_from(&self, policy: &RemedyPolicy) -> Option<Timestamp> {
        self.raised_at.and_then(|at| at.checked_add(policy.raise_cool_down).ok())
    }

    /// From when on the next task may be released.
    pub fn ripe_from(&self, idle_seen: &BTreeMap<TaskId, Timestamp>, policy: &RemedyPolicy) -> Option<Timestamp> {
        let allowed = policy.allowed.release_idle;
        idle_seen.values().filter_map(|since| since.checked_add(policy.release_grace).ok()).min().filter(|_| allowed)
    }

    /// Forgets a raise that was decided and not made.
    pub fn forget_raise(&mut self) {
        self.raised = self.raised.take().and_then(|raised| {
            let stands = raised.before != raised.from;
            stands.then_some(Raised { to: raised.before, stage: RaiseStage::Raised, ..raised })
        });
    }

    /// Notes something, unless it is what was noted last.
    pub fn note(&mut self, at: Timestamp, text: String) {
        if self.notes.last().is_some_and(|last| last.text == text) {
            return;
        }
        self.notes.push(RemedyNote { at, text });
        let surplus = self.notes.len().saturating_sub(NOTES_MAX);
        self.notes.drain(..surplus);
    }
}

/// Decides what is to be done about a service, and remembers it.
pub fn decide_remedy(state: &mut RemedyState, seen: Sight<'_>, policy: &RemedyPolicy) -> Option<RemedyAction> {
    let Sight { observed, diagnosis, .. } = seen;
    if !diagnosis.gaps.is_empty() {
        return None;
    }
    if let Some(action) = settle_raise(state, seen) {
        return Some(action);
    }
    let is_over = diagnosis.movement == Movement::None && diagnosis.unmet.is_empty() && state.raised.is_none();
    if is_over {
        state.notes.retain(|note| observed.at.duration_since(note.at) < NOTES_KEPT);
        return None;
    }
    if diagnosis.standing != Standing::Blocked && diagnosis.unmet.is_empty() {
        return None;
    }
    // Whoever has set the tag wanted something else than the setting: if it cannot be read, nothing is done.
    let of_service = observed.service.tags.get(POLICY_TAG).map(|value| policy_tag(value).unwrap_or(Policy::Notify));
    match of_service.unwrap_or(policy.policy) {
        Policy::Notify => None,
        wanted if !policy.allowed.allow(wanted) => {
            let wanted = wanted.as_str();
            state.note(
                observed.at,
                format!("the policy {wanted} is not allowed by TASKHOLD_REMEDIES: nothing was done"),
            );
            None
        }
        Policy::ReleaseIdle => release_idle(state, seen, policy),
        Policy::RaiseDesiredCount => raise(state, seen, policy),
    }
}

/// Releases tasks in the way that the ledger knows to be idle, and that two looks with the grace time between them have
/// seen so. What the ledger does not know is somebody else's and stays.
fn release_idle(state: &mut RemedyState, seen: Sight<'_>, policy: &RemedyPolicy) -> Option<RemedyAction> {
    let Sight { observed, diagnosis, idle_seen } = seen;
    let idle = diagnosis.blockers.iter().filter(|blocker| blocker.held_for == HeldFor::Nobody);
    let idle: Vec<&TaskId> = idle.map(|blocker| &blocker.task).collect();
    if idle.is_empty() {
        state.note(observed.at, "no protected task in the way is known to be idle: nothing was released".to_owned());
        return None;
    }
    let for_long = |since: Timestamp| observed.at.duration_since(since) >= policy.release_grace;
    let by_ledger = |task: &TaskId| {
        let seen = observed.tasks.iter().find(|seen| seen.id == *task);
        seen.and_then(|seen| seen.idle_since).is_some_and(for_long)
    };
    let by_looks = |task: &TaskId| idle_seen.get(task).copied().is_some_and(for_long);
    let ripe = idle.iter().filter(|task| by_looks(task) && by_ledger(task));
    let mut ripe: Vec<TaskId> = ripe.map(|task| (*task).clone()).collect();
    ripe.truncate(idle.len().saturating_sub(idle_reserve(observed)));
    if ripe.is_empty() {
        return None;
    }
    Some(RemedyAction::Release(ripe))
}

/// How many idle tasks are to stay protected: none without the tag, all if it cannot be read.
fn idle_reserve(observed: &Observed) -> usize {
    observed
        .service
        .tags
        .get(IDLE_RESERVE_TAG)
        .map_or(0, |value| count_tag(value).map_or(usize::MAX, |count| count as usize))
}

/// Wants more tasks than are protected, those included that ask for it: then ECS grants again.
fn raise(state: &mut RemedyState, seen: Sight<'_>, policy: &RemedyPolicy) -> Option<RemedyAction> {
    let Sight { observed, diagnosis, .. } = seen;
    let now = observed.at;
    let desired = observed.service.desired_count;
    if diagnosis.unmet.is_empty() {
        // It makes ECS grant again. Nothing was refused, and the tasks in the way would stay as they are.
        return None;
    }
    let ceiling = observed.service.tags.get(MAX_DESIRED_COUNT_TAG).and_then(|value| count_tag(value));
    let Some(ceiling) = ceiling else {
        state.note(
            now,
            format!("the service has no usable tag {MAX_DESIRED_COUNT_TAG}: its desired count was not raised"),
        );
        return None;
    };
    let unprotected = diagnosis.unmet.iter().filter(|unmet| unmet.protected_until.is_none()).count();
    let wanting = u32::try_from(unprotected).unwrap_or(u32::MAX).max(1);
    let needed = diagnosis.arithmetic.protected.saturating_add(wanting);
    if needed <= desired {
        // There are more tasks wanted than protected already: more would not help.
        return None;
    }
    let to = needed.min(ceiling);
    if to <= desired {
        state.note(
            now,
            format!("the desired count is {desired}, and {MAX_DESIRED_COUNT_TAG} allows {ceiling}: it was not raised"),
        );
        return None;
    }
    if state.raised_at.is_some_and(|at| now.duration_since(at) < policy.raise_cool_down) {
        return None;
    }
    let from = state.raised.as_ref().map_or(desired, |raised| raised.from);
    state.raised = Some(Raised { from, to, before: desired, at: now, stage: RaiseStage::Raising });
    state.raised_at = Some(now);
    Some(RemedyAction::SetDesiredCount { from: desired, to, why: CountChange::Raise })
}

/// Follows a raise to its end: puts it back when what it was for is over, forgets it if it never happened or if somebody
/// has changed the count since.
fn settle_raise(state: &mut RemedyState, seen: Sight<'_>) -> Option<RemedyAction> {
    let (observed, now) = (seen.observed, seen.observed.at);
    let desired = observed.service.desired_count;
    let raised = state.raised.as_mut()?;
    let Raised { from, to, before, .. } = *raised;
    let is_young = now.duration_since(raised.at) < CALL_MAX;
    match raised.stage {
        RaiseStage::Raising if desired == to => raised.stage = RaiseStage::Raised,
        RaiseStage::Raising if desired == before && is_young => {}
        RaiseStage::Raising if desired == before => {
            state.forget_raise();
            state.note(
                now,
                format!("the desired count was to be raised to {to}, which did not happen: it is {desired}"),
            );
        }
        RaiseStage::PuttingBack if desired == from => {
            state.raised = None;
            state.note(now, format!("the desired count is {from} again"));
        }
        RaiseStage::Raised | RaiseStage::PuttingBack if desired == to => {}
        RaiseStage::Raising | RaiseStage::Raised | RaiseStage::PuttingBack => {
            state.raised = None;
            let who = format!("somebody has set the desired count to {desired} after taskhold had raised it to {to}");
            state.note(now, format!("{who}: it is left alone"));
        }
    }
    let raised = state.raised.as_mut().filter(|raised| may_be_put_back(raised, seen))?;
    (raised.stage, raised.at) = (RaiseStage::PuttingBack, now);
    Some(RemedyAction::SetDesiredCount { from: raised.to, to: raised.from, why: CountChange::PutBack })
}

/// Whether what a raise was for is over, and so few tasks are protected that putting it back holds nobody up.
fn may_be_put_back(raised: &Raised, seen: Sight<'_>) -> bool {
    let Sight { observed, diagnosis, .. } = seen;
    let is_tried = raised.stage == RaiseStage::PuttingBack && observed.at.duration_since(raised.at) < CALL_MAX;
    raised.stage != RaiseStage::Raising
        && !is_tried
        && diagnosis.standing == Standing::Steady
        && diagnosis.unmet.is_empty()
        && diagnosis.arithmetic.protected <= raised.from
}

#[cfg(test)]
mod tests;
