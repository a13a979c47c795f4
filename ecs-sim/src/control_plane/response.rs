//! Answers, as ECS's JSON protocol writes them. Every member exists in ECS's published model; many of the model's
//! members are left out.

use serde::Serialize;

use super::request::Tag;
use super::service_description::ServiceDescription;
use super::task::{StopCode, TaskStatus};
use super::time::Timestamp;

/// One of `failures[]`. Its `detail` is absent: no text of one is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureDescription {
    /// The resource in the request.
    pub arn: String,
    /// `MISSING`, `TASK_NOT_VALID` or `DEPLOYMENT_BLOCKED`.
    pub reason: String,
}

impl FailureDescription {
    pub(super) fn missing(arn: String) -> Self {
        Self { arn, reason: "MISSING".to_owned() }
    }
}

/// One of `protectedTasks[]`, which also lists tasks that are not protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProtectedTaskDescription {
    /// In the form of [`ArnForm`](super::ArnForm).
    pub task_arn: String,
    /// Whether it is protected.
    pub protection_enabled: bool,
    /// Until when; absent without protection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<Timestamp>,
}

/// Answer of UpdateTaskProtection and GetTaskProtection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskProtectionResponse {
    /// The tasks after the call.
    pub protected_tasks: Vec<ProtectedTaskDescription>,
    /// The unchanged tasks.
    pub failures: Vec<FailureDescription>,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterDescription {
    /// Its ARN.
    pub cluster_arn: String,
    /// Its name.
    pub cluster_name: String,
    /// Always ACTIVE.
    pub status: String,
    /// Tasks in state RUNNING.
    pub running_tasks_count: usize,
    /// Tasks in state PENDING.
    pub pending_tasks_count: usize,
    /// Its services.
    pub active_services_count: usize,
    /// If requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Tag>>,
}

/// Answer of DescribeClusters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DescribeClustersResponse {
    /// The clusters that exist.
    pub clusters: Vec<ClusterDescription>,
    /// Those that do not.
    pub failures: Vec<FailureDescription>,
}

/// Answer of CreateCluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreateClusterResponse {
    /// The new or the existing cluster.
    pub cluster: ClusterDescription,
}

/// Answer of DescribeServices.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DescribeServicesResponse {
    /// The services that exist.
    pub services: Vec<ServiceDescription>,
    /// Those that do not.
    pub failures: Vec<FailureDescription>,
}

/// Answer of CreateService and UpdateService.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceResponse {
    /// The service after the call.
    pub service: ServiceDescription,
}

/// Answer of ListServices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListServicesResponse {
    /// A page.
    pub service_arns: Vec<String>,
    /// For the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// Answer of ListTasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListTasksResponse {
    /// A page.
    pub task_arns: Vec<String>,
    /// For the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A task's only container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDescription {
    /// Its ARN.
    pub container_arn: String,
    /// Its task's ARN.
    pub task_arn: String,
    /// Always `app`.
    pub name: String,
    /// As the task's.
    pub last_status: TaskStatus,
    /// Once stopped, if it ever ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedTask {
    /// Always the long form.
    pub task_arn: String,
    /// Its cluster's ARN.
    pub cluster_arn: String,
    /// ARN of the task definition.
    pub task_definition_arn: String,
    /// `service:NAME` or `family:NAME`.
    pub group: String,
    /// Its deployment, if it is a service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
    /// Its present status.
    pub last_status: TaskStatus,
    /// Its target status.
    pub desired_status: TaskStatus,
    /// Always FARGATE.
    pub launch_type: String,
    /// Counts its changes.
    pub version: u64,
    /// One.
    pub containers: Vec<ContainerDescription>,
    /// When it became PENDING.
    pub created_at: Timestamp,
    /// When it became RUNNING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was asked to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopping_at: Option<Timestamp>,
    /// When it became STOPPED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// Why it was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_code: Option<StopCode>,
    /// The reason as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_reason: Option<String>,
}

/// Answer of DescribeTasks and RunTask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TasksResponse {
    /// The tasks that exist or were started.
    pub tasks: Vec<DescribedTask>,
    /// Those that were not.
    pub failures: Vec<FailureDescription>,
}

/// Answer of StopTask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StopTaskResponse {
    /// The task after the call.
    pub task: DescribedTask,
}

/// Answer of ListTagsForResource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListTagsForResourceResponse {
    /// By key.
    pub tags: Vec<Tag>,
}

/// Answer of TagResource; empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TagResourceResponse {}
