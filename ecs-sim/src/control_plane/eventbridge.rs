//! The events that ECS sends to EventBridge, including the envelope.
//!
//! aws-facts: "EventBridge". A control plane emits each event once and in order. The code that delivers the events adds
//! duplicates, losses and disorder.

use serde_json::{Map, Value, json};

use super::hook::ActiveHook;
use super::names;
use super::state::ControlPlane;
use super::task::{SimulatedTask, TaskStatus};
use super::time::Millis;

/// `eventName` of an `ECS Service Action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServiceAction {
    ServiceSteadyState,
    ServiceDesiredCountUpdated,
    TasksStarted,
    TasksStopped,
    TasksetScaleInFailureByTaskProtection,
    TasksetSteadyState,
    ServiceRebalancingStarted,
    ServiceRebalancingCompleted,
    ServiceRebalancingStopped,
}

impl ServiceAction {
    fn as_str(self) -> &'static str {
        match self {
            Self::ServiceSteadyState => "SERVICE_STEADY_STATE",
            Self::ServiceDesiredCountUpdated => "SERVICE_DESIRED_COUNT_UPDATED",
            Self::TasksStarted => "TASKS_STARTED",
            Self::TasksStopped => "TASKS_STOPPED",
            Self::TasksetScaleInFailureByTaskProtection => "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION",
            Self::TasksetSteadyState => "TASKSET_STEADY_STATE",
            Self::ServiceRebalancingStarted => "SERVICE_REBALANCING_STARTED",
            Self::ServiceRebalancingCompleted => "SERVICE_REBALANCING_COMPLETED",
            Self::ServiceRebalancingStopped => "SERVICE_REBALANCING_STOPPED",
        }
    }
}

/// `eventName` of an `ECS Deployment State Change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeploymentEvent {
    InProgress,
    Completed,
    Failed,
}

/// `eventName` of an `ECS Hook State Change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HookEvent {
    InProgress,
    AwaitingAction,
    Succeeded,
    Failed,
    TimedOut,
}

impl ControlPlane {
    /// An `ECS Service Action`. All simulated ones are of type INFO, and none carries the message's text.
    pub(super) fn emit_service_action(&mut self, key: u64, action: ServiceAction) {
        let service = &self.services[&key];
        let detail = json!({
            "eventType": "INFO",
            "eventName": action.as_str(),
            "clusterArn": self.names.cluster_arn(&service.cluster),
            "createdAt": rfc3339(self.now),
        });
        let resource = service.arn.clone();
        self.emit("ECS Service Action", resource, detail);
    }

    /// An `ECS Deployment State Change` about the PRIMARY deployment. Task sets have none (assumed).
    ///
    /// The reason of a failure is the example in AWS's page "Amazon ECS service deployment state change events"; the
    /// reason of a rollback was captured.
    pub(super) fn emit_deployment_state_change(&mut self, key: u64, event: DeploymentEvent) {
        let service = &self.services[&key];
        if service.has_task_sets() {
            return;
        }
        let id = &service.primary().id;
        let rolls_back = event == DeploymentEvent::InProgress && service.primary().is_rollback;
        let (kind, name, reason) = match event {
            DeploymentEvent::InProgress if rolls_back => {
                let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {id}.");
                ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", reason)
            }
            DeploymentEvent::InProgress => {
                ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS", format!("ECS deployment {id} in progress."))
            }
            DeploymentEvent::Completed => {
                ("INFO", "SERVICE_DEPLOYMENT_COMPLETED", format!("ECS deployment {id} completed."))
            }
            DeploymentEvent::Failed => {
                let reason = "ECS deployment circuit breaker: task failed to start.".to_owned();
                ("ERROR", "SERVICE_DEPLOYMENT_FAILED", reason)
            }
        };
        let detail = json!({
            "eventType": kind,
            "eventName": name,
            "clusterArn": self.names.cluster_arn(&service.cluster),
            "deploymentId": id,
            "updatedAt": rfc3339(self.now),
            "reason": reason,
        });
        let resource = service.arn.clone();
        self.emit("ECS Deployment State Change", resource, detail);
    }

    /// An `ECS Hook State Change`. Its type is INFO, or ERROR for a failure (assumed).
    pub(super) fn emit_hook_state_change(&mut self, key: u64, hook: &ActiveHook, event: HookEvent) {
        let service = &self.services[&key];
        let Some(deployment) = service.service_deployment() else { return };
        let (kind, name) = match event {
            HookEvent::InProgress => ("INFO", "HOOK_IN_PROGRESS"),
            HookEvent::AwaitingAction => ("INFO", "HOOK_AWAITING_ACTION"),
            HookEvent::Succeeded => ("INFO", "HOOK_SUCCEEDED"),
            HookEvent::Failed => ("ERROR", "HOOK_FAILED"),
            HookEvent::TimedOut => ("ERROR", "HOOK_TIMED_OUT"),
        };
        let detail = json!({
            "eventType": kind,
            "eventName": name,
            "clusterArn": self.names.cluster_arn(&service.cluster),
            "serviceArn": service.arn,
            "hookId": hook.id,
            "hookType": hook.kind(),
            "lifecycleStage": hook.stage,
            "expiresAt": rfc3339(hook.expires_at),
        });
        let resource = self.service_deployment_arn(service, deployment);
        self.emit("ECS Hook State Change", resource, detail);
    }

    /// An `ECS Task State Change` with the task as it is now.
    pub(super) fn emit_task_state_change(&mut self, key: u64) {
        let task = &self.tasks[&key];
        let mut detail = self.task_detail(task);
        let times = [("startedAt", task.started_at), ("stoppingAt", task.stopping_at), ("stoppedAt", task.stopped_at)];
        for (name, at) in times {
            if let Some(at) = at {
                detail.insert(name.to_owned(), Value::String(rfc3339(at)));
            }
        }
        let resource = task.arn.clone();
        self.emit("ECS Task State Change", resource, Value::Object(detail));
    }

    fn task_detail(&self, task: &SimulatedTask) -> Map<String, Value> {
        let mut detail = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                detail.insert(name.to_owned(), value);
            }
        };
        put("clusterArn", json!(self.names.cluster_arn(&task.cluster)));
        put("containers", json!([self.container_detail(task)]));
        put("createdAt", json!(rfc3339(task.created_at)));
        put("desiredStatus", json!(task.desired_status));
        put("group", json!(task.group()));
        put("lastStatus", json!(task.last_status));
        put("launchType", json!("FARGATE"));
        put("startedBy", json!(task.deployment));
        put("stopCode", json!(task.stop_code));
        put("stoppedReason", json!(task.stopped_reason));
        put("taskArn", json!(task.arn));
        put("taskDefinitionArn", json!(self.names.task_definition_arn(&task.task_definition)));
        put("updatedAt", json!(rfc3339(self.now)));
        put("version", json!(task.version));
        detail
    }

    fn container_detail(&self, task: &SimulatedTask) -> Value {
        let mut container = json!({
            "containerArn": self.names.container_arn(&task.cluster, &task.id),
            "lastStatus": task.last_status,
            "name": CONTAINER_NAME,
            "taskArn": task.arn,
        });
        if let (TaskStatus::Stopped, Some(exit_code)) = (task.last_status, task.exit_code) {
            container["exitCode"] = json!(exit_code);
        }
        container
    }

    fn emit(&mut self, detail_type: &str, resource: String, detail: Value) {
        let id = names::uuid(self.next_identifier());
        self.events.push(json!({
            "version": "0",
            "id": id,
            "detail-type": detail_type,
            "source": "aws.ecs",
            "account": self.names.account,
            "time": rfc3339_seconds(self.now),
            "region": self.names.region,
            "resources": [resource],
            "detail": detail,
        }));
    }
}

/// Every task has one container, of this name.
pub(super) const CONTAINER_NAME: &str = "app";

/// With milliseconds, as in `detail`.
fn rfc3339(at: Millis) -> String {
    format!("{:.3}", timestamp(at))
}

/// In whole seconds, as in the envelope.
fn rfc3339_seconds(at: Millis) -> String {
    format!("{:.0}", timestamp(at.div_euclid(1000) * 1000))
}

fn timestamp(at: Millis) -> jiff::Timestamp {
    // Out of range only beyond the years -9999 and 9999.
    jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_eventbridge_writes_them() {
        assert_eq!(rfc3339(super::super::time::START_OF_TIME_MS + 7), "2026-01-05T09:00:00.007Z");
        assert_eq!(rfc3339_seconds(super::super::time::START_OF_TIME_MS + 999), "2026-01-05T09:00:00Z");
    }
}
