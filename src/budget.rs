//! The remaining time of one invocation, and its counts.

use crate::clock::Clock;
use crate::metrics::Counts;
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

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
        self.allows_a_call_at(clock.now())
    }

    /// Checks that there is time for another call that begins at this moment.
    ///
    /// # Errors
    /// Less than [`CALL_TIME`] is left then.
    pub fn allows_a_call_at(&self, begin: Timestamp) -> Result<(), OutOfTime> {
        if self.deadline.duration_since(begin) < CALL_TIME { Err(OutOfTime) } else { Ok(()) }
    }

    /// A budget in which calls may begin only within the next `time`.
    #[must_use]
    pub fn within(self, time: SignedDuration, clock: &dyn Clock) -> Self {
        Self { deadline: self.deadline.min(clock.now() + time + CALL_TIME), ..self }
    }

    /// Reads for an answer, which needs `answer_time` after the read.
    ///
    /// # Errors
    /// Too little time is left to begin the read, or it was abandoned so that the answer is in time.
    pub async fn in_time<T>(
        &self,
        clock: &dyn Clock,
        answer_time: SignedDuration,
        read: impl Future<Output = T>,
    ) -> Result<T, OutOfTime> {
        self.allows_a_call(clock)?;
        let time = Duration::try_from(self.left(clock) - answer_time).unwrap_or_default();
        // Polled only when the read waits: a simulated clock lets the time pass as soon as it is polled.
        let too_late = async { clock.sleep(time).await }.boxed_local();
        match select(read.boxed_local(), too_late).await {
            Either::Left((read, _)) => Ok(read),
            Either::Right(_) => Err(OutOfTime),
        }
    }

    fn left(&self, clock: &dyn Clock) -> SignedDuration {
        self.deadline.duration_since(clock.now())
    }
}
