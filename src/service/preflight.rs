//! The answer to "what if you deployed now?": which tasks the deployment would wait for, until when, and whether it
//! would meet its deadline.
//!
//! Pure. It is a hypothetical [`mod@crate::service::diagnosis`], in which every current task is an old task.

use crate::service::blocking_task::{BlockingTask, protected_among};
use crate::service::forecast::{Deadline, DiagnosisPolicy, Forecast, deadline, forecast};
use crate::service::pause::{Pause, pause};
use crate::service::refused_task::{RefusedTask, refused_tasks};
use crate::service::snapshot::ServiceSnapshot;
use crate::service::tags::{TagProblem, tag_problems};
use crate::service::task_counts::DEPLOYMENTS_MAX;

/// The forecast for a deployment that started now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// The verdict.
    pub verdict: PreflightVerdict,
    /// The protected tasks that it would wait for, the longest protected first.
    pub blocking_tasks: Vec<BlockingTask>,
    /// Tasks with live jobs that run unprotected, so that it may stop them.
    pub refused_tasks: Vec<RefusedTask>,
    /// When it could finish at the earliest; `None` if no task would block it.
    pub forecast: Option<Forecast>,
    /// Its deadline.
    pub deadline: Deadline,
    /// The pause of the present deployment, which a new one would end.
    pub pause: Option<Pause>,
    /// Tags of the service with taskhold's prefix that taskhold ignores because it cannot use them.
    pub tag_problems: Vec<TagProblem>,
    /// Reads that failed, in words.
    pub gaps: Vec<String>,
}

/// The verdict on which a CI step can act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreflightVerdict {
    /// No protected task would block the deployment.
    Clear,
    /// It would wait for protected tasks and meet its deadline.
    Waits,
    /// It would miss its deadline.
    MissesDeadline,
    /// ECS would refuse it: five deployments are already in progress.
    Refused,
    /// It may stop tasks with live jobs that run unprotected.
    Interrupts,
    /// Too many reads failed to tell.
    Unknown,
}

/// Judges a deployment that would start at the moment of the snapshot.
pub fn preflight(snapshot: &ServiceSnapshot, policy: &DiagnosisPolicy) -> Preflight {
    let tasks: Vec<_> = snapshot.tasks.iter().collect();
    let blocking_tasks = protected_among(&tasks);
    let forecast = forecast(&blocking_tasks, blocking_tasks.len(), snapshot.at, policy.linger);
    let deadline = deadline(&snapshot.service, snapshot.at, None, policy);
    let refused_tasks = refused_tasks(snapshot);
    let verdict = if snapshot.service.deployments.len() >= DEPLOYMENTS_MAX {
        PreflightVerdict::Refused
    } else if forecast.is_some_and(|forecast| deadline.margin(&forecast).is_negative()) {
        PreflightVerdict::MissesDeadline
    } else if !refused_tasks.is_empty() {
        PreflightVerdict::Interrupts
    } else if !snapshot.gaps.is_empty() {
        PreflightVerdict::Unknown
    } else if blocking_tasks.is_empty() {
        PreflightVerdict::Clear
    } else {
        PreflightVerdict::Waits
    };
    let gaps = snapshot.gaps.iter().map(ToString::to_string).collect();
    let tag_problems = tag_problems(&snapshot.service);
    let pause = pause(snapshot);
    Preflight { verdict, blocking_tasks, refused_tasks, forecast, deadline, pause, tag_problems, gaps }
}
