//! The rounding of protection durations: never below the requested time, never above the bound, always a value that
//! ECS accepts.

use super::config;
use super::drawn::{any_moment, at};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use taskhold::task::minutes::{minutes_max, minutes_until};

const NANOS_PER_MINUTE: i128 = 60_000_000_000;
/// The longest protection that ECS grants (aws-facts "ECS: the protection API").
const MAX: u32 = 2880;

/// A requested end and the time of the request: mostly within the range that ECS accepts, some just beside a whole
/// minute.
fn request() -> impl Strategy<Value = (Timestamp, Timestamp)> {
    let within = (0..=2900_i64 * 60_000_000_000).prop_map(SignedDuration::from_nanos);
    let beside = (0..=2881_i64, -2..=2_i64)
        .prop_map(|(minutes, nanos)| SignedDuration::from_mins(minutes) + SignedDuration::from_nanos(nanos));
    let near = prop_oneof![within, beside].prop_map(|left| (at(0) + left, at(0)));
    prop_oneof![8 => near, 1 => (any_moment(), any_moment())]
}

fn left((until, now): (Timestamp, Timestamp)) -> i128 {
    until.duration_since(now).as_nanos().max(0)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_request_is_valid_in_ecs_and_covers_the_wanted_time(request in request()) {
        let minutes = minutes_until(request.0, request.1);
        prop_assert!((1..=MAX).contains(&minutes), "{}", minutes);
        let grantable = left(request).min(i128::from(MAX) * NANOS_PER_MINUTE);
        prop_assert!(i128::from(minutes) * NANOS_PER_MINUTE >= grantable, "{} minutes for {} ns", minutes, grantable);
        prop_assert!(i128::from(minutes - 1) * NANOS_PER_MINUTE < grantable.max(1), "a minute less would do");
    }

    #[test]
    fn the_bound_is_five_percent_or_a_minute_and_never_less_than_the_wish_itself_takes(request in request()) {
        let (least, most) = (minutes_until(request.0, request.1), minutes_max(request.0, request.1));
        prop_assert!((least..=MAX).contains(&most), "{}..={}", least, most);
        let left = left(request);
        let bound = left + (left / 20).max(NANOS_PER_MINUTE);
        prop_assert!(most == least || i128::from(most) * NANOS_PER_MINUTE <= bound, "{} minutes are beyond the bound", most);
        prop_assert!(most == MAX || i128::from(most + 1) * NANOS_PER_MINUTE > bound - 2_000_000, "{} minutes are not all of it", most);
    }

    #[test]
    fn a_longer_wish_never_gets_less_nor_has_a_lower_bound(one in request(), more in 0..100_000_000_000_000_i64) {
        let longer = (one.0.saturating_add(SignedDuration::from_nanos(more)).unwrap_or(Timestamp::MAX), one.1);
        prop_assert!(minutes_until(longer.0, longer.1) >= minutes_until(one.0, one.1));
        prop_assert!(minutes_max(longer.0, longer.1) >= minutes_max(one.0, one.1));
    }
}
