//! The invocations of Lambda hooks: when ECS makes them, with which payload, and what follows from an answer.
//!
//! aws-facts: "ECS deployment lifecycle hooks".

use serde_json::{Map, Value, json};

use super::hook::{ActiveHook, DeploymentStage, HookDecision, HookState};
use super::service::SimulatedService;
use super::service_deployment::SimulatedServiceDeployment;
use super::shift::ShiftStep;
use super::state::{ControlPlane, Due};
use super::time::Millis;

/// The time until ECS asks again if the answer names none.
const CALL_BACK_SECONDS: u64 = 30;

/// An invocation of a Lambda hook's function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookInvocation {
    key: u64,
    hook: String,
    /// The service's name.
    pub service: String,
    /// The stage of the deployment.
    pub stage: DeploymentStage,
    /// What the function receives.
    pub payload: Value,
}

impl ControlPlane {
    /// The next invocation of the function with this ARN that ECS makes now. Its answer belongs to
    /// [`Self::hook_was_invoked`].
    pub fn take_hook_invocation(&mut self, function_arn: &str) -> Option<HookInvocation> {
        let now = self.now;
        let is_due = |hook: &&ActiveHook| {
            hook.status == HookState::InProgress
                && hook.invokes(function_arn)
                && hook.invoked_at.is_some_and(|at| at <= now)
        };
        let found = self.hooks_invoked.iter().find_map(|key| {
            let service = &self.services[key];
            let deployment = service.service_deployment()?;
            let hook = deployment.hooks.iter().find(is_due)?;
            let payload = self.hook_payload(service, deployment, hook);
            let (hook, stage) = (hook.id.clone(), hook.stage);
            Some(HookInvocation { key: *key, hook, service: service.name.clone(), stage, payload })
        });
        let invocation = found?;
        let deployment = self.service_mut(invocation.key).deployment_in_progress()?;
        let hook = deployment.hooks.iter_mut().find(|hook| hook.id == invocation.hook)?;
        hook.invoked_at = None;
        if !deployment.hooks.iter().any(|hook| hook.invoked_at.is_some_and(|at| at <= now)) {
            self.hooks_invoked.remove(&invocation.key);
        }
        Some(invocation)
    }

    /// The invocation has ended: with this answer, or `None` if it failed or Lambda refused it. An answer of a hook that
    /// timed out meanwhile has no effect (assumed).
    ///
    /// Any answer without a valid `hookStatus`, and any failure, rolls the deployment back.
    pub fn hook_was_invoked(&mut self, invocation: &HookInvocation, answer: Option<&Value>) {
        let HookInvocation { key, hook: id, .. } = invocation;
        let (key, now) = (*key, self.now);
        let Some(deployment) = self.service_mut(key).deployment_in_progress() else { return };
        let runs = |hook: &&mut ActiveHook| hook.id == *id && hook.status == HookState::InProgress;
        let Some(hook) = deployment.hooks.iter_mut().find(runs) else { return };
        match answer.and_then(|answer| answer["hookStatus"].as_str()) {
            Some("SUCCEEDED") => self.settle_hook(key, id, HookState::Succeeded, HookDecision::Continue),
            Some("IN_PROGRESS") => {
                let answer = answer.unwrap_or(&Value::Null);
                let seconds = answer["callBackDelay"].as_u64().unwrap_or(CALL_BACK_SECONDS);
                let again_at = now + Millis::try_from(seconds).unwrap_or(Millis::MAX / 1000).saturating_mul(1000);
                hook.invoked_at = Some(again_at);
                if let (Some(function), Some(details)) = (&mut hook.function, answer.get("hookDetails")) {
                    function.details = Some(details.clone());
                }
                self.due.insert((again_at, Due::HookIsInvoked(key)));
            }
            _ => self.settle_hook(key, id, HookState::Failed, HookDecision::Rollback),
        }
        self.settle();
    }

    /// Assumed: `executionId` is the hook's id, and `hookDetails` are empty if the service declares none.
    fn hook_payload(
        &self,
        service: &SimulatedService,
        deployment: &SimulatedServiceDeployment,
        hook: &ActiveHook,
    ) -> Value {
        let details = hook.function.as_ref().and_then(|function| function.details.clone());
        let [test, production] = self.weights(service, deployment, hook.stage);
        json!({
            "executionId": hook.id,
            "lifecycleStage": hook.stage,
            "resourceArn": self.service_deployment_arn(service, deployment),
            "executionDetails": {
                "serviceArn": service.arn,
                "targetServiceRevisionArn": self.revision_arn(service, &deployment.target),
                "testTrafficWeights": test,
                "productionTrafficWeights": production,
            },
            "hookDetails": details.unwrap_or_else(|| json!({})),
        })
    }

    /// `testTrafficWeights` and `productionTrafficWeights`: those that a shift leads to, in the stage in which the
    /// traffic shifts; in a rollback the target's weight is 0.
    fn weights(
        &self,
        service: &SimulatedService,
        deployment: &SimulatedServiceDeployment,
        stage: DeploymentStage,
    ) -> [Map<String, Value>; 2] {
        let rolls_back = deployment.rollback.is_some();
        let next_step = service.shift.iter().flat_map(|shift| &shift.steps).find_map(|(_, step)| match step {
            ShiftStep::Traffic(tenths) => Some(f64::from(*tenths) / 10.0),
            _ => None,
        });
        let target = self.revision_arn(service, &deployment.target);
        let source = deployment.sources.first().map(|source| self.revision_arn(service, source));
        let shares = |of_target: f64| {
            let mut shares = Map::from_iter([(target.clone(), json!(of_target))]);
            shares.extend(source.clone().map(|source| (source, json!(100.0 - of_target))));
            shares
        };
        let moved_to = if rolls_back { 0.0 } else { 100.0 };
        match stage {
            DeploymentStage::TestTrafficShift => [shares(moved_to), Map::new()],
            DeploymentStage::ProductionTrafficShift if rolls_back => [Map::new(), shares(moved_to)],
            DeploymentStage::ProductionTrafficShift => [Map::new(), shares(next_step.unwrap_or(moved_to))],
            _ => [Map::new(), Map::new()],
        }
    }
}
