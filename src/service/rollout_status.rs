//! The rollout status of a service, and since when ECS reports a block.

use crate::ecs::service::Service;
use crate::service::blocking_task::BlockingTask;
use crate::service::pause::{pause, stops_old_tasks};
use crate::service::rollout::{ReplacedTasks, Rollout};
use crate::service::service_message::ServiceMessage;
use crate::service::snapshot::{Gap, ServiceSnapshot};
use crate::service::task_counts::TaskCounts;
use jiff::Timestamp;

/// The rollout status of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutStatus {
    /// All tasks run, and no rollout is in progress. Old tasks of a deployment that succeeded may remain.
    Steady,
    /// A rollout is in progress, and no protected task blocks it so far.
    InProgress,
    /// A rollout is in progress and cannot finish before protected tasks are released or expire, but ECS can still make
    /// progress elsewhere.
    WillBlock,
    /// Only protected tasks are left to wait for.
    Blocked,
    /// The deployment waits for a lifecycle hook, that is, for a person.
    Paused,
    /// Too many reads failed to tell.
    Unknown,
}

/// The earliest end of the time for which ECS keeps the old tasks on purpose; `None` if it has passed. It only says when
/// another read is worth it: the stage of the service deployment decides.
pub(crate) fn kept_until(snapshot: &ServiceSnapshot, rollout: &Rollout) -> Option<Timestamp> {
    let Rollout::Deployment { started_at, .. } = rollout else { return None };
    let until = started_at.saturating_add(snapshot.service.old_tasks_kept).unwrap_or(Timestamp::MAX);
    (until > snapshot.at).then_some(until)
}

pub(crate) fn rollout_status(
    snapshot: &ServiceSnapshot,
    replaced: &ReplacedTasks<'_>,
    blocking_tasks: &[BlockingTask],
    task_counts: &TaskCounts,
) -> RolloutStatus {
    if pause(snapshot).is_some() {
        return RolloutStatus::Paused;
    }
    let is_undecided = |gap: &Gap| matches!(gap, Gap::ServiceDeployment(_) | Gap::LifecycleStage(_));
    if snapshot.gaps.iter().any(is_undecided) || !snapshot.gaps.is_empty() && blocking_tasks.is_empty() {
        return RolloutStatus::Unknown;
    }
    let service = &snapshot.service;
    match (&replaced.rollout, blocking_tasks.is_empty()) {
        (Rollout::CleanUp { .. }, _) if !snapshot.gaps.is_empty() => RolloutStatus::Unknown,
        (Rollout::None | Rollout::CleanUp { .. }, _) if service.running_count < service.desired_count => {
            RolloutStatus::InProgress
        }
        (Rollout::None | Rollout::CleanUp { .. }, _) => RolloutStatus::Steady,
        (_, true) => RolloutStatus::InProgress,
        (_, false) => {
            let new_tasks_come = replaced.new_tasks_pending > 0
                || (replaced.new_tasks_missing > 0 && task_counts.live < task_counts.upper_bound);
            let others_leave = replaced.tasks.iter().any(|task| task.protected_until.is_none())
                && service.running_count > task_counts.lower_bound;
            // Without room for a new task or a spare old one, the percentages block the rollout, with or without
            // protection.
            let percentages_hold = replaced.new_tasks_missing > 0
                && task_counts.live >= task_counts.upper_bound
                && service.running_count <= task_counts.lower_bound;
            match new_tasks_come || others_leave || percentages_hold || !stops_old_tasks(snapshot) {
                true => RolloutStatus::WillBlock,
                false => RolloutStatus::Blocked,
            }
        }
    }
}

/// Since when ECS's service messages say that protection blocks this rollout.
pub(crate) fn said_since(service: &Service, started_at: Option<Timestamp>) -> Option<Timestamp> {
    let started_at = started_at?;
    // The newest come first. Messages before the last steady state are over.
    let said = service.events.iter().map(|event| (event.created_at, ServiceMessage::read(&event.message)));
    let of_now = said.take_while(|(at, said)| *at >= started_at && *said != ServiceMessage::SteadyState);
    of_now.filter(|(_, said)| *said == ServiceMessage::Protection).map(|(at, _)| at).min()
}
