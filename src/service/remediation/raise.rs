//! Raising the desired count, and following a raise to its end.

use crate::service::diagnosis::RolloutStatus;
use crate::service::incident::Sight;
use crate::service::remediation::{Remediation, RemediationPolicy, RemediationState, count_tag};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// No raise goes beyond it; without it there is none.
pub const MAX_DESIRED_COUNT_TAG: &str = "taskhold:max-desired-count";

/// A call that was decided and of which nothing is known after this time was not made, or failed.
const CALL_MAX: SignedDuration = SignedDuration::from_mins(2);

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
    /// It was decided, and the call is not made yet.
    Raising,
    /// The call is made, or is about to be: whether ECS has it is not known.
    Sending,
    /// ECS has it.
    Raised,
    /// It is being put back; ECS has not confirmed that.
    PuttingBack,
}

/// Why a desired count is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountChange {
    /// To be above the number of protected tasks.
    Raise,
    /// It was raised, and what it was raised for is over.
    PutBack,
}

impl RemediationState {
    /// From when on another raise is allowed.
    pub fn cool_from(&self, policy: &RemediationPolicy) -> Option<Timestamp> {
        self.raised_at.and_then(|at| at.checked_add(policy.raise_cool_down).ok())
    }

    /// Notes that the call of a raise is about to be made. `false` if others have forgotten the raise, and it is not to be made.
    ///
    /// ECS does not say who has set a count. So this must be written down before the call and not earlier: what has the
    /// count of a raise that nobody has sent was set by somebody else, and is not ours to put back.
    pub fn begin_raise(&mut self, to: u32) -> bool {
        let decided = self.raised.as_mut().filter(|raised| raised.stage == RaiseStage::Raising && raised.to == to);
        decided.map(|raised| raised.stage = RaiseStage::Sending).is_some()
    }

    /// Notes that ECS has answered that it has a raise.
    pub fn confirm_raise(&mut self, to: u32) {
        let sent = self.raised.as_mut().filter(|raised| raised.stage == RaiseStage::Sending && raised.to == to);
        if let Some(raised) = sent {
            raised.stage = RaiseStage::Raised;
        }
    }

    /// Forgets a raise that was decided and not made.
    pub fn forget_raise(&mut self) {
        self.raised = self.raised.take().and_then(|raised| {
            let stands = raised.before != raised.from;
            stands.then_some(Raised { to: raised.before, stage: RaiseStage::Raised, ..raised })
        });
    }
}

/// Wants more tasks than are protected, those included that ask for it: then ECS grants again.
pub(crate) fn raise(state: &mut RemediationState, seen: Sight<'_>, policy: &RemediationPolicy) -> Option<Remediation> {
    let Sight { snapshot, diagnosis, .. } = seen;
    let now = snapshot.at;
    let desired = snapshot.service.desired_count;
    if diagnosis.refused_tasks.is_empty() {
        // It makes ECS grant again. Nothing was refused, and the tasks in the way would stay as they are.
        return None;
    }
    let ceiling = snapshot.service.tags.get(MAX_DESIRED_COUNT_TAG).and_then(|value| count_tag(value));
    let Some(ceiling) = ceiling else {
        state.note(
            now,
            format!("the service has no usable tag {MAX_DESIRED_COUNT_TAG}: its desired count was not raised"),
        );
        return None;
    };
    let unprotected =
        diagnosis.refused_tasks.iter().filter(|refused_tasks| refused_tasks.protected_until.is_none()).count();
    let wanting = u32::try_from(unprotected).unwrap_or(u32::MAX).max(1);
    let needed = diagnosis.task_counts.protected.saturating_add(wanting);
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
    Some(Remediation::SetDesiredCount { from: desired, to, why: CountChange::Raise })
}

/// Follows a raise to its end: puts it back when what it was for is over, forgets it if it never happened or if somebody
/// has changed the count since.
pub(crate) fn settle_raise(state: &mut RemediationState, seen: Sight<'_>) -> Option<Remediation> {
    let (snapshot, now) = (seen.snapshot, seen.snapshot.at);
    let desired = snapshot.service.desired_count;
    let raised = state.raised.as_mut()?;
    let Raised { from, to, before, .. } = *raised;
    if now < raised.at {
        // The look is older than what was decided, and knows nothing of it.
        return None;
    }
    let is_young = now.duration_since(raised.at) < CALL_MAX;
    match raised.stage {
        RaiseStage::Sending if desired == to => raised.stage = RaiseStage::Raised,
        RaiseStage::Raising | RaiseStage::Sending if desired == before && is_young => {}
        RaiseStage::Raising | RaiseStage::Sending if desired == before => {
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
        // The look may have read before the call took effect, and be taken in after another that has seen it.
        _ if is_young => return None,
        stage => {
            state.raised = None;
            let did = if stage == RaiseStage::Raising { "was to raise" } else { "had raised" };
            let who = format!("somebody has set the desired count to {desired} after taskhold {did} it to {to}");
            state.note(now, format!("{who}: it is left alone"));
        }
    }
    let raised = state.raised.as_mut().filter(|raised| may_be_put_back(raised, seen))?;
    (raised.stage, raised.at) = (RaiseStage::PuttingBack, now);
    Some(Remediation::SetDesiredCount { from: raised.to, to: raised.from, why: CountChange::PutBack })
}

/// Whether what a raise was for is over, and so few tasks are protected that putting it back holds nobody up.
fn may_be_put_back(raised: &Raised, seen: Sight<'_>) -> bool {
    let Sight { snapshot, diagnosis, .. } = seen;
    let is_tried = raised.stage == RaiseStage::PuttingBack && snapshot.at.duration_since(raised.at) < CALL_MAX;
    matches!(raised.stage, RaiseStage::Raised | RaiseStage::PuttingBack)
        && !is_tried
        && diagnosis.rollout_status == RolloutStatus::Steady
        && diagnosis.refused_tasks.is_empty()
        && diagnosis.task_counts.protected <= raised.from
}
