//! The protected tasks that block a rollout, and what needs their protection.

use crate::ecs::arn::TaskId;
use crate::service::snapshot::{JobSnapshot, Jobs, TaskSnapshot, silent_since};
use jiff::Timestamp;
use std::cmp::Ordering;

/// A protected task that blocks a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockingTask {
    /// The task.
    pub task: TaskId,
    /// The deployment or task set that it belongs to.
    pub deployment: Option<String>,
    /// When its protection expires, according to ECS.
    pub protected_until: Timestamp,
    /// Until when an idle task keeps its protection, because its last job has just finished.
    pub lingers_until: Option<Timestamp>,
    /// How many jobs it has started since the rollout began.
    pub jobs_started: usize,
    /// What needs the protection.
    pub protected_for: ProtectedFor,
}

impl BlockingTask {
    /// Its live jobs, as far as they are known.
    pub(crate) fn jobs(&self) -> &[JobSnapshot] {
        match &self.protected_for {
            ProtectedFor::Jobs(jobs) => jobs,
            ProtectedFor::NoJob | ProtectedFor::Foreign | ProtectedFor::Unknown => &[],
        }
    }

    /// When its worker last sent a message, if the worker is silent.
    pub(crate) fn silent_since(&self) -> Option<Timestamp> {
        silent_since(self.jobs())
    }

    /// The order in which tasks are listed: the longest protected first.
    pub(crate) fn longest_first(&self, other: &Self) -> Ordering {
        (other.protected_until, &self.task).cmp(&(self.protected_until, &other.task))
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

/// The protected tasks among `tasks`, the longest protected first.
pub(crate) fn protected_among(tasks: &[&TaskSnapshot]) -> Vec<BlockingTask> {
    let blocking_task = |task: &&TaskSnapshot| {
        Some(BlockingTask {
            task: task.id.clone(),
            deployment: task.deployment.clone(),
            protected_until: task.protected_until?,
            lingers_until: task.lingers_until,
            jobs_started: task.jobs_started,
            protected_for: match &task.jobs {
                Jobs::Unknown => ProtectedFor::Foreign,
                Jobs::Unread => ProtectedFor::Unknown,
                Jobs::Known(jobs) if jobs.is_empty() => ProtectedFor::NoJob,
                Jobs::Known(jobs) => ProtectedFor::Jobs(jobs.clone()),
            },
        })
    };
    let mut blocking_tasks: Vec<BlockingTask> = tasks.iter().filter_map(blocking_task).collect();
    blocking_tasks.sort_by(BlockingTask::longest_first);
    blocking_tasks
}
