//! The time, as something that is handed in: [`Clock`]. The core knows no other.

use jiff::Timestamp;
use std::future::Future;
use std::time::Duration;

/// Tells the time and waits. `main.rs` implements it with the system's, the simulator with its own.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Waits that long.
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
