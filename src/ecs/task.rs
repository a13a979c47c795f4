//! Tasks, as `DescribeTasks` tells them.

use crate::ecs::arn::TaskId;
use jiff::Timestamp;

/// Why a task stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopCause {
    /// `stopCode`, such as `ServiceSchedulerInitiated`.
    pub code: Option<String>,
    /// `stoppedReason`: ECS's sentence about it.
    pub reason: Option<String>,
    /// Exit codes by the containers' names, of those that have one.
    pub exit_codes: Vec<(String, i32)>,
}

/// A task, as `DescribeTasks` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDescription {
    /// Which.
    pub id: TaskId,
    /// The name of its service, by `group` (`service:NAME`); `None` for a task of none.
    pub service: Option<String>,
    /// `startedBy`: the deployment or task set that it belongs to.
    pub started_by: Option<String>,
    /// `PENDING`, `RUNNING`, `STOPPED` and what lies between.
    pub last_status: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// When it began to run.
    pub started_at: Option<Timestamp>,
    /// Why it stops, if it does.
    pub stop: StopCause,
}
