//! ECS's nouns as taskhold uses them, and the traits through which taskhold calls ECS: [`Ecs`] changes
//! protection, [`ServiceUpdates`] changes a desired count, [`ServiceReads`] reads. [`autoscaling`] does the
//! same for Application Auto Scaling.
//!
//! Here are names that are valid by construction ([`arn`]), the answers to the calls that taskhold makes
//! ([`service`], [`task`], [`deployment`], [`service_deployment`]), and the errors of any implementation ([`error`]). The SDK is not
//! here (`src/aws/`), and neither is any decision about what to call when (`src/task/`, `src/service/`).
//! Start with [`Ecs`] and [`error::EcsError`].

pub mod arn;
pub mod autoscaling;
pub mod deployment;
pub mod deployment_options;
pub mod error;
pub mod service;
pub mod service_deployment;
pub mod task;

use crate::ecs::arn::{ClusterArn, Task, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::service::{Service, ServiceArn};
use crate::ecs::service_deployment::{ServiceDeployment, ServiceDeploymentArn};
use crate::ecs::task::TaskDescription;
use crate::page::Page;
use async_trait::async_trait;

use jiff::Timestamp;
use std::sync::Arc;

/// Longest protection that one call can request, in minutes (aws-facts "ECS: the protection API").
pub const PROTECTION_MINUTES_MAX: u32 = 2880;
/// Most tasks that one `UpdateTaskProtection` takes (aws-facts "ECS: the protection API").
pub const TASKS_PER_PROTECTION_CALL_MAX: usize = 10;

/// Most tasks that one `DescribeTasks` or `GetTaskProtection` takes (aws-facts "ECS: the protection API").
pub const TASKS_PER_READ_MAX: usize = 100;

/// Splits items, which are sorted by task, into groups that one read may name: tasks of one cluster, at most
/// [`TASKS_PER_READ_MAX`].
pub(crate) fn by_read<'i, T>(sorted: &'i [T], task: impl Fn(&T) -> &Task + 'i) -> impl Iterator<Item = &'i [T]> {
    let clusters = sorted.chunk_by(move |one, other| task(one).cluster == task(other).cluster);
    clusters.flat_map(|tasks| tasks.chunks(TASKS_PER_READ_MAX))
}

/// Most services that one `DescribeServices` takes (ECS API Reference, "DescribeServices").
pub const SERVICES_PER_READ_MAX: usize = 10;

/// What one `UpdateTaskProtection` sets, the same for all of its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtectionSetting {
    /// `protectionEnabled: false`.
    Disabled,
    /// `protectionEnabled: true`. Every call resets the expiry, also to an earlier one.
    Enabled {
        /// 1..=[`PROTECTION_MINUTES_MAX`].
        expires_in_minutes: u32,
    },
}

/// A task in `protectedTasks` of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedTask {
    /// The task, identified by its id because answers may use the short ARN.
    pub task_id: TaskId,
    /// Only `true` means that the task is protected.
    pub protection_enabled: bool,
    /// When the protection expires, by ECS's clock: what ECS granted, which may differ from the request.
    pub expiration_date: Option<Timestamp>,
}

/// A task in `failures` of an answer whose HTTP status is success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectionFailure {
    /// The task, identified by its id because answers may use the short ARN.
    pub task_id: TaskId,
    /// ECS's reason code.
    pub reason: FailureReason,
    /// ECS's explanation, if any.
    pub detail: Option<String>,
}

/// The reason codes of aws-facts "ECS: the protection API"; ECS may add others.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FailureReason {
    /// Protected tasks keep a deployment from reaching steady state, so ECS grants no more protection.
    DeploymentBlocked,
    /// ECS does not know the task, or it has already stopped.
    Missing,
    /// A standalone task: ECS protects only tasks of a service.
    TaskNotValid,
    /// A code that taskhold does not know.
    Other(String),
}

impl FailureReason {
    /// The code as ECS writes it in `failures[].reason`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::DeploymentBlocked => "DEPLOYMENT_BLOCKED",
            Self::Missing => "MISSING",
            Self::TaskNotValid => "TASK_NOT_VALID",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for FailureReason {
    fn from(word: &str) -> Self {
        match word {
            "DEPLOYMENT_BLOCKED" => Self::DeploymentBlocked,
            "MISSING" => Self::Missing,
            "TASK_NOT_VALID" => Self::TaskNotValid,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Answer of `UpdateTaskProtection`. A refused task is in `failures`; ECS did not answer for a task in
/// neither list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtectionAnswer {
    /// Tasks with their protection after the call.
    pub protected_tasks: Vec<ProtectedTask>,
    /// Tasks that ECS refused.
    pub failures: Vec<ProtectionFailure>,
}

impl ProtectionAnswer {
    /// When the protection of a task expires according to `GetTaskProtection`; `None` if the task is unprotected or
    /// gone.
    ///
    /// # Errors
    /// The answer does not contain the task. ECS lists unprotected tasks too ("get-task-protection", AWS CLI Command
    /// Reference), so this proves nothing.
    pub fn protected_until(&self, task: &TaskId) -> Result<Option<Timestamp>, EcsError> {
        let incomplete =
            |what: &str| EcsError::Incomplete(format!("GetTaskProtection answered for task `{task}` only `{what}`"));
        if let Some(protected) = self.protected_tasks.iter().find(|protected| protected.task_id == *task) {
            return match (protected.protection_enabled, protected.expiration_date) {
                (false, _) => Ok(None),
                (true, Some(until)) => Ok(Some(until)),
                (true, None) => Err(incomplete("protected, and no end")),
            };
        }
        match self.failures.iter().find(|failure| failure.task_id == *task).map(|failure| &failure.reason) {
            Some(FailureReason::Missing) => Ok(None),
            reason => Err(incomplete(reason.map_or("nothing", FailureReason::as_str))),
        }
    }
}

/// The call that sets protection. An implementation sends it at most once: retrying is the caller's decision,
/// because only the caller knows what a late effect of the first attempt would do.
#[async_trait]
pub trait Ecs: Send + Sync {
    /// Sets the protection of at most [`TASKS_PER_PROTECTION_CALL_MAX`] tasks of one cluster.
    ///
    /// # Errors
    /// The whole call failed. [`EcsError::effect`] says whether it may have taken effect nevertheless.
    async fn update_task_protection(
        &self,
        cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError>;
}

/// The only change that taskhold makes to a service. Sent at most once, like the call of [`Ecs`].
#[async_trait]
pub trait ServiceUpdates: Send + Sync {
    /// Sets the desired count of a service and nothing else (`UpdateService` with `desiredCount` alone, which
    /// starts no deployment).
    ///
    /// ECS has no compare-and-set: a caller that read the count before may overwrite a change made in
    /// between.
    ///
    /// # Errors
    /// The call failed. [`EcsError::effect`] says whether it may have taken effect nevertheless.
    async fn set_desired_count(&self, service: &ServiceArn, to: u32) -> Result<(), EcsError>;
}

/// The reads that describe a service and its tasks. Each is sent once.
#[async_trait]
pub trait ServiceReads: Send + Sync {
    /// Describes at most [`SERVICES_PER_READ_MAX`] services of one cluster with their tags (`DescribeServices`). Services
    /// that ECS does not know are left out.
    ///
    /// # Errors
    /// The read failed, or said nothing about one of the services.
    async fn describe_services(&self, cluster: &ClusterArn, services: &[ServiceArn]) -> Result<Vec<Service>, EcsError>;

    /// Describes one service. `None` if ECS knows no service of that name.
    ///
    /// # Errors
    /// The read failed, which says nothing about the service.
    async fn describe_service(&self, service: &ServiceArn) -> Result<Option<Service>, EcsError> {
        let described = self.describe_services(&service.cluster, std::slice::from_ref(service)).await?;
        Ok(described.into_iter().find(|described| described.arn == *service))
    }

    /// Lists the tasks of a service whose desired status is `RUNNING`, one page at a time (`ListTasks`).
    ///
    /// # Errors
    /// The read failed.
    async fn list_tasks(&self, service: &ServiceArn, next_token: Option<&str>) -> Result<Page<TaskId>, EcsError>;

    /// Describes at most 100 tasks of one cluster (`DescribeTasks`). Tasks that ECS no longer knows are left
    /// out.
    ///
    /// # Errors
    /// The read failed.
    async fn describe_tasks(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<Vec<TaskDescription>, EcsError>;

    /// Reads the protection of at most 100 tasks of one cluster (`GetTaskProtection`).
    ///
    /// # Errors
    /// The read failed.
    async fn get_task_protection(&self, cluster: &ClusterArn, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError>;

    /// Describes at most 20 service deployments (ECS API Reference, "DescribeServiceDeployments"). Those that ECS
    /// does not know are left out.
    ///
    /// # Errors
    /// The read failed.
    async fn describe_service_deployments(
        &self,
        arns: &[ServiceDeploymentArn],
    ) -> Result<Vec<ServiceDeployment>, EcsError>;

    /// Lists the services of a cluster, one page at a time (`ListServices`).
    ///
    /// # Errors
    /// The read failed.
    async fn list_services(
        &self,
        cluster: &Arc<ClusterArn>,
        next_token: Option<&str>,
    ) -> Result<Page<ServiceArn>, EcsError>;
}

/// Everything that taskhold asks of ECS: what an implementation of all three traits is.
pub trait EcsClient: Ecs + ServiceReads + ServiceUpdates {}

impl<T: Ecs + ServiceReads + ServiceUpdates> EcsClient for T {}
