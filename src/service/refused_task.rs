//! The tasks with live jobs that run without the protection that they need: ECS refuses it, or the task record has no
//! room for them.

use crate::ecs::arn::TaskId;
use crate::service::snapshot::{JobSnapshot, Jobs, ServiceSnapshot, TaskSnapshot};
use crate::task::minutes::GRANT_TOLERANCE;
use jiff::Timestamp;

/// Why live jobs of a task run without the protection that they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCause {
    /// ECS refuses to protect the task, or to protect it for long enough.
    Ecs,
    /// The task record has no room for the jobs, so that nothing is requested for them.
    RecordFull,
}

/// A task with live jobs that is not protected for long enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedTask {
    /// The task.
    pub task: TaskId,
    /// The deployment or task set that it belongs to.
    pub deployment: Option<String>,
    /// The cause.
    pub cause: RefusalCause,
    /// When ECS first refused, or the first start was rejected.
    pub since: Timestamp,
    /// When the task's protection expires, long before its jobs end; `None` if the task is unprotected, or if the
    /// protection is that of other jobs.
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

pub(crate) fn refused_tasks(snapshot: &ServiceSnapshot) -> Vec<RefusedTask> {
    let refused_task = |task: &TaskSnapshot| by_ecs(task).or_else(|| by_record(task));
    let mut refused_tasks: Vec<RefusedTask> = snapshot.tasks.iter().filter_map(refused_task).collect();
    refused_tasks.sort_by(|one, other| (other.wanted_until(), &one.task).cmp(&(one.wanted_until(), &other.task)));
    refused_tasks
}

fn by_ecs(task: &TaskSnapshot) -> Option<RefusedTask> {
    let Jobs::Known(jobs) = &task.jobs else { return None };
    let refused = RefusedTask {
        task: task.id.clone(),
        deployment: task.deployment.clone(),
        cause: RefusalCause::Ecs,
        since: task.refused_since?,
        protected_until: task.protected_until,
        jobs: jobs.clone(),
    };
    let wanted_until = refused.wanted_until()?;
    let is_met = task.protected_until.is_some_and(|until| wanted_until.duration_since(until) <= GRANT_TOLERANCE);
    (!is_met).then_some(refused)
}

fn by_record(task: &TaskSnapshot) -> Option<RefusedTask> {
    let rejected = task.rejected.as_ref()?;
    Some(RefusedTask {
        task: task.id.clone(),
        deployment: task.deployment.clone(),
        cause: RefusalCause::RecordFull,
        since: rejected.since,
        protected_until: None,
        jobs: rejected.jobs.clone(),
    })
}
