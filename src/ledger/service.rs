//! The ledger's entry of one service: what earlier looks saw, and what was told of it.

use crate::alert::incident::Incidents;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Everything that taskhold remembers of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEntry {
    /// The movement that was last seen blocked, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<SeenBlocked>,
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

/// An entry that nobody has touched for so long is of a service that is gone, or steady.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

impl ServiceEntry {
    /// Since when this movement has been seen blocked.
    pub fn blocked_since(&self, movement: Option<&str>) -> Option<Timestamp> {
        let blocked = self.blocked.as_ref()?;
        (Some(blocked.movement.as_str()) == movement).then_some(blocked.since)
    }

    /// From when on the entry may be forgotten.
    pub fn keep_until(now: Timestamp) -> Timestamp {
        now.saturating_add(KEPT).unwrap_or(Timestamp::MAX)
    }
}
