//! The task's metadata: `$ECS_CONTAINER_METADATA_URI_V4/task` (ECS Developer Guide, "Task metadata endpoint version 4").

use crate::http::{self, HttpCall};
use crate::job::TaskName;
use hyper::Method;
use serde::Deserialize;
use std::time::Duration;

/// The endpoint answers from the agent's memory; a task without its ARN can still be protected.
const CALL_TIME: Duration = Duration::from_secs(2);

/// The endpoint.
#[derive(Debug, Clone)]
pub(crate) struct MetadataEndpoint {
    url: String,
}

/// The part of the answer that this program uses.
#[derive(Debug, Deserialize)]
pub(crate) struct TaskMetadata {
    #[serde(rename = "TaskARN")]
    arn: String,
    #[serde(rename = "Cluster")]
    cluster: Option<String>,
    #[serde(rename = "DesiredStatus")]
    desired_status: Option<String>,
}

impl TaskMetadata {
    /// The task's name, if it has all of its parts.
    pub(crate) fn task(&self) -> Option<TaskName> {
        TaskName::of(&self.arn, self.cluster.as_deref())
    }

    /// Whether ECS is stopping the task.
    pub(crate) fn is_stopping(&self) -> bool {
        self.desired_status.as_deref() == Some("STOPPED")
    }
}

impl MetadataEndpoint {
    /// The endpoint below `ECS_CONTAINER_METADATA_URI_V4`.
    pub(crate) fn new(metadata_uri: &str) -> Self {
        Self { url: format!("{}/task", metadata_uri.trim_end_matches('/')) }
    }

    /// Reads the metadata.
    ///
    /// # Errors
    /// The problem in words.
    pub(crate) async fn read(&self) -> Result<TaskMetadata, String> {
        let call = HttpCall { method: Method::GET, url: &self.url, body: String::new(), headers: &[] };
        let answer = http::call(call, CALL_TIME).await.map_err(|problem| problem.to_string())?;
        if answer.status != 200 {
            return Err(format!("HTTP {}", answer.status));
        }
        serde_json::from_slice(&answer.body).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_names_the_task_and_says_whether_it_is_stopping() {
        let text = r#"{"Cluster":"video","TaskARN":"arn:aws:ecs:eu-west-1:111122223333:task/video/4f0c",
            "DesiredStatus":"STOPPED","KnownStatus":"RUNNING"}"#;
        let metadata: TaskMetadata = serde_json::from_str(text).unwrap();
        assert!(metadata.is_stopping());
        assert_eq!(metadata.task().unwrap().id(), "4f0c");
    }

    #[test]
    fn metadata_without_a_cluster_names_the_task_if_the_arn_does() {
        let long = r#"{"TaskARN":"arn:aws:ecs:eu-west-1:111122223333:task/video/4f0c"}"#;
        let long: TaskMetadata = serde_json::from_str(long).unwrap();
        assert!(long.task().is_some() && !long.is_stopping());
        let short = r#"{"TaskARN":"arn:aws:ecs:eu-west-1:111122223333:task/4f0c"}"#;
        assert!(serde_json::from_str::<TaskMetadata>(short).unwrap().task().is_none());
    }
}
