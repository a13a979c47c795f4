//! Raises the desired count, and follows a raise until it is put back.

use crate::service::diagnosis::Assessment;
use crate::service::remediation::{
    CountChange, MAX_DESIRED_COUNT_TAG, RaiseStage, Raised, Remediation, RemediationPolicy, RemediationState, count_tag,
};
use crate::service::rollout_status::RolloutStatus;
use jiff::{SignedDuration, Timestamp};

/// A decided call whose result is still unknown after this time was not made, or failed.
const CALL_MAX: SignedDuration = SignedDuration::from_mins(2);

impl RemediationState {
    /// When the next raise is allowed.
    pub fn cool_from(&self, policy: &RemediationPolicy) -> Option<Timestamp> {
        self.raised_at.and_then(|at| at.checked_add(policy.raise_cool_down).ok())
    }

    /// Records that the call of a raise is about to be made. Returns `false` if the raise was dropped meanwhile and
    /// must not be made.
    ///
    /// ECS does not report who set a count, so taskhold recognizes its own raise only by this record. It must be
    /// written right before the call and not earlier. A count that matches a raise that was never sent was set by
    /// another writer, and taskhold must not put it back.
    pub fn begin_raise(&mut self, to: u32) -> bool {
        let decided = self.raised.as_mut().filter(|raised| raised.stage == RaiseStage::Raising && raised.to == to);
        decided.map(|raised| raised.stage = RaiseStage::Sending).is_some()
    }

    /// Records that ECS accepted a raise.
    pub fn confirm_raise(&mut self, to: u32) {
        let sent = self.raised.as_mut().filter(|raised| raised.stage == RaiseStage::Sending && raised.to == to);
        if let Some(raised) = sent {
            raised.stage = RaiseStage::Raised;
        }
    }

    /// Drops a raise that was decided and not made.
    pub fn forget_raise(&mut self) {
        self.raised = self.raised.take().and_then(|raised| {
            let follows_another = raised.before != raised.from;
            follows_another.then_some(Raised { to: raised.before, stage: RaiseStage::Raised, ..raised })
        });
    }
}

/// Raises the desired count above the number of protected and refused tasks, so that ECS accepts protection again.
pub(crate) fn raise(
    state: &mut RemediationState,
    assessment: Assessment<'_>,
    policy: &RemediationPolicy,
) -> Option<Remediation> {
    let Assessment { snapshot, diagnosis, .. } = assessment;
    let now = snapshot.at;
    let desired = snapshot.service.desired_count;
    // A raise only makes ECS accept protection again. If nothing was refused, the blocking tasks would stay.
    diagnosis.refused_by_ecs().next()?;
    let ceiling = snapshot.service.tags.get(MAX_DESIRED_COUNT_TAG).and_then(|value| count_tag(value));
    let Some(ceiling) = ceiling else {
        state.note(
            now,
            format!("the service has no usable tag {MAX_DESIRED_COUNT_TAG}: its desired count was not raised"),
        );
        return None;
    };
    let unprotected = diagnosis.refused_by_ecs().filter(|refused| refused.protected_until.is_none()).count();
    let wanting = u32::try_from(unprotected).unwrap_or(u32::MAX).max(1);
    let needed = diagnosis.task_counts.protected.saturating_add(wanting);
    if needed <= desired {
        // The desired count already exceeds the number of protected tasks; a higher one would not help.
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

/// Follows a raise: puts it back when its reason is over, and drops it if the call was never made or if another writer
/// has changed the count since.
pub(crate) fn settle_raise(state: &mut RemediationState, assessment: Assessment<'_>) -> Option<Remediation> {
    let (snapshot, now) = (assessment.snapshot, assessment.snapshot.at);
    let desired = snapshot.service.desired_count;
    let raised = state.raised.as_mut()?;
    let Raised { from, to, before, .. } = *raised;
    if now < raised.at {
        // The snapshot is older than the decision.
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
        // The snapshot may predate the effect of the call and be reconciled after one that shows it.
        _ if is_young => return None,
        stage => {
            state.raised = None;
            let did = if stage == RaiseStage::Raising { "was to raise" } else { "had raised" };
            let who = format!("another writer set the desired count to {desired} after taskhold {did} it to {to}");
            state.note(now, format!("{who}: taskhold leaves it unchanged"));
        }
    }
    let raised = state.raised.as_mut().filter(|raised| may_be_put_back(raised, assessment))?;
    (raised.stage, raised.at) = (RaiseStage::PuttingBack, now);
    Some(Remediation::SetDesiredCount { from: raised.to, to: raised.from, why: CountChange::PutBack })
}

/// Whether the reason for a raise is over, and few enough tasks are protected that putting the count back blocks none.
fn may_be_put_back(raised: &Raised, assessment: Assessment<'_>) -> bool {
    let Assessment { snapshot, diagnosis, .. } = assessment;
    let is_tried = raised.stage == RaiseStage::PuttingBack && snapshot.at.duration_since(raised.at) < CALL_MAX;
    matches!(raised.stage, RaiseStage::Raised | RaiseStage::PuttingBack)
        && !is_tried
        && diagnosis.rollout_status == RolloutStatus::Steady
        && diagnosis.refused_by_ecs().next().is_none()
        && diagnosis.task_counts.protected <= raised.from
}
