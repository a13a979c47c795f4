//! Why a message was not accepted.

use std::time::Duration;

/// Why a message was not accepted.
#[derive(Debug)]
pub(crate) struct QueueProblem {
    pub(crate) words: String,
    /// What the user can do about it.
    pub(crate) way_out: &'static str,
    /// How long the next tries may bring a better answer.
    pub(crate) retry_time: Duration,
}
