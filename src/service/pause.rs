//! Whether a deployment waits for a lifecycle hook, and whether ECS stops old tasks at its present stage (aws-facts
//! "ECS: service deployments, pauses, early success").

use crate::ecs::service_deployment::{
    HookAction, HookStatus, LifecycleHook, LifecycleStage, ServiceDeployment, ServiceDeploymentArn,
};
use crate::service::snapshot::ServiceSnapshot;
use jiff::Timestamp;

/// A deployment that waits for a person: one or more PAUSE hooks await `ContinueServiceDeployment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The service deployment.
    pub deployment: ServiceDeploymentArn,
    /// The lifecycle stage; `None` if ECS reports none.
    pub stage: Option<LifecycleStage>,
    /// The hooks that wait, at least one, the first to time out in front.
    pub hooks: Vec<LifecycleHook>,
}

impl Pause {
    /// When the first of its hooks times out, and what ECS does then.
    pub fn timeout(&self) -> Option<(Timestamp, &HookAction)> {
        self.hooks.iter().find_map(|hook| Some((hook.expires_at?, &hook.timeout_action)))
    }
}

/// The pause of the deployment in progress, if it is paused.
pub(crate) fn pause(snapshot: &ServiceSnapshot) -> Option<Pause> {
    let deployment = in_progress(snapshot)?;
    let awaits = |hook: &&LifecycleHook| hook.status == HookStatus::AwaitingAction;
    let mut hooks: Vec<LifecycleHook> = deployment.hooks.iter().filter(awaits).cloned().collect();
    hooks.sort_by_key(|hook| (hook.expires_at.is_none(), hook.expires_at));
    let is_paused = !hooks.is_empty();
    is_paused.then(|| Pause { deployment: deployment.arn.clone(), stage: deployment.stage.clone(), hooks })
}

/// Whether a lifecycle hook holds the deployment in progress: one that waits for a person, or one whose function has not
/// given its final answer.
pub(crate) fn is_held(snapshot: &ServiceSnapshot) -> bool {
    in_progress(snapshot).is_some_and(|deployment| deployment.hooks.iter().any(LifecycleHook::waits))
}

/// Whether ECS stops the old tasks of the rollout at its present stage, except those that are protected. Before that,
/// no old task blocks.
pub(crate) fn stops_old_tasks(snapshot: &ServiceSnapshot) -> bool {
    let Some(deployment) = in_progress(snapshot) else { return true };
    let is_early = match &deployment.stage {
        _ if !snapshot.service.strategy.shifts_traffic() => false,
        // A rollback stops the tasks of the target at once, unless traffic shifts back first.
        None => !deployment.is_rolling_back(),
        Some(stage) => *stage != LifecycleStage::CleanUp,
    };
    !is_held(snapshot) && !is_early
}

fn in_progress(snapshot: &ServiceSnapshot) -> Option<&ServiceDeployment> {
    snapshot.service_deployment.as_ref().filter(|deployment| deployment.status.is_in_progress())
}
