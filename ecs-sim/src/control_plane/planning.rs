//! How many tasks each deployment or task set of a service should have, and which of them are being removed.

use super::deployment_configuration::{DeploymentControllerType, StrategySpec};
use super::service::{
    DeploymentRolloutState, SimulatedDeployment, SimulatedService, SimulatedServiceStatus, percentage,
};
use super::time::Millis;

/// How the scheduler treats a service now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planning {
    /// Replaces tasks within the bounds of the percentages.
    Rolling,
    /// Gives each deployment or task set its own number of tasks.
    Sets,
    /// The deployment has failed, or a rolling one waits for a hook: nothing starts or stops (assumed).
    AsItIs,
}

impl SimulatedService {
    /// Whether the tasks of a deployment or task set are being removed, so that protecting them blocks something.
    pub(super) fn is_old(&self, id: &str) -> bool {
        if !self.has_task_sets() {
            return !self.is_primary(Some(id));
        }
        let is_draining = |set: &SimulatedDeployment| set.id == id && set.is_draining;
        self.deployments.iter().any(is_draining) || self.shift.as_ref().is_some_and(|shift| shift.blue == id)
    }

    pub(super) fn planning(&self) -> Planning {
        let is_active = self.status == SimulatedServiceStatus::Active;
        let moves_traffic = self.configuration.strategy != StrategySpec::Rolling || self.shift.is_some();
        let is_held = self.configuration.strategy == StrategySpec::Rolling && self.is_paused();
        if is_active && (is_held || self.primary().rollout_state == DeploymentRolloutState::Failed) {
            Planning::AsItIs
        } else if !is_active || self.has_task_sets() || moves_traffic {
            Planning::Sets
        } else {
            Planning::Rolling
        }
    }

    /// How many tasks the deployment or task set at this index should have, other than in a rolling update.
    ///
    /// AWS's API reference, "TaskSet": `computedDesiredCount` is the service's desired count times the scale, rounded
    /// up. aws-facts: "ECS: deployments and protection": blue stays until the traffic has moved.
    pub(super) fn wanted(&self, at: usize) -> usize {
        let deployment = &self.deployments[at];
        let is_wanted = match self.controller {
            _ if self.status != SimulatedServiceStatus::Active => false,
            DeploymentControllerType::Ecs if at == 0 => !self.is_before_scale_up(),
            DeploymentControllerType::Ecs => self.shift.as_ref().is_some_and(|shift| shift.blue == deployment.id),
            DeploymentControllerType::CodeDeploy | DeploymentControllerType::External => !deployment.is_draining,
        };
        if is_wanted { percentage(self.desired_count, deployment.scale_percent, 99) as usize } else { 0 }
    }

    /// Makes a task set serve production traffic, in place of the previous one.
    pub(super) fn make_primary(&mut self, id: &str, now: Millis) {
        if let Some(at) = self.deployments.iter().position(|set| set.id == id) {
            let mut set = self.deployments.remove(at);
            set.updated_at = now;
            self.deployments[0].updated_at = now;
            self.deployments.insert(0, set);
        }
    }

    /// Deletes a task set other than the primary one: it is removed as soon as its tasks have stopped.
    pub(super) fn drain(&mut self, id: &str, now: Millis) {
        for set in self.deployments.iter_mut().skip(1).filter(|set| set.id == id) {
            set.is_draining = true;
            set.updated_at = now;
        }
    }
}
