//! The pending notification of an incident: it is due, and not delivered yet.

use crate::outbox::{CLAIM, Delivery};
use crate::service::alert::Transition;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A notification that is due, with its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingNotification {
    /// The transition to report.
    pub event: Transition,
    /// Its delivery. When one of two sinks fails, the sink that works receives the notification again with every
    /// attempt.
    #[serde(default)]
    pub delivery: Delivery,
    /// The earlier transition that this one replaced, as long as its delivery is not confirmed. The claim of `delivery`
    /// then belongs to the instance that may still be sending the earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Transition>,
}

impl PendingNotification {
    pub(crate) fn new(event: Transition) -> Self {
        Self { event, delivery: Delivery::default(), after: None }
    }

    /// Replaces an earlier pending notification. The instance that claimed the earlier one may still be sending it, and
    /// the new one must not overtake it.
    pub(crate) fn replacing(earlier: Option<Self>, event: Transition, now: Timestamp) -> Self {
        let claim_max = now.checked_add(CLAIM).ok();
        let claimed_until =
            earlier.and_then(|pending| pending.delivery.claimed_until).filter(|until| *until > now).min(claim_max);
        let after = earlier.map(|pending| pending.after.unwrap_or(pending.event));
        // The receiver failed before and may fail again, so the back-off continues instead of starting over.
        let failures = earlier.map_or(0, |pending| pending.delivery.failures);
        Self { event, delivery: Delivery { claimed_until, failures }, after }
    }

    /// Whether no instance can have sent it yet, so that it can be withdrawn.
    pub(crate) fn is_fresh(&self) -> bool {
        self.delivery.claimed_until.is_none() || self.after.is_some()
    }

    /// The pending notification after this one is withdrawn: the one that it replaced, unless that was delivered.
    pub(crate) fn withdrawn(self) -> Option<Self> {
        self.after.map(|event| Self { event, delivery: self.delivery, after: None })
    }
}
