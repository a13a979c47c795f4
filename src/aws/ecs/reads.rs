//! Translates the SDK's services, tasks and times into taskhold's types.

use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::deployment::{
    Deployment, DeploymentController, DeploymentStatus, DeploymentStrategy, LinearSteps, RolloutState, TaskSet,
    TrafficShift,
};
use crate::ecs::deployment_options::{
    AlarmOptions, CircuitBreakerOptions, DeploymentOptions, EarlySuccess, FailureThreshold, OtherOptions,
    RevisionCleanup,
};
use crate::ecs::error::EcsError;
use crate::ecs::service::{Service, ServiceArn, ServiceEvent, ServiceStatus};
use crate::ecs::service_deployment::{
    HookAction, HookStatus, LifecycleHook, LifecycleStage, RevisionCounts, ServiceDeployment, ServiceDeploymentStatus,
};
use crate::ecs::task::{ContainerExit, StopCause, TaskDescription};
use aws_sdk_ecs::operation::describe_services::DescribeServicesOutput;
use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The percentages that apply where a service sets none ("DeploymentConfiguration", Amazon ECS API
/// Reference).
const PERCENT_DEFAULT: (i32, i32) = (100, 200);

/// A service of an answer of `DescribeServices`. `None` if ECS does not know it.
pub(crate) fn described(service: &ServiceArn, answer: &DescribeServicesOutput) -> Result<Option<Service>, EcsError> {
    let is_it = |arn: Option<&str>| arn.and_then(|arn| service_arn(&service.cluster, arn)).as_ref() == Some(service);
    if let Some(described) = answer.services().iter().find(|described| is_it(described.service_arn())) {
        return Ok(Some(self::service(service, described)));
    }
    match answer.failures().iter().find(|failure| is_it(failure.arn())).and_then(types::Failure::reason) {
        Some("MISSING") => Ok(None),
        reason => Err(EcsError::Incomplete(format!(
            "DescribeServices answered for service `{}` only `{}`",
            service.name,
            reason.unwrap_or("nothing")
        ))),
    }
}

pub(crate) fn service(arn: &ServiceArn, described: &types::Service) -> Service {
    let configuration = described.deployment_configuration();
    let percent = |of: fn(&types::DeploymentConfiguration) -> Option<i32>, default| {
        count(configuration.and_then(of).unwrap_or(default))
    };
    let controller = described.deployment_controller().map_or("ECS", |controller| controller.r#type().as_str());
    let strategy = configuration.and_then(|configuration| configuration.strategy()).map_or("ROLLING", |it| it.as_str());
    let strategy = DeploymentStrategy::from(strategy);
    Service {
        arn: arn.clone(),
        status: ServiceStatus::from(described.status().unwrap_or_default()),
        desired_count: count(described.desired_count()),
        running_count: count(described.running_count()),
        pending_count: count(described.pending_count()),
        controller: DeploymentController::from(controller),
        old_tasks_kept: configuration.map(shift).unwrap_or_default().old_tasks_kept(&strategy),
        strategy,
        minimum_healthy_percent: percent(types::DeploymentConfiguration::minimum_healthy_percent, PERCENT_DEFAULT.0),
        maximum_percent: percent(types::DeploymentConfiguration::maximum_percent, PERCENT_DEFAULT.1),
        options: configuration.map(options).unwrap_or_default(),
        service_deployment: described.current_service_deployment().and_then(|arn| arn.parse().ok()),
        deployments: described.deployments().iter().filter_map(deployment).collect(),
        task_sets: described.task_sets().iter().filter_map(task_set).collect(),
        events: described.events().iter().filter_map(event).collect(),
        tags: described.tags().iter().filter_map(tag).collect::<BTreeMap<_, _>>(),
    }
}

fn shift(configuration: &types::DeploymentConfiguration) -> TrafficShift {
    let minutes = |minutes: Option<i32>| i64::from(minutes.unwrap_or(0));
    let linear = configuration.linear_configuration();
    let canary = configuration.canary_configuration();
    TrafficShift {
        bake_minutes: minutes(configuration.bake_time_in_minutes()),
        linear: linear.map(|it| LinearSteps {
            percent: it.step_percent().unwrap_or(0.0),
            bake_minutes: minutes(it.step_bake_time_in_minutes()),
        }),
        canary_minutes: canary.map(|it| minutes(it.canary_bake_time_in_minutes())),
    }
}

/// Members that the pinned SDK does not know are dropped when it reads the answer.
fn options(configuration: &types::DeploymentConfiguration) -> DeploymentOptions {
    let circuit_breaker = |it: &types::DeploymentCircuitBreaker| CircuitBreakerOptions {
        enable: it.enable(),
        rollback: it.rollback(),
        reset_on_healthy_task: it.reset_on_healthy_task(),
        threshold: it
            .threshold_configuration()
            .map(|it| FailureThreshold { kind: it.r#type().as_str().to_owned(), value: it.value() }),
    };
    let alarms = |it: &types::DeploymentAlarms| AlarmOptions {
        names: it.alarm_names().to_vec(),
        enable: it.enable(),
        rollback: it.rollback(),
    };
    let early_success = |it: &types::DeploymentEarlySuccessCriteria| EarlySuccess {
        enable: it.enable(),
        healthy_percent: it.healthy_percent(),
        cleanup: it.source_service_revision_cleanup().map(|word| RevisionCleanup::from(word.as_str())),
    };
    let has_others = !configuration.lifecycle_hooks().is_empty()
        || configuration.bake_time_in_minutes().is_some_and(|minutes| minutes != 0)
        || configuration.linear_configuration().is_some()
        || configuration.canary_configuration().is_some();
    DeploymentOptions {
        circuit_breaker: configuration.deployment_circuit_breaker().map(circuit_breaker),
        alarms: configuration.alarms().map(alarms),
        early_success: configuration.early_success_criteria().map(early_success),
        others: if has_others { OtherOptions::Some } else { OtherOptions::None },
    }
}

/// A service deployment; `None` without an ARN that names one, or without a status.
pub(crate) fn service_deployment(described: &types::ServiceDeployment) -> Option<ServiceDeployment> {
    let revisions = described.target_service_revision().into_iter().chain(described.source_service_revisions());
    Some(ServiceDeployment {
        arn: described.service_deployment_arn()?.parse().ok()?,
        status: ServiceDeploymentStatus::from(described.status()?.as_str()),
        finished_at: described.finished_at().and_then(timestamp),
        stage: described.lifecycle_stage().map(|stage| LifecycleStage::from(stage.as_str())),
        hooks: described.lifecycle_hook_details().iter().filter_map(hook).collect(),
        rollback_started_at: described.rollback().and_then(types::Rollback::started_at).and_then(timestamp),
        revisions: revisions.filter_map(revision).collect(),
    })
}

fn hook(described: &types::DeploymentLifecycleHookDetail) -> Option<LifecycleHook> {
    Some(LifecycleHook {
        id: described.hook_id()?.to_owned(),
        target: described.target_arn().map(str::to_owned),
        status: HookStatus::from(described.status().map_or("", |status| status.as_str())),
        expires_at: described.expires_at().and_then(timestamp),
        timeout_action: HookAction::from(described.timeout_action().map_or("", |action| action.as_str())),
    })
}

fn revision(described: &types::ServiceRevisionSummary) -> Option<RevisionCounts> {
    Some(RevisionCounts {
        arn: described.arn()?.to_owned(),
        requested: count(described.requested_task_count()),
        running: count(described.running_task_count()),
        pending: count(described.pending_task_count()),
    })
}

fn deployment(described: &types::Deployment) -> Option<Deployment> {
    Some(Deployment {
        id: described.id()?.to_owned(),
        status: DeploymentStatus::from(described.status().unwrap_or_default()),
        rollout_state: RolloutState::from(described.rollout_state().map_or("", |state| state.as_str())),
        desired_count: count(described.desired_count()),
        running_count: count(described.running_count()),
        pending_count: count(described.pending_count()),
        created_at: at(described.created_at()),
        updated_at: at(described.updated_at()),
    })
}

fn task_set(described: &types::TaskSet) -> Option<TaskSet> {
    Some(TaskSet {
        id: described.id()?.to_owned(),
        status: DeploymentStatus::from(described.status().unwrap_or_default()),
        is_stable: described.stability_status() == Some(&types::StabilityStatus::SteadyState),
        computed_desired_count: count(described.computed_desired_count()),
        running_count: count(described.running_count()),
        pending_count: count(described.pending_count()),
        created_at: at(described.created_at()),
        updated_at: at(described.updated_at()),
    })
}

fn event(event: &types::ServiceEvent) -> Option<ServiceEvent> {
    Some(ServiceEvent {
        id: event.id()?.to_owned(),
        created_at: at(event.created_at()),
        message: event.message().unwrap_or_default().to_owned(),
    })
}

fn tag(tag: &types::Tag) -> Option<(String, String)> {
    Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
}

/// A task; `None` if its ARN names no task.
pub(crate) fn task(described: &types::Task) -> Option<TaskDescription> {
    Some(TaskDescription {
        id: TaskId::at_end_of(described.task_arn()?).ok()?,
        service: described.group().and_then(|group| group.strip_prefix("service:")).map(str::to_owned),
        started_by: described.started_by().map(str::to_owned),
        last_status: described.last_status().unwrap_or_default().to_owned(),
        desired_status: described.desired_status().unwrap_or_default().to_owned(),
        stop: StopCause {
            code: described.stop_code().map(|code| code.as_str().to_owned()),
            reason: described.stopped_reason().map(str::to_owned),
            exit_codes: described.containers().iter().filter_map(exit).collect(),
        },
    })
}

fn exit(container: &types::Container) -> Option<ContainerExit> {
    let code = container.exit_code()?;
    Some(ContainerExit { container: container.name().unwrap_or_default().to_owned(), code })
}

/// The service at the end of an ARN, long or short.
pub(crate) fn service_arn(cluster: &Arc<ClusterArn>, arn: &str) -> Option<ServiceArn> {
    ServiceArn::new(cluster.clone(), arn.rsplit('/').next().unwrap_or(arn)).ok()
}

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Rounds to the nearest millisecond: the SDK parses a date from a decimal number, which may lie slightly
/// below the intended millisecond.
pub(crate) fn timestamp(date: &DateTime) -> Option<Timestamp> {
    let millis = i64::try_from((date.as_nanos() + 500_000).div_euclid(1_000_000)).ok()?;
    Timestamp::from_millisecond(millis).ok()
}

/// ECS always sets these times; a missing one counts as long ago.
fn at(date: Option<&DateTime>) -> Timestamp {
    date.and_then(timestamp).unwrap_or(Timestamp::UNIX_EPOCH)
}
