//! What was seen of a service: ECS's answers and the state store's jobs, at one moment.
//!
//! What lives here: [`ServiceSnapshot`], and [`observe`], which fills it by bounded pages. What does not: what to make of it
//! (`decide/diagnose.rs`). A read that failed leaves a [`Gap`]; it never counts as "no tasks", "no protection" or "no job".

#[cfg(test)]
pub mod fixture;
pub mod managed;
pub mod read;
pub mod services;

use crate::ecs::arn::TaskId;
use crate::ecs::error::EcsError;
use crate::ecs::service::{Service, ServiceArn};
use crate::store::error::StoreError;
use crate::task::job::{JobKey, Labels};

use jiff::Timestamp;

/// A service at one moment, as far as it could be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSnapshot {
    /// When.
    pub at: Timestamp,
    /// The service itself.
    pub service: Service,
    /// Its tasks that are wanted running, in the order of ECS.
    pub tasks: Vec<TaskSnapshot>,
    /// What could not be seen. Empty if the picture is complete.
    pub gaps: Vec<Gap>,
}

impl ServiceSnapshot {
    /// A service that ECS does not know, or knows no more: nothing is in it.
    pub fn gone(arn: &ServiceArn, at: Timestamp) -> Self {
        Self { at, service: Service::gone(arn.clone()), tasks: Vec::new(), gaps: Vec::new() }
    }

    /// Whether something could not be seen because too many calls were made.
    pub fn is_throttled(&self) -> bool {
        self.gaps.iter().any(|gap| match gap {
            Gap::Tasks(error) | Gap::Descriptions(error) | Gap::Protection(error) => *error == EcsError::Throttled,
            Gap::Jobs(_) | Gap::Incidents(_) | Gap::TooManyTasks(_) => false,
        })
    }

    /// The tasks that ECS protects, each with its end.
    pub fn protected(&self) -> impl Iterator<Item = (&TaskSnapshot, Timestamp)> {
        self.tasks.iter().filter_map(|task| Some((task, task.protected_until?)))
    }
}

/// A task of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSnapshot {
    /// Which.
    pub id: TaskId,
    /// The deployment or task set that started it (`ecs-svc/N`).
    pub deployment: Option<String>,
    /// Whether it is up.
    pub is_running: bool,
    /// Until when ECS protects it; `None` if it does not.
    pub protected_until: Option<Timestamp>,
    /// When its last job ended, if the state store knows the task and no job lives.
    pub idle_since: Option<Timestamp>,
    /// Since when ECS has refused it the protection that its live jobs want; `None` if it has not.
    pub refused_since: Option<Timestamp>,
    /// Whether the state store has it that others of the service wait for the end of its protection.
    pub is_awaited: bool,
    /// What the state store knows of it, looked up for tasks that are protected or were refused.
    pub jobs: Jobs,
}

/// What the state store knows of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// Nothing that explains its protection: whoever protects the task does it without taskhold ([`MANAGED_TAG`]).
    Unknown,
    /// Its live jobs; empty if all have ended.
    Known(Vec<JobSnapshot>),
    /// It was not looked up, or could not be.
    Unread,
}

/// A live job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSnapshot {
    /// Which.
    pub key: JobKey,
    /// Until when it may last, as declared.
    pub until: Timestamp,
    /// When its worker expects it to end.
    pub expected_until: Option<Timestamp>,
    /// Short texts of its worker's, shown to people.
    pub labels: Labels,
}

impl JobSnapshot {
    /// When it ends as its worker expects, and at the latest when its time is over.
    pub fn expected_end(&self) -> Timestamp {
        self.expected_until.unwrap_or(self.until).min(self.until)
    }
}

/// Something that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// The list of tasks, or a part of it.
    #[error("its tasks could not be listed: {0}")]
    Tasks(EcsError),
    /// The descriptions of tasks, or a part of them.
    #[error("its tasks could not be described: {0}")]
    Descriptions(EcsError),
    /// The protection of tasks, or of a part of them.
    #[error("the protection of its tasks could not be read: {0}")]
    Protection(EcsError),
    /// The jobs of a task.
    #[error("the jobs of a task could not be read: {0}")]
    Jobs(StoreError),
    /// What was told of the service, and since when it has been seen blocked.
    #[error("its incidents could not be read: {0}")]
    Incidents(StoreError),
    /// More tasks than are looked at.
    #[error("it has more than {0} tasks; the others were not looked at")]
    TooManyTasks(usize),
}
