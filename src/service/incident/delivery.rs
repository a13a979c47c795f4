//! The delivery of pending notifications: each is claimed before it is sent, and cleared once it was delivered.

use crate::outbox::DeliveryOutcome;
use crate::service::alert::{AlertKind, Transition};
use crate::service::incident::pending::PendingNotification;
use crate::service::incident::{Incident, Incidents};
use jiff::Timestamp;

/// A notification that this instance has claimed and must send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedNotification {
    /// The key of the incident.
    pub key: String,
    /// The incident.
    pub incident: Incident,
    /// The transition to report.
    pub event: Transition,
}

/// Claims every pending notification that is due, the most severe first.
pub fn claim(incidents: &mut Incidents, now: Timestamp) -> Vec<ClaimedNotification> {
    let mut claimed = Vec::new();
    for (key, incident) in incidents {
        if let Some(pending) = &mut incident.pending
            && pending.delivery.is_due(now)
        {
            pending.delivery.claim(now);
            pending.after = None;
            let event = pending.event;
            incident.attempted = true;
            claimed.push(ClaimedNotification { key: key.clone(), incident: incident.clone(), event });
        }
    }
    let severity = |kind: AlertKind| AlertKind::ALL.iter().position(|other| *other == kind);
    claimed.sort_by_key(|claimed: &ClaimedNotification| severity(claimed.incident.kind));
    claimed
}

/// Records the result of sending the notification of `event`: it is cleared, or returned for a later reconcile to send.
pub fn settle(incidents: &mut Incidents, key: &str, event: Transition, outcome: DeliveryOutcome, now: Timestamp) {
    let Some(incident) = incidents.get_mut(key) else { return };
    let Some(pending) = incident.pending else { return };
    if pending.event == event {
        incident.pending =
            pending.delivery.settle(outcome, now).map(|delivery| PendingNotification { delivery, ..pending });
    } else if pending.after == Some(event) && outcome == DeliveryOutcome::Acknowledged {
        // The transition that replaced the delivered one no longer has to wait.
        incident.pending = Some(PendingNotification::new(pending.event));
    }
}
