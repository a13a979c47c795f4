//! Stand-ins for the job queue and the service of the task in a build without the feature `sqs`.

use crate::job::TaskName;
use crate::queue_problem::QueueProblem;
use std::time::Duration;

/// Never made.
#[derive(Debug)]
pub(crate) struct NoJobQueue(std::convert::Infallible);

impl NoJobQueue {
    /// # Errors
    /// Always.
    pub(crate) fn of(_queue_url: &str, _task: &TaskName) -> Result<Self, QueueProblem> {
        Err(QueueProblem {
            words: "this taskhold-run was built without the feature `sqs`".to_owned(),
            fix: "build it with its default features",
            retry_time: Duration::ZERO,
        })
    }

    pub(crate) fn url(&self) -> &str {
        match self.0 {}
    }

    pub(crate) async fn send(&self, _body: &str) -> Result<(), QueueProblem> {
        match self.0 {}
    }
}

/// Never constructed.
#[derive(Debug)]
pub(crate) struct NoTaskService(std::convert::Infallible);

impl NoTaskService {
    pub(crate) fn of(_task: &TaskName) -> Option<Self> {
        None
    }

    pub(crate) async fn replaces_task(&self) -> Result<bool, String> {
        match self.0 {}
    }
}
