//! ECS's nouns as taskhold uses them, and [`Ecs`], the one seam to the service.
//!
//! What lives here: names that validate when they are made, the answers of the calls that taskhold makes, and the errors
//! that any implementation could give. What does not: the SDK (`src/aws/`), and every opinion about what to call when.

pub mod arn;
pub mod autoscaling;
pub mod deployment;
pub mod error;
pub mod service;
pub mod task;

use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::service::{Page, Service, ServiceArn};
use crate::ecs::task::TaskDescription;

use jiff::Timestamp;
use std::future::Future;
use std::sync::Arc;

/// Longest protection that ECS grants in one call, in minutes (aws-facts "ECS: the protection API").
pub const PROTECTION_MINUTES_MAX: u32 = 2880;
/// Most tasks that one `UpdateTaskProtection` takes (aws-facts "ECS: the protection API").
pub const TASKS_PER_PROTECTION_CALL_MAX: usize = 10;

/// Most tasks that one `DescribeTasks` or `GetTaskProtection` takes (aws-facts "ECS: the protection API").
pub const TASKS_PER_READ_MAX: usize = 100;

/// What `UpdateTaskProtection` is asked to set, for all tasks of one call alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtectionSetting {
    /// `protectionEnabled: false`.
    Disabled,
    /// `protectionEnabled: true`. Every call resets the expiry, to a smaller number too.
    Enabled {
        /// 1..=[`PROTECTION_MINUTES_MAX`].
        expires_in_minutes: u32,
    },
}

/// A task in `protectedTasks` of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedTask {
    /// The task, told by its id alone because answers may use the short ARN.
    pub task_id: TaskId,
    /// Only `true` means that the task is protected.
    pub protection_enabled: bool,
    /// Until when, by ECS's clock: what was granted, not what was asked.
    pub expiration_date: Option<Timestamp>,
}

/// A task in `failures` of an answer that is, as HTTP goes, a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The task, told by its id alone because answers may use the short ARN.
    pub task_id: TaskId,
    /// Why, as ECS's own word.
    pub reason: FailureReason,
    /// ECS's sentence about it, if any.
    pub detail: Option<String>,
}

/// The reasons of aws-facts "ECS: the protection API"; others may come.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FailureReason {
    /// Protected tasks keep a deployment from steady state, so no more protection is granted.
    DeploymentBlocked,
    /// No such task, or already gone.
    Missing,
    /// A standalone task: only tasks of a service can be protected.
    TaskNotValid,
    /// A word that taskhold does not know.
    Other(String),
}

impl FailureReason {
    /// ECS's word for it, as in `failures[].reason`.
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

/// Answer of `UpdateTaskProtection`. A refused task is in `failures`; a task in neither list was not answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtectionAnswer {
    /// Tasks whose protection is now as told here.
    pub protected_tasks: Vec<ProtectedTask>,
    /// Tasks that ECS refused.
    pub failures: Vec<Failure>,
}

/// The calls to ECS that taskhold makes. Each is sent at most once: a second attempt is the caller's decision, because
/// only the caller knows what a late effect of the first would do.
pub trait Ecs: Send + Sync {
    /// Sets the protection of at most [`TASKS_PER_PROTECTION_CALL_MAX`] tasks of one cluster.
    ///
    /// # Errors
    /// The whole call failed. Whether it may have taken effect all the same, [`EcsError::effect`] tells.
    fn update_task_protection(
        &self,
        cluster: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> impl Future<Output = Result<ProtectionAnswer, EcsError>> + Send;
}

/// The one change of a service that taskhold makes. It is sent at most once, as the calls of [`Ecs`] are.
pub trait ServiceUpdates: Send + Sync {
    /// Sets how many tasks a service wants, and nothing else of it (`UpdateService` with `desiredCount` alone, which begins no
    /// deployment).
    ///
    /// ECS compares nothing: whoever reads the count before and sets it here may undo what somebody else set in between.
    ///
    /// # Errors
    /// The call failed. Whether it may have taken effect all the same, [`EcsError::effect`] tells.
    fn set_desired_count(&self, service: &ServiceArn, to: u32) -> impl Future<Output = Result<(), EcsError>> + Send;
}

/// The reads that it takes to see how a service stands. Each is sent once.
pub trait ServiceReads: Send + Sync {
    /// Describes a service with its tags (`DescribeServices`). `None` if ECS knows none of that name.
    ///
    /// # Errors
    /// The read failed, which says nothing about the service.
    fn describe_service(&self, service: &ServiceArn) -> impl Future<Output = Result<Option<Service>, EcsError>> + Send;

    /// Lists tasks of a service that are wanted running, a page at a time (`ListTasks`).
    ///
    /// # Errors
    /// The read failed.
    fn list_tasks(
        &self,
        service: &ServiceArn,
        next_token: Option<&str>,
    ) -> impl Future<Output = Result<Page<TaskId>, EcsError>> + Send;

    /// Describes at most 100 tasks of one cluster (`DescribeTasks`). A task that is gone is left out.
    ///
    /// # Errors
    /// The read failed.
    fn describe_tasks(
        &self,
        cluster: &ClusterArn,
        tasks: &[TaskId],
    ) -> impl Future<Output = Result<Vec<TaskDescription>, EcsError>> + Send;

    /// Reads the protection of at most 100 tasks of one cluster (`GetTaskProtection`).
    ///
    /// # Errors
    /// The read failed.
    fn get_task_protection(
        &self,
        cluster: &ClusterArn,
        tasks: &[TaskId],
    ) -> impl Future<Output = Result<ProtectionAnswer, EcsError>> + Send;

    /// Lists the services of a cluster, a page at a time (`ListServices`).
    ///
    /// # Errors
    /// The read failed.
    fn list_services(
        &self,
        cluster: &Arc<ClusterArn>,
        next_token: Option<&str>,
    ) -> impl Future<Output = Result<Page<ServiceArn>, EcsError>> + Send;
}
