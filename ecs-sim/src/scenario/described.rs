//! Converts services and tasks from the simulated ECS's JSON to the function's own types.

use super::in_process::clock::timestamp;
use crate::control_plane::Millis;
use jiff::Timestamp;
use serde_json::Value;
use taskhold::ecs::arn::TaskId;
use taskhold::ecs::deployment::{
    Deployment, DeploymentController, DeploymentStatus, DeploymentStrategy, RolloutState, TaskSet, TrafficShift,
};
use taskhold::ecs::service::{Service, ServiceArn, ServiceEvent, ServiceStatus};
use taskhold::ecs::task::{StopCause, TaskDescription};

pub(super) fn service(arn: &ServiceArn, told: &Value) -> Service {
    let configuration = &told["deploymentConfiguration"];
    let word = |value: &Value, default: &str| value.as_str().unwrap_or(default).to_owned();
    let tag = |tag: &Value| Some((tag["key"].as_str()?.to_owned(), tag["value"].as_str()?.to_owned()));
    let strategy = DeploymentStrategy::from(word(&configuration["strategy"], "ROLLING").as_str());
    Service {
        arn: arn.clone(),
        status: ServiceStatus::from(text(&told["status"]).as_str()),
        desired_count: count(&told["desiredCount"]),
        running_count: count(&told["runningCount"]),
        pending_count: count(&told["pendingCount"]),
        controller: DeploymentController::from(word(&told["deploymentController"]["type"], "ECS").as_str()),
        old_tasks_kept: shift(configuration).old_tasks_kept(&strategy),
        strategy,
        minimum_healthy_percent: configuration["minimumHealthyPercent"].as_u64().map_or(100, narrow),
        maximum_percent: configuration["maximumPercent"].as_u64().map_or(200, narrow),
        deployments: list(told, "deployments").map(deployment).collect(),
        task_sets: list(told, "taskSets").map(task_set).collect(),
        events: list(told, "events").map(event).collect(),
        tags: list(told, "tags").filter_map(tag).collect(),
    }
}

fn shift(configuration: &Value) -> TrafficShift {
    let minutes = |told: &Value| told.as_i64();
    let (linear, canary) = (&configuration["linearConfiguration"], &configuration["canaryConfiguration"]);
    TrafficShift {
        bake_minutes: minutes(&configuration["bakeTimeInMinutes"]).unwrap_or(0),
        linear: linear["stepPercent"].as_f64().zip(minutes(&linear["stepBakeTimeInMinutes"])),
        canary_minutes: minutes(&canary["canaryBakeTimeInMinutes"]),
    }
}

fn deployment(told: &Value) -> Deployment {
    Deployment {
        id: text(&told["id"]),
        status: DeploymentStatus::from(text(&told["status"]).as_str()),
        rollout_state: RolloutState::from(text(&told["rolloutState"]).as_str()),
        desired_count: count(&told["desiredCount"]),
        running_count: count(&told["runningCount"]),
        pending_count: count(&told["pendingCount"]),
        created_at: date(&told["createdAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
        updated_at: date(&told["updatedAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn task_set(told: &Value) -> TaskSet {
    TaskSet {
        id: text(&told["id"]),
        status: DeploymentStatus::from(text(&told["status"]).as_str()),
        is_stable: told["stabilityStatus"] == "STEADY_STATE",
        computed_desired_count: count(&told["computedDesiredCount"]),
        running_count: count(&told["runningCount"]),
        pending_count: count(&told["pendingCount"]),
        created_at: date(&told["createdAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
        updated_at: date(&told["updatedAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn event(told: &Value) -> ServiceEvent {
    ServiceEvent {
        id: text(&told["id"]),
        created_at: date(&told["createdAt"]).unwrap_or(Timestamp::UNIX_EPOCH),
        message: text(&told["message"]),
    }
}

pub(super) fn task(told: &Value) -> Option<TaskDescription> {
    Some(TaskDescription {
        id: TaskId::at_end_of(told["taskArn"].as_str()?).ok()?,
        service: told["group"].as_str().and_then(|group| group.strip_prefix("service:")).map(str::to_owned),
        started_by: told["startedBy"].as_str().map(str::to_owned),
        last_status: text(&told["lastStatus"]),
        desired_status: text(&told["desiredStatus"]),
        started_at: date(&told["startedAt"]),
        stop: StopCause {
            code: told["stopCode"].as_str().map(str::to_owned),
            reason: told["stoppedReason"].as_str().map(str::to_owned),
            exit_codes: list(told, "containers").filter_map(exit_code).collect(),
        },
    })
}

fn exit_code(told: &Value) -> Option<(String, i32)> {
    Some((text(&told["name"]), i32::try_from(told["exitCode"].as_i64()?).ok()?))
}

/// The JSON protocol writes seconds with milliseconds as a fraction.
pub(super) fn date(seconds: &Value) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this century fit both ways")]
    seconds.as_f64().map(|seconds| timestamp((seconds * 1000.0).round() as Millis))
}

fn list<'a>(told: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    told[name].as_array().into_iter().flatten()
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
