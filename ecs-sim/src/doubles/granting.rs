//! The function in process, with a clock that stands still and an ECS that grants everything at once, so that only
//! the function's own work is measured: by the benches, and by tests/budgets.rs.

mod batches;

use async_trait::async_trait;
pub use batches::{CLUSTER, NOW_MS, RECORDS_MAX, Tasks, batch};

use super::parts::parts;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use taskhold::clock::Clock;
use taskhold::config::settings::Config;
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::service::{Service, ServiceArn, ServiceStatus};
use taskhold::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use taskhold::ecs::task::{StopCause, TaskDescription};
use taskhold::ecs::{Ecs, ProtectedTask, ProtectionAnswer, ProtectionSetting, ServiceReads, TASKS_PER_READ_MAX};
use taskhold::lambda::function::{Function, Response};
use taskhold::page::Page;
use tokio::runtime::Runtime;

/// The only service in ECS.
pub const SERVICE: &str = "transcode";

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct StillClock;

#[async_trait]
impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(NOW_MS).expect("a time of this century")
    }

    async fn sleep(&self, _: Duration) {}
}

/// An ECS that grants everything at once. Its service has this many tasks, all protected.
#[derive(Debug, Default)]
pub struct GrantingEcs {
    /// Tasks of the service; with zero tasks there is no service.
    pub tasks: AtomicUsize,
    /// Calls of UpdateTaskProtection.
    pub calls: AtomicU64,
    /// The minutes of the last protection that it granted; 0 for none.
    pub minutes: AtomicU64,
}

#[async_trait]
impl Ecs for GrantingEcs {
    async fn update_task_protection(
        &self,
        _: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let until = match setting {
            ProtectionSetting::Disabled => None,
            ProtectionSetting::Enabled { expires_in_minutes: minutes } => {
                self.minutes.store(u64::from(minutes), Ordering::Relaxed);
                Some(StillClock.now() + SignedDuration::from_mins(i64::from(minutes)))
            }
        };
        Ok(protected(tasks, until))
    }
}

fn protected(tasks: &[TaskId], until: Option<Timestamp>) -> ProtectionAnswer {
    let task = |id: &TaskId| ProtectedTask {
        task_id: id.clone(),
        protection_enabled: until.is_some(),
        expiration_date: until,
    };
    ProtectionAnswer { protected_tasks: tasks.iter().map(task).collect(), failures: Vec::new() }
}

#[async_trait]
impl ServiceReads for GrantingEcs {
    async fn describe_services(&self, _: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<Service>, EcsError> {
        let count = u32::try_from(self.tasks.load(Ordering::Relaxed)).expect("the number of tasks fits into 32 bits");
        let service = |arn: &ServiceArn| {
            let counts = Service { desired_count: count, running_count: count, ..Service::gone(arn.clone()) };
            Service { status: ServiceStatus::Active, ..counts }
        };
        Ok(services.iter().filter(|_| count > 0).map(service).collect())
    }

    async fn list_tasks(&self, _: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError> {
        let tasks = self.tasks.load(Ordering::Relaxed);
        let from = next_token.map_or(0, |token| token.parse().expect("a token of its own"));
        let to = (from + TASKS_PER_READ_MAX).min(tasks);
        Ok(Page { items: (from..to).map(batches::task).collect(), next_token: (to < tasks).then(|| to.to_string()) })
    }

    async fn describe_tasks(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError> {
        let described = tasks.iter().map(|id| TaskDescription {
            id: id.clone(),
            service: Some(SERVICE.to_owned()),
            started_by: Some("ecs-svc/1111111111111111111".to_owned()),
            last_status: "RUNNING".to_owned(),
            desired_status: "RUNNING".to_owned(),
            stop: StopCause::default(),
        });
        Ok(described.collect())
    }

    async fn get_task_protection(&self, _: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        let granted = i64::try_from(self.minutes.load(Ordering::Relaxed)).expect("minutes are few");
        let minutes = if granted > 0 { granted } else { 48 * 60 };
        Ok(protected(tasks, Some(StillClock.now() + SignedDuration::from_mins(minutes))))
    }

    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError> {
        panic!("unexpected read of {arns:?}")
    }

    async fn list_services(&self, cluster: &Arc<ClusterArn>, _: Option<&str>) -> Result<Page<ServiceArn>, EcsError> {
        let service = (self.tasks.load(Ordering::Relaxed) > 0)
            .then(|| ServiceArn::new(cluster.clone(), SERVICE).expect("a name that ECS takes"));
        Ok(Page { items: service.into_iter().collect(), next_token: None })
    }
}

crate::updates_no_services!(GrantingEcs);

/// The function and the ECS that it calls.
pub struct GrantingFunction {
    /// The function, with an empty store.
    pub function: Function,
    /// Counts the calls.
    pub ecs: Arc<GrantingEcs>,
}

/// The function, and an ECS whose service has this many tasks.
pub fn function(tasks: usize) -> GrantingFunction {
    let config = Config::from_variables([("TASKHOLD_CLUSTERS".to_owned(), CLUSTER.to_owned())]);
    let ecs = Arc::new(GrantingEcs { tasks: AtomicUsize::new(tasks), ..GrantingEcs::default() });
    let config = config.expect("a cluster is all that must be set");
    GrantingFunction { function: Function::new(parts(ecs.clone(), Arc::new(StillClock), config)), ecs }
}

/// Formats log lines as the function does and discards them, because logging is part of the cost of a message.
pub fn log_to_nowhere() {
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    lines.with_target(false).with_max_level(tracing::Level::INFO).with_writer(std::io::sink).init();
}

/// A runtime without drivers: nothing here waits.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers")
}

/// Delivers a batch of this many records to the function, which must process all of it.
pub fn deliver(runtime: &Runtime, function: &GrantingFunction, payload: &str, records: usize) {
    let (Response::Batch(response), counts) = invoke(runtime, function, payload) else { panic!("it was a batch") };
    assert_eq!((response.batch_item_failures.len(), counts.done.get()), (0, records as u64));
}

/// Delivers any payload to the function.
pub fn invoke(runtime: &Runtime, function: &GrantingFunction, payload: &str) -> (Response, taskhold::metrics::Counts) {
    let deadline = StillClock.now() + SignedDuration::from_secs(30);
    runtime.block_on(Box::pin(function.function.handle(payload, deadline))).expect("nothing here fails")
}
