//! Services, their deployments and their events, as DescribeServices shows them.

use serde::Serialize;

use super::configuration_description::{DeploymentConfigurationDescription, DeploymentControllerDescription};
use super::request::Tag;
use super::service::{
    DeploymentRolloutState, ServiceEventMessage, SimulatedDeployment, SimulatedService, SimulatedServiceStatus,
};
use super::state::ControlPlane;
use super::task::{TaskNumbers, TaskStatus};
use super::task_set_description::TaskSetDescription;
use super::time::Timestamp;
use super::variants::DeferredRevisions;

/// One of `deployments[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentDescription {
    /// `ecs-svc/` and 19 digits.
    pub id: String,
    /// PRIMARY or ACTIVE.
    pub status: String,
    /// ARN of the task definition.
    pub task_definition: String,
    /// For the PRIMARY, and for blue until its clean-up: the service's desired count. For another: its tasks that
    /// nothing has asked to stop (assumed).
    pub desired_count: usize,
    /// Tasks in state PENDING.
    pub pending_count: usize,
    /// Tasks in state RUNNING, including those that are stopping.
    pub running_count: usize,
    /// Tasks that failed to start.
    pub failed_tasks: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Always FARGATE.
    pub launch_type: String,
    /// How far it has progressed.
    pub rollout_state: DeploymentRolloutState,
    /// The same as text.
    pub rollout_state_reason: String,
}

/// One of `events[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEventDescription {
    /// Shaped like a UUID.
    pub id: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// Its text.
    pub message: String,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDescription {
    /// Its ARN.
    pub service_arn: String,
    /// Its name.
    pub service_name: String,
    /// Its cluster's ARN.
    pub cluster_arn: String,
    /// ACTIVE, DRAINING or INACTIVE.
    pub status: SimulatedServiceStatus,
    /// How many tasks it should run.
    pub desired_count: usize,
    /// Tasks in state RUNNING, including those that are stopping.
    pub running_count: usize,
    /// Tasks in state PENDING.
    pub pending_count: usize,
    /// Always FARGATE.
    pub launch_type: String,
    /// ARN of the task definition.
    pub task_definition: String,
    /// The percentages.
    pub deployment_configuration: DeploymentConfigurationDescription,
    /// PRIMARY first; only with the controllers CODE_DEPLOY and EXTERNAL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_sets: Option<Vec<TaskSetDescription>>,
    /// PRIMARY first; empty with task sets and for an INACTIVE service (assumed).
    pub deployments: Vec<DeploymentDescription>,
    /// The service deployment in progress, or the last one (assumed).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_service_deployment: Option<String>,
    /// Newest first.
    pub events: Vec<ServiceEventDescription>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Always REPLICA.
    pub scheduling_strategy: String,
    /// ECS, or the controller that manages its task sets.
    pub deployment_controller: DeploymentControllerDescription,
    /// If requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Tag>>,
}

impl ControlPlane {
    pub(super) fn describe_service(&self, service: &SimulatedService) -> ServiceDescription {
        let TaskNumbers { pending, running, .. } = self.counts(service, None);
        ServiceDescription {
            service_arn: service.arn.clone(),
            service_name: service.name.clone(),
            cluster_arn: self.names.cluster_arn(&service.cluster),
            status: service.status,
            desired_count: service.desired_count as usize,
            running_count: running,
            pending_count: pending,
            launch_type: "FARGATE".to_owned(),
            task_definition: self.names.task_definition_arn(&service.primary().task_definition),
            deployment_configuration: DeploymentConfigurationDescription::of(
                &service.configuration,
                service.controller,
            ),
            task_sets: service.has_task_sets().then(|| self.describe_sets(service)),
            deployments: self.describe_deployments(service),
            current_service_deployment: service
                .service_deployment()
                .map(|deployment| self.service_deployment_arn(service, deployment)),
            events: service.events.iter().map(describe_event).collect(),
            created_at: Timestamp(service.created_at),
            scheduling_strategy: "REPLICA".to_owned(),
            deployment_controller: DeploymentControllerDescription { kind: service.controller.as_str().to_owned() },
            tags: None,
        }
    }

    fn describe_deployments(&self, service: &SimulatedService) -> Vec<DeploymentDescription> {
        if service.has_task_sets() || service.status == SimulatedServiceStatus::Inactive {
            return Vec::new();
        }
        let listed = service.deployments.iter().filter(|deployment| self.is_listed(deployment));
        listed.map(|deployment| self.describe_deployment(service, deployment)).collect()
    }

    /// aws-facts: "Open questions": whether deployments[] shows what a deployment that succeeded early left behind is
    /// a variant.
    pub(super) fn is_listed(&self, deployment: &SimulatedDeployment) -> bool {
        !deployment.is_deferred || self.variants.deferred == DeferredRevisions::Listed
    }

    fn describe_deployment(
        &self,
        service: &SimulatedService,
        deployment: &SimulatedDeployment,
    ) -> DeploymentDescription {
        let id = &deployment.id;
        let TaskNumbers { pending, running, live } = self.counts(service, Some(id));
        let is_primary = service.is_primary(Some(id));
        let is_blue = service.shift.as_ref().is_some_and(|shift| shift.blue == *id);
        let reason = match deployment.rollout_state {
            DeploymentRolloutState::InProgress if deployment.is_rollback => {
                format!("ECS deployment circuit breaker: rolling back to deploymentId {id}.")
            }
            DeploymentRolloutState::InProgress => format!("ECS deployment {id} in progress."),
            DeploymentRolloutState::Failed => "ECS deployment circuit breaker: tasks failed to start.".to_owned(),
            DeploymentRolloutState::Completed => format!("ECS deployment {id} completed."),
        };
        DeploymentDescription {
            id: id.clone(),
            status: if is_primary { "PRIMARY" } else { "ACTIVE" }.to_owned(),
            task_definition: self.names.task_definition_arn(&deployment.task_definition),
            desired_count: if is_primary || is_blue { service.desired_count as usize } else { live },
            pending_count: pending,
            running_count: running,
            failed_tasks: deployment.failed_tasks,
            created_at: Timestamp(deployment.created_at),
            updated_at: Timestamp(deployment.updated_at),
            launch_type: "FARGATE".to_owned(),
            rollout_state: deployment.rollout_state,
            rollout_state_reason: reason,
        }
    }

    /// The numbers of tasks, of one deployment or of all.
    pub(super) fn counts(&self, service: &SimulatedService, deployment: Option<&str>) -> TaskNumbers {
        let mut counts = TaskNumbers::default();
        for task in service.tasks.iter().map(|key| &self.tasks[key]) {
            if deployment.is_none() || task.deployment.as_deref() == deployment {
                counts.pending += usize::from(task.last_status == TaskStatus::Pending);
                counts.running += usize::from(task.last_status == TaskStatus::Running);
                counts.live += usize::from(task.is_live());
            }
        }
        counts
    }
}

fn describe_event(event: &ServiceEventMessage) -> ServiceEventDescription {
    ServiceEventDescription {
        id: event.id.clone(),
        created_at: Timestamp(event.created_at),
        message: event.message.clone(),
    }
}
