//! The tasks with live jobs that ECS refuses to protect.

use crate::ecs::arn::TaskId;
use crate::service::snapshot::{JobSnapshot, Jobs, ServiceSnapshot, TaskSnapshot};
use crate::task::plan::GRANT_TOLERANCE;
use jiff::Timestamp;

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
