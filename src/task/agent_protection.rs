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

    /// Drops the reason of a refusal, and keeps the refusal.
    pub(crate) fn drop_reason(&mut self) {
        if let Self::Refused { reason } = self {
            reason.clear();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixture::at;
    use serde_json::json;

    #[test]
    fn a_report_names_the_agent_and_either_an_end_or_a_refusal() {
        let until = json!({"by": "agent", "until": at(60).to_string()});
        assert_eq!(AgentProtection::read(&until), Some(AgentProtection::Until(at(60))));
        let refused = json!({"by": "agent", "refused": {"reason": "DEPLOYMENT_BLOCKED"}, "until": null});
        let reason = "DEPLOYMENT_BLOCKED".to_owned();
        assert_eq!(AgentProtection::read(&refused), Some(AgentProtection::Refused { reason }));
    }

    #[test]
    fn a_report_that_breaks_its_rule_is_none() {
        let until = at(60).to_string();
        for broken in [
            json!(null),
            json!("agent"),
            json!({"until": until}),
            json!({"by": "function", "until": until}),
            json!({"by": "agent"}),
            json!({"by": "agent", "until": "tomorrow"}),
            json!({"by": "agent", "until": 1_700_000_000}),
            json!({"by": "agent", "until": until, "refused": {"reason": "MISSING"}}),
            json!({"by": "agent", "refused": "MISSING"}),
            json!({"by": "agent", "refused": {"reason": ""}}),
            json!({"by": "agent", "refused": {"reason": "x".repeat(REASON_CHARS_MAX + 1)}}),
        ] {
            assert_eq!(AgentProtection::read(&broken), None, "{broken}");
        }
    }

    #[test]
    fn a_report_is_cut_to_what_ecs_can_have_granted_and_a_refusal_stays() {
        assert_eq!(AgentProtection::Until(at(60)).at_most(at(50)), AgentProtection::Until(at(50)));
        assert_eq!(AgentProtection::Until(at(40)).at_most(at(50)), AgentProtection::Until(at(40)));
        let refused = AgentProtection::Refused { reason: "MISSING".to_owned() };
        assert_eq!(refused.clone().at_most(at(50)), refused);
    }
}
