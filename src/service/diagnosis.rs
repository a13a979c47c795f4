//! What holds a service up, by whom, until when, and what would clear it.
//!
//! Pure: what was observed, what is remembered and the policy in, a [`Diagnosis`] out. Rolling deployments, blue/green and
//! its stepwise forms, task sets of other controllers and a plain scale-in are told apart only by who is *replaced*: the
//! tasks that ECS would stop. If protected tasks are among those that leave, they are the blocking tasks.

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

/// ECS's hard wall: so many deployments of a service at once (aws-facts "ECS: deployments and protection").
pub const DEPLOYMENTS_MAX: usize = 5;

/// What applies to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlinePolicy {
    /// How long a deployment may take when CloudFormation does not say.
    pub deadline: SignedDuration,
}

/// The verdict on a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// How it stands.
    pub rollout_status: RolloutStatus,
    /// What is moving, if anything is.
    pub rollout: Rollout,
    /// The protected tasks among those that leave, the one that is protected longest first.
    pub blocking_tasks: Vec<BlockingTask>,
    /// Since when the rollout waits for them, as far as ECS's messages or earlier looks tell.
    pub blocked_since: Option<Timestamp>,
    /// When it can be over at the earliest.
    pub forecast: Option<Forecast>,
    /// When it must be over.
    pub deadline: Option<Deadline>,
    /// Min/max percent, spelt out.
    pub task_counts: TaskCounts,
    /// What would clear it, the mildest first.
    pub suggested_actions: Vec<SuggestedAction>,
    /// Tasks whose live jobs have not got the protection that they want, because ECS refused it; the one whose jobs last
    /// longest first.
    pub refused_tasks: Vec<RefusedTask>,
    /// Tags of the service that were meant for taskhold and count for nothing.
    pub tag_problems: Vec<TagProblem>,
    /// What could not be seen, in words. If there is anything here, "no blocking tasks" is not to be believed.
    pub gaps: Vec<String>,
}

/// How a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutStatus {
    /// All its tasks run, are of one deployment, and none leaves.
    Steady,
    /// On its way, and nothing protected holds it up so far.
    InProgress,
    /// On its way, and it cannot be over before protected tasks are released or expire; ECS can still do other things first.
    WillBlock,
    /// Only protected tasks are left to wait for.
    Blocked,
    /// Too much could not be seen to say.
    Unknown,
}

/// A protected task that holds something up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingTask {
    /// Which.
    pub task: TaskId,
    /// The deployment or task set that it belongs to.
    pub deployment: Option<String>,
    /// Until when ECS protects it.
    pub protected_until: Timestamp,
    /// Who needs the protection.
    pub protected_for: ProtectedFor,
}

/// A task that ECS has refused what its live jobs want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedTask {
    /// Which.
    pub task: TaskId,
    /// The deployment or task set that it belongs to.
    pub deployment: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// When it loses the protection that it has got, long before its jobs end; `None` if it has none.
    pub protected_until: Option<Timestamp>,
    /// The jobs.
    pub jobs: Vec<JobSnapshot>,
}

impl RefusedTask {
    /// When the last of its jobs may end.
    pub fn wanted_until(&self) -> Option<Timestamp> {
        self.jobs.iter().map(|job| job.until).max()
    }
}

/// Who needs a protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtectedFor {
    /// These live jobs of taskhold's store.
    Jobs(Vec<JobSnapshot>),
    /// Nobody any more: taskhold has set it, or may judge what others set, and all jobs of the task have ended.
    NoJob,
    /// Somebody else: taskhold has not set it, and knows of no live job.
    Foreign,
    /// The state store could not be read.
    Unknown,
}

/// The numbers behind a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskCounts {
    /// Tasks that are wanted.
    pub desired: u32,
    /// ⌈desired × min%⌉: running tasks that are kept.
    pub lower_bound: u32,
    /// ⌊desired × max%⌋: tasks that are not exceeded.
    pub upper_bound: u32,
    /// Tasks that are wanted running, of all deployments.
    pub live: u32,
    /// Protected ones among them.
    pub protected: u32,
    /// New tasks that `maximumPercent` leaves room for beside those that cannot leave.
    pub room: u32,
    /// Deployments at once, of at most [`DEPLOYMENTS_MAX`].
    pub deployments: u32,
}

/// Judges a service. `remembered_since` is since when earlier looks saw the same rollout blocked.
pub fn diagnose(snapshot: &ServiceSnapshot, remembered_since: Option<Timestamp>, policy: &DeadlinePolicy) -> Diagnosis {
    let replaced = rollout::replaced(snapshot);
    let blocking_tasks = blocking_tasks(&replaced);
    let task_counts = task_counts(snapshot, blocking_tasks.len());
    let said_since = said_since(&snapshot.service, replaced.rollout.started_at());
    let rollout_status = match rollout_status(snapshot, &replaced, (&blocking_tasks, &task_counts)) {
        // It only looks so: ECS would not stop the old tasks yet if nothing protected them.
        RolloutStatus::Blocked if said_since.is_none() && kept_until(snapshot, &replaced.rollout).is_some() => {
            RolloutStatus::WillBlock
        }
        rollout_status => rollout_status,
    };
    // Of a deployment that keeps old tasks on purpose, the look alone knows less well than ECS when that was over.
    let since = match snapshot.service.old_tasks_kept.is_zero() {
        true => [remembered_since, said_since].into_iter().flatten().min(),
        false => said_since.or(remembered_since),
    };
    let blocked_since = (rollout_status == RolloutStatus::Blocked).then(|| since.unwrap_or(snapshot.at));
    let forecast = forecast(&blocking_tasks, replaced.to_go, snapshot.at);
    // A scale-in has none: ECS does not say when it began, and nobody waits for it as for a deployment.
    let started_at = replaced.rollout.started_at().filter(|_| !replaced.rollout.is_scale_in());
    let deadline = started_at.map(|started_at| deadline(&snapshot.service, started_at, policy));
    let suggested_actions =
        suggested_action::suggested_actions(snapshot, (&replaced, &blocking_tasks), (&task_counts, forecast.as_ref()));
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

/// The diagnosis with the tasks that are protected for nobody in place of the blocking tasks, and what would release them.
pub fn of_orphans(snapshot: &ServiceSnapshot, diagnosis: &Diagnosis) -> Diagnosis {
    let tasks: Vec<&TaskSnapshot> = snapshot.tasks.iter().collect();
    let mut orphans = protected_among(&tasks);
    orphans.retain(|task| task.protected_for == ProtectedFor::NoJob);
    let suggested_actions =
        suggested_action::release_idle(&snapshot.service.arn.cluster, &orphans).into_iter().collect();
    Diagnosis { blocking_tasks: orphans, suggested_actions, forecast: None, ..diagnosis.clone() }
}

/// The protected ones among tasks that leave, the one that is protected longest first.
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
    let refused_tasks = |task: &TaskSnapshot| {
        let Jobs::Known(jobs) = &task.jobs else { return None };
        let refused_tasks = RefusedTask {
            task: task.id.clone(),
            deployment: task.deployment.clone(),
            since: task.refused_since?,
            protected_until: task.protected_until,
            jobs: jobs.clone(),
        };
        let wanted_until = refused_tasks.wanted_until()?;
        let is_met = task.protected_until.is_some_and(|until| wanted_until.duration_since(until) <= GRANT_TOLERANCE);
        (!is_met).then_some(refused_tasks)
    };
    let mut refused_tasks: Vec<RefusedTask> = snapshot.tasks.iter().filter_map(refused_tasks).collect();
    refused_tasks.sort_by(|one, other| (other.wanted_until(), &one.task).cmp(&(one.wanted_until(), &other.task)));
    refused_tasks
}

fn blocking_tasks(replaced: &ReplacedTasks<'_>) -> Vec<BlockingTask> {
    let mut blocking_tasks = protected_among(&replaced.tasks);
    // Of a scale-in only so many are in the way as there are protected tasks too many; the others may stay. Of other rollouts
    // each task has to go.
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
