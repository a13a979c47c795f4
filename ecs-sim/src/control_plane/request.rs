//! Requests, as ECS's JSON protocol writes them. Parameters of ECS that are not listed here are not simulated and have
//! no effect.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::deployment_configuration::DeploymentConfigurationRequest;

/// Request of [`ControlPlane::update_task_protection`](super::ControlPlane::update_task_protection).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateTaskProtectionRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// 1..=10 ids or ARNs.
    #[serde(default)]
    pub tasks: Vec<String>,
    /// Required.
    pub protection_enabled: Option<bool>,
    /// 1..=2880; 120 if absent. Ignored when protection is not enabled.
    pub expires_in_minutes: Option<i64>,
}

/// Request of [`ControlPlane::get_task_protection`](super::ControlPlane::get_task_protection).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetTaskProtectionRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Up to 100 ids or ARNs.
    #[serde(default)]
    pub tasks: Vec<String>,
}

/// Request of [`ControlPlane::describe_clusters`](super::ControlPlane::describe_clusters).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeClustersRequest {
    /// Up to 100 names or ARNs; `default` if absent.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// `TAGS` for tags; others are ignored.
    #[serde(default)]
    pub include: Vec<String>,
}

/// Request of [`ControlPlane::describe_services`](super::ControlPlane::describe_services).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeServicesRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// 1..=10 names or ARNs.
    #[serde(default)]
    pub services: Vec<String>,
    /// `TAGS` for tags.
    #[serde(default)]
    pub include: Vec<String>,
}

/// Request of [`ControlPlane::list_services`](super::ControlPlane::list_services).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListServicesRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// 1..=100; 10 if absent.
    pub max_results: Option<i64>,
    /// From the previous page.
    pub next_token: Option<String>,
    /// All services are FARGATE.
    pub launch_type: Option<String>,
    /// All services are REPLICA.
    pub scheduling_strategy: Option<String>,
    /// All services are the CUSTOMER's.
    pub resource_management_type: Option<String>,
}

/// Request of [`ControlPlane::list_tasks`](super::ControlPlane::list_tasks).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListTasksRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Only tasks of this service, by name or ARN.
    pub service_name: Option<String>,
    /// Only tasks with this value; not together with `service_name`, `family` or `container_instance`.
    pub started_by: Option<String>,
    /// Only tasks of this task definition family.
    pub family: Option<String>,
    /// No container instances exist, so this matches no tasks.
    pub container_instance: Option<String>,
    /// No daemons exist, so this matches no tasks.
    pub daemon_name: Option<String>,
    /// All tasks are FARGATE.
    pub launch_type: Option<String>,
    /// RUNNING (if absent), STOPPED or PENDING, which matches nothing.
    pub desired_status: Option<String>,
    /// 1..=100; 100 if absent.
    pub max_results: Option<i64>,
    /// From the previous page.
    pub next_token: Option<String>,
}

/// Request of [`ControlPlane::describe_tasks`](super::ControlPlane::describe_tasks).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeTasksRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// 1..=100 ids or ARNs.
    #[serde(default)]
    pub tasks: Vec<String>,
}

/// Request of [`ControlPlane::update_service`](super::ControlPlane::update_service).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateServiceRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Name or ARN.
    #[serde(default)]
    pub service: String,
    /// 0 or more; unchanged if absent.
    pub desired_count: Option<i64>,
    /// Whether to start a deployment without a change.
    #[serde(default)]
    pub force_new_deployment: bool,
    /// `family:revision`; another one than before starts a deployment.
    pub task_definition: Option<String>,
    /// Unchanged where absent.
    pub deployment_configuration: Option<DeploymentConfigurationRequest>,
}

/// A tag of a request or an answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    #[serde(default)]
    pub value: String,
}

/// Request of [`ControlPlane::make_service`](super::ControlPlane::make_service), which is CreateService.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateServiceRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Required.
    #[serde(default)]
    pub service_name: String,
    /// `family:revision`; required unless the controller is EXTERNAL.
    pub task_definition: Option<String>,
    /// Required.
    pub desired_count: Option<i64>,
    /// 100 and 200 where absent.
    pub deployment_configuration: Option<DeploymentConfigurationRequest>,
    /// ECS if absent.
    pub deployment_controller: Option<DeploymentControllerRequest>,
    /// Service tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// A deployment controller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct DeploymentControllerRequest {
    /// ECS, CODE_DEPLOY or EXTERNAL.
    #[serde(rename = "type", default)]
    pub kind: String,
}

/// CreateCluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateClusterRequest {
    /// `default` if absent.
    pub cluster_name: Option<String>,
    /// Cluster tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// Request of [`ControlPlane::run_task`](super::ControlPlane::run_task).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunTaskRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// `family:revision`.
    #[serde(default)]
    pub task_definition: String,
    /// 1..=10; 1 if absent.
    pub count: Option<i64>,
}

/// Request of [`ControlPlane::stop_task_by_user`](super::ControlPlane::stop_task_by_user), which is StopTask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopTaskRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Id or ARN.
    #[serde(default)]
    pub task: String,
    /// Used as the stopped reason.
    pub reason: Option<String>,
}

/// Request of [`ControlPlane::list_tags_for_resource`](super::ControlPlane::list_tags_for_resource).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListTagsForResourceRequest {
    /// The ARN of a cluster or a service.
    #[serde(default)]
    pub resource_arn: String,
}

/// Request of [`ControlPlane::tag_resource`](super::ControlPlane::tag_resource).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagResourceRequest {
    /// The ARN of a cluster or a service.
    #[serde(default)]
    pub resource_arn: String,
    /// Tags to set.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

pub(super) fn tag_map(tags: Vec<Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

pub(super) fn tag_list(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}
