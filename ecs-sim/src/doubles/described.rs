//! Converts services and tasks from the simulated ECS's JSON to the function's own types.

use super::clock::timestamp;
use crate::control_plane::Millis;
use jiff::Timestamp;
use serde_json::Value;
use taskhold::ecs::arn::TaskId;
use taskhold::ecs::deployment::{
    Deployment, DeploymentController, DeploymentStatus, DeploymentStrategy, RolloutState, TaskSet, TrafficShift,
};
use taskhold::ecs::service::{Service, ServiceArn, ServiceEvent, ServiceStatus};
use taskhold::ecs::task::{StopCause, TaskDescription};

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
        linear: linear["stepPercent"].as_f64().zip(minutes(&linear["stepBakeTimeInMinutes"])),
        canary_minutes: minutes(&canary["canaryBakeTimeInMinutes"]),
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
        started_at: date(&json["startedAt"]),
        stop: StopCause {
            code: json["stopCode"].as_str().map(str::to_owned),
            reason: json["stoppedReason"].as_str().map(str::to_owned),
            exit_codes: list(json, "containers").filter_map(exit_code).collect(),
        },
    })
}

fn exit_code(json: &Value) -> Option<(String, i32)> {
    Some((text(&json["name"]), i32::try_from(json["exitCode"].as_i64()?).ok()?))
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
