//! The job queue and the service of the task: on AWS, or stand-ins in a build without the feature `sqs`.

#[cfg(feature = "sqs")]
pub(crate) use crate::ecs::TaskService;
#[cfg(not(feature = "sqs"))]
pub(crate) use crate::no_sqs::{NoJobQueue as JobQueue, NoTaskService as TaskService};
#[cfg(feature = "sqs")]
pub(crate) use crate::sqs::JobQueue;
