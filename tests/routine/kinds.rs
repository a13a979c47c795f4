//! The ways in which the services of the routine are deployed: every strategy, every controller.

use crate::watch::world::{MINUTE, SECOND};
use ecs_sim::control_plane::{DeploymentControllerType, Millis, ServiceSpec, StrategySpec};

/// How a service is deployed, and the minimum time that its old tasks stay.
pub(crate) struct DeploymentKind {
    pub(crate) spec: fn(ServiceSpec) -> ServiceSpec,
    pub(crate) old_stay: Millis,
}

pub(crate) const KINDS: [DeploymentKind; 8] = [
    DeploymentKind { spec: |spec| spec, old_stay: 30 * SECOND },
    DeploymentKind {
        spec: |spec| ServiceSpec { minimum_healthy_percent: 50, maximum_percent: 100, ..spec },
        old_stay: 0,
    },
    DeploymentKind {
        spec: |spec| ServiceSpec { minimum_healthy_percent: 50, maximum_percent: 150, ..spec },
        old_stay: 0,
    },
    DeploymentKind {
        spec: |spec| ServiceSpec { strategy: StrategySpec::BlueGreen, bake_minutes: 10, ..spec },
        old_stay: 10 * MINUTE,
    },
    DeploymentKind {
        spec: |spec| ServiceSpec { strategy: StrategySpec::LINEAR, bake_minutes: 5, ..spec },
        old_stay: 59 * MINUTE,
    },
    DeploymentKind {
        spec: |spec| ServiceSpec { strategy: StrategySpec::CANARY, bake_minutes: 5, ..spec },
        old_stay: 15 * MINUTE,
    },
    DeploymentKind {
        spec: |spec| ServiceSpec { controller: DeploymentControllerType::CodeDeploy, bake_minutes: 60, ..spec },
        old_stay: 60 * MINUTE,
    },
    DeploymentKind {
        spec: |spec| ServiceSpec { controller: DeploymentControllerType::External, bake_minutes: 5, ..spec },
        old_stay: 5 * MINUTE,
    },
];
