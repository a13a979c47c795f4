//! Tasks as `DescribeTasks` describes them.

use crate::ecs::arn::TaskId;
use serde::{Deserialize, Serialize};

/// Why a task stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopCause {
    /// `stopCode`, such as `ServiceSchedulerInitiated`.
    pub code: Option<String>,
    /// `stoppedReason`: ECS's explanation.
    pub reason: Option<String>,
    /// The exit codes of the task's containers. Containers without an exit code are left out.
    pub exit_codes: Vec<ContainerExit>,
}

/// The exit of one container. Its JSON is the pair of its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, i32)", into = "(String, i32)")]
pub struct ContainerExit {
    /// The container's name.
    pub container: String,
    /// Its exit code.
    pub code: i32,
}

impl From<(String, i32)> for ContainerExit {
    fn from((container, code): (String, i32)) -> Self {
        Self { container, code }
    }
}

impl From<ContainerExit> for (String, i32) {
    fn from(ContainerExit { container, code }: ContainerExit) -> Self {
        (container, code)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_stored_as_a_pair() {
        let exit = ContainerExit { container: "worker".to_owned(), code: 143 };
        let json = r#"["worker",143]"#;
        assert_eq!(serde_json::to_string(&exit).unwrap(), json);
        assert_eq!(serde_json::from_str::<ContainerExit>(json).unwrap(), exit);
    }
}
