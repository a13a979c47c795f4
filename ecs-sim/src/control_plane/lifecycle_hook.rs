//! How lifecycle hooks begin, end and time out.

use super::error::ApiError;
use super::eventbridge::HookEvent;
use super::hook::{ActiveHook, DeploymentStage, HookDecision, HookKind, HookSpec, HookState};
use super::names;
use super::state::{ControlPlane, Due};
use super::time::Millis;

const MINUTE_MS: Millis = 60_000;

impl ControlPlane {
    /// The deployment in progress enters a stage, and the hooks of the stage begin, in parallel.
    pub(super) fn enter_stage(&mut self, key: u64, stage: DeploymentStage) {
        let now = self.now;
        let specs = self.services[&key].configuration.hooks.clone();
        let of_stage = specs.into_iter().filter(|spec| spec.stages.contains(&stage));
        let hooks: Vec<ActiveHook> = of_stage.map(|spec| self.begin_hook(spec, stage)).collect();
        let Some(deployment) = self.service_mut(key).deployment_in_progress() else { return };
        (deployment.stage, deployment.hooks, deployment.updated_at) = (Some(stage), hooks.clone(), now);
        for hook in hooks {
            self.due.insert((hook.expires_at, Due::HookTimesOut(key)));
            let event = match hook.kind() {
                HookKind::Pause => HookEvent::AwaitingAction,
                HookKind::AwsLambda => {
                    self.hooks_invoked.insert(key);
                    HookEvent::InProgress
                }
            };
            self.emit_hook_state_change(key, &hook, event);
        }
    }

    /// Assumed: its time counts from the moment at which the deployment enters the stage.
    fn begin_hook(&mut self, spec: HookSpec, stage: DeploymentStage) -> ActiveHook {
        let now = self.now;
        let (status, invoked_at) = match spec.kind() {
            HookKind::Pause => (HookState::AwaitingAction, None),
            HookKind::AwsLambda => (HookState::InProgress, Some(now)),
        };
        ActiveHook {
            id: names::uuid(self.next_identifier()),
            function: spec.function,
            status,
            stage,
            expires_at: now + Millis::from(spec.timeout_minutes) * MINUTE_MS,
            timeout_action: spec.timeout_action,
            invoked_at,
        }
    }

    /// Removes the time-outs of the hooks that wait, and the invocations to come.
    pub(super) fn cancel_hooks(&mut self, key: u64) {
        let hooks = self.services[&key].service_deployment().map(|deployment| deployment.hooks.clone());
        for hook in hooks.into_iter().flatten() {
            self.due.remove(&(hook.expires_at, Due::HookTimesOut(key)));
            if let Some(at) = hook.invoked_at {
                self.due.remove(&(at, Due::HookIsInvoked(key)));
            }
        }
        self.hooks_invoked.remove(&key);
    }

    /// The time of at least one hook is up.
    pub(super) fn hook_times_out(&mut self, key: u64) {
        let now = self.now;
        let hooks = self.services[&key].service_deployment().map(|deployment| deployment.hooks.clone());
        let expired = hooks.into_iter().flatten().filter(|hook| hook.status.waits() && hook.expires_at <= now);
        for hook in expired {
            self.settle_hook(key, &hook.id, HookState::TimedOut, hook.timeout_action);
        }
    }

    /// A hook has its result. One rollback wins; otherwise the deployment goes on when no hook waits any more. A
    /// rollback continues with any answer of its hooks (assumed).
    pub(super) fn settle_hook(&mut self, key: u64, id: &str, status: HookState, decision: HookDecision) {
        let Some(deployment) = self.service_mut(key).deployment_in_progress() else { return };
        let Some(hook) = deployment.hooks.iter_mut().find(|hook| hook.id == id) else { return };
        hook.status = status;
        let hook = hook.clone();
        let event = match status {
            HookState::TimedOut => HookEvent::TimedOut,
            HookState::Failed => HookEvent::Failed,
            _ => HookEvent::Succeeded,
        };
        self.emit_hook_state_change(key, &hook, event);
        let goes_on = !self.services[&key].is_paused();
        let rolls_back = self.services[&key].service_deployment().is_some_and(|it| it.rollback.is_some());
        match decision {
            _ if rolls_back && goes_on => self.pass_rollback_stages(key),
            _ if rolls_back => {}
            HookDecision::Rollback => self.roll_back_service_deployment(key, "A lifecycle hook rolled it back."),
            HookDecision::Continue if goes_on => self.shift_goes_on_after_hooks(key),
            HookDecision::Continue => {}
        }
        self.touched.insert(key);
    }

    /// The function with this ARN answers a Lambda hook of its own that runs: SUCCEEDED, or FAILED.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, and InvalidParameterException if none runs.
    pub fn answer_hook(
        &mut self,
        cluster: &str,
        service: &str,
        function_arn: &str,
        decision: HookDecision,
    ) -> Result<(), ApiError> {
        let key = self.named_service(Some(cluster), service)?;
        let hooks = self.services[&key].service_deployment().map(|deployment| deployment.hooks.clone());
        let runs = |hook: &ActiveHook| hook.status == HookState::InProgress && hook.invokes(function_arn);
        let hook = hooks.into_iter().flatten().find(runs);
        let hook = hook.ok_or_else(|| ApiError::invalid("no Lambda hook of this function runs"))?;
        let status = match decision {
            HookDecision::Continue => HookState::Succeeded,
            HookDecision::Rollback => HookState::Failed,
        };
        self.settle_hook(key, &hook.id, status, decision);
        self.settle();
        Ok(())
    }

    /// A person stops the deployment in progress of a service, which rolls it back.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, and InvalidParameterException if none is in progress.
    pub fn stop_deployment(&mut self, cluster: &str, service: &str) -> Result<(), ApiError> {
        let key = self.named_service(Some(cluster), service)?;
        if self.service_mut(key).deployment_in_progress().is_none() {
            return Err(ApiError::invalid("no deployment is in progress"));
        }
        self.roll_back_service_deployment(key, "A user stopped the service deployment.");
        self.settle();
        Ok(())
    }

    /// A person continues or rolls back the paused deployment of a service, at its first hook that waits.
    ///
    /// # Errors
    /// ClusterNotFoundException, ServiceNotFoundException, and InvalidParameterException if none waits.
    pub fn continue_deployment(
        &mut self,
        cluster: &str,
        service: &str,
        decision: HookDecision,
    ) -> Result<(), ApiError> {
        let key = self.named_service(Some(cluster), service)?;
        let hooks = self.services[&key].service_deployment().map(|deployment| deployment.hooks.clone());
        let waits = hooks.into_iter().flatten().find(|hook| hook.status == HookState::AwaitingAction);
        let hook = waits.ok_or_else(|| ApiError::invalid("no PAUSE hook waits"))?;
        self.settle_hook(key, &hook.id, HookState::Succeeded, decision);
        self.settle();
        Ok(())
    }
}
