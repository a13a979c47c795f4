//! Task sets, as DescribeServices and DescribeTaskSets show them.
//!
//! AWS's API reference, "TaskSet", for the members and for `stabilityStatus`.

use serde::{Deserialize, Serialize};

use super::deployment_configuration::DeploymentControllerType;
use super::service::{SimulatedDeployment, SimulatedService};
use super::state::ControlPlane;
use super::task::TaskNumbers;
use super::time::Timestamp;

/// The size of a task set, as a share of the service's desired count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// 0..=100; a fraction is rounded.
    pub value: f64,
    /// PERCENT, the only unit.
    #[serde(default = "percent")]
    pub unit: String,
}

pub(super) fn percent() -> String {
    "PERCENT".to_owned()
}

/// One of `taskSets[]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskSetDescription {
    /// `ecs-svc/` and 19 digits.
    pub id: String,
    /// Ends with the id.
    pub task_set_arn: String,
    /// Its service's ARN.
    pub service_arn: String,
    /// Its cluster's ARN.
    pub cluster_arn: String,
    /// CODE_DEPLOY, or absent under an external controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
    /// PRIMARY, ACTIVE or DRAINING.
    pub status: String,
    /// ARN of the task definition.
    pub task_definition: String,
    /// The service's desired count times the scale, rounded up; 0 while DRAINING (assumed).
    pub computed_desired_count: usize,
    /// Tasks in state PENDING.
    pub pending_count: usize,
    /// Tasks in state RUNNING, including those that are stopping.
    pub running_count: usize,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Always FARGATE.
    pub launch_type: String,
    /// Its share of the service's desired count.
    pub scale: Scale,
    /// STEADY_STATE or STABILIZING.
    pub stability_status: String,
    /// The present time.
    pub stability_status_at: Timestamp,
}

impl ControlPlane {
    pub(super) fn describe_sets(&self, service: &SimulatedService) -> Vec<TaskSetDescription> {
        service.deployments.iter().map(|set| self.describe_set(service, set)).collect()
    }

    pub(super) fn describe_set(&self, service: &SimulatedService, set: &SimulatedDeployment) -> TaskSetDescription {
        let at = service.deployments.iter().position(|other| other.id == set.id).unwrap_or_default();
        let TaskNumbers { pending, running, .. } = self.counts(service, Some(&set.id));
        let wanted = service.wanted(at);
        let status = match at {
            _ if set.is_draining => "DRAINING",
            0 => "PRIMARY",
            _ => "ACTIVE",
        };
        let is_stable = running == wanted && pending == 0;
        let is_code_deploy = service.controller == DeploymentControllerType::CodeDeploy;
        TaskSetDescription {
            id: set.id.clone(),
            task_set_arn: self.names.task_set_arn(&service.cluster, &service.name, &set.id),
            service_arn: service.arn.clone(),
            cluster_arn: self.names.cluster_arn(&service.cluster),
            started_by: is_code_deploy.then(|| "CODE_DEPLOY".to_owned()),
            status: status.to_owned(),
            task_definition: self.names.task_definition_arn(&set.task_definition),
            computed_desired_count: wanted,
            pending_count: pending,
            running_count: running,
            created_at: Timestamp(set.created_at),
            updated_at: Timestamp(set.updated_at),
            launch_type: "FARGATE".to_owned(),
            scale: Scale { value: f64::from(set.scale_percent), unit: "PERCENT".to_owned() },
            stability_status: if is_stable { "STEADY_STATE" } else { "STABILIZING" }.to_owned(),
            stability_status_at: Timestamp(self.now),
        }
    }
}
