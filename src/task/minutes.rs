//! The minutes of a protection: how many a call requests, and how exactly ECS's expiry follows them.

use crate::ecs::PROTECTION_MINUTES_MAX;
use jiff::{SignedDuration, Timestamp};

/// A grant that ends this much before the end of a job counts as sufficient. ECS computes the expiry with its
/// own clock when it handles the call, so a grant of exactly the requested minutes may appear a second short.
pub const GRANT_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// The minutes to request so that protection that begins at `now` lasts until `until`: whole minutes, rounded
/// up, within the limits of ECS.
pub fn minutes_until(until: Timestamp, now: Timestamp) -> u32 {
    // Rounded up from nanoseconds: SQS's times have milliseconds, but a clock has nanoseconds.
    let nanos = u128::try_from(until.duration_since(now).as_nanos()).unwrap_or(0);
    let minutes = u32::try_from(nanos.div_ceil(60_000_000_000)).unwrap_or(PROTECTION_MINUTES_MAX);
    minutes.clamp(1, PROTECTION_MINUTES_MAX)
}

/// The most minutes that a request may be rounded up to: the remaining time plus 5 % or one minute, in whole
/// minutes, but at least [`minutes_until`].
pub fn minutes_max(until: Timestamp, now: Timestamp) -> u32 {
    let left_ms = u64::try_from(until.duration_since(now).as_millis()).unwrap_or(0);
    let most_ms = left_ms + (left_ms / 20).max(60_000);
    let most = u32::try_from(most_ms / 60_000).unwrap_or(PROTECTION_MINUTES_MAX);
    most.clamp(minutes_until(until, now), PROTECTION_MINUTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn in_minutes(minutes: u32) -> Timestamp {
        now() + SignedDuration::from_mins(i64::from(minutes))
    }

    #[test]
    fn a_part_of_a_minute_is_asked_for_as_a_whole_one() {
        assert_eq!(minutes_until(in_minutes(90), now()), 90);
        assert_eq!(minutes_until(in_minutes(90) + SignedDuration::from_millis(1), now()), 91);
        assert_eq!(minutes_until(in_minutes(90) + SignedDuration::from_nanos(1), now()), 91);
        assert_eq!(minutes_until(in_minutes(90) - SignedDuration::from_secs(59), now()), 90);
        assert_eq!(minutes_until(now(), now()), 1);
        assert_eq!(minutes_until(in_minutes(2880) + SignedDuration::from_secs(5), now()), 2880);
    }

    #[test]
    fn the_bound_is_reckoned_from_the_time_that_is_left_and_not_from_whole_minutes() {
        let left = in_minutes(1) - SignedDuration::from_secs(10);
        assert_eq!((minutes_until(left, now()), minutes_max(left, now())), (1, 1), "two would be 70 seconds too much");
        assert_eq!(minutes_max(in_minutes(1), now()), 2);
        assert_eq!(minutes_max(in_minutes(100) - SignedDuration::from_secs(1), now()), 104);
        assert_eq!(minutes_max(in_minutes(2880), now()), 2880);
    }
}
