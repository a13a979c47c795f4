//! The service deployment of a rollout and its pause, as JSON.

use crate::clock::WholeSeconds;
use crate::ecs::service_deployment::{LifecycleHook, RevisionCounts, ServiceDeployment};
use crate::notify::json::values::{bounded, present};
use crate::service::pause::Pause;
use serde_json::{Value, json};

/// A service has at most ten hooks of each kind, and five deployments (aws-facts "ECS deployment lifecycle hooks").
const ENTRIES_MAX: usize = 10;

pub(crate) fn pause(pause: &Pause) -> Value {
    present(json!({
        "serviceDeployment": pause.deployment.as_str(),
        "lifecycleStage": pause.stage.as_ref().map(|stage| bounded(stage.as_str())),
        "hooks": pause.hooks.iter().take(ENTRIES_MAX).map(hook).collect::<Vec<_>>(),
    }))
}

fn hook(hook: &LifecycleHook) -> Value {
    let action = Some(hook.timeout_action.as_str()).filter(|action| !action.is_empty());
    present(json!({
        "hookId": bounded(&hook.id),
        "expiresAt": hook.expires_at.map(WholeSeconds::from),
        "timeoutAction": action.map(bounded),
    }))
}

pub(crate) fn service_deployment(deployment: &ServiceDeployment) -> Value {
    present(json!({
        "arn": deployment.arn.as_str(),
        "status": bounded(deployment.status.as_str()),
        "lifecycleStage": deployment.stage.as_ref().map(|stage| bounded(stage.as_str())),
        "rollbackStartedAt": deployment.rollback_started_at.map(WholeSeconds::from),
        "revisions": deployment.revisions.iter().take(ENTRIES_MAX).map(revision).collect::<Vec<_>>(),
    }))
}

fn revision(counts: &RevisionCounts) -> Value {
    let RevisionCounts { arn, requested, running, pending } = counts;
    json!({"arn": bounded(arn), "requested": requested, "running": running, "pending": pending})
}
