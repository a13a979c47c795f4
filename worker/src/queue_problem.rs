//! The reason why the job queue did not accept a message.

use std::time::Duration;

/// Why a message was not accepted.
#[derive(Debug)]
pub(crate) struct QueueProblem {
    pub(crate) words: String,
    /// What the user can do about it.
    pub(crate) fix: &'static str,
    /// How long to retry.
    pub(crate) retry_time: Duration,
}
