//! The job queue of a program that was built without the feature `sqs`: there is none.

use crate::job::TaskName;

/// Never made.
#[derive(Debug)]
pub(crate) struct NoJobQueue(std::convert::Infallible);

impl NoJobQueue {
    /// # Errors
    /// Always.
    pub(crate) fn of(_queue_url: &str, _task: &TaskName) -> Result<Self, String> {
        Err("this taskhold-run was built without the feature `sqs`".to_owned())
    }

    pub(crate) async fn send(&self, _body: &str) -> Result<(), String> {
        match self.0 {}
    }
}
