//! "If you deployed now": how many tasks would be waited for, until when, and whether the deadline would be met.
//!
//! Pure, like [`mod@crate::service::diagnosis`], of which it is the hypothetical form: every task of today leaves.

use crate::service::diagnosis::{BlockingTask, DEPLOYMENTS_MAX, DeadlinePolicy, protected_among};
use crate::service::forecast::{Deadline, Forecast, deadline, forecast};
use crate::service::snapshot::ServiceSnapshot;
use crate::service::tags::{TagProblem, tag_problems};

/// What a deployment that began now would meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// In a word.
    pub verdict: Verdict,
    /// The protected tasks that it would wait for, the one that is protected longest first.
    pub blocking_tasks: Vec<BlockingTask>,
    /// When it could be over at the earliest; `None` if nothing would hold it up.
    pub forecast: Option<Forecast>,
    /// When it would have to be over.
    pub deadline: Deadline,
    /// Tags of the service that were meant for taskhold and count for nothing.
    pub tag_problems: Vec<TagProblem>,
    /// What could not be seen, in words.
    pub gaps: Vec<String>,
}

/// A verdict that a CI step can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No protected task would hold it up.
    Clear,
    /// It would wait for protected tasks, and be over before its deadline.
    Waits,
    /// It would not be over before its deadline.
    MissesDeadline,
    /// ECS would refuse it: five deployments are under way.
    Refused,
    /// Too much could not be seen to say.
    Unknown,
}

/// Judges a deployment that would begin at the moment of the observation.
pub fn preflight(snapshot: &ServiceSnapshot, policy: &DeadlinePolicy) -> Preflight {
    let tasks: Vec<_> = snapshot.tasks.iter().collect();
    let blocking_tasks = protected_among(&tasks);
    let forecast = forecast(&blocking_tasks, blocking_tasks.len(), snapshot.at);
    let deadline = deadline(&snapshot.service, snapshot.at, policy);
    let verdict = if snapshot.service.deployments.len() >= DEPLOYMENTS_MAX {
        Verdict::Refused
    } else if forecast.is_some_and(|forecast| deadline.margin(&forecast).is_negative()) {
        Verdict::MissesDeadline
    } else if !snapshot.gaps.is_empty() {
        Verdict::Unknown
    } else if blocking_tasks.is_empty() {
        Verdict::Clear
    } else {
        Verdict::Waits
    };
    let gaps = snapshot.gaps.iter().map(ToString::to_string).collect();
    Preflight { verdict, blocking_tasks, forecast, deadline, tag_problems: tag_problems(&snapshot.service), gaps }
}
