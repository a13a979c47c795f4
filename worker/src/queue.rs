//! AWS, if this program was built with it: where job messages go, and what says that the task is replaced.

#[cfg(feature = "sqs")]
pub(crate) use crate::ecs::TaskService;
#[cfg(not(feature = "sqs"))]
pub(crate) use crate::no_sqs::{NoJobQueue as JobQueue, NoTaskService as TaskService};
#[cfg(feature = "sqs")]
pub(crate) use crate::sqs::JobQueue;
