//! ECS by the SDK.

use crate::ecs::{
    ClusterArn, Ecs, EcsError, Failure, FailureReason, ProtectedTask, ProtectionAnswer, ProtectionSetting, Task,
    TaskId, TaskPresence,
};
use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use jiff::Timestamp;

/// The real ECS, in the Region of the configuration.
#[derive(Clone, Debug)]
pub struct AwsEcs(Client);

impl AwsEcs {
    /// A client that shares its connections between all calls.
    pub fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }
}

impl Ecs for AwsEcs {
    async fn update_task_protection(
        &self,
        cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let (enabled, minutes) = match setting {
            ProtectionSetting::Disabled => (false, None),
            ProtectionSetting::Enabled { expires_in_minutes } => (true, i32::try_from(expires_in_minutes).ok()),
        };
        let call = self.0.update_task_protection().cluster(cluster.to_string());
        let ids = tasks.iter().map(|id| id.as_str().to_owned()).collect();
        let call = call.set_tasks(Some(ids)).protection_enabled(enabled).set_expires_in_minutes(minutes);
        let answer = call.send().await.map_err(|error| error_of(&error))?;
        Ok(ProtectionAnswer {
            protected_tasks: answer.protected_tasks().iter().filter_map(protected_task).collect(),
            failures: answer.failures().iter().filter_map(failure).collect(),
        })
    }

    async fn task_presence(&self, task: &Task) -> Result<TaskPresence, EcsError> {
        let call = self.0.describe_tasks().cluster(task.cluster.to_string()).tasks(task.id.as_str());
        let answer = call.send().await.map_err(|error| error_of(&error))?;
        let described = answer.tasks().iter().find(|described| is_arn_of(described.task_arn(), &task.id));
        if let Some(described) = described {
            return Ok(match described.last_status() {
                Some("STOPPED" | "DELETED") => TaskPresence::Stopped,
                _ => TaskPresence::Running,
            });
        }
        let failure = answer.failures().iter().find(|failure| is_arn_of(failure.arn(), &task.id));
        match failure.and_then(aws_sdk_ecs::types::Failure::reason) {
            Some("MISSING") => Ok(TaskPresence::Stopped),
            reason => Err(EcsError::Server(format!(
                "DescribeTasks answered for task `{}` only `{}`",
                task.id,
                reason.unwrap_or("nothing")
            ))),
        }
    }
}

/// An entry of `protectedTasks`; `None` if it names no task, so that the task counts as not answered.
fn protected_task(task: &aws_sdk_ecs::types::ProtectedTask) -> Option<ProtectedTask> {
    let millis = |date: &aws_sdk_ecs::primitives::DateTime| date.to_millis().ok();
    Some(ProtectedTask {
        task_id: TaskId::at_end_of(task.task_arn()?).ok()?,
        protection_enabled: task.protection_enabled(),
        expiration_date: task.expiration_date().and_then(millis).and_then(|ms| Timestamp::from_millisecond(ms).ok()),
    })
}

/// An entry of `failures`; `None` if it names no task, so that the task counts as not answered.
fn failure(failure: &aws_sdk_ecs::types::Failure) -> Option<Failure> {
    Some(Failure {
        task_id: TaskId::at_end_of(failure.arn()?).ok()?,
        reason: FailureReason::from(failure.reason().unwrap_or_default()),
        detail: failure.detail().map(str::to_owned),
    })
}

fn is_arn_of(arn: Option<&str>, id: &TaskId) -> bool {
    arn.and_then(|arn| TaskId::at_end_of(arn).ok()).as_ref() == Some(id)
}

fn error_of<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> EcsError {
    if let SdkError::ServiceError(answer) = error
        && let Some(code) = answer.err().code()
    {
        return EcsError::of_code(code, answer.err().message().unwrap_or("no message"));
    }
    // What stands before ECS, such as a proxy, may answer in a language of its own.
    match error.raw_response() {
        Some(answer) if answer.status().is_server_error() => EcsError::Server(super::told(error)),
        _ => EcsError::NoAnswer(super::told(error)),
    }
}
