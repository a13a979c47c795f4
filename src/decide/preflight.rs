//! "If you deployed now": how many tasks would be waited for, until when, and whether the deadline would be met.
//!
//! Pure, like [`mod@super::diagnose`], of which it is the hypothetical form: every task of today leaves.

use super::diagnose::{Blocker, DEPLOYMENTS_MAX, Deadline, Finish, TagProblem, WatchPolicy};
use super::diagnose::{blockers_among, deadline, finish, tag_problems};
use crate::observe::Observed;

/// What a deployment that began now would meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// In a word.
    pub verdict: Verdict,
    /// The protected tasks that it would wait for, the one that is protected longest first.
    pub blockers: Vec<Blocker>,
    /// When it could be over at the earliest; `None` if nothing would hold it up.
    pub finish: Option<Finish>,
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
    Unclear,
}

/// Judges a deployment that would begin at the moment of the observation.
pub fn preflight(observed: &Observed, policy: &WatchPolicy) -> Preflight {
    let tasks: Vec<_> = observed.tasks.iter().collect();
    let blockers = blockers_among(&tasks);
    let finish = finish(&blockers, blockers.len(), observed.at);
    let deadline = deadline(&observed.service, observed.at, policy);
    let verdict = if observed.service.deployments.len() >= DEPLOYMENTS_MAX {
        Verdict::Refused
    } else if finish.is_some_and(|finish| deadline.margin(&finish).is_negative()) {
        Verdict::MissesDeadline
    } else if !observed.gaps.is_empty() {
        Verdict::Unclear
    } else if blockers.is_empty() {
        Verdict::Clear
    } else {
        Verdict::Waits
    };
    let gaps = observed.gaps.iter().map(ToString::to_string).collect();
    Preflight { verdict, blockers, finish, deadline, tag_problems: tag_problems(&observed.service), gaps }
}
