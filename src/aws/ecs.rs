//! The adapter to ECS.

pub mod reads;

use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::service::{Service, ServiceArn};
use crate::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use crate::ecs::task::TaskDescription;
use crate::ecs::{
    Ecs, FailureReason, ProtectedTask, ProtectionAnswer, ProtectionFailure, ProtectionSetting, ServiceReads,
    ServiceUpdates,
};
use crate::page::Page;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::http::HttpResponse;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::types::{DesiredStatus, ServiceField};
use std::sync::Arc;

/// ECS in the configured Region.
#[derive(Clone, Debug)]
pub struct AwsEcs(Client);

impl AwsEcs {
    /// Makes a client that shares its connections between all calls.
    pub fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }
}

#[async_trait]
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
        let call = call.set_tasks(ids(tasks)).protection_enabled(enabled).set_expires_in_minutes(minutes);
        let answer = Box::pin(call.send()).await.map_err(|error| error_of(&error))?;
        Ok(ProtectionAnswer {
            protected_tasks: answer.protected_tasks().iter().filter_map(protected_task).collect(),
            failures: answer.failures().iter().filter_map(failure).collect(),
        })
    }
}

#[async_trait]
impl ServiceReads for AwsEcs {
    async fn describe_services(&self, cluster: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        let names = services.iter().map(|service| service.name.clone()).collect();
        let call = self.0.describe_services().cluster(cluster.to_string()).set_services(Some(names));
        let answer = call.include(ServiceField::Tags).send().await.map_err(|error| error_of(&error))?;
        let mut described = Vec::with_capacity(services.len());
        for service in services {
            described.extend(reads::described(service, &answer)?);
        }
        Ok(described)
    }

    async fn list_tasks(&self, service: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        let call = self.0.list_tasks().cluster(service.cluster.to_string()).service_name(&service.name);
        let call = call.desired_status(DesiredStatus::Running).set_next_token(next_token.map(str::to_owned));
        let answer = call.send().await.map_err(|error| error_of(&error))?;
        let items = answer.task_arns().iter().filter_map(|arn| TaskId::at_end_of(arn).ok()).collect();
        Ok(Page { items, next_token: answer.next_token().map(str::to_owned) })
    }

    async fn describe_tasks(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        let call = self.0.describe_tasks().cluster(cluster.to_string()).set_tasks(ids(tasks));
        let answer = call.send().await.map_err(|error| error_of(&error))?;
        let described: Vec<TaskDescription> = answer.tasks().iter().filter_map(reads::task).collect();
        let is_gone = |id: &TaskId| {
            let mut failures = answer.failures().iter().filter(|failure| is_arn_of(failure.arn(), id));
            failures.any(|failure| failure.reason() == Some("MISSING"))
        };
        match tasks.iter().find(|id| !described.iter().any(|task| task.id == **id) && !is_gone(id)) {
            None => Ok(described),
            Some(missing) => Err(EcsError::Incomplete(format!("DescribeTasks did not answer for task `{missing}`"))),
        }
    }

    async fn get_task_protection(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        let call = self.0.get_task_protection().cluster(cluster.to_string()).set_tasks(ids(tasks));
        let answer = call.send().await.map_err(|error| error_of(&error))?;
        Ok(ProtectionAnswer {
            protected_tasks: answer.protected_tasks().iter().filter_map(protected_task).collect(),
            failures: answer.failures().iter().filter_map(failure).collect(),
        })
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        let arns = arns.iter().map(|arn| arn.as_str().to_owned()).collect();
        let call = self.0.describe_service_deployments().set_service_deployment_arns(Some(arns));
        let answer = call.send().await.map_err(|error| error_of(&error))?;
        Ok(answer.service_deployments().iter().filter_map(reads::service_deployment).collect())
    }

    async fn list_services(
        &self,
        cluster: &Arc<ClusterArn>,
        next_token: Option<&str>,
    ) -> Result<Page<ServiceArn>, EcsError> {
        let call = self.0.list_services().cluster(cluster.to_string()).max_results(100);
        let answer =
            call.set_next_token(next_token.map(str::to_owned)).send().await.map_err(|error| error_of(&error))?;
        let items = answer.service_arns().iter().filter_map(|arn| reads::service_arn(cluster, arn)).collect();
        Ok(Page { items, next_token: answer.next_token().map(str::to_owned) })
    }
}

#[async_trait]
impl ServiceUpdates for AwsEcs {
    async fn set_desired_count(&self, service: &ServiceArn, to: u32) -> Result<(), EcsError> {
        // A larger count is cut and left to ECS to refuse: its limit is far lower.
        let to = i32::try_from(to).unwrap_or(i32::MAX);
        let call = self.0.update_service().cluster(service.cluster.to_string()).service(&service.name);
        call.desired_count(to).send().await.map(drop).map_err(|error| error_of(&error))
    }
}

fn ids(tasks: &[TaskId]) -> Option<Vec<String>> {
    Some(tasks.iter().map(|id| id.as_str().to_owned()).collect())
}

/// An entry of `protectedTasks`. `None` if it names no task, so that the task counts as not answered.
fn protected_task(task: &aws_sdk_ecs::types::ProtectedTask) -> Option<ProtectedTask> {
    Some(ProtectedTask {
        task_id: TaskId::at_end_of(task.task_arn()?).ok()?,
        protection_enabled: task.protection_enabled(),
        expiration_date: task.expiration_date().and_then(reads::timestamp),
    })
}

/// An entry of `failures`. `None` if it names no task, so that the task counts as not answered.
fn failure(failure: &aws_sdk_ecs::types::Failure) -> Option<ProtectionFailure> {
    Some(ProtectionFailure {
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
    // A proxy in front of ECS may answer without an error code of ECS.
    match error.raw_response() {
        Some(answer) if answer.status().is_server_error() => EcsError::Server(crate::aws::on_one_line(error)),
        _ => EcsError::NoAnswer(crate::aws::on_one_line(error)),
    }
}
