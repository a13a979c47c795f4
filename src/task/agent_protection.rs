//! Protection that a task sets for itself through the container agent, as its worker reports it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Maximum length of a reported reason, in characters.
pub const REASON_CHARS_MAX: usize = 256;

/// What a worker reports about the protection that it requested from the agent. For a job with such a report, the
/// function sets and clears no protection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AgentProtection {
    /// ECS granted it until then.
    Until(Timestamp),
    /// ECS refused it, for this reason.
    Refused {
        /// The agent's `Reason`.
        reason: String,
    },
}

impl AgentProtection {
    /// Reads the member `protection` of a job message. `None` if it breaks its rule.
    pub fn read(value: &Value) -> Option<Self> {
        let member = |name: &str| value.get(name).filter(|value| !value.is_null());
        if member("by").and_then(Value::as_str) != Some("agent") {
            return None;
        }
        match (member("until"), member("refused")) {
            (Some(until), None) => until.as_str()?.parse().ok().map(Self::Until),
            (None, Some(refused)) => {
                let reason = refused.get("reason")?.as_str()?;
                let is_valid = (1..=REASON_CHARS_MAX).contains(&reason.chars().count());
                is_valid.then(|| Self::Refused { reason: reason.to_owned() })
            }
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// The same report, but of no protection that lasts longer than `most`.
    #[must_use]
    pub fn at_most(self, most: Timestamp) -> Self {
        match self {
            Self::Until(until) => Self::Until(until.min(most)),
            refused @ Self::Refused { .. } => refused,
        }
    }
}
