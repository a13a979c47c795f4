//! taskhold's reads and calls of ECS on the simulated control plane, with counts of the reads.
//!
//! They bypass JSON, which the scenarios exercise: a month of reconciles makes a million reads.

use super::steps::Steps;
use ecs_sim::control_plane::{
    self as sim, ApiError, ControlPlane, DescribeServicesRequest, DescribeTasksRequest, GetTaskProtectionRequest,
    ListServicesRequest, ListTasksRequest, Millis, TaskProtectionResponse, UpdateTaskProtectionRequest,
};
use ecs_sim::region::{Fault, SharedRegion};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::deployment::{
    Deployment, DeploymentController, DeploymentStatus, DeploymentStrategy, RolloutState, TaskSet, TrafficShift,
};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Page, Service, ServiceArn, ServiceEvent, ServiceStatus};
use taskhold::ecs::task::{StopCause, TaskDescription};
use taskhold::ecs::{
    Ecs, FailureReason, ProtectedTask, ProtectionAnswer, ProtectionFailure, ProtectionSetting, ServiceReads,
};

pub(crate) fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap()
}

/// The reason for an invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    #[default]
    Event,
    Recheck,
    Sweep,
    Job,
}

/// The reads of ECS that tests count.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// The reason for the current invocation.
    pub(crate) cause: Cause,
    /// Reconciles of services: time, service, reason.
    pub(crate) looks: Vec<(Millis, String, Cause)>,
    /// All calls, by operation.
    pub(crate) calls: BTreeMap<&'static str, u64>,
}

impl Counted {
    /// The number of reads of all operations.
    pub(crate) fn reads(&self) -> u64 {
        self.calls.iter().filter(|(operation, _)| **operation != "UpdateTaskProtection").map(|(_, count)| count).sum()
    }
}

/// The simulated ECS.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedEcs {
    pub(crate) region: SharedRegion,
    pub(crate) steps: Steps,
    pub(crate) counted: Arc<Mutex<Counted>>,
}

impl SimulatedEcs {
    pub(crate) fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&mut ControlPlane) -> Result<T, ApiError>,
    ) -> Result<T, EcsError> {
        self.steps.point("before", operation).await;
        *self.counted().calls.entry(operation).or_default() += 1;
        let answer = {
            let mut region = self.region.lock();
            let answered_at = region.now() + region.latency_ms;
            region.advance_to(answered_at);
            match region.faults.pop_front() {
                None => call(&mut region.ecs).map_err(|error| EcsError::of_code(error.code.as_str(), &error.message)),
                Some(Fault::Throttled) => Err(EcsError::Throttled),
                Some(Fault::AccessDenied) => Err(EcsError::AccessDenied("a test says no".to_owned())),
                Some(Fault::ServerError) => Err(EcsError::Server("Service Unavailable".to_owned())),
                Some(fault) => {
                    if fault == Fault::AnswerLost {
                        // The answer is lost, even a refusal.
                        let _ = call(&mut region.ecs);
                    }
                    Err(EcsError::NoAnswer("the connection was lost".to_owned()))
                }
            }
        };
        self.steps.point("after", operation).await;
        answer
    }
}

impl Ecs for SimulatedEcs {
    async fn update_task_protection(
        &self,
        cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let minutes = match setting {
            ProtectionSetting::Disabled => None,
            ProtectionSetting::Enabled { expires_in_minutes } => Some(i64::from(expires_in_minutes)),
        };
        let request = UpdateTaskProtectionRequest {
            cluster: Some(cluster.name.clone()),
            tasks: ids(tasks),
            protection_enabled: Some(minutes.is_some()),
            expires_in_minutes: minutes,
        };
        self.call("UpdateTaskProtection", |ecs| ecs.update_task_protection(request)).await.map(protection_answer)
    }
}

ecs_sim::updates_no_services!(SimulatedEcs);

impl ServiceReads for SimulatedEcs {
    async fn describe_service(&self, service: &ServiceArn) -> Result<Option<Service>, EcsError> {
        let now = self.region.lock().now();
        {
            let mut counted = self.counted();
            let cause = counted.cause;
            counted.looks.push((now, service.name.clone(), cause));
        }
        let request = DescribeServicesRequest {
            cluster: Some(service.cluster.name.clone()),
            services: vec![service.name.clone()],
            include: vec!["TAGS".to_owned()],
        };
        let answer = self.call("DescribeServices", |ecs| ecs.describe_services(request)).await?;
        Ok(answer.services.into_iter().next().map(|told| described(service, told)))
    }

    async fn list_tasks(&self, service: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        let request = ListTasksRequest {
            cluster: Some(service.cluster.name.clone()),
            service_name: Some(service.name.clone()),
            next_token: next_token.map(str::to_owned),
            ..ListTasksRequest::default()
        };
        let answer = self.call("ListTasks", |ecs| ecs.list_tasks(request)).await?;
        Ok(Page { items: answer.task_arns.iter().map(|arn| id(arn)).collect(), next_token: answer.next_token })
    }

    async fn describe_tasks(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        let request = DescribeTasksRequest { cluster: Some(cluster.name.clone()), tasks: ids(tasks) };
        let answer = self.call("DescribeTasks", |ecs| ecs.describe_tasks(request)).await?;
        let status = |status: sim::TaskStatus| match status {
            sim::TaskStatus::Pending => "PENDING".to_owned(),
            sim::TaskStatus::Running => "RUNNING".to_owned(),
            sim::TaskStatus::Stopped => "STOPPED".to_owned(),
        };
        let task = |told: sim::DescribedTask| TaskDescription {
            id: id(&told.task_arn),
            service: None,
            started_by: told.started_by,
            last_status: status(told.last_status),
            desired_status: status(told.desired_status),
            started_at: told.started_at.map(|at| timestamp(at.0)),
            stop: StopCause {
                // The variants have the names that ECS uses.
                code: told.stop_code.map(|code| format!("{code:?}")),
                reason: told.stopped_reason,
                exit_codes: told.containers.into_iter().filter_map(|it| Some((it.name, it.exit_code?))).collect(),
            },
        };
        Ok(answer.tasks.into_iter().map(task).collect())
    }

    async fn get_task_protection(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        let request = GetTaskProtectionRequest { cluster: Some(cluster.name.clone()), tasks: ids(tasks) };
        self.call("GetTaskProtection", |ecs| ecs.get_task_protection(request)).await.map(protection_answer)
    }

    async fn list_services(
        &self,
        cluster: &Arc<ClusterArn>,
        next_token: Option<&str>,
    ) -> Result<Page<ServiceArn>, EcsError> {
        let request = ListServicesRequest {
            cluster: Some(cluster.name.clone()),
            max_results: Some(100),
            next_token: next_token.map(str::to_owned),
            ..ListServicesRequest::default()
        };
        let answer = self.call("ListServices", |ecs| ecs.list_services(request)).await?;
        let service = |arn: &String| ServiceArn::new(cluster.clone(), arn.rsplit('/').next().unwrap()).unwrap();
        Ok(Page { items: answer.service_arns.iter().map(service).collect(), next_token: answer.next_token })
    }
}

fn ids(tasks: &[TaskId]) -> Vec<String> {
    tasks.iter().map(ToString::to_string).collect()
}

fn id(arn: &str) -> TaskId {
    TaskId::at_end_of(arn).unwrap()
}

fn protection_answer(answer: TaskProtectionResponse) -> ProtectionAnswer {
    let protected = |told: sim::ProtectedTaskDescription| ProtectedTask {
        task_id: id(&told.task_arn),
        protection_enabled: told.protection_enabled,
        expiration_date: told.expiration_date.map(|at| timestamp(at.0)),
    };
    let failure = |told: sim::FailureDescription| ProtectionFailure {
        task_id: id(&told.arn),
        reason: FailureReason::from(told.reason.as_str()),
        detail: None,
    };
    ProtectionAnswer {
        protected_tasks: answer.protected_tasks.into_iter().map(protected).collect(),
        failures: answer.failures.into_iter().map(failure).collect(),
    }
}

fn described(arn: &ServiceArn, told: sim::ServiceDescription) -> Service {
    let count = |number: usize| u32::try_from(number).unwrap();
    let deployment = |told: sim::DeploymentDescription| Deployment {
        id: told.id,
        status: DeploymentStatus::from(told.status.as_str()),
        rollout_state: match told.rollout_state {
            sim::DeploymentRolloutState::InProgress => RolloutState::InProgress,
            sim::DeploymentRolloutState::Completed => RolloutState::Completed,
            sim::DeploymentRolloutState::Failed => RolloutState::Failed,
        },
        desired_count: count(told.desired_count),
        running_count: count(told.running_count),
        pending_count: count(told.pending_count),
        created_at: timestamp(told.created_at.0),
        updated_at: timestamp(told.updated_at.0),
    };
    let task_set = |told: sim::TaskSetDescription| TaskSet {
        id: told.id,
        status: DeploymentStatus::from(told.status.as_str()),
        is_stable: told.stability_status == "STEADY_STATE",
        computed_desired_count: count(told.computed_desired_count),
        running_count: count(told.running_count),
        pending_count: count(told.pending_count),
        created_at: timestamp(told.created_at.0),
        updated_at: timestamp(told.updated_at.0),
    };
    let event = |told: sim::ServiceEventDescription| ServiceEvent {
        id: told.id,
        created_at: timestamp(told.created_at.0),
        message: told.message,
    };
    let configuration = told.deployment_configuration;
    let strategy = DeploymentStrategy::from(configuration.strategy.as_deref().unwrap_or("ROLLING"));
    Service {
        arn: arn.clone(),
        status: match told.status {
            sim::SimulatedServiceStatus::Active => ServiceStatus::Active,
            sim::SimulatedServiceStatus::Draining => ServiceStatus::Draining,
            sim::SimulatedServiceStatus::Inactive => ServiceStatus::Inactive,
        },
        desired_count: count(told.desired_count),
        running_count: count(told.running_count),
        pending_count: count(told.pending_count),
        controller: DeploymentController::from(told.deployment_controller.kind.as_str()),
        old_tasks_kept: shift(&configuration).old_tasks_kept(&strategy),
        strategy,
        minimum_healthy_percent: configuration.minimum_healthy_percent,
        maximum_percent: configuration.maximum_percent,
        deployments: told.deployments.into_iter().map(deployment).collect(),
        task_sets: told.task_sets.into_iter().flatten().map(task_set).collect(),
        events: told.events.into_iter().map(event).collect(),
        tags: told.tags.into_iter().flatten().map(|tag| (tag.key, tag.value)).collect(),
    }
}

fn shift(configuration: &sim::DeploymentConfigurationDescription) -> TrafficShift {
    let linear = configuration.linear_configuration.as_ref();
    let canary = configuration.canary_configuration.as_ref();
    TrafficShift {
        bake_minutes: configuration.bake_time_in_minutes.map_or(0, i64::from),
        linear: linear.and_then(|it| it.step_percent.zip(it.step_bake_time_in_minutes)),
        canary_minutes: canary.and_then(|it| it.canary_bake_time_in_minutes),
    }
}
