//! The policy for services that protected tasks block, and the remediations that are allowed at all.

use std::str::FromStr;

/// What taskhold does about a blocked service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It sends alerts and changes nothing.
    Notify,
    /// It clears the protection of idle blocking tasks.
    ReleaseIdle,
    /// It raises the desired count above the number of protected tasks.
    RaiseDesiredCount,
}

impl Policy {
    /// The word for it in settings and tags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::ReleaseIdle => "release-idle",
            Self::RaiseDesiredCount => "raise-desired-count",
        }
    }
}

/// The text names no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be `notify`, `release-idle` or `raise-desired-count`")]
pub struct NotAPolicy;

impl FromStr for Policy {
    type Err = NotAPolicy;

    fn from_str(text: &str) -> Result<Self, NotAPolicy> {
        let known = [Self::Notify, Self::ReleaseIdle, Self::RaiseDesiredCount];
        known.into_iter().find(|policy| policy.as_str() == text).ok_or(NotAPolicy)
    }
}

/// The remediations that are allowed. Alerts are always allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remediations {
    /// Whether taskhold may clear the protection of idle tasks.
    pub release_idle: bool,
    /// Whether taskhold may raise desired counts.
    pub raise_desired_count: bool,
}

impl Remediations {
    /// Parses a list separated by commas; `None` if an entry is not a remediation.
    pub(crate) fn listed(text: &str) -> Option<Self> {
        let mut listed = Self::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.parse() {
                Ok(Policy::ReleaseIdle) => listed.release_idle = true,
                Ok(Policy::RaiseDesiredCount) => listed.raise_desired_count = true,
                Ok(Policy::Notify) | Err(NotAPolicy) => return None,
            }
        }
        Some(listed)
    }

    /// Whether a policy is allowed.
    pub fn allow(self, policy: Policy) -> bool {
        match policy {
            Policy::Notify => true,
            Policy::ReleaseIdle => self.release_idle,
            Policy::RaiseDesiredCount => self.raise_desired_count,
        }
    }
}
