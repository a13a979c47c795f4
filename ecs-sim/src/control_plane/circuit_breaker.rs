//! Tasks that fail to start, and the deployment circuit breaker that counts them.
//!
//! Sources: AWS's pages "How the Amazon ECS deployment circuit breaker detects failures" (the threshold) and "Amazon
//! ECS service deployment state change events". The texts of messages and reasons come from captures that others
//! published.

use super::deployment_configuration::{CircuitBreaker, StrategySpec};
use super::error::ApiError;
use super::eventbridge::DeploymentEvent;
use super::service::{DeploymentRolloutState, SimulatedDeployment};
use super::service_deployment::ServiceDeploymentState;
use super::state::ControlPlane;
use super::task::{StopCode, TaskStatus};

/// AWS's page "How the Amazon ECS deployment circuit breaker detects failures": half the desired count, rounded up, but
/// at least 3 and at most 200.
fn threshold(desired_count: u32) -> u32 {
    desired_count.div_ceil(2).clamp(3, 200)
}

impl ControlPlane {
    /// From now on no task of the service's present deployment starts: each fails when it should run, and is replaced
    /// until the circuit breaker, which is set to `breaker`, ends the deployment.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, and InvalidParameterException when no deployment is in
    /// progress, or when its tasks run already, since it can no longer fail.
    pub fn fail_deployment(&mut self, cluster: &str, service: &str, breaker: CircuitBreaker) -> Result<(), ApiError> {
        let key = self.named_service(Some(cluster), service)?;
        let service = &self.services[&key];
        let primary = service.primary();
        let runs = |task: &u64| {
            let task = &self.tasks[task];
            task.deployment.as_ref() == Some(&primary.id) && task.last_status == TaskStatus::Running
        };
        if primary.rollout_state != DeploymentRolloutState::InProgress || service.tasks.iter().any(runs) {
            return Err(ApiError::invalid("no deployment without running tasks is in progress"));
        }
        let service = self.service_mut(key);
        service.configuration.circuit_breaker = breaker;
        service.deployments[0].is_doomed = true;
        Ok(())
    }

    /// Whether the task belongs to a deployment whose tasks all fail to start.
    pub(super) fn is_doomed(&self, key: u64) -> bool {
        let task = &self.tasks[&key];
        let Some(service) = task.service_key.map(|key| &self.services[&key]) else { return false };
        let is_own = |deployment: &&SimulatedDeployment| Some(&deployment.id) == task.deployment.as_ref();
        service.deployments.iter().find(is_own).is_some_and(|deployment| deployment.is_doomed)
    }

    /// aws-facts: "EventBridge": the stop code. The reason is one of those in AWS's page "Stopped tasks error
    /// messages".
    pub(super) fn task_fails_to_start(&mut self, key: u64) {
        let now = self.now;
        self.set_protection(key, None);
        let task = self.task_mut(key);
        task.desired_status = TaskStatus::Stopped;
        task.stopping_at = Some(now);
        task.stop_code = Some(StopCode::TaskFailedToStart);
        task.stopped_reason =
            Some("CannotPullContainerError: pull image manifest has been retried 5 time(s)".to_owned());
        let (service, deployment) = (task.service_key, task.deployment.clone());
        self.task_has_stopped(key);
        if let (Some(service), Some(deployment)) = (service, deployment) {
            self.count_failure(service, &deployment);
        }
    }

    fn count_failure(&mut self, key: u64, deployment: &str) {
        let service = self.service_mut(key);
        let (breaker, threshold) = (service.configuration.circuit_breaker, threshold(service.desired_count));
        let primary = &mut service.deployments[0];
        if primary.id != deployment {
            return;
        }
        primary.failed_tasks += 1;
        let is_over = primary.rollout_state == DeploymentRolloutState::InProgress && primary.failed_tasks >= threshold;
        if is_over && breaker != CircuitBreaker::Off {
            self.deployment_has_failed(key);
        }
    }

    /// aws-facts: "ECS: service event messages": the captured message. The part that follows when a deployment is
    /// rolled back was captured too: `rolling back to deployment ecs-svc/N.`
    fn deployment_has_failed(&mut self, key: u64) {
        let now = self.now;
        let service = self.service_mut(key);
        let primary = &mut service.deployments[0];
        primary.rollout_state = DeploymentRolloutState::Failed;
        primary.updated_at = now;
        let id = primary.id.clone();
        let is_good = |deployment: &SimulatedDeployment| deployment.rollout_state == DeploymentRolloutState::Completed;
        let good = service.deployments.iter().position(is_good);
        let rolls_back = service.configuration.circuit_breaker == CircuitBreaker::RollsBack;
        self.say(key, format!("(deployment {id}) deployment failed: tasks failed to start."));
        self.emit_deployment_state_change(key, DeploymentEvent::Failed);
        match good.filter(|_| rolls_back) {
            Some(good) => {
                self.service_deployment_rolls_back(key, "The circuit breaker rolled it back.");
                self.roll_back(key, good);
            }
            None => self.finish_service_deployment(key, ServiceDeploymentState::Stopped),
        }
    }

    /// A rolling update deploys the last good revision again. In the other strategies
    /// the good deployment is PRIMARY again, with the tasks that it still has (an assumption).
    pub(super) fn roll_back(&mut self, key: u64, good: usize) {
        let service = &self.services[&key];
        let primary = service.primary().id.clone();
        if service.configuration.strategy != StrategySpec::Rolling {
            self.end_shift(key, primary);
            let service = self.service_mut(key);
            let good = service.deployments.remove(good);
            service.deployments.insert(0, good);
            service.deployments[0].rollout_state = DeploymentRolloutState::InProgress;
        } else {
            let deployment = self.new_deployment(service.deployments[good].task_definition.clone());
            self.service_mut(key).deployments.insert(0, deployment);
        }
        self.service_mut(key).deployments[0].is_rollback = true;
        let id = self.services[&key].primary().id.clone();
        self.say(key, format!("rolling back to deployment {id}."));
        self.emit_deployment_state_change(key, DeploymentEvent::InProgress);
        self.pass_rollback_stages(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_circuit_breaker_opens_after_half_the_desired_count_within_3_and_200() {
        assert_eq!([1, 6, 7, 25, 400, 1000].map(threshold), [3, 3, 4, 13, 200, 200]);
    }
}
