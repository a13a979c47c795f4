//! The function's clock: that of the Region, or one that a test sets.

use crate::control_plane::Millis;
use crate::region::SharedRegion;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use taskhold::clock::Clock;

/// A time of the simulation as the function sees it.
///
/// # Panics
/// The time is outside the range of a timestamp.
pub fn timestamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).expect("simulated times are within this century")
}

/// The clock of a Region. A sleep moves it forward.
#[derive(Clone, Debug)]
pub struct SimulatedClock(pub SharedRegion);

#[async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        timestamp(self.0.lock().now())
    }

    async fn sleep(&self, duration: Duration) {
        let mut region = self.0.lock();
        let millis = Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX);
        let to = region.now().saturating_add(millis);
        region.advance_to(to);
    }
}

/// A clock that a test sets. Clones share the time, and waiting moves it forward.
#[derive(Clone, Debug)]
pub struct SetClock(Arc<AtomicI64>);

impl SetClock {
    /// A clock that shows this time.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_millisecond())))
    }

    /// Moves the time forward.
    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(Millis::try_from(by.as_millis()).unwrap_or(Millis::MAX), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        timestamp(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX));
    }
}
