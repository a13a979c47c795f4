//! The function's clock: that of the Region.

use crate::control_plane::Millis;
use crate::region::SharedRegion;
use jiff::Timestamp;
use std::future::Future;
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

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        timestamp(self.0.lock().now())
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        let mut region = self.0.lock();
        let millis = Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX);
        let to = region.now().saturating_add(millis);
        region.advance_to(to);
        std::future::ready(())
    }
}
