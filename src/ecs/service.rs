//! Services, deployments, task sets and tasks, as the reads of ECS describe them.
//!
//! Only what a diagnosis needs. Words of ECS that are not known here are kept, because new ones will come.

use super::arn::{ArnError, ClusterArn, ServiceArnText, Task, TaskId, shown};
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

/// How traffic moves, as far as it takes time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrafficShift {
    /// `bakeTimeInMinutes`: after all of it has moved.
    pub bake_minutes: i64,
    /// Of LINEAR: `stepPercent`, and `stepBakeTimeInMinutes` after each step.
    pub linear: Option<(f64, i64)>,
    /// Of CANARY: `canaryBakeTimeInMinutes` before all the rest moves.
    pub canary_minutes: Option<i64>,
}

impl TrafficShift {
    /// How long the old tasks are kept, at the least (ECS API Reference, "DeploymentConfiguration").
    pub fn old_tasks_kept(self, strategy: &DeploymentStrategy) -> SignedDuration {
        let steps = |percent: f64| if percent > 0.0 { (100.0 / percent).ceil() as i64 } else { 0 };
        let minutes = match strategy {
            DeploymentStrategy::Rolling | DeploymentStrategy::Other(_) => 0,
            DeploymentStrategy::BlueGreen => self.bake_minutes,
            DeploymentStrategy::Linear => {
                let shift = self.linear.map_or(0, |(percent, minutes)| (steps(percent) - 1).max(0) * minutes);
                self.bake_minutes + shift
            }
            DeploymentStrategy::Canary => self.bake_minutes + self.canary_minutes.unwrap_or(0),
        };
        SignedDuration::from_mins(minutes.clamp(0, MINUTES_KEPT_MAX))
    }
}

/// ECS bakes for a day at most ("DeploymentConfiguration": bakeTimeInMinutes 0 to 1440), and so with each of its steps.
const MINUTES_KEPT_MAX: i64 = 34 * 1440;

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
