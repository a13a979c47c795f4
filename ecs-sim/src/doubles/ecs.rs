//! The function's client of the Region's ECS: converts the function's types to the API's JSON and back.
//!
//! Building the request and reading the answer are separate functions, for callers that let time pass in between.

use super::described;
use crate::region::{EcsCallOutcome, Region, SharedRegion};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Service, ServiceArn};
use taskhold::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use taskhold::ecs::task::TaskDescription;
use taskhold::ecs::{
    Ecs, FailureReason, ProtectedTask, ProtectionAnswer, ProtectionFailure, ProtectionSetting, ServiceReads,
    ServiceUpdates,
};
use taskhold::page::Page;

/// Calls the ECS of a Region. A call that kills its caller never returns.
#[derive(Clone, Debug)]
pub struct SimulatedEcs(pub SharedRegion);

impl SimulatedEcs {
    async fn call(&self, operation: &str, request: Value) -> Result<Value, EcsError> {
        let answer = answer(&mut self.0.lock(), operation, &request);
        match answer {
            Some(answer) => answer,
            // Its caller dies.
            None => std::future::pending().await,
        }
    }
}

/// Makes a call. `None` if the call kills its caller.
pub(crate) fn answer(region: &mut Region, operation: &str, request: &Value) -> Option<Result<Value, EcsError>> {
    match region.call_ecs(operation, request) {
        EcsCallOutcome::Answered(answer) => {
            Some(answer.map_err(|error| EcsError::of_code(error.code.as_str(), &error.message)))
        }
        EcsCallOutcome::NoAnswer => Some(Err(EcsError::NoAnswer("the connection was lost".to_owned()))),
        EcsCallOutcome::CallerDies => None,
    }
}

/// The request of UpdateTaskProtection.
pub(crate) fn protection_request(cluster: &ClusterArn, setting: ProtectionSetting, tasks: &[TaskId]) -> Value {
    let mut request = json!({"cluster": cluster.to_string(), "tasks": tasks});
    match setting {
        ProtectionSetting::Disabled => request["protectionEnabled"] = json!(false),
        ProtectionSetting::Enabled { expires_in_minutes } => {
            request["protectionEnabled"] = json!(true);
            request["expiresInMinutes"] = json!(expires_in_minutes);
        }
    }
    request
}

/// The request of UpdateService.
pub(crate) fn count_request(service: &ServiceArn, to: u32) -> Value {
    json!({"cluster": service.cluster.to_string(), "service": service.name, "desiredCount": to})
}

#[async_trait]
impl Ecs for SimulatedEcs {
    async fn update_task_protection(
        &self,
        cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let answer = self.call("UpdateTaskProtection", protection_request(cluster, setting, tasks)).await?;
        Ok(protection_answer(&answer))
    }
}

#[async_trait]
impl ServiceReads for SimulatedEcs {
    async fn describe_services(&self, cluster: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        let request = json!({"cluster": cluster.to_string(), "services": names, "include": ["TAGS"]});
        let answer = self.call("DescribeServices", request).await?;
        let of = |json: &Value| services.iter().find(|service| json["serviceName"] == service.name.as_str());
        Ok(list(&answer, "services").filter_map(|json| Some(described::service(of(json)?, json))).collect())
    }

    async fn list_tasks(&self, service: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        let request =
            json!({"cluster": service.cluster.to_string(), "serviceName": service.name, "nextToken": next_token});
        let answer = self.call("ListTasks", request).await?;
        let id = |arn: &Value| TaskId::at_end_of(arn.as_str()?).ok();
        Ok(Page { items: list(&answer, "taskArns").filter_map(id).collect(), next_token: text(&answer, "nextToken") })
    }

    async fn describe_tasks(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        let request = json!({"cluster": cluster.to_string(), "tasks": tasks});
        let answer = self.call("DescribeTasks", request).await?;
        Ok(list(&answer, "tasks").filter_map(described::task).collect())
    }

    async fn get_task_protection(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        let request = json!({"cluster": cluster.to_string(), "tasks": tasks});
        let answer = self.call("GetTaskProtection", request).await?;
        Ok(protection_answer(&answer))
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        let arns: Vec<&str> = arns.iter().map(ServiceDeploymentArn::as_str).collect();
        let answer = self.call("DescribeServiceDeployments", json!({"serviceDeploymentArns": arns})).await?;
        Ok(list(&answer, "serviceDeployments").filter_map(described::service_deployment).collect())
    }

    async fn list_services(
        &self,
        cluster: &Arc<ClusterArn>,
        next_token: Option<&str>,
    ) -> Result<Page<ServiceArn>, EcsError> {
        let request = json!({"cluster": cluster.to_string(), "maxResults": 100, "nextToken": next_token});
        let answer = self.call("ListServices", request).await?;
        let service = |arn: &Value| ServiceArn::new(cluster.clone(), arn.as_str()?.rsplit('/').next()?).ok();
        let items = list(&answer, "serviceArns").filter_map(service).collect();
        Ok(Page { items, next_token: text(&answer, "nextToken") })
    }
}

#[async_trait]
impl ServiceUpdates for SimulatedEcs {
    async fn set_desired_count(&self, service: &ServiceArn, to: u32) -> Result<(), EcsError> {
        self.call("UpdateService", count_request(service, to)).await.map(drop)
    }
}

fn list<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer[name].as_array().into_iter().flatten()
}

fn text(answer: &Value, name: &str) -> Option<String> {
    answer[name].as_str().map(str::to_owned)
}

pub(crate) fn protection_answer(answer: &Value) -> ProtectionAnswer {
    ProtectionAnswer {
        protected_tasks: list(answer, "protectedTasks").filter_map(protected_task).collect(),
        failures: list(answer, "failures").filter_map(failure).collect(),
    }
}

fn protected_task(task: &Value) -> Option<ProtectedTask> {
    Some(ProtectedTask {
        task_id: TaskId::at_end_of(task["taskArn"].as_str()?).ok()?,
        protection_enabled: task["protectionEnabled"].as_bool()?,
        expiration_date: described::date(&task["expirationDate"]),
    })
}

fn failure(failure: &Value) -> Option<ProtectionFailure> {
    Some(ProtectionFailure {
        task_id: TaskId::at_end_of(failure["arn"].as_str()?).ok()?,
        reason: FailureReason::from(failure["reason"].as_str()?),
        detail: failure["detail"].as_str().map(str::to_owned),
    })
}
