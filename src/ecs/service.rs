//! Services as ECS's answers describe them, reduced to the fields that taskhold uses.

use crate::ecs::arn::{ArnError, ClusterArn, ServiceArnText, Task, TaskId, shown};
use crate::ecs::deployment::{Deployment, DeploymentController, DeploymentStrategy, TaskSet, words};
use crate::ecs::deployment_options::DeploymentOptions;
use crate::ecs::service_deployment::ServiceDeploymentArn;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A service of a configured cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceArn {
    /// The cluster, shared with the configuration.
    pub cluster: Arc<ClusterArn>,
    /// Name within the cluster.
    pub name: String,
}

impl ServiceArn {
    /// A service by its name.
    ///
    /// # Errors
    /// The name is not valid in ECS.
    pub fn new(cluster: Arc<ClusterArn>, name: &str) -> Result<Self, ArnError> {
        let well_formed = (1..=255).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if well_formed {
            Ok(Self { cluster, name: name.to_owned() })
        } else {
            Err(ArnError::NotAServiceName(shown(name)))
        }
    }

    /// A task of the service, by its id.
    pub fn task(&self, id: &TaskId) -> Task {
        Task { cluster: self.cluster.clone(), id: id.clone() }
    }
}

impl fmt::Display for ServiceArn {
    /// The long form of its ARN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClusterArn { partition, region, account, name } = self.cluster.as_ref();
        write!(f, "arn:{partition}:ecs:{region}:{account}:service/{name}/{}", self.name)
    }
}

impl FromStr for ServiceArn {
    type Err = ArnError;

    /// Reads the long form of its ARN.
    fn from_str(text: &str) -> Result<Self, ArnError> {
        let ServiceArnText { partition, region, account, cluster, name } = ServiceArnText::parse(text)?;
        let cluster =
            cluster.ok_or_else(|| ArnError::OtherResource(shown(text), "service together with its cluster"))?;
        let cluster: ClusterArn = format!("arn:{partition}:ecs:{region}:{account}:cluster/{cluster}").parse()?;
        Self::new(Arc::new(cluster), name)
    }
}

/// The status of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceStatus {
    /// Exists.
    Active,
    /// Being deleted.
    Draining,
    /// Deleted.
    Inactive,
    /// A value that taskhold does not know.
    Other(String),
}

/// A service (aws-facts "ECS: deployments and protection").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Identifies the service.
    pub arn: ServiceArn,
    /// Its status.
    pub status: ServiceStatus,
    /// Number of tasks that it should run.
    pub desired_count: u32,
    /// Number of tasks that run.
    pub running_count: u32,
    /// Number of tasks that are starting.
    pub pending_count: u32,
    /// The deployment controller.
    pub controller: DeploymentController,
    /// The deployment strategy.
    pub strategy: DeploymentStrategy,
    /// How long a deployment keeps the old tasks by design at least: while traffic shifts, and during the
    /// bake time. Zero for rolling deployments.
    pub old_tasks_kept: SignedDuration,
    /// ECS keeps at least ⌈desired × min%⌉ tasks running.
    pub minimum_healthy_percent: u32,
    /// ECS runs at most ⌊desired × max%⌋ tasks.
    pub maximum_percent: u32,
    /// The rest of its deployment configuration.
    pub options: DeploymentOptions,
    /// The service deployment in progress, or the last one.
    pub service_deployment: Option<ServiceDeploymentArn>,
    /// PRIMARY first, as ECS lists them.
    pub deployments: Vec<Deployment>,
    /// Task sets of CodeDeploy or of an external controller.
    pub task_sets: Vec<TaskSet>,
    /// The latest service events, newest first.
    pub events: Vec<ServiceEvent>,
    /// By key.
    pub tags: BTreeMap<String, String>,
}

impl Service {
    /// Stands for a service that no longer exists; only its name is known.
    pub fn gone(arn: ServiceArn) -> Self {
        Self {
            arn,
            status: ServiceStatus::Inactive,
            desired_count: 0,
            running_count: 0,
            pending_count: 0,
            controller: DeploymentController::Ecs,
            strategy: DeploymentStrategy::Rolling,
            old_tasks_kept: SignedDuration::ZERO,
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            options: DeploymentOptions::default(),
            service_deployment: None,
            deployments: Vec::new(),
            task_sets: Vec::new(),
            events: Vec::new(),
            tags: BTreeMap::new(),
        }
    }
}

/// One of a service's `events[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// Unique id.
    pub id: String,
    /// When ECS recorded it.
    pub created_at: Timestamp,
    /// ECS's text.
    pub message: String,
}

words!(ServiceStatus: "ACTIVE" => Active, "DRAINING" => Draining, "INACTIVE" => Inactive);
