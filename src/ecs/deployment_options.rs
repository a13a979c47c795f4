//! The members of a `deploymentConfiguration` beside its percentages, as far as taskhold shows or repeats them (ECS API
//! Reference, "DeploymentConfiguration").

use crate::ecs::deployment::words;

/// Everything in a deployment configuration that a command which sets one must repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentOptions {
    /// `deploymentCircuitBreaker`.
    pub circuit_breaker: Option<CircuitBreakerOptions>,
    /// `alarms`.
    pub alarms: Option<AlarmOptions>,
    /// `earlySuccessCriteria`.
    pub early_success: Option<EarlySuccess>,
    /// Whether there are others: hooks, bake times, the steps of a traffic shift.
    pub others: OtherOptions,
}

/// Whether a deployment configuration has members that taskhold does not repeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtherOptions {
    /// It has none.
    #[default]
    None,
    /// It has some.
    Some,
}

/// `deploymentCircuitBreaker`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CircuitBreakerOptions {
    /// Whether a deployment can fail.
    pub enable: bool,
    /// Whether a failed one is rolled back.
    pub rollback: bool,
    /// Whether a healthy task resets the count of failures.
    pub reset_on_healthy_task: Option<bool>,
    /// `thresholdConfiguration`: its type and value.
    pub threshold: Option<FailureThreshold>,
}

/// `thresholdConfiguration` of a circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureThreshold {
    /// COUNT, BOUNDED_PERCENT or UNBOUNDED_PERCENT.
    pub kind: String,
    /// The number of failures, or the percentage.
    pub value: i32,
}

/// `alarms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmOptions {
    /// Names of CloudWatch alarms.
    pub names: Vec<String>,
    /// Whether they count.
    pub enable: bool,
    /// Whether an alarm rolls the deployment back.
    pub rollback: bool,
}

/// `earlySuccessCriteria`: a rolling deployment succeeds before it has replaced every task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlySuccess {
    /// Whether it is on.
    pub enable: bool,
    /// The share of the desired count that must be healthy.
    pub healthy_percent: Option<i32>,
    /// When ECS removes the old tasks.
    pub cleanup: Option<RevisionCleanup>,
}

/// `sourceServiceRevisionCleanup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionCleanup {
    /// Before the deployment succeeds.
    Blocking,
    /// After it, in the background.
    Deferred,
    /// A value that taskhold does not know.
    Other(String),
}

impl DeploymentOptions {
    /// Whether a rolling deployment succeeds before its old tasks are gone.
    pub fn defers_cleanup(&self) -> bool {
        let defers = |early: &EarlySuccess| early.enable && early.cleanup == Some(RevisionCleanup::Deferred);
        self.early_success.as_ref().is_some_and(defers)
    }
}

words!(RevisionCleanup: "BLOCKING" => Blocking, "DEFERRED" => Deferred);
