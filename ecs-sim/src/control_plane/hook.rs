//! The stages of a deployment, and the lifecycle hooks that wait there.
//!
//! aws-facts: "ECS: service deployments, pauses, early success" and "ECS deployment lifecycle hooks"; ECS's published model,
//! "DeploymentLifecycleHook".

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::time::Millis;

/// `lifecycleStage` of a service deployment, in the order in which it passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentStage {
    /// Only with more than one active revision at the start.
    ReconcileService,
    /// Before green starts.
    PreScaleUp,
    /// Green starts.
    ScaleUp,
    /// Green runs.
    PostScaleUp,
    /// Test traffic moves.
    TestTrafficShift,
    /// Test traffic has moved.
    PostTestTrafficShift,
    /// Before each move of production traffic.
    PreProductionTrafficShift,
    /// Production traffic moves.
    ProductionTrafficShift,
    /// Production traffic has moved.
    PostProductionTrafficShift,
    /// Blue and green run.
    BakeTime,
    /// Blue's tasks stop.
    CleanUp,
}

/// Who ends the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HookKind {
    /// A person, by ContinueServiceDeployment.
    Pause,
    /// A Lambda function, by its answer.
    AwsLambda,
}

/// What a hook makes ECS do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HookDecision {
    /// Continue the deployment.
    Continue,
    /// Roll it back.
    Rollback,
}

/// The function that a Lambda hook invokes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFunction {
    /// `hookTargetArn`.
    pub arn: String,
    /// `roleArn`, the role that ECS assumes.
    pub role_arn: Option<String>,
    /// `hookDetails`.
    pub details: Option<Value>,
}

impl HookFunction {
    /// A function without `hookDetails`.
    pub fn new(arn: &str, role_arn: &str) -> Self {
        Self { arn: arn.to_owned(), role_arn: Some(role_arn.to_owned()), details: None }
    }
}

/// A hook of a service's deployment configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSpec {
    /// The function of a Lambda hook; `None` for a PAUSE hook.
    pub function: Option<HookFunction>,
    /// Where it waits.
    pub stages: Vec<DeploymentStage>,
    /// 1..=20160 for a PAUSE hook, 1..=1440 for a Lambda hook.
    pub timeout_minutes: u32,
    /// What happens then.
    pub timeout_action: HookDecision,
}

impl HookSpec {
    /// Its target type.
    pub fn kind(&self) -> HookKind {
        kind_of(self.function.as_ref())
    }
}

fn kind_of(function: Option<&HookFunction>) -> HookKind {
    if function.is_some() { HookKind::AwsLambda } else { HookKind::Pause }
}

/// `status` of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum HookState {
    AwaitingAction,
    InProgress,
    Succeeded,
    Failed,
    TimedOut,
}

impl HookState {
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::AwaitingAction | Self::InProgress)
    }
}

/// A hook at the present stage of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ActiveHook {
    pub(super) id: String,
    /// The function of a Lambda hook, with the `hookDetails` of its next invocation.
    pub(super) function: Option<HookFunction>,
    pub(super) status: HookState,
    pub(super) stage: DeploymentStage,
    pub(super) expires_at: Millis,
    pub(super) timeout_action: HookDecision,
    /// When ECS invokes the function next; `None` while an invocation runs, and for a PAUSE hook.
    pub(super) invoked_at: Option<Millis>,
}

impl ActiveHook {
    pub(super) fn kind(&self) -> HookKind {
        kind_of(self.function.as_ref())
    }

    pub(super) fn invokes(&self, function_arn: &str) -> bool {
        self.function.as_ref().is_some_and(|function| function.arn == function_arn)
    }
}
