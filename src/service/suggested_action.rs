//! Actions that would clear a blocked service: those that AWS documents (aws-facts "ECS: deployments and protection"),
//! the least invasive first, each with its command.

pub mod command;

use crate::ecs::TASKS_PER_PROTECTION_CALL_MAX;
use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::deployment::DeploymentController;
use crate::ecs::service_deployment::{HookAction, ServiceDeploymentStatus};
use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::forecast::{Deadline, Forecast};
use crate::service::pause::{Pause, pause};
use crate::service::refused_task::{RefusalCause, RefusedTask, refused_tasks};
use crate::service::rollout::{ReplacedTasks, Rollout};
use crate::service::snapshot::{ServiceSnapshot, TaskSnapshot};
use crate::service::task_counts::TaskCounts;
use jiff::Timestamp;

/// An action that a person can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuggestedAction {
    /// Wait: the block clears by itself.
    Wait {
        /// When it clears at the latest.
        until: Timestamp,
        /// When it clears if the jobs end as expected.
        expected: Timestamp,
    },
    /// Release tasks whose jobs have all ended.
    ReleaseIdle {
        /// The tasks.
        tasks: Vec<TaskId>,
        /// One command for every ten tasks.
        commands: Vec<String>,
    },
    /// Raise the desired count above the number of protected tasks, so that ECS accepts protection again and the rollout
    /// continues.
    RaiseDesiredCount {
        /// The new desired count.
        to: u32,
        /// The command.
        command: String,
    },
    /// Allow more tasks at once, so that new tasks fit beside the protected ones.
    RaiseMaximumPercent {
        /// The new maximum percent.
        to: u32,
        /// The command.
        command: String,
    },
    /// Continue a paused deployment.
    ContinueDeployment {
        /// One command for every hook that waits.
        commands: Vec<String>,
    },
    /// End a pause by rolling the deployment back.
    RollBackDeployment {
        /// The command; one hook that rolls back suffices.
        command: String,
    },
    /// Stop the deployment with a rollback, so that the old tasks stay.
    StopDeployment {
        /// The command.
        command: String,
    },
    /// Let the next deployments succeed without waiting for protected tasks.
    DeferCleanUp {
        /// The command.
        command: String,
    },
}

pub(crate) fn suggested_actions(
    snapshot: &ServiceSnapshot,
    replaced: &ReplacedTasks<'_>,
    blocking_tasks: &[BlockingTask],
    task_counts: &TaskCounts,
    forecast: Option<&Forecast>,
    deadline: Option<Deadline>,
) -> Vec<SuggestedAction> {
    let Some(forecast) = forecast else {
        return pause(snapshot).iter().flat_map(|it| end_pause(snapshot, it)).collect();
    };
    let service = &snapshot.service;
    let mut actions = vec![SuggestedAction::Wait { until: forecast.by_expiry, expected: forecast.by_jobs }];
    actions.extend(release_idle(&service.arn.cluster, blocking_tasks));
    actions.extend(pause(snapshot).iter().flat_map(|pause| end_pause(snapshot, pause)));
    if replaced.rollout.is_clean_up() {
        return actions;
    }
    // In a scale-in, a higher desired count would contradict what was asked for.
    if task_counts.protected >= task_counts.desired && !replaced.rollout.is_scale_in() {
        let is_unprotected =
            |refused: &&RefusedTask| refused.cause == RefusalCause::Ecs && refused.protected_until.is_none();
        let refused = refused_tasks(snapshot).iter().filter(is_unprotected).count();
        let to = task_counts.protected.saturating_add(u32::try_from(refused).unwrap_or(u32::MAX).max(1));
        actions.push(SuggestedAction::RaiseDesiredCount { to, command: command::set_desired_count(service, to) });
    }
    if replaced.new_tasks_missing > task_counts.room && task_counts.desired > 0 && !replaced.rollout.is_scale_in() {
        // Room for all new tasks beside all blocking tasks.
        let tasks = u64::from(task_counts.desired) + blocking_tasks.len() as u64;
        let to = u32::try_from((tasks * 100).div_ceil(u64::from(task_counts.desired))).unwrap_or(u32::MAX);
        let command = command::set_maximum_percent(service, to);
        actions.extend(command.map(|command| SuggestedAction::RaiseMaximumPercent { to, command }));
    }
    actions.extend(stop_deployment(snapshot, replaced));
    let is_missed = deadline.is_some_and(|deadline| deadline.margin(forecast).is_negative());
    actions.extend(defer_clean_up(snapshot, replaced).filter(|_| is_missed));
    actions
}

fn end_pause(snapshot: &ServiceSnapshot, pause: &Pause) -> [SuggestedAction; 2] {
    let region = &snapshot.service.arn.cluster.region;
    let command = |hook: &str, action| command::proceed(region, &pause.deployment, hook, &action);
    let commands = pause.hooks.iter().map(|hook| command(&hook.id, HookAction::Continue)).collect();
    let roll_back = command(&pause.hooks[0].id, HookAction::Rollback);
    [SuggestedAction::ContinueDeployment { commands }, SuggestedAction::RollBackDeployment { command: roll_back }]
}

/// Stopping helps if the old tasks become the current ones again, as where traffic shifts; a rolling deployment may
/// replace them again. And no new task may be protected, because the rollback would wait for it.
fn stop_deployment(snapshot: &ServiceSnapshot, replaced: &ReplacedTasks<'_>) -> Option<SuggestedAction> {
    let deployment = snapshot.service_deployment.as_ref()?;
    let can_stop = matches!(deployment.status, ServiceDeploymentStatus::Pending | ServiceDeploymentStatus::InProgress);
    let is_old = |task: &TaskSnapshot| replaced.tasks.iter().any(|old| old.id == task.id);
    let is_free = snapshot.protected().all(|(task, _)| is_old(task)) && pause(snapshot).is_none();
    let region = &snapshot.service.arn.cluster.region;
    (can_stop && is_free && snapshot.service.strategy.shifts_traffic())
        .then(|| SuggestedAction::StopDeployment { command: command::stop(region, &deployment.arn) })
}

/// Early success is for rolling deployments, and needs room for all new tasks beside the protected ones.
fn defer_clean_up(snapshot: &ServiceSnapshot, replaced: &ReplacedTasks<'_>) -> Option<SuggestedAction> {
    let service = &snapshot.service;
    let is_rolling = service.controller == DeploymentController::Ecs && !service.strategy.shifts_traffic();
    let is_deployment = matches!(replaced.rollout, Rollout::Deployment { .. });
    let would_help =
        is_rolling && is_deployment && replaced.new_tasks_missing == 0 && !service.options.defers_cleanup();
    let command = command::defer_clean_up(service).filter(|_| would_help)?;
    Some(SuggestedAction::DeferCleanUp { command })
}

/// The release of the tasks that are protected but idle, if there are any.
pub(crate) fn release_idle(cluster: &ClusterArn, blocking_tasks: &[BlockingTask]) -> Option<SuggestedAction> {
    let idle = blocking_tasks.iter().filter(|blocking_task| blocking_task.protected_for == ProtectedFor::NoJob);
    let tasks: Vec<TaskId> = idle.map(|blocking_task| blocking_task.task.clone()).collect();
    let commands = tasks.chunks(TASKS_PER_PROTECTION_CALL_MAX).map(|tasks| command::release(cluster, tasks)).collect();
    (!tasks.is_empty()).then_some(SuggestedAction::ReleaseIdle { tasks, commands })
}
