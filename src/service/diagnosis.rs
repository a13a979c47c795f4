//! Which tasks block a service's rollout, until when, and which actions would clear the block.
//!
//! Pure: snapshot, record and policy in, [`Diagnosis`] out. Rolling deployments, blue/green and its stepwise forms,
//! task sets of external controllers and a plain scale-in differ only in which tasks they *replace*, that is, which
//! tasks ECS would stop. The protected tasks among those are the blocking tasks.

use crate::ecs::arn::TaskId;
use crate::ecs::service::Service;
use crate::service::forecast::{Deadline, Forecast, deadline, forecast};
use crate::service::rollout;
use crate::service::rollout::{ReplacedTasks, Rollout};
use crate::service::rollout_status::{kept_until, rollout_status, said_since};
use crate::service::snapshot::{JobSnapshot, Jobs, ServiceSnapshot, TaskSnapshot};
use crate::service::suggested_action;
use crate::service::suggested_action::SuggestedAction;
use crate::service::tags::{TagProblem, tag_problems};
use crate::task::plan::GRANT_TOLERANCE;

use jiff::{SignedDuration, Timestamp};

/// ECS's hard limit on concurrent deployments of a service (aws-facts "ECS: deployments and protection").
pub const DEPLOYMENTS_MAX: usize = 5;

/// The policy by which a service is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlinePolicy {
    /// The deadline of a deployment when neither CloudFormation nor the service's tag sets one.
    pub deadline: SignedDuration,
}

/// The judgment on one snapshot of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The rollout status.
    pub rollout_status: RolloutStatus,
    /// The rollout in progress, if any.
    pub rollout: Rollout,
    /// The protected tasks among the old tasks, the longest protected first.
    pub blocking_tasks: Vec<BlockingTask>,
    /// Since when the rollout has waited only for the blocking tasks, according to ECS's service messages or earlier
    /// snapshots.
    pub blocked_since: Option<Timestamp>,
    /// When the rollout can finish at the earliest.
    pub forecast: Option<Forecast>,
    /// When the rollout must have finished.
    pub deadline: Option<Deadline>,
    /// Task counts and the bounds that the minimum and maximum percent set.
    pub task_counts: TaskCounts,
    /// Actions that would clear the block, the least invasive first.
    pub suggested_actions: Vec<SuggestedAction>,
    /// Tasks with live jobs that ECS refused to protect, the one with the longest-running jobs first.
    pub refused_tasks: Vec<RefusedTask>,
    /// Tags of the service with taskhold's prefix that taskhold ignores because it cannot use them.
    pub tag_problems: Vec<TagProblem>,
    /// Reads that failed, in words. With any gap, an empty `blocking_tasks` does not mean that no task blocks.
    pub gaps: Vec<String>,
}

/// The rollout status of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutStatus {
    /// All tasks run, belong to one deployment, and none is being replaced.
    Steady,
    /// A rollout is in progress, and no protected task blocks it so far.
    InProgress,
    /// A rollout is in progress and cannot finish before protected tasks are released or expire, but ECS can still make
    /// progress elsewhere.
    WillBlock,
    /// Only protected tasks are left to wait for.
    Blocked,
    /// Too many reads failed to tell.
    Unknown,
}

/// A protected task that blocks a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingTask {
    /// The task.
    pub task: TaskId,
    /// The deployment or task set that it belongs to.
    pub deployment: Option<String>,
    /// When its protection expires, according to ECS.
    pub protected_until: Timestamp,
    /// What needs the protection.
    pub protected_for: ProtectedFor,
}

/// A task with live jobs that ECS refuses to protect for long enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedTask {
    /// The task.
    pub task: TaskId,
    /// The deployment or task set that it belongs to.
    pub deployment: Option<String>,
    /// When ECS first refused.
    pub since: Timestamp,
    /// When the task's protection expires, long before its jobs end; `None` if the task is unprotected.
    pub protected_until: Option<Timestamp>,
    /// Its live jobs.
    pub jobs: Vec<JobSnapshot>,
}

impl RefusedTask {
    /// The latest declared end of its jobs.
    pub fn wanted_until(&self) -> Option<Timestamp> {
        self.jobs.iter().map(|job| job.until).max()
    }
}

/// What needs a protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtectedFor {
    /// These live jobs in the state store.
    Jobs(Vec<JobSnapshot>),
    /// No job. All jobs of the task have ended, and taskhold set the protection or may treat it as its own.
    NoJob,
    /// Something outside taskhold: taskhold did not set the protection and knows no live job.
    Foreign,
    /// The state store could not be read.
    Unknown,
}

/// The numbers behind a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskCounts {
    /// The desired count.
    pub desired: u32,
    /// ⌈desired × minimum percent⌉: ECS keeps at least this many tasks running.
    pub lower_bound: u32,
    /// ⌊desired × maximum percent⌋: ECS runs at most this many tasks.
    pub upper_bound: u32,
    /// Tasks with desired status `RUNNING`, of all deployments.
    pub live: u32,
    /// Protected tasks among them.
    pub protected: u32,
    /// New tasks that `maximumPercent` allows beside the blocking tasks.
    pub room: u32,
    /// Deployments in progress at once, of at most [`DEPLOYMENTS_MAX`].
    pub deployments: u32,
}

/// Judges a service. `remembered_since` is when an earlier snapshot first found the same rollout blocked.
pub fn diagnose(snapshot: &ServiceSnapshot, remembered_since: Option<Timestamp>, policy: &DeadlinePolicy) -> Diagnosis {
    let replaced = rollout::replaced(snapshot);
    let blocking_tasks = blocking_tasks(&replaced);
    let task_counts = task_counts(snapshot, blocking_tasks.len());
    let said_since = said_since(&snapshot.service, replaced.rollout.started_at());
    let rollout_status = match rollout_status(snapshot, &replaced, &blocking_tasks, &task_counts) {
        // Blocked only in appearance: ECS would not stop the old tasks yet even without protection.
        RolloutStatus::Blocked if said_since.is_none() && kept_until(snapshot, &replaced.rollout).is_some() => {
            RolloutStatus::WillBlock
        }
        rollout_status => rollout_status,
    };
    // When a deployment keeps old tasks on purpose, ECS's messages date the end of that time better than the snapshot.
    let since = match snapshot.service.old_tasks_kept.is_zero() {
        true => [remembered_since, said_since].into_iter().flatten().min(),
        false => said_since.or(remembered_since),
    };
    let blocked_since = (rollout_status == RolloutStatus::Blocked).then(|| since.unwrap_or(snapshot.at));
    let forecast = forecast(&blocking_tasks, replaced.to_go, snapshot.at);
    // A scale-in has no deadline: ECS does not report when it began, and nothing waits for it as for a deployment.
    let started_at = replaced.rollout.started_at().filter(|_| !replaced.rollout.is_scale_in());
    let deadline = started_at.map(|started_at| deadline(&snapshot.service, started_at, policy));
    let suggested_actions =
        suggested_action::suggested_actions(snapshot, &replaced, &blocking_tasks, &task_counts, forecast.as_ref());
    Diagnosis {
        rollout_status,
        rollout: replaced.rollout,
        blocking_tasks,
        blocked_since,
        forecast,
        deadline,
        task_counts,
        suggested_actions,
        refused_tasks: refused_tasks(snapshot),
        tag_problems: tag_problems(&snapshot.service),
        gaps: snapshot.gaps.iter().map(ToString::to_string).collect(),
    }
}

/// The diagnosis for an `orphaned-protection` alert: the idle protected tasks replace the blocking tasks, and the only
/// suggested action releases them.
pub fn of_orphans(snapshot: &ServiceSnapshot, diagnosis: &Diagnosis) -> Diagnosis {
    let tasks: Vec<&TaskSnapshot> = snapshot.tasks.iter().collect();
    let mut orphans = protected_among(&tasks);
    orphans.retain(|task| task.protected_for == ProtectedFor::NoJob);
    let suggested_actions =
        suggested_action::release_idle(&snapshot.service.arn.cluster, &orphans).into_iter().collect();
    Diagnosis { blocking_tasks: orphans, suggested_actions, forecast: None, ..diagnosis.clone() }
}

/// The protected tasks among `tasks`, the longest protected first.
pub(crate) fn protected_among(tasks: &[&TaskSnapshot]) -> Vec<BlockingTask> {
    let blocking_task = |task: &&TaskSnapshot| {
        Some(BlockingTask {
            task: task.id.clone(),
            deployment: task.deployment.clone(),
            protected_until: task.protected_until?,
            protected_for: match &task.jobs {
                Jobs::Unknown => ProtectedFor::Foreign,
                Jobs::Unread => ProtectedFor::Unknown,
                Jobs::Known(jobs) if jobs.is_empty() => ProtectedFor::NoJob,
                Jobs::Known(jobs) => ProtectedFor::Jobs(jobs.clone()),
            },
        })
    };
    let mut blocking_tasks: Vec<BlockingTask> = tasks.iter().filter_map(blocking_task).collect();
    blocking_tasks.sort_by(|a, b| (b.protected_until, &a.task).cmp(&(a.protected_until, &b.task)));
    blocking_tasks
}

pub(crate) fn refused_tasks(snapshot: &ServiceSnapshot) -> Vec<RefusedTask> {
    let refused_task = |task: &TaskSnapshot| {
        let Jobs::Known(jobs) = &task.jobs else { return None };
        let refused = RefusedTask {
            task: task.id.clone(),
            deployment: task.deployment.clone(),
            since: task.refused_since?,
            protected_until: task.protected_until,
            jobs: jobs.clone(),
        };
        let wanted_until = refused.wanted_until()?;
        let is_met = task.protected_until.is_some_and(|until| wanted_until.duration_since(until) <= GRANT_TOLERANCE);
        (!is_met).then_some(refused)
    };
    let mut refused_tasks: Vec<RefusedTask> = snapshot.tasks.iter().filter_map(refused_task).collect();
    refused_tasks.sort_by(|one, other| (other.wanted_until(), &one.task).cmp(&(one.wanted_until(), &other.task)));
    refused_tasks
}

fn blocking_tasks(replaced: &ReplacedTasks<'_>) -> Vec<BlockingTask> {
    let mut blocking_tasks = protected_among(&replaced.tasks);
    // In a scale-in, only the surplus of protected tasks blocks; the others may stay. Other rollouts replace every
    // task.
    let stay = blocking_tasks.len().saturating_sub(replaced.to_go);
    blocking_tasks.drain(..stay);
    blocking_tasks
}

fn task_counts(snapshot: &ServiceSnapshot, blocking_tasks: usize) -> TaskCounts {
    let Service { desired_count: desired, minimum_healthy_percent, maximum_percent, .. } = snapshot.service;
    let share = |percent: u32, rounding: u64| {
        u32::try_from((u64::from(desired) * u64::from(percent) + rounding) / 100).unwrap_or(u32::MAX)
    };
    let upper_bound = share(maximum_percent, 0);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    TaskCounts {
        desired,
        lower_bound: share(minimum_healthy_percent, 99),
        upper_bound,
        live: count(snapshot.tasks.len()),
        protected: count(snapshot.protected().count()),
        room: upper_bound.saturating_sub(count(blocking_tasks)),
        deployments: count(snapshot.service.deployments.len().max(snapshot.service.task_sets.len())),
    }
}

#[cfg(test)]
mod tests;
