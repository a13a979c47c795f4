//! What must be sent at least once: claimed before it is sent, acknowledged when it was taken, backed off when it was not.
//!
//! A [`Delivery`] is a field of the record that it belongs to, so that a change of state and the intent to report it are
//! stored at once and in order. A crash between sending and acknowledging sends twice, and never not at all.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::future::Future;

/// How long one instance has to send what it has claimed. An instance that is slower was most likely cut off, and another
/// one sends it again.
pub const CLAIM: SignedDuration = SignedDuration::from_secs(60);

/// Somewhere did not take what was sent; the text says where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeliveryError(pub String);

/// Delivers items of one kind.
pub trait Deliver<T>: Send + Sync {
    /// Sends one item. An item that was sent may be sent again.
    ///
    /// # Errors
    /// It was not taken.
    fn deliver(&self, item: &T) -> impl Future<Output = Result<(), DeliveryError>> + Send;
}

/// How far one item in an outbox has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Until then the instance that claimed it has the time to send it, or it waits for the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<Timestamp>,
    /// Attempts that failed.
    #[serde(default)]
    pub failures: u8,
}

impl Delivery {
    /// Whether it may be claimed.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.claimed_until.is_none_or(|until| until <= now)
    }

    /// Claims it for one instance.
    pub fn claim(&mut self, now: Timestamp) {
        self.claimed_until = now.checked_add(CLAIM).ok();
    }

    /// It was not taken: the second attempt comes with the next reconcile, later ones after 10, 20 and 40 minutes, then
    /// hourly, so that a sink that is gone is not tried at each reconcile.
    pub fn back_off(&mut self, now: Timestamp) {
        let minutes = if self.failures == 0 { 0 } else { (5_i64 << self.failures.min(4)).min(60) };
        self.claimed_until = now.checked_add(SignedDuration::from_mins(minutes)).ok();
        self.failures = self.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn a_claimed_item_is_due_again_when_the_claim_ends() {
        let mut delivery = Delivery::default();
        assert!(delivery.is_due(minute(0)));
        delivery.claim(minute(0));
        assert!(!delivery.is_due(minute(0)));
        assert!(delivery.is_due(minute(1)));
    }

    #[test]
    fn an_item_that_is_never_taken_is_tried_at_growing_intervals_of_at_most_an_hour() {
        let mut delivery = Delivery::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            delivery.back_off(minute(0));
            waits.push(delivery.claimed_until.unwrap().duration_since(minute(0)).as_mins());
        }
        assert_eq!(waits, [0, 10, 20, 40, 60, 60]);
    }
}
