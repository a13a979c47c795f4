//! When to notify: an incident opens once, escalates at its marks, repeats at an interval, and resolves once.
//!
//! Pure. Incidents are part of the service record, so any instance of the function continues what another one began. A
//! transition is stored together with its pending notification ([`Incident::pending`]), which is cleared only after
//! delivery. A crash in between therefore sends a notification twice rather than never. If two instances reconcile
//! concurrently, only the one that stores its record notifies.
//!
//! [`problem`] finds the problems of a snapshot, [`advance`] opens, continues and resolves their incidents, and
//! [`delivery`] claims and settles the notifications.

pub mod advance;
pub mod delivery;
pub mod escalation;
pub mod pending;
pub mod problem;

use crate::service::alert::{AlertKind, Transition};
use crate::service::incident::pending::PendingNotification;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When to notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertPolicy {
    /// How long a rollout must have been blocked before an incident opens.
    pub blocked_after: SignedDuration,
    /// The interval at which an open incident is repeated.
    pub repeat_after: SignedDuration,
}

/// One problem of a service, present or past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The kind of problem.
    pub kind: AlertKind,
    /// When the problem began.
    pub since: Timestamp,
    /// When the latest notification became due.
    pub notified_at: Timestamp,
    /// Whether the problem persists.
    pub state: IncidentState,
    /// Whether a delivery was attempted. The notification may have arrived, because a failed delivery may have succeeded
    /// nevertheless, or in part.
    #[serde(default)]
    pub attempted: bool,
    /// The notification that is not delivered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingNotification>,
}

/// Whether a problem persists, and how urgent it has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentState {
    /// The problem persists, and no escalation mark has passed.
    Open,
    /// The problem persists after escalation marks.
    Escalated {
        /// How many of them have passed, at least one.
        marks: u8,
    },
    /// The problem is over.
    Resolved {
        /// When it ended.
        at: Timestamp,
        /// How many escalation marks had passed before.
        marks: u8,
    },
}

impl IncidentState {
    /// The state of a problem that persists after this number of escalation marks.
    fn open_after(marks: u8) -> Self {
        if marks == 0 { Self::Open } else { Self::Escalated { marks } }
    }

    /// How many escalation marks have passed.
    pub fn marks(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Escalated { marks } | Self::Resolved { marks, .. } => marks,
        }
    }

    /// When the problem ended, if it is over.
    pub fn resolved_at(self) -> Option<Timestamp> {
        match self {
            Self::Open | Self::Escalated { .. } => None,
            Self::Resolved { at, .. } => Some(at),
        }
    }
}

/// The incidents of one service by key.
pub type Incidents = BTreeMap<String, Incident>;

/// The transitions. Each one that is worth a notification makes it pending in the same change.
impl Incident {
    /// Whether the problem persists.
    pub fn is_open(&self) -> bool {
        self.state.resolved_at().is_none()
    }

    /// A new incident.
    fn open(kind: AlertKind, since: Timestamp, marks: u8, now: Timestamp) -> Self {
        Self {
            kind,
            since,
            notified_at: now,
            state: IncidentState::open_after(marks),
            attempted: false,
            pending: Some(PendingNotification::new(Transition::Opened)),
        }
    }

    /// The problem is still there: the incident escalates, repeats or reopens when that is due.
    fn persist(&mut self, marks: u8, now: Timestamp, policy: &AlertPolicy) {
        match self.state {
            IncidentState::Resolved { marks: marks_before, .. } => self.reopen(marks_before, marks, now),
            // One notification at a time.
            IncidentState::Open | IncidentState::Escalated { .. } if self.pending.is_some() => {}
            IncidentState::Open | IncidentState::Escalated { .. } if marks > self.state.marks() => {
                self.state = IncidentState::Escalated { marks };
                self.notify(PendingNotification::new(Transition::Escalated), now);
            }
            IncidentState::Open | IncidentState::Escalated { .. } => {
                if now.duration_since(self.notified_at) >= policy.repeat_after {
                    self.notify(PendingNotification::new(Transition::Repeated), now);
                }
            }
        }
    }

    /// The problem came back after it was resolved.
    fn reopen(&mut self, marks_before: u8, marks: u8, now: Timestamp) {
        let unsent = self.pending.filter(|pending| pending.event == Transition::Resolved && pending.is_fresh());
        if let Some(unsent) = unsent {
            // Its RESOLVED was not sent yet: the incident simply continues.
            self.state = IncidentState::open_after(marks_before);
            self.pending = unsent.withdrawn();
            return;
        }
        self.state = IncidentState::open_after(marks);
        self.since = now;
        self.notify(PendingNotification::replacing(self.pending, Transition::Opened, now), now);
    }

    /// The problem is over.
    fn resolve(&mut self, now: Timestamp) {
        self.state = IncidentState::Resolved { at: now, marks: self.state.marks() };
        match self.pending {
            // No RESOLVED for an incident that was never reported.
            _ if !self.attempted => (self.notified_at, self.pending) = (now, None),
            // The problem came back and went away again before its OPENED was sent: drop both.
            Some(pending) if pending.event == Transition::Opened && pending.is_fresh() => {
                (self.notified_at, self.pending) = (now, pending.withdrawn());
            }
            pending => self.notify(PendingNotification::replacing(pending, Transition::Resolved, now), now),
        }
    }

    fn notify(&mut self, pending: PendingNotification, now: Timestamp) {
        (self.notified_at, self.pending) = (now, Some(pending));
    }
}

#[cfg(test)]
mod tests;
