//! The rollout of a service and the tasks that it replaces, that is, those that ECS would stop.

use crate::ecs::deployment::{Deployment, DeploymentStatus, RolloutState, TaskSet};
use crate::ecs::service_deployment::ServiceDeploymentStatus;
use crate::service::snapshot::{ServiceSnapshot, TaskSnapshot};
use crate::service::task_counts::upper_bound;
use jiff::{SignedDuration, Timestamp};

/// How long ECS keeps the old tasks of a deployment that succeeded early with DEFERRED cleanup (aws-facts "ECS: service
/// deployments, pauses, early success").
pub const CLEAN_UP_MAX: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A rollout: anything that replaces or removes tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// None in progress.
    None,
    /// A deployment by ECS, rolling or blue/green: it replaces the tasks of earlier deployments.
    Deployment {
        /// The new deployment.
        id: String,
        /// When it began.
        started_at: Timestamp,
    },
    /// What remains of a deployment that succeeded before its old tasks were gone: ECS removes them in the background,
    /// for up to [`CLEAN_UP_MAX`].
    CleanUp {
        /// The deployment.
        id: String,
        /// When it succeeded.
        succeeded_at: Timestamp,
    },
    /// A task set change by an external controller: it replaces the tasks of the draining sets.
    TaskSet {
        /// The PRIMARY task set.
        id: String,
        /// When ECS last updated a task set.
        started_at: Timestamp,
    },
    /// A scale-in: more tasks run than the desired count.
    ScaleIn {
        /// The deployment or task set that shrinks.
        id: String,
        /// When ECS last updated it.
        started_at: Timestamp,
    },
}

impl Rollout {
    /// When it began, according to ECS. A clean-up begins when its deployment succeeds.
    pub fn started_at(&self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::CleanUp { succeeded_at: started_at, .. }
            | Self::Deployment { started_at, .. }
            | Self::TaskSet { started_at, .. }
            | Self::ScaleIn { started_at, .. } => Some(*started_at),
        }
    }

    /// The deployment or task set.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Deployment { id, .. }
            | Self::CleanUp { id, .. }
            | Self::TaskSet { id, .. }
            | Self::ScaleIn { id, .. } => Some(id),
        }
    }

    /// Whether it is the clean-up after a deployment.
    pub fn is_clean_up(&self) -> bool {
        matches!(self, Self::CleanUp { .. })
    }

    /// Whether it is a plain scale-in, in which ECS may stop any task.
    pub fn is_scale_in(&self) -> bool {
        matches!(self, Self::ScaleIn { .. })
    }
}

/// The old tasks of a rollout.
#[derive(Clone, Debug)]
pub struct ReplacedTasks<'a> {
    /// The rollout.
    pub rollout: Rollout,
    /// The tasks that ECS may stop for it.
    pub tasks: Vec<&'a TaskSnapshot>,
    /// The number of them that must stop.
    pub to_go: usize,
    /// Tasks of the new deployment that are pending.
    pub new_tasks_pending: u32,
    /// Tasks of the new deployment that ECS has not started yet.
    pub new_tasks_missing: u32,
}

pub(crate) fn replaced(snapshot: &ServiceSnapshot) -> ReplacedTasks<'_> {
    let service = &snapshot.service;
    let primary_set = service.task_sets.iter().find(|set| set.status == DeploymentStatus::Primary);
    // An external controller may drain one task set before it makes another PRIMARY.
    if let Some(primary) = primary_set.or(service.task_sets.first()) {
        return of_task_sets(snapshot, primary);
    }
    match service.deployments.iter().find(|deployment| deployment.status == DeploymentStatus::Primary) {
        Some(primary) => of_deployments(snapshot, primary),
        None => nothing(),
    }
}

fn nothing<'a>() -> ReplacedTasks<'a> {
    ReplacedTasks { rollout: Rollout::None, tasks: Vec::new(), to_go: 0, new_tasks_pending: 0, new_tasks_missing: 0 }
}

fn of_deployments<'a>(snapshot: &'a ServiceSnapshot, primary: &Deployment) -> ReplacedTasks<'a> {
    let old = |task: &&TaskSnapshot| task.deployment.as_deref().is_some_and(|id| id != primary.id);
    let tasks: Vec<&TaskSnapshot> = snapshot.tasks.iter().filter(old).collect();
    let new_tasks_pending = primary.pending_count;
    let new_tasks_missing = primary.desired_count.saturating_sub(primary.running_count + primary.pending_count);
    let others =
        snapshot.service.deployments.iter().any(|other| {
            matches!(other.status, DeploymentStatus::Active) && other.running_count + other.pending_count > 0
        });
    if primary.rollout_state == RolloutState::Failed {
        // Nothing rolls a failed deployment back or continues it: the old tasks stay.
        return nothing();
    }
    if let Some(succeeded_at) = succeeded_at(snapshot, primary) {
        if tasks.is_empty() {
            return scale_in(snapshot, &primary.id, primary.desired_count, primary.updated_at);
        }
        let (to_go, rollout) = (tasks.len(), Rollout::CleanUp { id: primary.id.clone(), succeeded_at });
        return ReplacedTasks { rollout, tasks, to_go, new_tasks_pending, new_tasks_missing };
    }
    let in_progress = primary.rollout_state == RolloutState::InProgress;
    if in_progress && succeeds_without_them(snapshot, primary) {
        let rollout = Rollout::Deployment { id: primary.id.clone(), started_at: primary.created_at };
        return ReplacedTasks { rollout, tasks: Vec::new(), to_go: 0, new_tasks_pending, new_tasks_missing };
    }
    if in_progress || others || !tasks.is_empty() {
        let to_go = tasks.len();
        let rollout = Rollout::Deployment { id: primary.id.clone(), started_at: primary.created_at };
        return ReplacedTasks { rollout, tasks, to_go, new_tasks_pending, new_tasks_missing };
    }
    scale_in(snapshot, &primary.id, primary.desired_count, primary.updated_at)
}

/// Whether the deployment succeeds as soon as enough new tasks run, and all of them fit beside the present ones: then no
/// old task blocks it.
fn succeeds_without_them(snapshot: &ServiceSnapshot, primary: &Deployment) -> bool {
    let service = &snapshot.service;
    let is_rolling = !service.strategy.shifts_traffic();
    let missing = primary.desired_count.saturating_sub(primary.running_count + primary.pending_count);
    let live = u32::try_from(snapshot.tasks.len()).unwrap_or(u32::MAX);
    is_rolling && service.options.defers_cleanup() && live.saturating_add(missing) <= upper_bound(service)
}

/// When the deployment succeeded, although old tasks may remain. A service deployment that ended before this deployment
/// began is an earlier one.
fn succeeded_at(snapshot: &ServiceSnapshot, primary: &Deployment) -> Option<Timestamp> {
    let defers_cleanup = snapshot.service.options.defers_cleanup();
    match &snapshot.service_deployment {
        Some(deployment) if deployment.status == ServiceDeploymentStatus::Successful => {
            Some(deployment.finished_at.unwrap_or(primary.updated_at)).filter(|at| *at >= primary.created_at)
        }
        Some(_) => None,
        None => (defers_cleanup && primary.rollout_state == RolloutState::Completed).then_some(primary.updated_at),
    }
}

fn of_task_sets<'a>(snapshot: &'a ServiceSnapshot, primary: &TaskSet) -> ReplacedTasks<'a> {
    let sets = &snapshot.service.task_sets;
    let draining = |id: &str| sets.iter().any(|set| set.id == id && set.status == DeploymentStatus::Draining);
    let leaves = |task: &&TaskSnapshot| task.deployment.as_deref().is_some_and(draining);
    let tasks: Vec<&TaskSnapshot> = snapshot.tasks.iter().filter(leaves).collect();
    let new_tasks_pending = primary.pending_count;
    let new_tasks_missing =
        primary.computed_desired_count.saturating_sub(primary.running_count + primary.pending_count);
    if !tasks.is_empty() || sets.len() > 1 {
        let to_go = tasks.len();
        let last_change = sets.iter().map(|set| set.updated_at).max().unwrap_or(primary.updated_at);
        let rollout = Rollout::TaskSet { id: primary.id.clone(), started_at: last_change.min(snapshot.at) };
        return ReplacedTasks { rollout, tasks, to_go, new_tasks_pending, new_tasks_missing };
    }
    scale_in(snapshot, &primary.id, primary.computed_desired_count, primary.updated_at)
}

fn scale_in<'a>(snapshot: &'a ServiceSnapshot, id: &str, desired: u32, started_at: Timestamp) -> ReplacedTasks<'a> {
    let tasks: Vec<&TaskSnapshot> = snapshot.tasks.iter().collect();
    let too_many = tasks.len().saturating_sub(usize::try_from(desired).unwrap_or(usize::MAX));
    if too_many == 0 {
        return nothing();
    }
    ReplacedTasks {
        rollout: Rollout::ScaleIn { id: id.to_owned(), started_at },
        to_go: protected_too_many(&tasks, desired),
        tasks,
        new_tasks_pending: 0,
        new_tasks_missing: 0,
    }
}

/// ECS stops unprotected tasks first; only the rest of the surplus waits for protected ones.
fn protected_too_many(tasks: &[&TaskSnapshot], desired: u32) -> usize {
    let protected = tasks.iter().filter(|task| task.protected_until.is_some()).count();
    protected.saturating_sub(usize::try_from(desired).unwrap_or(usize::MAX))
}
