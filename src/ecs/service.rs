//! Services, deployments, task sets and tasks, as the reads of ECS describe them.
//!
//! Only what a diagnosis needs. Words of ECS that are not known here are kept, because new ones will come.

use super::arn::{ArnError, ClusterArn, TaskId, shown};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
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
}

impl fmt::Display for ServiceArn {
    /// The long form of its ARN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClusterArn { partition, region, account, name } = self.cluster.as_ref();
        write!(f, "arn:{partition}:ecs:{region}:{account}:service/{name}/{}", self.name)
    }
}

/// Who rolls out new versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentController {
    /// ECS itself.
    Ecs,
    /// CodeDeploy, by task sets.
    CodeDeploy,
    /// Somebody else, by task sets.
    External,
    /// A word that taskhold does not know.
    Other(String),
}

/// How ECS itself rolls out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentStrategy {
    /// Task by task.
    Rolling,
    /// All of the new beside all of the old, then traffic moves.
    BlueGreen,
    /// The same, traffic moves in equal steps.
    Linear,
    /// The same, a little traffic moves first.
    Canary,
    /// A word that taskhold does not know.
    Other(String),
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
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            deployments: Vec::new(),
            task_sets: Vec::new(),
            events: Vec::new(),
            tags: BTreeMap::new(),
        }
    }
}

/// Where a deployment stands among those of its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// The newest.
    Primary,
    /// An older one that still has tasks.
    Active,
    /// A task set that is being emptied.
    Draining,
    /// Over.
    Inactive,
    /// A word that taskhold does not know.
    Other(String),
}

/// How far a deployment got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// Not there yet.
    InProgress,
    /// It reached steady state.
    Completed,
    /// A circuit breaker or an alarm ended it.
    Failed,
    /// ECS does not say, as for task sets.
    Untold,
    /// A word that taskhold does not know.
    Other(String),
}

/// A deployment of a service that ECS itself rolls out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/` and digits: what its tasks name in `startedBy`.
    pub id: String,
    /// Where it stands.
    pub status: DeploymentStatus,
    /// How far it got.
    pub rollout_state: RolloutState,
    /// How many tasks it wants.
    pub desired_count: u32,
    /// How many of them run.
    pub running_count: u32,
    /// How many of them are about to.
    pub pending_count: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A task set of CodeDeploy or an external controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSet {
    /// `ecs-svc/` and digits: what its tasks name in `startedBy`.
    pub id: String,
    /// Where it stands.
    pub status: DeploymentStatus,
    /// Whether it has the tasks that it wants.
    pub is_stable: bool,
    /// How many tasks it wants.
    pub computed_desired_count: u32,
    /// How many of them run.
    pub running_count: u32,
    /// How many of them are about to.
    pub pending_count: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
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

/// A task, as `DescribeTasks` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDescription {
    /// Which.
    pub id: TaskId,
    /// `startedBy`: the deployment or task set that it belongs to.
    pub started_by: Option<String>,
    /// `PENDING`, `RUNNING`, `STOPPED` and what lies between.
    pub last_status: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// When it began to run.
    pub started_at: Option<Timestamp>,
}

/// Names of one page of a list, and where the next one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In the order of ECS.
    pub items: Vec<T>,
    /// `None` on the last page.
    pub next_token: Option<String>,
}

/// Reads ECS's words into an enum that keeps those it does not know.
macro_rules! words {
    ($name:ident: $($word:literal => $variant:ident),+) => {
        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

words!(DeploymentController: "ECS" => Ecs, "CODE_DEPLOY" => CodeDeploy, "EXTERNAL" => External);
words!(DeploymentStrategy: "ROLLING" => Rolling, "BLUE_GREEN" => BlueGreen, "LINEAR" => Linear, "CANARY" => Canary);
words!(ServiceStatus: "ACTIVE" => Active, "DRAINING" => Draining, "INACTIVE" => Inactive);
words!(DeploymentStatus: "PRIMARY" => Primary, "ACTIVE" => Active, "DRAINING" => Draining, "INACTIVE" => Inactive);
words!(RolloutState: "IN_PROGRESS" => InProgress, "COMPLETED" => Completed, "FAILED" => Failed, "" => Untold);
