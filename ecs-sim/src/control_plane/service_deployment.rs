//! Service deployments: each change of a service from its start until it succeeds, stops or is rolled back.
//!
//! aws-facts: "ECS: service deployments, pauses, early success"; ECS's published model, "ServiceDeployment".

use std::collections::VecDeque;

use serde::Serialize;

use super::hook::{ActiveHook, DeploymentStage};
use super::time::Millis;

/// `status` of a service deployment. The others of ECS's model are passed through at once (assumed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceDeploymentState {
    /// In progress.
    InProgress,
    /// Ended well.
    Successful,
    /// Ended by another deployment, or by the circuit breaker without a rollback.
    Stopped,
    /// Is being rolled back.
    RollbackInProgress,
    /// Was rolled back.
    RollbackSuccessful,
}

/// A service deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedServiceDeployment {
    /// The last part of its ARN.
    pub id: String,
    /// The deployment (`ecs-svc/…`) that it brings in.
    pub target: String,
    /// The deployments that existed before.
    pub sources: Vec<String>,
    /// Its status.
    pub state: ServiceDeploymentState,
    /// How far it has progressed. A rolling deployment has stages only while it has hooks (assumed).
    pub stage: Option<DeploymentStage>,
    /// When it was created.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// When it ended.
    pub finished_at: Option<Millis>,
    /// When its rollback began, and why.
    pub rollback: Option<(Millis, &'static str)>,
    pub(super) hooks: Vec<ActiveHook>,
    /// The stages that a rollback still runs again.
    pub(super) rollback_stages: VecDeque<DeploymentStage>,
    /// Since when as many new tasks run as early success needs.
    pub(super) healthy_since: Option<Millis>,
}

impl SimulatedServiceDeployment {
    pub(super) fn is_in_progress(&self) -> bool {
        self.finished_at.is_none()
    }

    /// The stages that a rollback from the present stage runs again, the last first (assumed).
    ///
    /// aws-facts: "ECS deployment lifecycle hooks": the stages in which traffic shifts.
    pub(super) fn stages_run_again(&self) -> VecDeque<DeploymentStage> {
        let reached = |shift: &DeploymentStage| self.stage.is_some_and(|stage| stage >= *shift);
        let shifts = [DeploymentStage::ProductionTrafficShift, DeploymentStage::TestTrafficShift];
        shifts.into_iter().filter(reached).collect()
    }

    /// Whether a hook waits: for a person, or for its function.
    pub fn waits(&self) -> bool {
        self.is_in_progress() && self.hooks.iter().any(|hook| hook.status.waits())
    }
}
