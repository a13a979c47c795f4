//! Actions that would clear a blocked service: those that AWS documents (aws-facts "ECS: deployments and protection"),
//! the least invasive first, each with its command.
//!
//! `tests/suggestions.rs` carries out each of them in the simulated ECS and checks its effect.

pub mod command;

use crate::ecs::TASKS_PER_PROTECTION_CALL_MAX;
use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::deployment::DeploymentController;
use crate::ecs::service_deployment::{HookAction, ServiceDeploymentStatus};
use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::forecast::{DEADLINE_MINUTES_MAX, Deadline, DeadlineSource, DiagnosisPolicy, Forecast};
use crate::service::pause::{Pause, pause, stops_old_tasks};
use crate::service::refused_task::{RefusalCause, RefusedTask, refused_tasks};
use crate::service::rollout::{ReplacedTasks, Rollout};
use crate::service::snapshot::{ServiceSnapshot, TaskSnapshot};
use crate::service::task_counts::TaskCounts;
use jiff::{SignedDuration, Timestamp};

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
    /// Raise the desired count above the number of protected tasks, so that ECS accepts protection again.
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
    /// Give the deployment a later deadline, where the deadline is taskhold's own.
    ExtendDeadline {
        /// The new deadline, in minutes from the start of the deployment.
        minutes: i64,
        /// The command.
        command: String,
    },
    /// Let the next deployments succeed without waiting for protected tasks.
    DeferCleanUp {
        /// The command.
        command: String,
    },
    /// Clear protection that jobs or other writers need, so that ECS stops their tasks.
    ReleaseByForce {
        /// The tasks.
        tasks: Vec<TaskId>,
        /// One command for every ten tasks.
        commands: Vec<String>,
    },
}

/// What suggestions depend on beside the snapshot.
pub(crate) struct Situation<'a> {
    pub(crate) replaced: &'a ReplacedTasks<'a>,
    pub(crate) blocking_tasks: &'a [BlockingTask],
    pub(crate) task_counts: &'a TaskCounts,
    pub(crate) forecast: Option<&'a Forecast>,
    pub(crate) deadline: Option<Deadline>,
}

impl Situation<'_> {
    /// Whether the deadline passes before the jobs end, or may; in a clean-up, before protection ends.
    fn misses_deadline(&self) -> bool {
        let Some((deadline, forecast)) = self.deadline.zip(self.forecast) else { return false };
        match self.replaced.rollout.is_clean_up() {
            true => forecast.by_expiry > deadline.at,
            false => forecast.risked_end() > deadline.at,
        }
    }
}

pub(crate) fn suggested_actions(
    snapshot: &ServiceSnapshot,
    situation: &Situation<'_>,
    policy: &DiagnosisPolicy,
) -> Vec<SuggestedAction> {
    let pauses = || pause(snapshot).into_iter().flat_map(|pause| end_pause(snapshot, &pause));
    let Some(forecast) = situation.forecast else { return pauses().collect() };
    let mut actions = vec![SuggestedAction::Wait { until: forecast.by_expiry, expected: forecast.by_jobs }];
    actions.extend(release_idle(&snapshot.service.arn.cluster, situation.blocking_tasks, policy));
    actions.extend(pauses());
    if !situation.replaced.rollout.is_clean_up() {
        actions.extend(raise_desired_count(snapshot, situation));
        actions.extend(raise_maximum_percent(snapshot, situation));
        actions.extend(stop_deployment(snapshot, situation.replaced));
        actions.extend(extend_deadline(snapshot, situation));
        actions.extend(defer_clean_up(snapshot, situation));
    }
    actions.extend(release_by_force(snapshot, situation, policy));
    actions
}

fn end_pause(snapshot: &ServiceSnapshot, pause: &Pause) -> [SuggestedAction; 2] {
    let region = &snapshot.service.arn.cluster.region;
    let command = |hook: &str, action| command::proceed(region, &pause.deployment, hook, &action);
    let commands = pause.hooks.iter().map(|hook| command(&hook.id, HookAction::Continue)).collect();
    let roll_back = command(&pause.hooks[0].id, HookAction::Rollback);
    [SuggestedAction::ContinueDeployment { commands }, SuggestedAction::RollBackDeployment { command: roll_back }]
}

/// A higher desired count helps only tasks that ECS refuses to protect. In a scale-in it would contradict the
/// request.
fn raise_desired_count(snapshot: &ServiceSnapshot, situation: &Situation<'_>) -> Option<SuggestedAction> {
    let TaskCounts { protected, desired, .. } = *situation.task_counts;
    let is_unprotected =
        |refused: &&RefusedTask| refused.cause == RefusalCause::Ecs && refused.protected_until.is_none();
    let refused = refused_tasks(snapshot).iter().filter(is_unprotected).count();
    if refused == 0 || protected < desired || situation.replaced.rollout.is_scale_in() {
        return None;
    }
    let to = protected.saturating_add(u32::try_from(refused).unwrap_or(u32::MAX));
    Some(SuggestedAction::RaiseDesiredCount { to, command: command::set_desired_count(&snapshot.service, to) })
}

/// Makes room for all new tasks beside all blocking tasks.
fn raise_maximum_percent(snapshot: &ServiceSnapshot, situation: &Situation<'_>) -> Option<SuggestedAction> {
    let Situation { replaced, blocking_tasks, task_counts, .. } = situation;
    if replaced.new_tasks_missing <= task_counts.room || task_counts.desired == 0 || replaced.rollout.is_scale_in() {
        return None;
    }
    let tasks = u64::from(task_counts.desired) + blocking_tasks.len() as u64;
    let to = u32::try_from((tasks * 100).div_ceil(u64::from(task_counts.desired))).unwrap_or(u32::MAX);
    let command = command::set_maximum_percent(&snapshot.service, to)?;
    Some(SuggestedAction::RaiseMaximumPercent { to, command })
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

/// The new deadline is a quarter longer than the jobs are expected to need.
fn extend_deadline(snapshot: &ServiceSnapshot, situation: &Situation<'_>) -> Option<SuggestedAction> {
    let is_own = matches!(situation.deadline?.source, DeadlineSource::Tag | DeadlineSource::Setting);
    let forecast = situation.forecast?;
    let end = forecast.risked_end();
    let needed: SignedDuration = end.duration_since(situation.replaced.rollout.started_at()?);
    let minutes = (needed.as_mins().saturating_mul(5) / 4).saturating_add(1);
    (is_own && situation.misses_deadline() && minutes <= DEADLINE_MINUTES_MAX).then(|| {
        let command = command::set_deadline(&snapshot.service, minutes);
        SuggestedAction::ExtendDeadline { minutes, command }
    })
}

/// Early success is for rolling deployments, and needs room for all new tasks beside the protected ones.
fn defer_clean_up(snapshot: &ServiceSnapshot, situation: &Situation<'_>) -> Option<SuggestedAction> {
    let (service, replaced) = (&snapshot.service, situation.replaced);
    let is_rolling = service.controller == DeploymentController::Ecs && !service.strategy.shifts_traffic();
    let is_deployment = matches!(replaced.rollout, Rollout::Deployment { .. });
    let would_help = situation.misses_deadline()
        && is_rolling
        && is_deployment
        && replaced.new_tasks_missing == 0
        && !service.options.defers_cleanup();
    let command = command::defer_clean_up(service).filter(|_| would_help)?;
    Some(SuggestedAction::DeferCleanUp { command })
}

/// The release of the tasks that are protected but idle, if there are any.
pub(crate) fn release_idle(
    cluster: &ClusterArn,
    blocking_tasks: &[BlockingTask],
    policy: &DiagnosisPolicy,
) -> Option<SuggestedAction> {
    let idle = blocking_tasks.iter().filter(|blocking_task| blocking_task.protected_for == ProtectedFor::NoJob);
    let tasks: Vec<TaskId> = idle.map(|blocking_task| blocking_task.task.clone()).collect();
    let function = policy.function.as_deref()?;
    let commands = in_chunks(&tasks, |tasks| command::release(cluster, function, tasks));
    (!tasks.is_empty()).then_some(SuggestedAction::ReleaseIdle { tasks, commands })
}

/// The release of orphaned protection: of idle tasks, and by force of tasks whose workers are silent.
pub(crate) fn of_orphans(
    cluster: &ClusterArn,
    orphans: &[BlockingTask],
    policy: &DiagnosisPolicy,
) -> Vec<SuggestedAction> {
    let silent: Vec<&BlockingTask> = orphans.iter().filter(|task| task.silent_since().is_some()).collect();
    let actions = [release_idle(cluster, orphans, policy), by_force(cluster, &silent, policy)];
    actions.into_iter().flatten().collect()
}

/// The last resort, which interrupts jobs: offered for tasks that may outlast a deadline that is missed, for foreign
/// protection, for tasks whose workers are silent, and in a scale-in, which has no deadline. Not offered before ECS stops
/// old tasks, since their jobs may end in time.
fn release_by_force(
    snapshot: &ServiceSnapshot,
    situation: &Situation<'_>,
    policy: &DiagnosisPolicy,
) -> Option<SuggestedAction> {
    let missed = situation.deadline.filter(|_| situation.misses_deadline());
    let outlasts =
        |task: &BlockingTask, deadline: Deadline| task.jobs_started > 0 || task.protected_until > deadline.at;
    let is_wanted = |task: &BlockingTask| match task.protected_for {
        ProtectedFor::NoJob => false,
        ProtectedFor::Foreign => true,
        ProtectedFor::Jobs(_) | ProtectedFor::Unknown => {
            situation.replaced.rollout.is_scale_in()
                || task.silent_since().is_some()
                || missed.is_some_and(|deadline| outlasts(task, deadline))
        }
    };
    let busy: Vec<&BlockingTask> = situation.blocking_tasks.iter().filter(|task| is_wanted(task)).collect();
    by_force(&snapshot.service.arn.cluster, &busy, policy).filter(|_| stops_old_tasks(snapshot))
}

fn by_force(cluster: &ClusterArn, busy: &[&BlockingTask], policy: &DiagnosisPolicy) -> Option<SuggestedAction> {
    let function = policy.function.as_deref()?;
    let tasks: Vec<TaskId> = busy.iter().map(|task| task.task.clone()).collect();
    let commands = in_chunks(&tasks, |tasks| command::release_by_force(cluster, function, tasks));
    (!tasks.is_empty()).then_some(SuggestedAction::ReleaseByForce { tasks, commands })
}

fn in_chunks(tasks: &[TaskId], command: impl Fn(&[TaskId]) -> String) -> Vec<String> {
    tasks.chunks(TASKS_PER_PROTECTION_CALL_MAX).map(command).collect()
}
