//! The source of time: [`Clock`]. Code outside `main.rs` gets the time from here and never from the system.

use jiff::Timestamp;
use std::future::Future;
use std::time::Duration;

/// Gives the time and sleeps. `main.rs` implements it with the system's clock, the simulator with simulated
/// time.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Sleeps for `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

impl<C: Clock> Clock for &C {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        (**self).sleep(duration)
    }
}
