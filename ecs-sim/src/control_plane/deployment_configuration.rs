//! How a service deploys: by which controller, with which strategy, within which bounds.
//!
//! aws-facts: "ECS: deployments and protection"; AWS's API reference, "DeploymentConfiguration", "LinearConfiguration",
//! "CanaryConfiguration" and "DeploymentCircuitBreaker", for members, ranges and defaults.

use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::hook::HookSpec;
use super::hook_configuration::{EarlySuccessCriteria, EarlySuccessMember, LifecycleHookMember};
use super::time::Millis;

const MINUTE_MS: Millis = 60_000;
/// AWS's API reference, "DeploymentConfiguration" and its parts: 0 to 1440 minutes, for every bake time.
const BAKE_MINUTES_MAX: i64 = 1440;

/// Who creates and removes the tasks of a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeploymentControllerType {
    /// ECS itself, by the deployment strategy.
    #[default]
    Ecs,
    /// AWS CodeDeploy, with task sets.
    CodeDeploy,
    /// An external controller that calls CreateTaskSet, UpdateServicePrimaryTaskSet and DeleteTaskSet.
    External,
}

impl DeploymentControllerType {
    /// As ECS writes it in `deploymentController.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ecs => "ECS",
            Self::CodeDeploy => "CODE_DEPLOY",
            Self::External => "EXTERNAL",
        }
    }

    pub(super) fn from_request(given: Option<&str>) -> Result<Self, ApiError> {
        match given {
            None | Some("ECS") => Ok(Self::Ecs),
            Some("CODE_DEPLOY") => Ok(Self::CodeDeploy),
            Some("EXTERNAL") => Ok(Self::External),
            Some(_) => Err(ApiError::invalid("deploymentController is not a deployment controller type.")),
        }
    }
}

/// How traffic and tasks move from the old service revision to the new one, under the controller ECS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StrategySpec {
    /// Replaces tasks within the bounds of the percentages.
    #[default]
    Rolling,
    /// Moves all traffic at once.
    BlueGreen,
    /// Moves traffic in equal steps.
    Linear {
        /// Tenths of a percent.
        step_tenths: u32,
        /// The pause after each step but the last.
        step_bake_minutes: u32,
    },
    /// Moves a small share of the traffic first, then the rest.
    Canary {
        /// Tenths of a percent.
        canary_tenths: u32,
        /// The pause after the first share.
        canary_bake_minutes: u32,
    },
}

/// All traffic, in tenths of a percent.
pub(super) const ALL_TENTHS: u32 = 1000;

impl StrategySpec {
    /// AWS's API reference, "LinearConfiguration": 10 % every 6 minutes by default.
    pub const LINEAR: Self = Self::Linear { step_tenths: 100, step_bake_minutes: 6 };
    /// AWS's API reference, "CanaryConfiguration": 5 % for 10 minutes by default.
    pub const CANARY: Self = Self::Canary { canary_tenths: 50, canary_bake_minutes: 10 };

    /// As ECS writes it in `deploymentConfiguration.strategy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "ROLLING",
            Self::BlueGreen => "BLUE_GREEN",
            Self::Linear { .. } => "LINEAR",
            Self::Canary { .. } => "CANARY",
        }
    }

    /// Green's share of the traffic after each move, with the pause before it. No pause follows the last move.
    pub(super) fn moves(self) -> Vec<(Millis, u32)> {
        match self {
            Self::Rolling => Vec::new(),
            Self::BlueGreen => vec![(0, ALL_TENTHS)],
            Self::Canary { canary_tenths, canary_bake_minutes } => {
                vec![(0, canary_tenths), (Millis::from(canary_bake_minutes) * MINUTE_MS, ALL_TENTHS)]
            }
            Self::Linear { step_tenths, step_bake_minutes } => {
                let pause = Millis::from(step_bake_minutes) * MINUTE_MS;
                let steps = ALL_TENTHS.div_ceil(step_tenths);
                let share = |step: u32| (step * step_tenths).min(ALL_TENTHS);
                (1..=steps).map(|step| (if step == 1 { 0 } else { pause }, share(step))).collect()
            }
        }
    }
}

/// What happens when the tasks of a deployment repeatedly fail to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CircuitBreaker {
    /// ECS keeps starting them.
    #[default]
    Off,
    /// The deployment is FAILED.
    On,
    /// The deployment is FAILED, and the last completed one is deployed again.
    RollsBack,
}

/// The contents of a service's `deploymentConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentConfiguration {
    /// Lower bound of running tasks, as a percentage of the desired count.
    pub minimum_healthy_percent: u32,
    /// Upper bound, as a percentage of the desired count.
    pub maximum_percent: u32,
    /// Rolling, or a strategy that moves traffic.
    pub strategy: StrategySpec,
    /// How long both revisions run after all traffic has moved.
    pub bake_minutes: u32,
    /// What happens when tasks fail to start.
    pub circuit_breaker: CircuitBreaker,
    /// Where deployments wait.
    pub hooks: Vec<HookSpec>,
    /// When a rolling deployment succeeds early.
    pub early_success: Option<EarlySuccessCriteria>,
}

impl Default for DeploymentConfiguration {
    fn default() -> Self {
        Self {
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            strategy: StrategySpec::Rolling,
            bake_minutes: 0,
            circuit_breaker: CircuitBreaker::Off,
            hooks: Vec::new(),
            early_success: None,
        }
    }
}

impl DeploymentConfiguration {
    pub(super) fn bake_ms(&self) -> Millis {
        Millis::from(self.bake_minutes) * MINUTE_MS
    }

    /// This configuration with the changes of the request.
    pub(super) fn changed_by(self, given: Option<&DeploymentConfigurationRequest>) -> Result<Self, ApiError> {
        let Some(given) = given else { return Ok(self) };
        let minimum = given.minimum_healthy_percent.unwrap_or(self.minimum_healthy_percent.into());
        let maximum = given.maximum_percent.unwrap_or(self.maximum_percent.into());
        let (Ok(minimum_healthy_percent @ 0..=100), Ok(maximum_percent @ 100..)) =
            (u32::try_from(minimum), u32::try_from(maximum))
        else {
            return Err(ApiError::invalid("minimumHealthyPercent or maximumPercent is out of range."));
        };
        let strategy = given.strategy(self.strategy)?;
        let hooks = match &given.lifecycle_hooks {
            None => self.hooks,
            Some(hooks) => hooks.iter().map(LifecycleHookMember::spec).collect::<Result<_, _>>()?,
        };
        let early_success = match &given.early_success_criteria {
            None => self.early_success,
            Some(member) => member.criteria(minimum_healthy_percent)?,
        };
        if early_success.is_some() && strategy != StrategySpec::Rolling {
            return Err(ApiError::invalid("earlySuccessCriteria are for rolling deployments."));
        }
        Ok(Self {
            hooks,
            early_success,
            minimum_healthy_percent,
            maximum_percent,
            strategy,
            bake_minutes: bake_minutes(given.bake_time_in_minutes, self.bake_minutes)?,
            circuit_breaker: given.deployment_circuit_breaker.map_or(self.circuit_breaker, CircuitBreaker::from),
        })
    }
}

/// The part of a deployment configuration that is simulated.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentConfigurationRequest {
    /// 0..=100.
    pub minimum_healthy_percent: Option<i64>,
    /// 100 or more.
    pub maximum_percent: Option<i64>,
    /// ROLLING, BLUE_GREEN, LINEAR or CANARY.
    pub strategy: Option<String>,
    /// 0..=1440.
    pub bake_time_in_minutes: Option<i64>,
    /// For LINEAR.
    pub linear_configuration: Option<LinearConfiguration>,
    /// For CANARY.
    pub canary_configuration: Option<CanaryConfiguration>,
    /// Off if absent.
    pub deployment_circuit_breaker: Option<DeploymentCircuitBreaker>,
    /// Where deployments wait.
    pub lifecycle_hooks: Option<Vec<LifecycleHookMember>>,
    /// When a rolling deployment succeeds early.
    pub early_success_criteria: Option<EarlySuccessMember>,
}

impl DeploymentConfigurationRequest {
    fn strategy(&self, before: StrategySpec) -> Result<StrategySpec, ApiError> {
        let linear = self.linear_configuration.unwrap_or_default();
        let canary = self.canary_configuration.unwrap_or_default();
        Ok(match self.strategy.as_deref() {
            None => before,
            Some("ROLLING") => StrategySpec::Rolling,
            Some("BLUE_GREEN") => StrategySpec::BlueGreen,
            Some("LINEAR") => StrategySpec::Linear {
                step_tenths: tenths(linear.step_percent, 3.0, 10.0)?,
                step_bake_minutes: bake_minutes(linear.step_bake_time_in_minutes, 6)?,
            },
            Some("CANARY") => StrategySpec::Canary {
                canary_tenths: tenths(canary.canary_percent, 0.1, 5.0)?,
                canary_bake_minutes: bake_minutes(canary.canary_bake_time_in_minutes, 10)?,
            },
            Some(_) => return Err(ApiError::invalid("strategy is not a deployment strategy.")),
        })
    }
}

fn bake_minutes(given: Option<i64>, default: u32) -> Result<u32, ApiError> {
    let Some(given) = given else { return Ok(default) };
    if !(0..=BAKE_MINUTES_MAX).contains(&given) {
        return Err(ApiError::invalid("A bake time must be between 0 and 1440 minutes."));
    }
    Ok(u32::try_from(given).expect("it was compared above"))
}

fn tenths(given: Option<f64>, least: f64, default: f64) -> Result<u32, ApiError> {
    let percent = given.unwrap_or(default);
    if !(least..=100.0).contains(&percent) {
        return Err(ApiError::invalid("A percentage of traffic is out of range."));
    }
    // The range check ensures that the cast loses only the fraction of a tenth.
    Ok((percent * 10.0).round() as u32)
}

/// `linearConfiguration`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinearConfiguration {
    /// 3.0..=100.0; 10.0 if absent.
    pub step_percent: Option<f64>,
    /// 0..=1440; 6 if absent.
    pub step_bake_time_in_minutes: Option<i64>,
}

/// `canaryConfiguration`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanaryConfiguration {
    /// 0.1..=100.0; 5.0 if absent.
    pub canary_percent: Option<f64>,
    /// 0..=1440; 10 if absent.
    pub canary_bake_time_in_minutes: Option<i64>,
}

/// `deploymentCircuitBreaker`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentCircuitBreaker {
    /// Whether a deployment can fail.
    pub enable: bool,
    /// Whether a failed one is rolled back.
    pub rollback: bool,
}

impl From<DeploymentCircuitBreaker> for CircuitBreaker {
    fn from(given: DeploymentCircuitBreaker) -> Self {
        match (given.enable, given.rollback) {
            (false, _) => Self::Off,
            (true, false) => Self::On,
            (true, true) => Self::RollsBack,
        }
    }
}
