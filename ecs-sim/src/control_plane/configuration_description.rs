//! A service's deployment configuration and its controller, as DescribeServices shows them.

use serde::Serialize;

use super::deployment_configuration::{
    CanaryConfiguration, CircuitBreaker, DeploymentCircuitBreaker, DeploymentConfiguration, DeploymentControllerType,
    LinearConfiguration, StrategySpec,
};
use super::hook_configuration::{EarlySuccessMember, LifecycleHookMember};

/// `deploymentConfiguration` as DescribeServices shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentConfigurationDescription {
    /// With the controller ECS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_circuit_breaker: Option<DeploymentCircuitBreaker>,
    /// Upper bound, as a percentage of the desired count.
    pub maximum_percent: u32,
    /// Lower bound of running tasks, as a percentage of the desired count.
    pub minimum_healthy_percent: u32,
    /// With the controller ECS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// With strategies that move traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake_time_in_minutes: Option<u32>,
    /// With LINEAR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linear_configuration: Option<LinearConfiguration>,
    /// With CANARY.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_configuration: Option<CanaryConfiguration>,
    /// If there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle_hooks: Option<Vec<LifecycleHookMember>>,
    /// If it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_success_criteria: Option<EarlySuccessMember>,
}

impl DeploymentConfigurationDescription {
    pub(super) fn of(configuration: &DeploymentConfiguration, controller: DeploymentControllerType) -> Self {
        let is_ecs = controller == DeploymentControllerType::Ecs;
        let strategy = configuration.strategy;
        let moves_traffic = is_ecs && strategy != StrategySpec::Rolling;
        let percent = |tenths: u32| Some(f64::from(tenths) / 10.0);
        let linear_configuration = match strategy {
            StrategySpec::Linear { step_tenths, step_bake_minutes } => Some(LinearConfiguration {
                step_percent: percent(step_tenths),
                step_bake_time_in_minutes: Some(step_bake_minutes.into()),
            }),
            _ => None,
        };
        let canary_configuration = match strategy {
            StrategySpec::Canary { canary_tenths, canary_bake_minutes } => Some(CanaryConfiguration {
                canary_percent: percent(canary_tenths),
                canary_bake_time_in_minutes: Some(canary_bake_minutes.into()),
            }),
            _ => None,
        };
        Self {
            deployment_circuit_breaker: is_ecs.then(|| DeploymentCircuitBreaker {
                enable: configuration.circuit_breaker != CircuitBreaker::Off,
                rollback: configuration.circuit_breaker == CircuitBreaker::RollsBack,
            }),
            maximum_percent: configuration.maximum_percent,
            minimum_healthy_percent: configuration.minimum_healthy_percent,
            strategy: is_ecs.then(|| strategy.as_str().to_owned()),
            bake_time_in_minutes: moves_traffic.then_some(configuration.bake_minutes),
            linear_configuration: linear_configuration.filter(|_| is_ecs),
            canary_configuration: canary_configuration.filter(|_| is_ecs),
            lifecycle_hooks: (!configuration.hooks.is_empty())
                .then(|| configuration.hooks.iter().map(LifecycleHookMember::of).collect()),
            early_success_criteria: configuration.early_success.as_ref().map(EarlySuccessMember::of),
        }
    }
}

/// A deployment controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeploymentControllerDescription {
    /// ECS, CODE_DEPLOY or EXTERNAL.
    #[serde(rename = "type")]
    pub kind: String,
}
