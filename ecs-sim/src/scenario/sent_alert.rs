//! An alert that the function sent.

use std::fmt;

/// An alert that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentAlert {
    /// The incident's key, which all its alerts share.
    pub incident: String,
    /// The alert kind, such as `deployment-blocked`.
    pub kind: String,
    /// The incident's transition, such as `opened`.
    pub event: String,
    /// The service's name.
    pub service: String,
}

impl fmt::Display for SentAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind, self.event, self.service)
    }
}
