//! Converts services and tasks from the simulated ECS's JSON to the function's own types.

use super::clock::timestamp;
use crate::control_plane::Millis;
use jiff::Timestamp;
use serde_json::Value;
use taskhold::ecs::arn::TaskId;
use taskhold::ecs::deployment::{
    Deployment, DeploymentController, DeploymentStatus, DeploymentStrategy, LinearSteps, RolloutState, TaskSet,
    TrafficShift,
};
use taskhold::ecs::deployment_options::{
    AlarmOptions, CircuitBreakerOptions, DeploymentOptions, EarlySuccess, OtherOptions, RevisionCleanup,
};
use taskhold::ecs::service::{Service, ServiceArn, ServiceEvent, ServiceStatus};
use taskhold::ecs::service_deployment::{
    HookAction, HookStatus, LifecycleHook, LifecycleStage, RevisionCounts, ServiceDeployment, ServiceDeploymentStatus,
};
use taskhold::ecs::task::{ContainerExit, StopCause, TaskDescription};

pub(super) fn service(arn: &ServiceArn, json: &Value) -> Service {
    let configuration = &json["deploymentConfiguration"];
    let word = |value: &Value, default: &str| value.as_str().unwrap_or(default).to_owned();
    let tag = |tag: &Value| Some((tag["key"].as_str()?.to_owned(), tag["value"].as_str()?.to_owned()));
    let strategy = DeploymentStrategy::from(word(&configuration["strategy"], "ROLLING").as_str());
    Service {
        arn: arn.clone(),
        status: ServiceStatus::from(text(&json["status"]).as_str()),
        desired_count: count(&json["desiredCount"]),
        running_count: count(&json["runningCount"]),
        pending_count: count(&json["pendingCount"]),
        controller: DeploymentController::from(word(&json["deploymentController"]["type"], "ECS").as_str()),
        old_tasks_kept: shift(configuration).old_tasks_kept(&strategy),
        strategy,
        minimum_healthy_percent: configuration["minimumHealthyPercent"].as_u64().map_or(100, narrow),
        maximum_percent: configuration["maximumPercent"].as_u64().map_or(200, narrow),
        options: options(configuration),
        service_deployment: json["currentServiceDeployment"].as_str().and_then(|arn| arn.parse().ok()),
        deployments: list(json, "deployments").map(deployment).collect(),
        task_sets: list(json, "taskSets").map(task_set).collect(),
        events: list(json, "events").map(event).collect(),
        tags: list(json, "tags").filter_map(tag).collect(),
    }
}

fn shift(configuration: &Value) -> TrafficShift {
    let minutes = |json: &Value| json.as_i64();
    let (linear, canary) = (&configuration["linearConfiguration"], &configuration["canaryConfiguration"]);
    TrafficShift {
        bake_minutes: minutes(&configuration["bakeTimeInMinutes"]).unwrap_or(0),
        linear: linear["stepPercent"]
            .as_f64()
            .zip(minutes(&linear["stepBakeTimeInMinutes"]))
            .map(|(percent, bake_minutes)| LinearSteps { percent, bake_minutes }),
        canary_minutes: minutes(&canary["canaryBakeTimeInMinutes"]),
    }
}

fn options(configuration: &Value) -> DeploymentOptions {
    let is = |json: &Value| json.as_bool().unwrap_or(false);
    let some = |name: &str| Some(&configuration[name]).filter(|json| !json.is_null());
    let percent = |json: &Value| json.as_i64().and_then(|percent| i32::try_from(percent).ok());
    let has_others = list(configuration, "lifecycleHooks").next().is_some()
        || configuration["bakeTimeInMinutes"].as_i64().is_some_and(|minutes| minutes != 0)
        || ["linearConfiguration", "canaryConfiguration"].iter().any(|name| some(name).is_some());
    DeploymentOptions {
        circuit_breaker: some("deploymentCircuitBreaker").map(|it| CircuitBreakerOptions {
            enable: is(&it["enable"]),
            rollback: is(&it["rollback"]),
            ..CircuitBreakerOptions::default()
        }),
        alarms: some("alarms").map(|it| AlarmOptions {
            names: list(it, "alarmNames").map(text).collect(),
            enable: is(&it["enable"]),
            rollback: is(&it["rollback"]),
        }),
        early_success: some("earlySuccessCriteria").map(|it| EarlySuccess {
            enable: is(&it["enable"]),
            healthy_percent: percent(&it["healthyPercent"]),
            cleanup: it["sourceServiceRevisionCleanup"].as_str().map(RevisionCleanup::from),
        }),
        others: if has_others { OtherOptions::Some } else { OtherOptions::None },
    }
}

pub(super) fn service_deployment(json: &Value) -> Option<ServiceDeployment> {
    let revisions = Some(&json["targetServiceRevision"]).filter(|target| !target.is_null());
    Some(ServiceDeployment {
        arn: json["serviceDeploymentArn"].as_str()?.parse().ok()?,
        status: ServiceDeploymentStatus::from(json["status"].as_str()?),
        finished_at: date(&json["finishedAt"]),
        stage: json["lifecycleStage"].as_str().map(LifecycleStage::from),
        hooks: list(json, "lifecycleHookDetails").map(hook).collect(),
        rollback_started_at: date(&json["rollback"]["startedAt"]),
        revisions: revisions.into_iter().chain(list(json, "sourceServiceRevisions")).map(revision).collect(),
    })
}

fn hook(json: &Value) -> LifecycleHook {
    LifecycleHook {
        id: text(&json["hookId"]),
        target: json["targetArn"].as_str().map(str::to_owned),
        status: HookStatus::from(text(&json["status"]).as_str()),
        expires_at: date(&json["expiresAt"]),
        timeout_action: HookAction::from(text(&json["timeoutAction"]).as_str()),
    }
}

fn revision(json: &Value) -> RevisionCounts {
    RevisionCounts {
        arn: text(&json["arn"]),
        requested: count(&json["requestedTaskCount"]),
        running: count(&json["runningTaskCount"]),
        pending: count(&json["pendingTaskCount"]),
    }
}

fn deployment(json: &Value) -> Deployment {
    Deployment {
        id: text(&json["id"]),
        status: DeploymentStatus::from(text(&json["status"]).as_str()),
        rollout_state: RolloutState::from(text(&json["rolloutState"]).as_str()),
        desired_count: count(&json["desiredCount"]),
        running_count: count(&json["runningCount"]),
        pending_count: count(&json["pendingCount"]),
        created_at: date(&json["createdAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
        updated_at: date(&json["updatedAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn task_set(json: &Value) -> TaskSet {
    TaskSet {
        id: text(&json["id"]),
        status: DeploymentStatus::from(text(&json["status"]).as_str()),
        is_stable: json["stabilityStatus"] == "STEADY_STATE",
        computed_desired_count: count(&json["computedDesiredCount"]),
        running_count: count(&json["runningCount"]),
        pending_count: count(&json["pendingCount"]),
        created_at: date(&json["createdAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
        updated_at: date(&json["updatedAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn event(json: &Value) -> ServiceEvent {
    ServiceEvent {
        id: text(&json["id"]),
        created_at: date(&json["createdAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
        message: text(&json["message"]),
    }
}

pub(super) fn task(json: &Value) -> Option<TaskDescription> {
    Some(TaskDescription {
        id: TaskId::at_end_of(json["taskArn"].as_str()?).ok()?,
        service: json["group"].as_str().and_then(|group| group.strip_prefix("service:")).map(str::to_owned),
        started_by: json["startedBy"].as_str().map(str::to_owned),
        last_status: text(&json["lastStatus"]),
        desired_status: text(&json["desiredStatus"]),
        stop: StopCause {
            code: json["stopCode"].as_str().map(str::to_owned),
            reason: json["stoppedReason"].as_str().map(str::to_owned),
            exit_codes: list(json, "containers").filter_map(exit).collect(),
        },
    })
}

fn exit(json: &Value) -> Option<ContainerExit> {
    Some(ContainerExit { container: text(&json["name"]), code: i32::try_from(json["exitCode"].as_i64()?).ok()? })
}

/// The JSON protocol writes seconds with milliseconds as a fraction.
pub(super) fn date(seconds: &Value) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this century fit both ways")]
    seconds.as_f64().map(|seconds| timestamp((seconds * 1000.0).round() as Millis))
}

fn list<'a>(json: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    json[name].as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> u32 {
    value.as_u64().map_or(0, narrow)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
