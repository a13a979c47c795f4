//! A snapshot of a service: ECS's answers and the jobs in the state store at one moment.
//!
//! [`ServiceSnapshot`] is the data, and [`read::read_service`] fills it by bounded pages. [`crate::service::diagnosis`]
//! judges it. A read that failed leaves a [`Gap`]; it never counts as "no tasks", "no protection" or "no job".

pub mod all_jobs;
#[cfg(test)]
pub mod fixture;
pub mod managed;
pub mod read;
mod service_deployment;
pub mod services;

use crate::ecs::arn::TaskId;
use crate::ecs::error::EcsError;
use crate::ecs::service::{Service, ServiceArn};
use crate::ecs::service_deployment::ServiceDeployment;
use crate::service::durations::{Learned, LearnedDurations};
use crate::store::error::StoreError;
use crate::task::change::EcsProtection;
use crate::task::job::{JobKey, Labels};

use jiff::Timestamp;

/// A service at one moment, as far as the reads succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSnapshot {
    /// The moment.
    pub at: Timestamp,
    /// The service as ECS describes it.
    pub service: Service,
    /// The service deployment of the rollout in progress, if it was read.
    pub service_deployment: Option<ServiceDeployment>,
    /// Why the service deployment could not be read. A rolling deployment is judged without it, so this is no gap.
    pub deployment_failure: Option<EcsError>,
    /// Its tasks with desired status `RUNNING`, in the order of ECS.
    pub tasks: Vec<TaskSnapshot>,
    /// Reads that failed. Empty if the snapshot is complete.
    pub gaps: Vec<Gap>,
    /// Busy tasks that ECS protects for less time than it had confirmed.
    pub lost: Vec<LostTask>,
    /// The durations of finished jobs: those of the service record, and those of the task records that were read.
    pub durations: LearnedDurations,
}

/// A busy task that lost its protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostTask {
    /// The task.
    pub task: TaskId,
    /// Until when ECS had confirmed its protection.
    pub until: Timestamp,
    /// What ECS reports.
    pub reported: EcsProtection,
}

impl ServiceSnapshot {
    /// A service as ECS describes it, without anything else.
    pub fn of(service: Service, at: Timestamp) -> Self {
        Self {
            at,
            service,
            service_deployment: None,
            deployment_failure: None,
            tasks: Vec::new(),
            gaps: Vec::new(),
            lost: Vec::new(),
            durations: LearnedDurations::default(),
        }
    }

    /// A service that ECS does not know, or no longer knows: without tasks.
    pub fn gone(arn: &ServiceArn, at: Timestamp) -> Self {
        Self::of(Service::gone(arn.clone()), at)
    }

    /// Whether a read failed because ECS throttled it.
    pub fn is_throttled(&self) -> bool {
        self.gaps.iter().any(|gap| match gap {
            Gap::Tasks(error) | Gap::Descriptions(error) | Gap::Protection(error) | Gap::ServiceDeployment(error) => {
                *error == EcsError::Throttled
            }
            Gap::Jobs(_) | Gap::Incidents(_) | Gap::TooManyTasks(_) | Gap::LifecycleStage(_) => false,
        })
    }

    /// The protected tasks, each with the moment its protection expires.
    pub fn protected(&self) -> impl Iterator<Item = (&TaskSnapshot, Timestamp)> {
        self.tasks.iter().filter_map(|task| Some((task, task.protected_until?)))
    }
}

/// A task of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSnapshot {
    /// The task.
    pub id: TaskId,
    /// The deployment or task set that started it (`ecs-svc/N`).
    pub deployment: Option<String>,
    /// Whether its last status is `RUNNING`.
    pub is_running: bool,
    /// When its protection expires; `None` if ECS does not protect it.
    pub protected_until: Option<Timestamp>,
    /// When its last job ended, if the state store knows the task and no job is live.
    pub idle_since: Option<Timestamp>,
    /// Until when it keeps its protection although it is idle, because its last job has just finished.
    pub lingers_until: Option<Timestamp>,
    /// Since when ECS has refused to protect it for its live jobs; `None` if it has not.
    pub refused_since: Option<Timestamp>,
    /// Live jobs for which the task record had no room, so that nothing is requested for them.
    pub rejected: Option<RejectedJobs>,
    /// Whether the task record says that refused tasks of the service wait for its release.
    pub is_awaited: bool,
    /// Whether its worker has left the protection behind: all jobs of the task have ended, and ECS reports the protection
    /// that the worker last reported.
    pub is_left_protected: bool,
    /// How many jobs it has started since the rollout that replaces it began, as far as its record still names them. 0 if
    /// no rollout replaces it.
    pub jobs_started: usize,
    /// Its jobs in the state store, read only for tasks that are protected or refused.
    pub jobs: Jobs,
}

impl TaskSnapshot {
    /// A running task, before its protection and its jobs are read.
    pub(crate) fn running(id: TaskId, deployment: Option<String>) -> Self {
        Self {
            id,
            deployment,
            is_running: true,
            protected_until: None,
            idle_since: None,
            lingers_until: None,
            refused_since: None,
            rejected: None,
            is_awaited: false,
            is_left_protected: false,
            jobs_started: 0,
            jobs: Jobs::Unread,
        }
    }
}

/// Live jobs whose starts were rejected, because the task record had no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedJobs {
    /// When the first of them was rejected.
    pub since: Timestamp,
    /// Some of them, at least one.
    pub jobs: Vec<JobSnapshot>,
}

/// The jobs of a task in the state store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// The state store knows neither a job nor a report that explains the protection, so it was set without taskhold
    /// ([`MANAGED_TAG`](managed::MANAGED_TAG)).
    Unknown,
    /// Its live jobs; empty if all have ended.
    Known(Vec<JobSnapshot>),
    /// The record was not read, or could not be.
    Unread,
}

/// A live job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSnapshot {
    /// The job.
    pub key: JobKey,
    /// The latest end that its worker declared.
    pub until: Timestamp,
    /// When its worker expects it to end.
    pub expected_until: Option<Timestamp>,
    /// What finished jobs of its kind say about it.
    pub learned: Learned,
    /// When its worker last sent a message, if the worker is silent: it has probably died.
    pub silent_since: Option<Timestamp>,
    /// Short texts from its worker, shown to people.
    pub labels: Labels,
}

/// When the worker of these jobs last sent a message, if it is silent about all of them: the finish of one may be lost.
pub(crate) fn silent_since(jobs: &[JobSnapshot]) -> Option<Timestamp> {
    let silent: Option<Vec<Timestamp>> = jobs.iter().map(|job| job.silent_since).collect();
    silent?.into_iter().max()
}

impl JobSnapshot {
    /// The end that its worker expects, else the learned one, and the declared end at the latest.
    pub fn expected_end(&self) -> Timestamp {
        let learned = self.learned.end().map(|learned| learned.expected);
        self.expected_until.or(learned).unwrap_or(self.until).min(self.until)
    }

    /// Whether it has run past the end that its worker expected, else longer than every finished job of its kind.
    pub(crate) fn overruns(&self, now: Timestamp) -> bool {
        self.expected_until.or(self.learned.overran_at()).is_some_and(|end| end <= now)
    }
}

/// A read that failed.
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
    /// The service deployment of a rollout that cannot be judged without it.
    #[error("its service deployment could not be read: {0}")]
    ServiceDeployment(EcsError),
    /// The service deployment names no lifecycle stage that taskhold knows.
    #[error("its deployment is in {0}")]
    LifecycleStage(String),
    /// The jobs of a task.
    #[error("the jobs of a task could not be read: {0}")]
    Jobs(StoreError),
    /// The service record, which holds its incidents and the start of a block.
    #[error("its incidents could not be read: {0}")]
    Incidents(StoreError),
    /// More tasks than are read.
    #[error("it has more than {0} tasks; the others were not read")]
    TooManyTasks(usize),
}
