//! A blocking or refused task with its jobs, as alerts and answers show it.

use crate::ecs::arn::TaskId;
use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::forecast::longest_first;
use crate::service::refused_task::{RefusalCause, RefusedTask};
use crate::service::snapshot::JobSnapshot;
use jiff::Timestamp;

/// The facts about one task.
pub(crate) struct TaskView<'a> {
    pub(crate) task: &'a TaskId,
    /// The deployment or task set that it belongs to.
    pub(crate) deployment: Option<&'a str>,
    /// Since when ECS has refused to protect it, or starts have been rejected.
    pub(crate) refused_since: Option<Timestamp>,
    /// Why a refused task runs unprotected.
    pub(crate) refusal_cause: Option<RefusalCause>,
    pub(crate) protected_until: Option<Timestamp>,
    /// Until when an idle task keeps its protection, because its last job has just finished.
    pub(crate) lingers_until: Option<Timestamp>,
    /// `None` for a refused task.
    pub(crate) protected_for: Option<&'a ProtectedFor>,
    /// How many jobs it has started since the rollout began.
    pub(crate) jobs_started: usize,
    /// The job with the latest expected end first.
    pub(crate) jobs: Vec<&'a JobSnapshot>,
}

impl<'a> From<&'a BlockingTask> for TaskView<'a> {
    fn from(task: &'a BlockingTask) -> Self {
        Self {
            task: &task.task,
            deployment: task.deployment.as_deref(),
            refused_since: None,
            refusal_cause: None,
            protected_until: Some(task.protected_until),
            lingers_until: task.lingers_until,
            protected_for: Some(&task.protected_for),
            jobs_started: task.jobs_started,
            jobs: longest_first(task.jobs()),
        }
    }
}

impl<'a> From<&'a RefusedTask> for TaskView<'a> {
    fn from(task: &'a RefusedTask) -> Self {
        Self {
            task: &task.task,
            deployment: task.deployment.as_deref(),
            refused_since: Some(task.since),
            refusal_cause: Some(task.cause),
            protected_until: task.protected_until,
            lingers_until: None,
            protected_for: None,
            jobs_started: 0,
            jobs: longest_first(&task.jobs),
        }
    }
}
