//! What is still to be told of an incident, and by whom: claimed before it is sent, struck out when it was taken.

use crate::service::alert::Transition;
use crate::service::incident::{Incident, Incidents};
use crate::store::CLAIM;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Something to be told, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingNotification {
    /// What.
    pub event: Transition,
    /// Until then whoever claimed it is telling it, or it waits after a failure; after that somebody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<Timestamp>,
    /// How often it could not be sent.
    #[serde(default)]
    pub failures: u8,
    /// What was to be told before it came in its place, as long as nobody is known to have told that. The claim is of whoever
    /// may be telling it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Transition>,
}

impl PendingNotification {
    pub(crate) fn new(event: Transition) -> Self {
        Self { event, claimed_until: None, failures: 0, after: None }
    }

    /// In place of what was to be told before. Whoever has claimed that may be telling it, and what comes after must not
    /// overtake it.
    pub(crate) fn instead(of: Option<Self>, event: Transition, now: Timestamp) -> Self {
        let claim_max = now.checked_add(CLAIM).ok();
        let claimed_until = of.and_then(|untold| untold.claimed_until).filter(|until| *until > now).min(claim_max);
        let after = of.map(|untold| untold.after.unwrap_or(untold.event));
        Self { claimed_until, after, ..Self::new(event) }
    }

    /// Whether nobody can have told it yet: then it can be taken back.
    pub(crate) fn is_fresh(&self) -> bool {
        self.claimed_until.is_none() || self.after.is_some()
    }

    /// What is to be told if it is taken back: what was before it, unless that is told.
    pub(crate) fn taken_back(self) -> Option<Self> {
        self.after.map(|event| Self { claimed_until: self.claimed_until, ..Self::new(event) })
    }

    /// The first failure is tried again at the next look, those after it later and later: of two places that an alert goes
    /// to, the one that works gets it again each time.
    fn failed(self, now: Timestamp) -> Self {
        let minutes = if self.failures == 0 { 0 } else { (5_i64 << self.failures.min(4)).min(60) };
        let claimed_until = now.checked_add(SignedDuration::from_mins(minutes)).ok();
        Self { claimed_until, failures: self.failures.saturating_add(1), ..self }
    }
}

/// Claims everything that is to be told and that nobody is telling now. Stored by compare-and-set, so that of several who
/// claim at once one succeeds.
pub fn claim(incidents: &mut Incidents, now: Timestamp) -> Vec<(String, Incident, Transition)> {
    let mut claimed = Vec::new();
    for (key, incident) in incidents {
        if let Some(untold) = &mut incident.untold
            && untold.claimed_until.is_none_or(|until| until <= now)
        {
            (untold.claimed_until, untold.after) = (now.checked_add(CLAIM).ok(), None);
            let event = untold.event;
            incident.heard = true;
            claimed.push((key.clone(), incident.clone(), event));
        }
    }
    claimed
}

/// Strikes out what was told, or gives it back to be told by the next look.
pub fn told(incidents: &mut Incidents, key: &str, outcome: (Transition, Told, Timestamp)) {
    let (event, outcome, now) = outcome;
    let Some(incident) = incidents.get_mut(key) else { return };
    incident.untold = match (incident.untold, outcome) {
        (Some(untold), Told::Sent) if untold.event == event => None,
        (Some(untold), Told::Failed) if untold.event == event => Some(untold.failed(now)),
        // What came in its place need not wait any longer.
        (Some(untold), Told::Sent) if untold.after == Some(event) => Some(PendingNotification::new(untold.event)),
        (untold, _) => untold,
    };
}

/// Whether an alert was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was.
    Sent,
    /// It was not.
    Failed,
}
