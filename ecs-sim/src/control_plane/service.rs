//! A service, its deployments and its event messages; and clusters.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::deployment_configuration::{
    CircuitBreaker, DeploymentConfiguration, DeploymentControllerType, StrategySpec,
};
use super::hook::HookSpec;
use super::hook_configuration::EarlySuccessCriteria;
use super::service_deployment::SimulatedServiceDeployment;
use super::shift::Shift;
use super::time::Millis;

/// aws-facts: "ECS: deployments and protection": `events[]` keeps the last 100 messages.
pub const SERVICE_EVENTS_KEPT: usize = 100;
/// aws-facts: "ECS: deployments and protection": a sixth deployment is refused.
pub const ACTIVE_DEPLOYMENTS_MAX: usize = 5;
/// How often ECS repeats that protected tasks block a scale-in. An assumption.
pub const HOLD_REPEAT_MS: Millis = 10 * 60 * 1000;

/// The parameters of a new service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Its name, unique in its cluster.
    pub name: String,
    /// The cluster's name.
    pub cluster: String,
    /// How many tasks.
    pub desired_count: u32,
    /// 0..=100; the lower bound as a percentage of the desired count, rounded up.
    pub minimum_healthy_percent: u32,
    /// 100..; the upper bound as a percentage of the desired count, rounded down.
    pub maximum_percent: u32,
    /// ECS, unless another controller manages task sets.
    pub controller: DeploymentControllerType,
    /// Rolling, or a strategy that moves traffic.
    pub strategy: StrategySpec,
    /// How long both revisions run after all traffic has moved; with task sets, how long the old one waits to be
    /// deleted.
    pub bake_minutes: u32,
    /// What happens when tasks fail to start.
    pub circuit_breaker: CircuitBreaker,
    /// Where deployments wait.
    pub hooks: Vec<HookSpec>,
    /// When a rolling deployment succeeds early.
    pub early_success: Option<EarlySuccessCriteria>,
    /// Service tags.
    pub tags: BTreeMap<String, String>,
}

impl ServiceSpec {
    /// A service with ECS's default percentages, 100 and 200, rolling deployments and no tags.
    pub fn new(cluster: impl Into<String>, name: impl Into<String>, desired_count: u32) -> Self {
        Self {
            name: name.into(),
            cluster: cluster.into(),
            desired_count,
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            controller: DeploymentControllerType::Ecs,
            strategy: StrategySpec::Rolling,
            bake_minutes: 0,
            circuit_breaker: CircuitBreaker::Off,
            hooks: Vec::new(),
            early_success: None,
            tags: BTreeMap::new(),
        }
    }

    pub(super) fn configuration(&self) -> DeploymentConfiguration {
        DeploymentConfiguration {
            minimum_healthy_percent: self.minimum_healthy_percent,
            maximum_percent: self.maximum_percent,
            strategy: self.strategy,
            bake_minutes: self.bake_minutes,
            circuit_breaker: self.circuit_breaker,
            hooks: self.hooks.clone(),
            early_success: self.early_success,
        }
    }
}

/// `status` of a service.
///
/// AWS's API reference, "DeleteService".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SimulatedServiceStatus {
    /// ECS keeps its tasks running.
    Active,
    /// Deleted, with tasks that still run.
    Draining,
    /// Deleted, but still described for a while.
    Inactive,
}

/// `rolloutState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentRolloutState {
    /// Not yet at the desired count, or old deployments still have tasks.
    InProgress,
    /// Reached steady state at least once.
    Completed,
    /// Its tasks failed to start, and the circuit breaker ended it.
    Failed,
}

/// A deployment, or with CODE_DEPLOY and EXTERNAL a task set. The first in [`SimulatedService::deployments`] is PRIMARY, the
/// others are ACTIVE, or DRAINING.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedDeployment {
    /// `ecs-svc/` and 19 digits.
    pub id: String,
    /// How far it has progressed.
    pub rollout_state: DeploymentRolloutState,
    /// Family and revision of its tasks.
    pub task_definition: String,
    /// When it was created.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// Tasks that failed to start.
    pub failed_tasks: u32,
    /// A task set's share of the service's desired count; 100 for a deployment.
    pub scale_percent: u32,
    /// Whether it is a task set that was deleted.
    pub is_draining: bool,
    /// Whether it is an old one that is removed after a deployment that succeeded early.
    pub is_deferred: bool,
    /// Whether it replaces one that failed or was rolled back.
    pub is_rollback: bool,
    /// Whether none of its tasks will ever start.
    pub(super) is_doomed: bool,
}

/// One of `events[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEventMessage {
    /// Shaped like a UUID.
    pub id: String,
    /// When it was written.
    pub created_at: Millis,
    /// Its text.
    pub message: String,
}

/// What ECS could not do because of protected tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    ScaleIn,
    Rebalancing,
}

/// A scale-in, plain or of a deployment, or a rebalancing that waits for protected tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    pub(super) what: Held,
    /// The waiting deployments, each announced once and then in every round.
    pub(super) task_sets: BTreeSet<String>,
    pub(super) repeats_at: Millis,
}

/// Whether the percentages of a service leave a rolling deployment a step to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Headroom {
    Some,
    None,
}

/// A rebalancing in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rebalance {
    /// The deployment at its start: another deployment or another desired count ends it.
    pub(super) deployment: String,
    pub(super) desired_count: u32,
    /// The task that was started for it.
    pub(super) extra: u64,
    /// The tasks in the zone with too many, oldest first.
    pub(super) crowded: Vec<u64>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedService {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The cluster's name.
    pub cluster: String,
    /// ACTIVE until it is deleted.
    pub status: SimulatedServiceStatus,
    /// How many tasks it should run.
    pub desired_count: u32,
    /// The controller that deploys it.
    pub controller: DeploymentControllerType,
    /// How it is deployed.
    pub configuration: DeploymentConfiguration,
    /// Service tags.
    pub tags: BTreeMap<String, String>,
    /// Its deployments, or its task sets: PRIMARY first, then the others, newest first. Never empty.
    pub deployments: Vec<SimulatedDeployment>,
    /// The last messages, newest first.
    pub events: VecDeque<ServiceEventMessage>,
    /// When it was created.
    pub created_at: Millis,
    /// Whether it has exactly the desired tasks, all of them running and of one deployment.
    pub steady: bool,
    /// Whether it was deleted and DescribeServices no longer returns it.
    pub(super) is_forgotten: bool,
    /// Newest first; empty with task sets.
    pub(super) service_deployments: VecDeque<SimulatedServiceDeployment>,
    pub(super) hold: Option<Hold>,
    /// Whether its percentages leave a rolling deployment a step to take.
    pub(super) room: Headroom,
    pub(super) shift: Option<Shift>,
    pub(super) rebalance: Option<Rebalance>,
    /// Keys of tasks that are not STOPPED yet, oldest first.
    pub(super) tasks: BTreeSet<u64>,
    /// Keys of STOPPED tasks that are still described.
    pub(super) stopped_tasks: BTreeSet<u64>,
}

impl SimulatedService {
    /// The deployment that new tasks belong to.
    pub fn primary(&self) -> &SimulatedDeployment {
        &self.deployments[0]
    }

    /// Whether protected tasks block a scale-in or a deployment.
    pub fn is_held_up(&self) -> bool {
        self.hold.is_some()
    }

    /// ⌈desired × min%⌉.
    ///
    /// aws-facts: "ECS: deployments and protection": the minimum number of running tasks.
    pub fn lower_bound(&self) -> u32 {
        percentage(self.desired_count, self.configuration.minimum_healthy_percent, 99)
    }

    /// ⌊desired × max%⌋.
    ///
    /// aws-facts: "ECS: deployments and protection": the maximum number of tasks.
    pub fn upper_bound(&self) -> u32 {
        percentage(self.desired_count, self.configuration.maximum_percent, 0)
    }

    /// Whether CodeDeploy or an external controller deploys it with task sets.
    pub fn has_task_sets(&self) -> bool {
        self.controller != DeploymentControllerType::Ecs
    }

    pub(super) fn is_primary(&self, deployment: Option<&str>) -> bool {
        deployment == Some(self.primary().id.as_str())
    }
}

pub(super) fn percentage(count: u32, percent: u32, rounding: u64) -> u32 {
    let share = (u64::from(count) * u64::from(percent) + rounding) / 100;
    u32::try_from(share).unwrap_or(u32::MAX)
}

/// A cluster: a name for services and tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    pub(super) tags: BTreeMap<String, String>,
    /// Keys of its services, by name.
    pub(super) services: BTreeMap<String, u64>,
    /// Keys of its tasks, standalone ones included, as long as they are described.
    pub(super) tasks: BTreeSet<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_bound_rounds_up_and_the_upper_bound_rounds_down() {
        assert_eq!((percentage(3, 50, 99), percentage(3, 150, 0)), (2, 4));
        assert_eq!((percentage(4, 50, 99), percentage(4, 150, 0)), (2, 6));
        assert_eq!((percentage(0, 50, 99), percentage(0, 200, 0)), (0, 0));
    }
}
