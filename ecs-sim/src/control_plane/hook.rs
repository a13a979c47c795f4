//! The stages of a deployment, and the lifecycle hooks that wait there.
//!
//! aws-facts: "ECS: service deployments, pauses, early success" and "ECS deployment lifecycle hooks"; ECS's published model,
//! "DeploymentLifecycleHook".

use serde::{Deserialize, Serialize};

use super::time::Millis;

/// `lifecycleStage` of a service deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
    /// A Lambda function. The scenario says what it answers.
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

/// A hook of a service's deployment configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSpec {
    /// Who ends the wait.
    pub kind: HookKind,
    /// Where it waits.
    pub stages: Vec<DeploymentStage>,
    /// 1..=20160 for a PAUSE hook, 1..=1440 for a Lambda hook.
    pub timeout_minutes: u32,
    /// What happens then.
    pub timeout_action: HookDecision,
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
    pub(super) kind: HookKind,
    pub(super) status: HookState,
    pub(super) stage: DeploymentStage,
    pub(super) expires_at: Millis,
    pub(super) timeout_action: HookDecision,
}
