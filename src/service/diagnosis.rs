//! Which tasks block a service's rollout, until when, and which actions would clear the block.
//!
//! Pure: snapshot, record and policy in, [`Diagnosis`] out. Rolling deployments, blue/green and its stepwise forms,
//! task sets of external controllers and a plain scale-in differ only in which tasks they *replace*, that is, which
//! tasks ECS would stop. The protected tasks among those are the blocking tasks.

use crate::ecs::arn::TaskId;
use crate::ecs::service_deployment::ServiceDeployment;
use crate::service::blocking_task::{BlockingTask, ProtectedFor, protected_among};
use crate::service::forecast::{Deadline, DiagnosisPolicy, Forecast, deadline, forecast};
use crate::service::pause::{Pause, is_held, pause};
use crate::service::refused_task::{RefusalCause, RefusedTask, refused_tasks};
use crate::service::rollout;
use crate::service::rollout::Rollout;
use crate::service::rollout_status::{RolloutStatus, rollout_status, said_since};
use crate::service::snapshot::{ServiceSnapshot, TaskSnapshot};
use crate::service::suggested_action;
use crate::service::suggested_action::{Situation, SuggestedAction};
use crate::service::tags::{TagProblem, tag_problems};
use crate::service::task_counts::{TaskCounts, task_counts};
use crate::service::waiting_scale_in::WaitingScaleIn;

use jiff::Timestamp;
use std::collections::BTreeMap;

/// The judgment on one snapshot of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The rollout status.
    pub rollout_status: RolloutStatus,
    /// The rollout in progress, if any.
    pub rollout: Rollout,
    /// The protected tasks among the old tasks, the longest protected first.
    pub blocking_tasks: Vec<BlockingTask>,
    /// Since when the rollout has waited only for the blocking tasks, according to ECS's service messages or earlier
    /// snapshots.
    pub blocked_since: Option<Timestamp>,
    /// The pause of the deployment, if it is paused.
    pub pause: Option<Pause>,
    /// When the last snapshot showed this deployment held by a lifecycle hook, if it no longer is.
    pub paused_until: Option<Timestamp>,
    /// The service deployment of the rollout, if it was read.
    pub service_deployment: Option<ServiceDeployment>,
    /// When the rollout can finish at the earliest.
    pub forecast: Option<Forecast>,
    /// When the rollout must have finished.
    pub deadline: Option<Deadline>,
    /// Task counts and the bounds that the minimum and maximum percent set.
    pub task_counts: TaskCounts,
    /// Actions that would clear the block, the least invasive first.
    pub suggested_actions: Vec<SuggestedAction>,
    /// Tasks with live jobs that ECS refused to protect or whose record is full, the one with the longest-running jobs
    /// first.
    pub refused_tasks: Vec<RefusedTask>,
    /// Tags of the service with taskhold's prefix that taskhold ignores because it cannot use them.
    pub tag_problems: Vec<TagProblem>,
    /// Reads that failed, in words. With any gap, an empty `blocking_tasks` does not mean that no task blocks.
    pub gaps: Vec<String>,
}

impl Diagnosis {
    /// The refused tasks that ECS may accept when other tasks are released: not those whose record is full.
    pub fn refused_by_ecs(&self) -> impl Iterator<Item = &RefusedTask> {
        self.refused_tasks.iter().filter(|refused| refused.cause == RefusalCause::Ecs)
    }
}

/// The result of one read of the service.
#[derive(Clone, Copy, Debug)]
pub struct Assessment<'a> {
    /// The snapshot.
    pub snapshot: &'a ServiceSnapshot,
    /// Its diagnosis.
    pub diagnosis: &'a Diagnosis,
    /// Protected tasks without a live job, with the moment at which a snapshot first showed them idle. The end of the
    /// last job is not enough: a worker may protect its task first and then take the next job.
    pub idle_since: &'a BTreeMap<TaskId, Timestamp>,
    /// The scale-in that waits for jobs, as the first snapshot showed it.
    pub waiting_scale_in: Option<WaitingScaleIn>,
}

/// What earlier snapshots showed of the same rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// When one first showed it blocked.
    pub blocked_since: Option<Timestamp>,
    /// When one last showed it held by a lifecycle hook.
    pub paused_until: Option<Timestamp>,
}

/// Judges a service, given what its record remembers of the rollout.
pub fn diagnose(snapshot: &ServiceSnapshot, remembered: Remembered, policy: &DiagnosisPolicy) -> Diagnosis {
    let replaced = rollout::replaced(snapshot);
    let protected = protected_among(&replaced.tasks);
    let blocking_tasks = blocking_tasks(protected.clone(), replaced.to_go);
    let task_counts = task_counts(snapshot, blocking_tasks.len());
    let rollout_status = rollout_status(snapshot, &replaced, &blocking_tasks, &task_counts);
    // What ECS said while a hook held the deployment says nothing about the time after it.
    let said_since = match remembered.paused_until {
        None => said_since(&snapshot.service, replaced.rollout.started_at()),
        Some(_) => None,
    };
    let since = [remembered.blocked_since, said_since].into_iter().flatten().min();
    let blocked_since = (rollout_status == RolloutStatus::Blocked).then(|| since.unwrap_or(snapshot.at));
    let forecast = forecast(&protected, replaced.to_go, snapshot.at, policy.linger);
    // A scale-in has no deadline: ECS does not report when it began, and nothing waits for it as for a deployment.
    let started_at = replaced.rollout.started_at().filter(|_| !replaced.rollout.is_scale_in());
    let deadline = match &replaced.rollout {
        Rollout::CleanUp { succeeded_at, .. } => Some(Deadline::of_clean_up(*succeeded_at)),
        _ => started_at.map(|started_at| deadline(&snapshot.service, started_at, blocked_since, policy)),
    };
    let situation = Situation {
        replaced: &replaced,
        blocking_tasks: &blocking_tasks,
        task_counts: &task_counts,
        forecast: forecast.as_ref(),
        deadline,
    };
    let suggested_actions = suggested_action::suggested_actions(snapshot, &situation, policy);
    Diagnosis {
        rollout_status,
        rollout: replaced.rollout,
        blocking_tasks,
        blocked_since,
        paused_until: remembered.paused_until.filter(|_| !is_held(snapshot)),
        pause: pause(snapshot),
        service_deployment: snapshot.service_deployment.clone(),
        forecast,
        deadline,
        task_counts,
        suggested_actions,
        refused_tasks: refused_tasks(snapshot),
        tag_problems: tag_problems(&snapshot.service),
        gaps: snapshot.gaps.iter().map(ToString::to_string).collect(),
    }
}

/// The diagnosis for an `orphaned-protection` alert: the protected tasks that are idle or whose workers are silent replace
/// the blocking tasks, and the only suggested actions release them.
pub fn of_orphans(snapshot: &ServiceSnapshot, diagnosis: &Diagnosis, policy: &DiagnosisPolicy) -> Diagnosis {
    let tasks: Vec<&TaskSnapshot> = snapshot.tasks.iter().collect();
    let mut orphans = protected_among(&tasks);
    orphans.retain(|task| task.protected_for == ProtectedFor::NoJob || task.silent_since().is_some());
    let suggested_actions = suggested_action::of_orphans(&snapshot.service.arn.cluster, &orphans, policy);
    Diagnosis { blocking_tasks: orphans, suggested_actions, forecast: None, ..diagnosis.clone() }
}

fn blocking_tasks(mut protected: Vec<BlockingTask>, to_go: usize) -> Vec<BlockingTask> {
    // In a scale-in, only the surplus of protected tasks blocks: the idle ones, which need no protection, and then
    // those whose protection ends first. The others may stay. Other rollouts replace every task.
    let stay = protected.len().saturating_sub(to_go);
    protected.sort_by_key(|task| task.protected_for == ProtectedFor::NoJob);
    protected.drain(..stay);
    protected.sort_by(BlockingTask::longest_first);
    protected
}

#[cfg(test)]
mod tests;
