//! The protection that taskhold itself may have set on a task, and how to recognize it in an answer of ECS.
//!
//! ECS does not report who set a protection, only when it expires. So taskhold compares the reported expiry with
//! what its own calls were granted or may have been granted. Anything else was set by another writer, whether it
//! lasts longer or shorter.

use crate::task::minutes::{GRANT_TOLERANCE, minutes_max};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How far apart two reports of the same expiry may be: an answer may have whole seconds only.
const SAME_EXPIRY: SignedDuration = SignedDuration::from_secs(1);

/// A protection that taskhold requested, with the range of its expiry: one moment if ECS granted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnProtection {
    /// When the call was recorded.
    pub asked_at: Timestamp,
    /// The earliest expiry.
    pub earliest: Timestamp,
    /// The latest expiry.
    pub latest: Timestamp,
}

impl OwnProtection {
    /// A protection that ECS granted.
    pub fn granted(asked_at: Timestamp, until: Timestamp) -> Self {
        Self { asked_at, earliest: until, latest: until }
    }

    /// What a call for protection until `until` may set, if it was recorded at `asked_at` and takes effect within
    /// `late_effect_max` or never.
    ///
    /// A call may share its minutes with other tasks. They are at least those that reach the requested end and at most
    /// [`minutes_max`], counted by ECS's clock.
    pub fn requested(asked_at: Timestamp, until: Timestamp, late_effect_max: SignedDuration) -> Self {
        let earliest = until.saturating_sub(GRANT_TOLERANCE).unwrap_or(Timestamp::MIN);
        let longest = SignedDuration::from_mins(i64::from(minutes_max(until, asked_at)));
        let latest = asked_at.saturating_add(late_effect_max + longest).unwrap_or(Timestamp::MAX);
        Self { asked_at, earliest, latest }
    }

    /// Whether ECS may report this expiry for it.
    pub fn fits(&self, reported: Timestamp) -> bool {
        let is_early = self.earliest.duration_since(reported) > SAME_EXPIRY;
        let is_late = reported.duration_since(self.latest) > SAME_EXPIRY;
        !is_early && !is_late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn a_granted_protection_is_recognized_within_a_second_and_no_longer_or_shorter_one_is() {
        let own = OwnProtection::granted(at(0), at(3600));
        let fits = |millis: i64| own.fits(at(3600) + SignedDuration::from_millis(millis));
        assert_eq!([-1001, -1000, 0, 1000, 1001].map(fits), [false, true, true, true, false]);
    }

    #[test]
    fn a_call_without_an_answer_fits_the_minutes_that_it_may_have_requested() {
        let own = OwnProtection::requested(at(0), at(6000), SignedDuration::from_mins(2));
        // 100 minutes, of which a shared call may make 105, within two minutes; and two clocks.
        let fits = |second| own.fits(at(second));
        assert_eq!([5968, 5969, 6000, 6420, 6421, 6422].map(fits), [false, true, true, true, true, false]);
    }
}
