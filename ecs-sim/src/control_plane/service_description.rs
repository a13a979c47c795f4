//! Services, their deployments and their events, as DescribeServices shows them.

use serde::Serialize;

use super::ControlPlane;
use super::request::Tag;
use super::response::Timestamp;
use super::service::{Deployment, RolloutState, Service, ServiceEvent};
use super::task::TaskStatus;

/// The part of a deployment configuration that is simulated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentConfigurationDescription {
    /// The share of the desired count that is not exceeded.
    pub maximum_percent: u32,
    /// The share of the desired count that is kept running.
    pub minimum_healthy_percent: u32,
    /// Always ROLLING.
    pub strategy: String,
}

/// A deployment controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeploymentControllerDescription {
    /// Always ECS.
    #[serde(rename = "type")]
    pub kind: String,
}

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
    /// Of the PRIMARY: the service's. Of an ACTIVE one: its tasks that nothing has asked to stop (assumed).
    pub desired_count: usize,
    /// Tasks in state PENDING.
    pub pending_count: usize,
    /// Tasks in state RUNNING, also those that are stopping.
    pub running_count: usize,
    /// Always 0: no task fails to start.
    pub failed_tasks: usize,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Always FARGATE.
    pub launch_type: String,
    /// How far it got.
    pub rollout_state: RolloutState,
    /// The same in words.
    pub rollout_state_reason: String,
}

/// One of `events[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEventDescription {
    /// Shaped like a UUID.
    pub id: String,
    /// When it was said.
    pub created_at: Timestamp,
    /// What was said.
    pub message: String,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDescription {
    /// Its ARN.
    pub service_arn: String,
    /// Its name.
    pub service_name: String,
    /// Its cluster's ARN.
    pub cluster_arn: String,
    /// Always ACTIVE.
    pub status: String,
    /// How many tasks it should run.
    pub desired_count: usize,
    /// Tasks in state RUNNING, also those that are stopping.
    pub running_count: usize,
    /// Tasks in state PENDING.
    pub pending_count: usize,
    /// Always FARGATE.
    pub launch_type: String,
    /// ARN of the task definition.
    pub task_definition: String,
    /// The percentages.
    pub deployment_configuration: DeploymentConfigurationDescription,
    /// PRIMARY first.
    pub deployments: Vec<DeploymentDescription>,
    /// Newest first.
    pub events: Vec<ServiceEventDescription>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Always REPLICA.
    pub scheduling_strategy: String,
    /// Always ECS.
    pub deployment_controller: DeploymentControllerDescription,
    /// If asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Tag>>,
}

impl ControlPlane {
    pub(super) fn describe_service(&self, service: &Service) -> ServiceDescription {
        let (pending, running, _) = self.counts(service, None);
        ServiceDescription {
            service_arn: service.arn.clone(),
            service_name: service.name.clone(),
            cluster_arn: self.names.cluster_arn(&service.cluster),
            status: "ACTIVE".to_owned(),
            desired_count: service.desired_count as usize,
            running_count: running,
            pending_count: pending,
            launch_type: "FARGATE".to_owned(),
            task_definition: self.names.task_definition_arn(&service.primary().task_definition),
            deployment_configuration: DeploymentConfigurationDescription {
                maximum_percent: service.maximum_percent,
                minimum_healthy_percent: service.minimum_healthy_percent,
                strategy: "ROLLING".to_owned(),
            },
            deployments: service
                .deployments
                .iter()
                .map(|deployment| self.describe_deployment(service, deployment))
                .collect(),
            events: service.events.iter().map(describe_event).collect(),
            created_at: Timestamp(service.created_at),
            scheduling_strategy: "REPLICA".to_owned(),
            deployment_controller: DeploymentControllerDescription { kind: "ECS".to_owned() },
            tags: None,
        }
    }

    fn describe_deployment(&self, service: &Service, deployment: &Deployment) -> DeploymentDescription {
        let id = &deployment.id;
        let (pending, running, live) = self.counts(service, Some(id));
        let is_primary = service.is_primary(Some(id));
        let reason = match deployment.rollout_state {
            RolloutState::InProgress => format!("ECS deployment {id} in progress."),
            RolloutState::Completed => format!("ECS deployment {id} completed."),
        };
        DeploymentDescription {
            id: id.clone(),
            status: if is_primary { "PRIMARY" } else { "ACTIVE" }.to_owned(),
            task_definition: self.names.task_definition_arn(&deployment.task_definition),
            desired_count: if is_primary { service.desired_count as usize } else { live },
            pending_count: pending,
            running_count: running,
            failed_tasks: 0,
            created_at: Timestamp(deployment.created_at),
            updated_at: Timestamp(deployment.updated_at),
            launch_type: "FARGATE".to_owned(),
            rollout_state: deployment.rollout_state,
            rollout_state_reason: reason,
        }
    }

    /// How many tasks, of one deployment or of all, are PENDING, are RUNNING, and are not asked to stop.
    fn counts(&self, service: &Service, deployment: Option<&str>) -> (usize, usize, usize) {
        let mut counts = (0, 0, 0);
        for task in service.tasks.iter().map(|key| &self.tasks[key]) {
            if deployment.is_none() || task.deployment.as_deref() == deployment {
                counts.0 += usize::from(task.last_status == TaskStatus::Pending);
                counts.1 += usize::from(task.last_status == TaskStatus::Running);
                counts.2 += usize::from(task.is_live());
            }
        }
        counts
    }
}

fn describe_event(event: &ServiceEvent) -> ServiceEventDescription {
    ServiceEventDescription {
        id: event.id.clone(),
        created_at: Timestamp(event.created_at),
        message: event.message.clone(),
    }
}
