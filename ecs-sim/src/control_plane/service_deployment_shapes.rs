//! Requests and answers of the operations on service deployments, as ECS's JSON protocol writes them.
//!
//! Every member exists in ECS's published model; some of the model's members are left out.

use serde::{Deserialize, Serialize};

use super::configuration_description::DeploymentConfigurationDescription;
use super::hook::{DeploymentStage, HookDecision, HookKind, HookState};
use super::response::FailureDescription;
use super::service_deployment::ServiceDeploymentState;
use super::time::Timestamp;

/// DescribeServiceDeployments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeServiceDeploymentsRequest {
    /// 1..=20.
    #[serde(default)]
    pub service_deployment_arns: Vec<String>,
}

/// ListServiceDeployments.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListServiceDeploymentsRequest {
    /// Name or ARN; `default` if absent.
    pub cluster: Option<String>,
    /// Name or ARN.
    #[serde(default)]
    pub service: String,
    /// All if empty.
    #[serde(default)]
    pub status: Vec<String>,
    /// All if absent.
    pub created_at: Option<CreatedAtFilter>,
    /// 1..=100; 20 if absent.
    pub max_results: Option<i64>,
    /// From the previous page.
    pub next_token: Option<String>,
}

/// `createdAt` of ListServiceDeployments, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct CreatedAtFilter {
    /// Only earlier ones.
    pub before: Option<f64>,
    /// Only later ones.
    pub after: Option<f64>,
}

/// StopServiceDeployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopServiceDeploymentRequest {
    /// Its ARN.
    #[serde(default)]
    pub service_deployment_arn: String,
    /// ROLLBACK, also if absent (assumed).
    pub stop_type: Option<String>,
}

/// ContinueServiceDeployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContinueServiceDeploymentRequest {
    /// Its ARN.
    #[serde(default)]
    pub service_deployment_arn: String,
    /// From `lifecycleHookDetails`.
    #[serde(default)]
    pub hook_id: String,
    /// CONTINUE if absent.
    pub action: Option<HookDecision>,
}

/// Answer of StopServiceDeployment and ContinueServiceDeployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangedServiceDeploymentResponse {
    /// Its ARN.
    pub service_deployment_arn: String,
}

/// Answer of DescribeServiceDeployments.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeServiceDeploymentsResponse {
    /// Those that exist.
    pub service_deployments: Vec<ServiceDeploymentDescription>,
    /// The others.
    pub failures: Vec<FailureDescription>,
}

/// Answer of ListServiceDeployments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListServiceDeploymentsResponse {
    /// Newest first.
    pub service_deployments: Vec<ServiceDeploymentBrief>,
    /// For the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A service deployment in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentBrief {
    pub(super) service_deployment_arn: String,
    pub(super) service_arn: String,
    pub(super) cluster_arn: String,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finished_at: Option<Timestamp>,
    pub(super) target_service_revision_arn: String,
    pub(super) status: ServiceDeploymentState,
}

/// A service deployment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeploymentDescription {
    pub(super) service_deployment_arn: String,
    pub(super) service_arn: String,
    pub(super) cluster_arn: String,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped_at: Option<Timestamp>,
    pub(super) status: ServiceDeploymentState,
    pub(super) updated_at: Timestamp,
    pub(super) source_service_revisions: Vec<RevisionSummary>,
    pub(super) target_service_revision: RevisionSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lifecycle_stage: Option<DeploymentStage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) lifecycle_hook_details: Vec<HookDetail>,
    pub(super) deployment_configuration: DeploymentConfigurationDescription,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rollback: Option<RollbackDescription>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RevisionSummary {
    pub(super) arn: String,
    pub(super) requested_task_count: usize,
    pub(super) running_task_count: usize,
    pub(super) pending_task_count: usize,
    pub(super) requested_test_traffic_weight: f64,
    pub(super) requested_production_traffic_weight: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HookDetail {
    pub(super) hook_id: String,
    pub(super) target_type: HookKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target_arn: Option<String>,
    pub(super) status: HookState,
    pub(super) expires_at: Timestamp,
    pub(super) timeout_action: HookDecision,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RollbackDescription {
    pub(super) reason: String,
    pub(super) started_at: Timestamp,
    pub(super) service_revision_arn: String,
}
