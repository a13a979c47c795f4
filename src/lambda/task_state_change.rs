//! `ECS Task State Change` (aws-facts "EventBridge"): only the stop of a task matters here.

use crate::config::clusters::Clusters;
use crate::ecs::arn::shown;
use crate::ecs::task::{ContainerExit, StopCause};
use crate::task::stop::TaskStopEvent;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskStateChangeDetail {
    task_arn: Option<String>,
    cluster_arn: Option<String>,
    group: Option<String>,
    last_status: Option<String>,
    desired_status: Option<String>,
    stop_code: Option<String>,
    stopped_reason: Option<String>,
    #[serde(default)]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    name: String,
    exit_code: Option<i32>,
}

/// Reads the stop that an event reports.
///
/// # Errors
/// The event is to be ignored, for this reason.
pub(crate) fn parse(detail: &str, clusters: &Clusters) -> Result<TaskStopEvent, String> {
    let ignored = |why: String| Err(format!("`ECS Task State Change` {why}"));
    let detail: TaskStateChangeDetail = match serde_json::from_str(detail) {
        Ok(detail) => detail,
        Err(error) => return ignored(format!("with an unreadable detail: {}", shown(&error.to_string()))),
    };
    // A stop appears first as desiredStatus STOPPED while the task still runs, with up to minutes of work left.
    let is_stopped = |status: &Option<String>| status.as_deref() == Some("STOPPED");
    if !is_stopped(&detail.last_status) && !is_stopped(&detail.desired_status) {
        return ignored("of a task that does not stop".to_owned());
    }
    let Some(task_arn) = detail.task_arn else {
        return ignored("without `taskArn`".to_owned());
    };
    let exit = |Container { name, exit_code }: Container| Some(ContainerExit { container: name, code: exit_code? });
    match clusters.task(&task_arn, detail.cluster_arn.as_deref()) {
        Ok(task) => Ok(TaskStopEvent {
            task,
            service: detail.group.as_deref().and_then(|group| group.strip_prefix("service:")).map(str::to_owned),
            cause: StopCause {
                code: detail.stop_code,
                reason: detail.stopped_reason,
                exit_codes: detail.containers.into_iter().filter_map(exit).collect(),
            },
        }),
        Err(error) => ignored(format!("of a task that is none of ours: {error}")),
    }
}
