//! The ledger's entry of one service: what earlier looks saw, and what was told of it.

use crate::alert::incident::{Incident, Incidents};
use crate::decide::remedy::RemedyState;
use crate::ecs::TaskId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that taskhold remembers of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEntry {
    /// The movement that was last seen blocked, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<SeenBlocked>,
    /// The watch over it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// When an event last was the reason for a look: those that follow at once bring no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompted_at: Option<Timestamp>,
    /// Tasks with live jobs whose protection ECS has refused, as far as is known; a look finds out of which it still holds.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refused: BTreeSet<TaskId>,
    /// Protected tasks without a live job, by when a look first saw them so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub idle_seen: BTreeMap<TaskId, Timestamp>,
    /// What taskhold has done about it.
    #[serde(default, skip_serializing_if = "RemedyState::is_empty")]
    pub remedy: RemedyState,
    /// What is or was wrong with it.
    #[serde(default)]
    pub incidents: Incidents,
}

/// A movement that was seen blocked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenBlocked {
    /// The deployment or task set.
    pub movement: String,
    /// Since when.
    pub since: Timestamp,
}

/// A service that is looked at again and again, because something moves in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The deployment or task set; `None` after an event that no look has confirmed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub movement: Option<String>,
    /// Since when.
    pub begun_at: Timestamp,
    /// How many checks of its own it has had.
    pub checks: u32,
    /// When the next one comes. A follow-up of this very moment is on its way, and any other is out of date. `None` if it
    /// has lasted too long: what still moves then is left to the sweep.
    pub due: Option<Timestamp>,
}

/// An entry that nobody has touched for so long is of a service that is gone, or steady.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

impl ServiceEntry {
    /// Since when this movement has been seen blocked.
    pub fn blocked_since(&self, movement: Option<&str>) -> Option<Timestamp> {
        let blocked = self.blocked.as_ref()?;
        (Some(blocked.movement.as_str()) == movement).then_some(blocked.since)
    }

    /// Whether somebody has to look after it, even if ECS lists it no more: it is watched, a remedy is to be put
    /// back, or something is wrong
    /// or untold.
    pub fn is_open(&self) -> bool {
        let open = |incident: &Incident| incident.resolved_at.is_none() || incident.untold.is_some();
        self.watch.is_some()
            || !self.refused.is_empty()
            || self.remedy.raised.is_some()
            || self.incidents.values().any(open)
    }

    /// From when on the entry may be forgotten.
    pub fn keep_until(now: Timestamp) -> Timestamp {
        now.saturating_add(KEPT).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::incident::Untold;
    use crate::alert::{AlertEvent, AlertKind};
    use crate::decide::remedy::{RaiseStage, Raised};

    #[test]
    fn an_entry_is_open_while_it_is_watched_refused_raised_or_something_is_wrong_or_untold() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let task: TaskId = format!("{:032x}", 1).parse().unwrap();
        let untold = Untold { event: AlertEvent::Resolved, claimed_until: None, failures: 0, after: None };
        let incident = |resolved_at, untold| {
            let kind = AlertKind::DeploymentBlocked;
            let incident =
                Incident { kind, since: now, told_at: now, escalations: 0, resolved_at, heard: true, untold };
            ServiceEntry { incidents: Incidents::from([("key".to_owned(), incident)]), ..ServiceEntry::default() }
        };
        let watch = Watch { movement: None, begun_at: now, checks: 0, due: None };
        let raised = Raised { from: 1, to: 2, before: 1, at: now, stage: RaiseStage::Raised };
        let remedy = RemedyState { raised: Some(raised), ..RemedyState::default() };
        for (is_open, entry) in [
            (false, ServiceEntry::default()),
            (false, ServiceEntry { prompted_at: Some(now), ..ServiceEntry::default() }),
            (false, incident(Some(now), None)),
            (true, incident(Some(now), Some(untold))),
            (true, incident(None, None)),
            (true, ServiceEntry { watch: Some(watch), ..ServiceEntry::default() }),
            (true, ServiceEntry { refused: BTreeSet::from([task]), ..ServiceEntry::default() }),
            (true, ServiceEntry { remedy, ..ServiceEntry::default() }),
        ] {
            assert_eq!(entry.is_open(), is_open, "{entry:?}");
        }
    }

    #[test]
    fn an_entry_is_kept_for_two_weeks() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(ServiceEntry::keep_until(now).duration_since(now).as_secs(), 14 * 24 * 60 * 60);
    }
}
