//! `ECS Task State Change` (aws-facts "EventBridge"): the only part of it that matters here is that a task has stopped.

use super::EcsEvent;
use crate::config::Clusters;
use crate::ecs::Task;
use serde::Deserialize;

/// A task is said to have stopped: a reason to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStopped {
    /// Which.
    pub task: Task,
    /// ECS's `stopCode`, if it is told.
    pub stop_code: Option<String>,
    /// ECS's sentence about it, if it is told.
    pub stopped_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    task_arn: Option<String>,
    cluster_arn: Option<String>,
    last_status: Option<String>,
    stop_code: Option<String>,
    stopped_reason: Option<String>,
}

pub(super) fn parse(detail: &str, clusters: &Clusters) -> EcsEvent {
    let ignored = |why: String| EcsEvent::Ignored(format!("`ECS Task State Change` {why}"));
    let detail: Detail = match serde_json::from_str(detail) {
        Ok(detail) => detail,
        Err(error) => return ignored(format!("with an unreadable detail: {error}")),
    };
    // A stop shows first as desiredStatus STOPPED while the task still runs, with up to minutes of work left in it.
    if detail.last_status.as_deref() != Some("STOPPED") {
        return ignored("of a task that has not stopped".to_owned());
    }
    let Some(task_arn) = detail.task_arn else {
        return ignored("without `taskArn`".to_owned());
    };
    match clusters.task(&task_arn, detail.cluster_arn.as_deref()) {
        Ok(task) => EcsEvent::TaskStopped(TaskStopped {
            task,
            stop_code: detail.stop_code,
            stopped_reason: detail.stopped_reason,
        }),
        Err(error) => ignored(format!("of a task that is none of ours: {error}")),
    }
}
