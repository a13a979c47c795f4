//! How service deployments begin, pass their stages, succeed and are rolled back.

use std::collections::VecDeque;

use super::deployment_configuration::StrategySpec;
use super::hook::DeploymentStage;
use super::names;
use super::service::{DeploymentRolloutState, SimulatedService, percentage};
use super::service_deployment::{ServiceDeploymentState, SimulatedServiceDeployment};
use super::state::{ControlPlane, Due};
use super::variants::RollingPauses;

impl SimulatedService {
    /// The service deployment in progress, or the last one. Services with task sets have none.
    pub fn service_deployment(&self) -> Option<&SimulatedServiceDeployment> {
        self.service_deployments.front()
    }

    /// The one in progress.
    pub(super) fn deployment_in_progress(&mut self) -> Option<&mut SimulatedServiceDeployment> {
        self.service_deployments.front_mut().filter(|deployment| deployment.is_in_progress())
    }

    /// Whether hooks of the deployment in progress wait.
    pub fn is_paused(&self) -> bool {
        self.service_deployment().is_some_and(SimulatedServiceDeployment::waits)
    }

    /// Whether the deployment in progress has not started its new tasks yet.
    pub(super) fn is_before_scale_up(&self) -> bool {
        let is_early = |stage| matches!(stage, DeploymentStage::ReconcileService | DeploymentStage::PreScaleUp);
        self.is_paused() && self.service_deployment().is_some_and(|it| it.stage.is_some_and(is_early))
    }
}

impl ControlPlane {
    /// A service deployment begins and ends the one in progress (assumed: as STOPPED).
    pub(super) fn begin_service_deployment(&mut self, key: u64, target: &str) {
        let (now, id) = (self.now, names::service_deployment_id(target));
        self.finish_service_deployment(key, ServiceDeploymentState::Stopped);
        let service = self.service_mut(key);
        let sources = service.deployments.iter().map(|deployment| deployment.id.clone());
        let deployment = SimulatedServiceDeployment {
            id,
            target: target.to_owned(),
            sources: sources.filter(|source| source != target).collect(),
            state: ServiceDeploymentState::InProgress,
            stage: None,
            created_at: now,
            updated_at: now,
            finished_at: None,
            rollback: None,
            hooks: Vec::new(),
            rollback_stages: VecDeque::new(),
            healthy_since: None,
        };
        service.service_deployments.push_front(deployment);
    }

    pub(super) fn finish_service_deployment(&mut self, key: u64, state: ServiceDeploymentState) {
        let now = self.now;
        self.cancel_hooks(key);
        if let Some(deployment) = self.service_mut(key).deployment_in_progress() {
            (deployment.state, deployment.finished_at, deployment.updated_at) = (state, Some(now), now);
            (deployment.stage, deployment.hooks) = (None, Vec::new());
        }
    }

    /// The deployment has reached its end, forwards or backwards.
    pub(super) fn service_deployment_completes(&mut self, key: u64) {
        let state = match self.services[&key].service_deployment().map(|deployment| deployment.state) {
            Some(ServiceDeploymentState::RollbackInProgress) => ServiceDeploymentState::RollbackSuccessful,
            _ => ServiceDeploymentState::Successful,
        };
        self.finish_service_deployment(key, state);
    }

    /// Marks the deployment in progress as being rolled back. A rolling one has no traffic to shift back.
    pub(super) fn service_deployment_rolls_back(&mut self, key: u64, reason: &'static str) {
        let now = self.now;
        self.cancel_hooks(key);
        let shifts_traffic = self.services[&key].configuration.strategy != StrategySpec::Rolling;
        if let Some(deployment) = self.service_mut(key).deployment_in_progress() {
            deployment.state = ServiceDeploymentState::RollbackInProgress;
            if shifts_traffic {
                deployment.rollback_stages = deployment.stages_run_again();
            }
            (deployment.rollback, deployment.updated_at) = (Some((now, reason)), now);
            (deployment.stage, deployment.hooks) = (None, Vec::new());
        }
    }

    /// Runs the stages of a rollback. Those without a hook pass at once. ECS reports no stage after them (assumed).
    pub(super) fn pass_rollback_stages(&mut self, key: u64) {
        while !self.services[&key].is_paused() {
            let Some(deployment) = self.service_mut(key).deployment_in_progress() else { return };
            match deployment.rollback_stages.pop_front() {
                Some(stage) => self.enter_stage(key, stage),
                None => {
                    (deployment.stage, deployment.hooks) = (None, Vec::new());
                    return;
                }
            }
        }
    }

    /// Rolls the deployment in progress back to its newest source. The first deployment of a service has none, and goes
    /// on (assumed).
    pub(super) fn roll_back_service_deployment(&mut self, key: u64, reason: &'static str) {
        let service = &self.services[&key];
        let source = service.service_deployment().and_then(|deployment| deployment.sources.first());
        let good = source.and_then(|source| service.deployments.iter().position(|it| it.id == *source));
        if let Some(good) = good.filter(|good| *good > 0) {
            self.service_deployment_rolls_back(key, reason);
            self.service_mut(key).deployments[0].rollout_state = DeploymentRolloutState::Failed;
            self.roll_back(key, good);
            self.touched.insert(key);
        }
    }

    /// Moves a rolling deployment through its stages. Those without a hook pass at once.
    pub(super) fn update_rolling_stages(&mut self, key: u64) {
        while let Some(next) = self.next_rolling_stage(key) {
            self.enter_stage(key, next);
        }
    }

    fn next_rolling_stage(&self, key: u64) -> Option<DeploymentStage> {
        let service = &self.services[&key];
        let is_staged = service.configuration.strategy == StrategySpec::Rolling
            && self.variants.rolling_pauses == RollingPauses::Yes
            && !service.configuration.hooks.is_empty();
        let deployment = service.service_deployment().filter(|deployment| deployment.is_in_progress())?;
        if !is_staged || deployment.waits() || deployment.rollback.is_some() {
            return None;
        }
        match deployment.stage {
            None => Some(DeploymentStage::PreScaleUp),
            Some(DeploymentStage::PreScaleUp) => Some(DeploymentStage::ScaleUp),
            Some(DeploymentStage::ScaleUp) => {
                let runs = self.running_in(key, &deployment.target) >= service.desired_count as usize;
                runs.then_some(DeploymentStage::PostScaleUp)
            }
            Some(DeploymentStage::PostScaleUp) => Some(DeploymentStage::CleanUp),
            _ => None,
        }
    }

    /// Early success: the deployment succeeds when enough new tasks have run for the bake time, and with BLOCKING
    /// cleanup when no old one is left either.
    pub(super) fn update_early_success(&mut self, key: u64) {
        let now = self.now;
        let service = &self.services[&key];
        let Some(criteria) = service.configuration.early_success else { return };
        let needed = percentage(service.desired_count, criteria.healthy_percent, 99) as usize;
        let primary = service.primary();
        let is_of_interest = service.configuration.strategy == StrategySpec::Rolling
            && primary.rollout_state == DeploymentRolloutState::InProgress
            && !service.is_paused();
        let is_healthy = self.running_in(key, &primary.id) >= needed;
        let is_clean = criteria.is_deferred || service.deployments.len() == 1;
        let bake_ms = service.configuration.bake_ms();
        let Some(deployment) = self.service_mut(key).deployment_in_progress().filter(|_| is_of_interest) else {
            return;
        };
        deployment.healthy_since = is_healthy.then(|| deployment.healthy_since.unwrap_or(now));
        let Some(since) = deployment.healthy_since else { return };
        if since + bake_ms > now {
            self.due.insert((since + bake_ms, Due::SchedulerRunsAgain(key)));
        } else if is_clean {
            let old = self.service_mut(key).deployments.iter_mut().skip(1);
            old.for_each(|deployment| deployment.is_deferred = true);
            self.deployment_completes(key);
        }
    }
}
