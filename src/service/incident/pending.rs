//! The pending notification of an incident: it is due, and not delivered yet.

use crate::outbox::Delivery;
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

    /// Replaces an earlier pending notification, and takes its delivery over.
    pub(crate) fn replacing(earlier: Option<Self>, event: Transition, now: Timestamp) -> Self {
        let Some(earlier) = earlier else { return Self::new(event) };
        Self { event, delivery: earlier.delivery.taken_over(now), after: Some(earlier.after.unwrap_or(earlier.event)) }
    }

    /// Whether no instance can have sent it yet, so that it can be withdrawn.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.delivery.was_claimed() || self.after.is_some()
    }

    /// The pending notification after this one is withdrawn: the one that it replaced, unless that was delivered.
    pub(crate) fn withdrawn(self) -> Option<Self> {
        self.after.map(|event| Self { event, delivery: self.delivery, after: None })
    }
}
