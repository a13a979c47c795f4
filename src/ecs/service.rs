//! Services, as the reads of ECS describe them. Only what a diagnosis needs.

use crate::ecs::arn::{ArnError, ClusterArn, ServiceArnText, Task, TaskId, shown};
use crate::ecs::deployment::{Deployment, DeploymentController, DeploymentStrategy, TaskSet, words};
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
    /// The name is none that ECS takes.
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

/// Whether a service lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceStatus {
    /// It does.
    Active,
    /// It is being deleted.
    Draining,
    /// It was deleted.
    Inactive,
    /// A word that taskhold does not know.
    Other(String),
}

/// A service (aws-facts "ECS: deployments and protection").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which.
    pub arn: ServiceArn,
    /// Whether it lives.
    pub status: ServiceStatus,
    /// How many tasks are wanted.
    pub desired_count: u32,
    /// How many run.
    pub running_count: u32,
    /// How many are about to.
    pub pending_count: u32,
    /// Who rolls out.
    pub controller: DeploymentController,
    /// How ECS rolls out.
    pub strategy: DeploymentStrategy,
    /// How long a deployment keeps the old tasks on purpose, at the least: while traffic moves step by step, and while it
    /// bakes. Nothing for rolling ones.
    pub old_tasks_kept: SignedDuration,
    /// ⌈desired × min%⌉ tasks are kept running.
    pub minimum_healthy_percent: u32,
    /// ⌊desired × max%⌋ tasks are not exceeded.
    pub maximum_percent: u32,
    /// PRIMARY first, as ECS lists them.
    pub deployments: Vec<Deployment>,
    /// Of CodeDeploy and external controllers.
    pub task_sets: Vec<TaskSet>,
    /// The last messages, newest first.
    pub events: Vec<ServiceEvent>,
    /// By key.
    pub tags: BTreeMap<String, String>,
}

impl Service {
    /// What is left of a service that is gone: its name.
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
    /// Unique.
    pub id: String,
    /// When ECS said it.
    pub created_at: Timestamp,
    /// What ECS said.
    pub message: String,
}

/// Names of one page of a list, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In the order of ECS.
    pub items: Vec<T>,
    /// `None` on the last page.
    pub next_token: Option<String>,
}

words!(ServiceStatus: "ACTIVE" => Active, "DRAINING" => Draining, "INACTIVE" => Inactive);
