//! The remaining time of one invocation, and its counts.

use crate::clock::Clock;
use crate::metrics::Counts;
use jiff::{SignedDuration, Timestamp};

/// With less time left than this, no call starts: Lambda would end the invocation before the answer arrives.
pub const CALL_TIME: SignedDuration = SignedDuration::from_secs(6);

/// The invocation has too little time left for another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough time left in this invocation")]
pub struct OutOfTime;

/// The deadline and the counts of an invocation.
#[derive(Clone, Copy, Debug)]
pub struct Budget<'a> {
    /// When Lambda ends the invocation.
    pub deadline: Timestamp,
    /// What the invocation counts.
    pub counts: &'a Counts,
}

impl Budget<'_> {
    /// Checks that there is time for another call.
    ///
    /// # Errors
    /// Less than [`CALL_TIME`] is left.
    pub fn allows_a_call(&self, clock: &dyn Clock) -> Result<(), OutOfTime> {
        if self.deadline.duration_since(clock.now()) < CALL_TIME { Err(OutOfTime) } else { Ok(()) }
    }
}
