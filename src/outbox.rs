//! At-least-once delivery: an instance claims an item before it sends it, acknowledges it when the receiver
//! took it, and backs off when the receiver did not.
//!
//! A [`Delivery`] is a field of the record that it belongs to, so that a change of state and the intent to
//! report it are stored together and in order. A crash between sending and acknowledging sends the item
//! twice; no crash loses it.

use crate::sqs::SqsError;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long an instance has to send what it has claimed: each send times out after seconds. After that the
/// instance has most likely crashed, and another one sends the item.
pub const CLAIM: SignedDuration = SignedDuration::from_secs(60);

/// A receiver did not take an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The alert topic or the alert queue did not take it; the text names each that did not, with the reason.
    #[error("{0}")]
    Alerts(String),
    /// The queue of interrupted jobs does not have all messages.
    #[error("the queue of interrupted jobs: {0}")]
    InterruptedJobs(SqsError),
}

/// Delivers items of one kind.
#[async_trait]
pub trait Deliver<T>: Send + Sync {
    /// Sends one item. The same item may be sent more than once.
    ///
    /// # Errors
    /// The receiver did not take the item.
    async fn deliver(&self, item: &T) -> Result<(), DeliveryError>;
}

/// The delivery of one item that a record still has to report. The record drops it when the receiver took the
/// item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// No instance may claim the item before this moment: another one has claimed it, or it waits for its next
    /// attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<Timestamp>,
    /// Number of failed attempts.
    #[serde(default)]
    pub failures: u8,
}

impl Delivery {
    /// Whether the item may be claimed.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.claimed_until.is_none_or(|until| until <= now)
    }

    /// Whether the item waits for its next attempt because earlier ones have failed.
    pub fn is_backing_off(&self, now: Timestamp) -> bool {
        self.failures > 0 && !self.is_due(now)
    }

    /// Whether an instance has ever claimed the item, and may have sent it.
    pub fn was_claimed(&self) -> bool {
        self.claimed_until.is_some()
    }

    /// The delivery of the item that replaces this one. It keeps the claim, because the instance that claimed the earlier
    /// item may still be sending it, and the new item must not overtake it. It keeps the number of failures, because the
    /// receiver may fail again.
    #[must_use]
    pub fn taken_over(self, now: Timestamp) -> Self {
        let claim_max = now.checked_add(CLAIM).ok();
        Self { claimed_until: self.claimed_until.filter(|until| *until > now).min(claim_max), ..self }
    }

    /// Claims the item for one instance. The claim takes effect when the record is stored: by compare-and-set, so
    /// that only one of several concurrent claims succeeds.
    pub fn claim(&mut self, now: Timestamp) {
        self.claimed_until = now.checked_add(CLAIM).ok();
    }

    /// Records the result of an attempt. Returns the delivery that remains: none if the receiver took the item, or
    /// else one that is due again later.
    #[must_use]
    pub fn settle(self, outcome: DeliveryOutcome, now: Timestamp) -> Option<Self> {
        match outcome {
            DeliveryOutcome::Acknowledged => None,
            DeliveryOutcome::Failed => Some(self.back_off(now)),
        }
    }

    /// Schedules the next attempt after the receiver did not take the item: with the next reconcile at first,
    /// then after 10, 20 and 40 minutes, then hourly. The backoff avoids a call at each reconcile to a receiver
    /// that no longer exists.
    fn back_off(self, now: Timestamp) -> Self {
        let minutes = if self.failures == 0 { 0 } else { (5_i64 << self.failures.min(4)).min(60) };
        let claimed_until = now.checked_add(SignedDuration::from_mins(minutes)).ok();
        Self { claimed_until, failures: self.failures.saturating_add(1) }
    }
}

/// The result of one attempt to deliver an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver took the item.
    Acknowledged,
    /// The receiver did not take the item, or did not answer.
    Failed,
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
    fn an_item_that_takes_over_waits_for_the_claim_of_the_one_before_it_and_a_minute_at_most() {
        let mut claimed = Delivery::default();
        claimed.claim(minute(0));
        let later = claimed.taken_over(minute(0));
        assert!(!later.is_due(minute(0)) && later.is_due(minute(1)) && later.was_claimed());
        assert!(!claimed.taken_over(minute(1)).was_claimed(), "the claim has ended");
        let failing = Delivery { claimed_until: Some(minute(60)), failures: 5 };
        let later = failing.taken_over(minute(0));
        assert!(later.is_due(minute(1)) && later.failures == 5);
    }

    #[test]
    fn an_item_that_is_never_taken_is_tried_at_growing_intervals_of_at_most_an_hour() {
        let mut delivery = Delivery::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            delivery = delivery.settle(DeliveryOutcome::Failed, minute(0)).unwrap();
            waits.push(delivery.claimed_until.unwrap().duration_since(minute(0)).as_mins());
        }
        assert_eq!(waits, [0, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn an_item_that_was_taken_has_no_delivery_left_and_one_that_was_not_backs_off() {
        let mut delivery = Delivery::default();
        delivery.claim(minute(0));
        assert!(!delivery.is_backing_off(minute(0)), "it is only claimed");
        assert_eq!(delivery.settle(DeliveryOutcome::Acknowledged, minute(0)), None);
        let once = delivery.settle(DeliveryOutcome::Failed, minute(0)).unwrap();
        assert!(once.is_due(minute(0)) && !once.is_backing_off(minute(0)));
        let twice = once.settle(DeliveryOutcome::Failed, minute(0)).unwrap();
        assert_eq!(
            [9, 10].map(|at| (twice.is_due(minute(at)), twice.is_backing_off(minute(at)))),
            [(false, true), (true, false)]
        );
    }
}
