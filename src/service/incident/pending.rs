//! The pending notification of an incident: claimed before it is sent, cleared once it was delivered.

use crate::outbox::{CLAIM, Delivery};
use crate::service::alert::Transition;
use crate::service::incident::{Incident, Incidents};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A notification that is due, with its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingNotification {
    /// The transition to report.
    pub event: Transition,
    /// Until then the instance that claimed it is sending it, or it backs off after a failure. Afterwards any instance
    /// may claim it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<Timestamp>,
    /// How often delivery has failed.
    #[serde(default)]
    pub failures: u8,
    /// The earlier transition that this one replaced, as long as its delivery is not confirmed. `claimed_until` then
    /// belongs to the instance that may still be sending the earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Transition>,
}

impl PendingNotification {
    pub(crate) fn new(event: Transition) -> Self {
        Self { event, claimed_until: None, failures: 0, after: None }
    }

    /// Replaces an earlier pending notification. The instance that claimed the earlier one may still be sending it, and
    /// the new one must not overtake it.
    pub(crate) fn instead(of: Option<Self>, event: Transition, now: Timestamp) -> Self {
        let claim_max = now.checked_add(CLAIM).ok();
        let claimed_until = of.and_then(|pending| pending.claimed_until).filter(|until| *until > now).min(claim_max);
        let after = of.map(|pending| pending.after.unwrap_or(pending.event));
        Self { claimed_until, after, ..Self::new(event) }
    }

    /// Whether no instance can have sent it yet, so that it can be withdrawn.
    pub(crate) fn is_fresh(&self) -> bool {
        self.claimed_until.is_none() || self.after.is_some()
    }

    /// The pending notification after this one is withdrawn: the one that it replaced, unless that was delivered.
    pub(crate) fn taken_back(self) -> Option<Self> {
        self.after.map(|event| Self { claimed_until: self.claimed_until, ..Self::new(event) })
    }

    /// The next reconcile retries the first failure at once; later retries back off. When one of two sinks fails, the
    /// sink that works receives the notification again with every retry.
    fn failed(self, now: Timestamp) -> Self {
        let mut delivery = self.delivery();
        delivery.back_off(now);
        Self { claimed_until: delivery.claimed_until, failures: delivery.failures, ..self }
    }

    fn delivery(self) -> Delivery {
        Delivery { claimed_until: self.claimed_until, failures: self.failures }
    }
}

/// Claims every pending notification that no other instance is sending. The claim is stored by compare-and-set, so only
/// one of several concurrent claims succeeds.
pub fn claim(incidents: &mut Incidents, now: Timestamp) -> Vec<(String, Incident, Transition)> {
    let mut claimed = Vec::new();
    for (key, incident) in incidents {
        if let Some(pending) = &mut incident.pending
            && pending.delivery().is_due(now)
        {
            (pending.claimed_until, pending.after) = (now.checked_add(CLAIM).ok(), None);
            let event = pending.event;
            incident.attempted = true;
            claimed.push((key.clone(), incident.clone(), event));
        }
    }
    claimed
}

/// Clears a delivered notification, or returns a failed one for the next reconcile to send.
pub fn settle(incidents: &mut Incidents, key: &str, outcome: (Transition, DeliveryOutcome, Timestamp)) {
    let (event, outcome, now) = outcome;
    let Some(incident) = incidents.get_mut(key) else { return };
    incident.pending = match (incident.pending, outcome) {
        (Some(pending), DeliveryOutcome::Sent) if pending.event == event => None,
        (Some(pending), DeliveryOutcome::Failed) if pending.event == event => Some(pending.failed(now)),
        // The transition that replaced the delivered one no longer has to wait.
        (Some(pending), DeliveryOutcome::Sent) if pending.after == Some(event) => {
            Some(PendingNotification::new(pending.event))
        }
        (pending, _) => pending,
    };
}

/// The result of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The sink accepted the notification.
    Sent,
    /// Delivery failed.
    Failed,
}
