//! Tasks as `DescribeTasks` describes them.

use crate::ecs::arn::TaskId;

/// Why a task stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopCause {
    /// `stopCode`, such as `ServiceSchedulerInitiated`.
    pub code: Option<String>,
    /// `stoppedReason`: ECS's explanation.
    pub reason: Option<String>,
    /// Exit codes by container name; a container without one is left out.
    pub exit_codes: Vec<(String, i32)>,
}

/// A task as `DescribeTasks` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDescription {
    /// Identifies the task.
    pub id: TaskId,
    /// The name of its service, from `group` (`service:NAME`); `None` for a standalone task.
    pub service: Option<String>,
    /// `startedBy`: the deployment or task set that it belongs to.
    pub started_by: Option<String>,
    /// `PENDING`, `RUNNING`, `STOPPED` or one of the statuses between.
    pub last_status: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// Why it stops; empty while it does not.
    pub stop: StopCause,
}
