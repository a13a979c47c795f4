//! How a service stands, and since when.

use super::{Arithmetic, Blocker, Leaving, Movement, Standing};
use crate::decide::ServiceMessage;
use crate::ecs::Service;
use crate::observe::Observed;
use jiff::Timestamp;

/// Until when ECS keeps the old tasks on purpose, if that is not over.
pub(in crate::decide) fn kept_until(observed: &Observed, movement: &Movement) -> Option<Timestamp> {
    let Movement::Deployment { begun_at, .. } = movement else { return None };
    let until = begun_at.saturating_add(observed.service.old_tasks_kept).unwrap_or(Timestamp::MAX);
    (until > observed.at).then_some(until)
}

pub(super) fn standing(observed: &Observed, leaving: &Leaving<'_>, by: (&[Blocker], &Arithmetic)) -> Standing {
    let (blockers, arithmetic) = by;
    if !observed.gaps.is_empty() && blockers.is_empty() {
        return Standing::Unclear;
    }
    let service = &observed.service;
    match (&leaving.movement, blockers.is_empty()) {
        (Movement::None, _) if service.running_count < service.desired_count => Standing::Moving,
        (Movement::None, _) => Standing::Steady,
        (_, true) => Standing::Moving,
        (_, false) => {
            let newcomers_come = leaving.newcomers_pending > 0
                || (leaving.newcomers_missing > 0 && arithmetic.live < arithmetic.upper_bound);
            let others_leave = leaving.tasks.iter().any(|task| task.protected_until.is_none())
                && service.running_count > arithmetic.lower_bound;
            // With no room for a new task and no old one to spare, the percentages hold it up, protected tasks or not.
            let percentages_hold = leaving.newcomers_missing > 0
                && arithmetic.live >= arithmetic.upper_bound
                && service.running_count <= arithmetic.lower_bound;
            match newcomers_come || others_leave || percentages_hold {
                true => Standing::WillBlock,
                false => Standing::Blocked,
            }
        }
    }
}

/// Since when ECS has said that protection holds this movement up.
pub(super) fn said_since(service: &Service, begun_at: Option<Timestamp>) -> Option<Timestamp> {
    let begun_at = begun_at?;
    // The newest come first. What was said before the service was steady again is over, and so is a rebalancing.
    let said = service.events.iter().map(|event| (event.created_at, ServiceMessage::read(&event.message)));
    let of_now = said.take_while(|(at, said)| *at >= begun_at && *said != ServiceMessage::SteadyState);
    let of_this = of_now.filter(|(_, said)| said.tells_of_protection() && *said != ServiceMessage::UnableToRebalance);
    of_this.map(|(at, _)| at).min()
}
