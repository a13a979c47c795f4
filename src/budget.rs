//! The time that an invocation has left, and what it counts.

use crate::clock::Clock;
use crate::metrics::Counts;
use jiff::{SignedDuration, Timestamp};

/// No call is begun with less time than this left: Lambda would cut it off with its answer unread.
pub const CALL_TIME: SignedDuration = SignedDuration::from_secs(6);

/// The invocation has too little time left for another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the invocation's time ran short")]
pub struct OutOfTime;

/// What an invocation works within.
#[derive(Clone, Copy, Debug)]
pub struct Budget<'a> {
    /// When Lambda ends it.
    pub deadline: Timestamp,
    /// What it counts.
    pub counts: &'a Counts,
}

impl Budget<'_> {
    /// Whether there is time for another call.
    ///
    /// # Errors
    /// There is not.
    pub fn allows_a_call<C: Clock>(&self, clock: &C) -> Result<(), OutOfTime> {
        if self.deadline.duration_since(clock.now()) < CALL_TIME { Err(OutOfTime) } else { Ok(()) }
    }
}
