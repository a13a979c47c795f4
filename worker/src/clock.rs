//! The one place that reads clocks and waits.

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Time since the machine started. It never runs backwards, and all processes of a container share it, so the ends of jobs
/// are kept in it. The date serves for one thing: to read an expiry date of ECS.
pub(crate) fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// The date.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the date")]
pub(crate) fn date() -> Timestamp {
    Timestamp::now()
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "the one place that waits")]
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Waits until the time since the machine's start is this.
pub(crate) async fn sleep_until(moment: Duration) {
    sleep(moment.saturating_sub(uptime())).await;
}
