//! The content of a RESOLVED notification: how the rollout ended, whether in time, and the outcome of each task.

use crate::notify::notification::Text;
use crate::notify::notification::outlook::{Outlook, outlook};
use crate::notify::wording::{clock, count, span, span_between, time, time_from};
use crate::service::alert::{Alert, AlertKind, OwnAction};
use crate::service::forecast::DeadlineSource;
use crate::service::resolution::{Resolution, RolloutEnd, TaskEnd, TaskFate};
use crate::task::job::JobKey;
use jiff::Timestamp;

/// Maximum number of jobs of a task that are named.
const JOBS_MAX: usize = 3;

/// The end of a problem of the rollout, in ASCII and at most about 65 characters.
pub(crate) fn of_rollout(alert: &Alert) -> String {
    // Incidents of both kinds may be over at the same time.
    let (deployment, over) = match alert.kind {
        AlertKind::DeploymentAtRisk => ("deployment at risk", "protected tasks no longer put its deployment at risk"),
        _ => ("blocked deployment", "protected tasks no longer block its deployment"),
    };
    let Some(end) = &alert.resolution else { return over.to_owned() };
    let punctuality = end.deadline.map(|deadline| punctuality(end, deadline.at));
    match (end.rollout, punctuality) {
        (RolloutEnd::ServiceDeleted, _) => format!("the service was deleted with its {deployment}"),
        (RolloutEnd::Failed, _) => format!("its {deployment} failed"),
        (RolloutEnd::Replaced, _) => format!("another deployment replaced its {deployment}"),
        (RolloutEnd::GoesOn, _) if alert.kind == AlertKind::DeploymentAtRisk && is_expected_in_time(alert) => {
            "its deployment is again expected to end in time".to_owned()
        }
        (RolloutEnd::Finished, Some(when)) if was_clean_up(alert) => format!("its old tasks are gone, {when}"),
        (RolloutEnd::Finished, Some(when)) => format!("its {deployment} finished {when}"),
        (RolloutEnd::GoesOn, Some(when)) if alert.kind == AlertKind::DeploymentAtRisk => {
            format!("its deployment no longer waits for protected tasks: unblocked {when}")
        }
        (RolloutEnd::GoesOn, Some(when)) => format!("its deployment was unblocked {when}"),
        (RolloutEnd::Finished | RolloutEnd::GoesOn, None) => over.to_owned(),
    }
}

/// Whether the incident was about the clean-up after a deployment.
fn was_clean_up(alert: &Alert) -> bool {
    let deadline = alert.resolution.as_ref().and_then(|end| end.deadline);
    alert.kind == AlertKind::DeploymentAtRisk
        && deadline.is_some_and(|deadline| deadline.source == DeadlineSource::CleanUp)
}

/// Whether the deployment still waits for protected tasks, but no longer for too long.
fn is_expected_in_time(alert: &Alert) -> bool {
    !alert.diagnosis.blocking_tasks.is_empty()
        && matches!(outlook(alert), Outlook::InTime { .. } | Outlook::Expected { .. })
}

/// The end compared with the deadline: `in time`, or `1 h 50 min late`.
fn punctuality(end: &Resolution, deadline: Timestamp) -> String {
    let late = end.at.duration_since(deadline);
    if late.is_positive() { format!("{} late", span(late)) } else { "in time".to_owned() }
}

/// The end of a refusal, in ASCII and at most about 65 characters; `None` if it is not known.
pub(crate) fn of_refusal(alert: &Alert) -> Option<String> {
    let tasks = &alert.resolution.as_ref()?.tasks;
    let stopped: Vec<(&[JobKey], Option<Timestamp>)> = tasks.iter().filter_map(stopped).collect();
    if let Some((_, ended)) = stopped.first() {
        let jobs = count(stopped.iter().map(|(jobs, _)| jobs.len()).sum(), "job");
        let stopped = match stopped.len() {
            1 => format!("1 task was stopped with {jobs} running"),
            many => format!("{many} tasks were stopped with {jobs} running"),
        };
        return Some(match ended.map(|ended| clock(ended, alert.at)) {
            Some(ended) => format!("protection ended at {ended}, {stopped}"),
            None => stopped,
        });
    }
    let all = |is: fn(&TaskFate) -> bool| !tasks.is_empty() && tasks.iter().all(|end| is(&end.fate));
    if all(|fate| matches!(fate, TaskFate::Protected(_))) {
        return Some("ECS now protects its busy tasks".to_owned());
    }
    all(|fate| *fate == TaskFate::Finished).then(|| "the jobs have finished".to_owned())
}

/// Whether a task was stopped in the middle of jobs, which must not read as good news.
pub(crate) fn has_stopped(alert: &Alert) -> bool {
    alert.resolution.iter().flat_map(|end| &end.tasks).any(|end| stopped(end).is_some())
}

fn stopped(end: &TaskEnd) -> Option<(&[JobKey], Option<Timestamp>)> {
    match &end.fate {
        TaskFate::Stopped { jobs, protection_ended } => Some((jobs, *protection_ended)),
        TaskFate::Protected(_) | TaskFate::Unprotected(_) | TaskFate::Finished => None,
    }
}

/// How long the incident lasted, what became of the rollout, and what remains to be done.
pub(crate) fn summary(alert: &Alert) -> Vec<String> {
    let at = alert.resolution.as_ref().map_or(alert.at, |end| end.at);
    let lasted = span_between(alert.since, at);
    let mut summary = vec![format!("{} for {lasted}: from {} to {}.", state(alert), time(alert.since), time(at))];
    summary.extend(
        alert
            .came_back_at
            .map(|at| format!("The problem was over for part of that time, and came back at {}.", time(at))),
    );
    let is_of_rollout = alert.kind.is_about_a_deployment();
    if let Some(end) = alert.resolution.as_ref().filter(|_| is_of_rollout) {
        summary.extend(end.deadline.map(|deadline| format!("The deadline was {}.", time(deadline.at))));
        summary.extend(left_to_do(end).map(str::to_owned));
    }
    if let OwnAction::RaisedDesiredCount { from, to } = alert.own_action {
        summary.push(format!("taskhold sets the desired count from {to} back to {from} when the service is steady."));
    }
    summary
}

/// The problem that is over, before its duration.
fn state(alert: &Alert) -> &'static str {
    match alert.kind {
        AlertKind::DeploymentBlocked => "The deployment was blocked",
        AlertKind::DeploymentAtRisk if was_clean_up(alert) => "The clean-up went on",
        AlertKind::DeploymentAtRisk => "The deployment was at risk",
        AlertKind::ScaleInBlocked => "The scale-in was blocked",
        AlertKind::ProtectionRefused => "Busy tasks were refused protection",
        AlertKind::ProtectionExpiring => "Busy tasks were refused a renewal",
        AlertKind::TooManyDeployments => "The limit was close",
        AlertKind::OrphanedProtection => "Protection was orphaned",
        // It never resolves.
        AlertKind::JobInterrupted => "It lasted",
    }
}

fn left_to_do(end: &Resolution) -> Option<&'static str> {
    let is_late = end.deadline.is_some_and(|deadline| end.at > deadline.at);
    let source = end.deadline.map(|deadline| deadline.source);
    match end.rollout {
        RolloutEnd::GoesOn if is_late && source == Some(DeadlineSource::CloudFormation) => {
            Some("CloudFormation may have rolled back meanwhile. Check which revision is being deployed.")
        }
        RolloutEnd::GoesOn if is_late => {
            Some("Your deployment tool may have given up meanwhile. Check which revision is being deployed.")
        }
        RolloutEnd::GoesOn => Some("The deployment is still in progress. Check that it finishes."),
        RolloutEnd::Replaced => Some("ECS rolled it back, or a newer deployment superseded it. Check which."),
        RolloutEnd::Failed => Some("Its old tasks keep running. Find out why it failed before you deploy again."),
        RolloutEnd::ServiceDeleted | RolloutEnd::Finished => None,
    }
}

/// The outcome of each refused task.
pub(crate) fn tasks(alert: &Alert) -> Vec<Text> {
    alert.resolution.iter().flat_map(|end| &end.tasks).map(|end| task(end, alert.at)).collect()
}

fn task(end: &TaskEnd, now: Timestamp) -> Text {
    let task = Text::from("task ").id(end.task.as_str());
    match &end.fate {
        TaskFate::Protected(until) => task.own(format!(" is protected until {}.", time_from(*until, now))),
        TaskFate::Unprotected(jobs) => named(task.own(" runs unprotected with "), jobs).own("."),
        TaskFate::Finished => task.own(": its jobs have finished."),
        TaskFate::Stopped { jobs, protection_ended: None } => named(task.own(" was stopped with "), jobs).own("."),
        TaskFate::Stopped { jobs, protection_ended: Some(ended) } => {
            let task = task
                .own(format!(": its protection ended at {}, and it was stopped while running ", clock(*ended, now)));
            named(task, jobs).own(".")
        }
    }
}

/// The first jobs by name.
fn named(text: Text, jobs: &[JobKey]) -> Text {
    let mut text = text.own(if jobs.len() == 1 { "job " } else { "jobs " });
    for (number, job) in jobs.iter().take(JOBS_MAX).enumerate() {
        text = text.own(if number == 0 { "" } else { ", " }).name(&job.job_id);
    }
    let more = jobs.len().saturating_sub(JOBS_MAX);
    if more > 0 { text.own(format!(" and {more} more")) } else { text }
}
