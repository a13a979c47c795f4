//! Who is leaving: the tasks that ECS would stop, whatever kind of movement asks for it.

use crate::ecs::{Deployment, DeploymentStatus, RolloutState, TaskSet};
use crate::observe::{Observed, ObservedTask};
use jiff::Timestamp;

/// What moves in a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Movement {
    /// Nothing.
    None,
    /// A deployment of ECS itself, rolling or blue/green: tasks of older ones leave.
    Deployment {
        /// The new one.
        id: String,
        /// When it began.
        begun_at: Timestamp,
    },
    /// Another controller moves from one task set to the next: tasks of the draining ones leave.
    TaskSet {
        /// The PRIMARY one.
        id: String,
        /// When the change was made.
        begun_at: Timestamp,
    },
    /// Fewer tasks are wanted than run.
    ScaleIn {
        /// The deployment or task set that shrinks.
        id: String,
        /// When ECS last changed it.
        begun_at: Timestamp,
    },
}

impl Movement {
    /// When it began, by ECS's word.
    pub fn begun_at(&self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Deployment { begun_at, .. } | Self::TaskSet { begun_at, .. } | Self::ScaleIn { begun_at, .. } => {
                Some(*begun_at)
            }
        }
    }

    /// The deployment or task set that it is about.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Deployment { id, .. } | Self::TaskSet { id, .. } | Self::ScaleIn { id, .. } => Some(id),
        }
    }

    /// Whether it is a plain scale-in, in which any task may go.
    pub fn is_scale_in(&self) -> bool {
        matches!(self, Self::ScaleIn { .. })
    }
}

/// The tasks that leave.
#[derive(Clone, Debug)]
pub struct Leaving<'a> {
    /// What asks for it.
    pub movement: Movement,
    /// Those that may be stopped for it.
    pub tasks: Vec<&'a ObservedTask>,
    /// How many of them have to go.
    pub to_go: usize,
    /// Tasks of the new deployment that are on their way up.
    pub newcomers_pending: u32,
    /// Tasks of the new deployment that ECS has not started yet.
    pub newcomers_missing: u32,
}

pub(super) fn leaving(observed: &Observed) -> Leaving<'_> {
    let service = &observed.service;
    let primary_set = service.task_sets.iter().find(|set| set.status == DeploymentStatus::Primary);
    // An external controller may have drained one before it names another PRIMARY.
    if let Some(primary) = primary_set.or(service.task_sets.first()) {
        return of_task_sets(observed, primary);
    }
    match service.deployments.iter().find(|deployment| deployment.status == DeploymentStatus::Primary) {
        Some(primary) => of_deployments(observed, primary),
        None => nothing(),
    }
}

fn nothing<'a>() -> Leaving<'a> {
    Leaving { movement: Movement::None, tasks: Vec::new(), to_go: 0, newcomers_pending: 0, newcomers_missing: 0 }
}

fn of_deployments<'a>(observed: &'a Observed, primary: &Deployment) -> Leaving<'a> {
    let old = |task: &&ObservedTask| task.deployment.as_deref().is_some_and(|id| id != primary.id);
    let tasks: Vec<&ObservedTask> = observed.tasks.iter().filter(old).collect();
    let newcomers_pending = primary.pending_count;
    let newcomers_missing = primary.desired_count.saturating_sub(primary.running_count + primary.pending_count);
    let others =
        observed.service.deployments.iter().any(|other| {
            matches!(other.status, DeploymentStatus::Active) && other.running_count + other.pending_count > 0
        });
    if primary.rollout_state == RolloutState::Failed {
        // Nothing rolls it back, and nothing goes on with it: the old tasks stay.
        return nothing();
    }
    let in_progress = primary.rollout_state == RolloutState::InProgress;
    if in_progress || others || !tasks.is_empty() {
        let to_go = tasks.len();
        let movement = Movement::Deployment { id: primary.id.clone(), begun_at: primary.created_at };
        return Leaving { movement, tasks, to_go, newcomers_pending, newcomers_missing };
    }
    scale_in(observed, (&primary.id, primary.desired_count, primary.updated_at))
}

fn of_task_sets<'a>(observed: &'a Observed, primary: &TaskSet) -> Leaving<'a> {
    let sets = &observed.service.task_sets;
    let draining = |id: &str| sets.iter().any(|set| set.id == id && set.status == DeploymentStatus::Draining);
    let leaves = |task: &&ObservedTask| task.deployment.as_deref().is_some_and(draining);
    let tasks: Vec<&ObservedTask> = observed.tasks.iter().filter(leaves).collect();
    let newcomers_pending = primary.pending_count;
    let newcomers_missing =
        primary.computed_desired_count.saturating_sub(primary.running_count + primary.pending_count);
    if !tasks.is_empty() || sets.len() > 1 {
        let to_go = tasks.len();
        let last_change = sets.iter().map(|set| set.updated_at).max().unwrap_or(primary.updated_at);
        let movement = Movement::TaskSet { id: primary.id.clone(), begun_at: last_change.min(observed.at) };
        return Leaving { movement, tasks, to_go, newcomers_pending, newcomers_missing };
    }
    scale_in(observed, (&primary.id, primary.computed_desired_count, primary.updated_at))
}

fn scale_in<'a>(observed: &'a Observed, of: (&str, u32, Timestamp)) -> Leaving<'a> {
    let (id, desired, begun_at) = of;
    let tasks: Vec<&ObservedTask> = observed.tasks.iter().collect();
    let too_many = tasks.len().saturating_sub(usize::try_from(desired).unwrap_or(usize::MAX));
    if too_many == 0 {
        return nothing();
    }
    Leaving {
        movement: Movement::ScaleIn { id: id.to_owned(), begun_at },
        to_go: protected_too_many(&tasks, desired),
        tasks,
        newcomers_pending: 0,
        newcomers_missing: 0,
    }
}

/// Unprotected tasks go first; only what is left of the excess then waits for protected ones.
fn protected_too_many(tasks: &[&ObservedTask], desired: u32) -> usize {
    let protected = tasks.iter().filter(|task| task.protected_until.is_some()).count();
    protected.saturating_sub(usize::try_from(desired).unwrap_or(usize::MAX))
}
