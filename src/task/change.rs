//! What a batch, an event or a command tells of a task: what is to be carried out.

use crate::ecs::arn::Task;
use crate::task::interruption::TaskStop;
use crate::task::job::{Job, JobKey};
use jiff::Timestamp;

/// What the messages of one batch tell about one task.
#[derive(Clone, Debug)]
pub struct TaskChange {
    /// The task.
    pub task: Task,
    /// What they tell of its jobs.
    pub jobs: Vec<(JobKey, Job)>,
    /// Its end, if ECS says that it ends.
    pub end: Option<TaskStop>,
    /// What ECS said of its protection, if it was asked.
    pub protection: SeenProtection,
    /// Whether there is reason to ask again for what was refused.
    pub refusal: RefusedBefore,
    /// Whether its protection is to be cleared, whoever has set it.
    pub release: Release,
}

/// Whether a task is to be released although its jobs do not say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// No: its jobs decide.
    #[default]
    ByJobs,
    /// If it is idle, protection that others have set included: a person, or the service, says that this may be done.
    IfIdle,
    /// In any case: its live jobs count as finished.
    ByForce,
}

/// What a refusal a moment ago means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefusedBefore {
    /// That asking again now is of no use.
    #[default]
    Stands,
    /// Nothing any more: what was in the way may be gone.
    MayBeOver,
}

/// What ECS said of a task's protection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeenProtection {
    /// It was not asked.
    #[default]
    NotAsked,
    /// It does not protect the task.
    Unprotected,
    /// It protects the task until then.
    Until(Timestamp),
}

impl TaskChange {
    /// Nothing new about a task.
    pub fn none(task: Task) -> Self {
        Self {
            task,
            jobs: Vec::new(),
            end: None,
            protection: SeenProtection::NotAsked,
            refusal: RefusedBefore::Stands,
            release: Release::ByJobs,
        }
    }
}
