//! The source of time: [`Clock`]. Code outside `main.rs` gets the time from here and never from the system.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Gives the time and sleeps. `main.rs` implements it with the system's clock, the simulator with simulated
/// time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Sleeps for `duration`.
    async fn sleep(&self, duration: Duration);
}

/// `moment` plus `duration`, or [`Timestamp::MAX`] if that is too late to represent.
pub(crate) fn after(moment: Timestamp, duration: SignedDuration) -> Timestamp {
    moment.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

/// A moment as answers, alerts and log lines write it: RFC 3339 in UTC, in whole seconds.
///
/// A fraction is cut off, not rounded, so that no protection and no deadline reads later than it is. Records in the store,
/// comparisons and calls to AWS keep the full precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WholeSeconds(Timestamp);

impl From<Timestamp> for WholeSeconds {
    fn from(at: Timestamp) -> Self {
        Self(Timestamp::from_second(at.as_second()).unwrap_or(at))
    }
}

impl fmt::Display for WholeSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_second_is_cut_off_and_never_written() {
        for nanoseconds in [0, 1, 123_000_000, 999_999_999] {
            let at = WholeSeconds::from(Timestamp::new(1_790_000_000, nanoseconds).unwrap());
            assert_eq!(at.to_string(), "2026-09-21T14:13:20Z");
            assert_eq!(serde_json::to_value(at).unwrap(), "2026-09-21T14:13:20Z");
        }
    }
}
