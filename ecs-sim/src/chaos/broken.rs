//! The promises that a run checks, by what their breach is called in plans.

/// The promise that a run broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A task lost its protection under a job whose message was acknowledged.
    Safety,
    /// A message, or the information in it, got lost.
    Loss,
    /// taskhold cleared the protection of another writer or of a task that no message named, or made a call for a task
    /// that protects itself.
    Foreign,
    /// taskhold cleared protection that a job without a finish keeps.
    Early,
    /// A task is protected for longer than any of its jobs asked for.
    Longer,
    /// taskhold set a desired count that it should not have set.
    Count,
    /// An alert or the message for an interrupted job was sent too often or never.
    Alerts,
    /// The system does not recover after the faults.
    Convergence,
}

impl Broken {
    const ALL: [Self; 8] = [
        Self::Safety,
        Self::Loss,
        Self::Foreign,
        Self::Early,
        Self::Longer,
        Self::Count,
        Self::Alerts,
        Self::Convergence,
    ];

    /// Its name in plans.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Loss => "loss",
            Self::Foreign => "foreign",
            Self::Early => "early",
            Self::Longer => "longer",
            Self::Count => "count",
            Self::Alerts => "alerts",
            Self::Convergence => "convergence",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|broken| broken.as_str() == name)
    }
}
