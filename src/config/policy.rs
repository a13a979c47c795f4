//! What is done about a service that protected tasks hold up, and what may be done at all.

use std::str::FromStr;

/// What is done about a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// People are told, and nothing is changed.
    Notify,
    /// Idle tasks in the way are released.
    ReleaseIdle,
    /// The desired count is raised above the number of protected tasks.
    RaiseDesiredCount,
}

impl Policy {
    /// As in settings and tags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::ReleaseIdle => "release-idle",
            Self::RaiseDesiredCount => "raise-desired-count",
        }
    }
}

/// A text that is no policy.
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

/// The remediations that may be applied at all. To tell people is always allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remediations {
    /// Whether idle tasks may be released.
    pub release_idle: bool,
    /// Whether desired counts may be raised.
    pub raise_desired_count: bool,
}

impl Remediations {
    /// Reads a list with commas; `None` if something else than a remediation stands in it.
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

    /// Whether a policy may be followed.
    pub fn allow(self, policy: Policy) -> bool {
        match policy {
            Policy::Notify => true,
            Policy::ReleaseIdle => self.release_idle,
            Policy::RaiseDesiredCount => self.raise_desired_count,
        }
    }
}
