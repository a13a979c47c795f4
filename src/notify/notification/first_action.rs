//! What to do first about a problem of a service.

use crate::notify::notification::deadline::{Likelihood, missed, missing};
use crate::notify::notification::outlook::{Outlook, outlook, overrunning};
use crate::notify::notification::problem::silent_tasks;
use crate::notify::notification::refused;
use crate::notify::notification::suggested_action::{instruction, shown};
use crate::notify::wording::{clock, count};
use crate::service::alert::{Alert, AlertKind, OwnAction};
use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::forecast::{Deadline, DeadlineSource, ForecastBasis};
use crate::service::suggested_action::SuggestedAction;

/// The end of a sentence that begins with `Do first:`.
pub(crate) fn of_service(alert: &Alert) -> String {
    match alert.own_action {
        OwnAction::None => {}
        OwnAction::RaisedDesiredCount { from, to } => {
            return format!(
                "nothing. taskhold raised the desired count from {from} to {to}, and restores it when the service is \
                 steady. If you set another count, taskhold keeps yours."
            );
        }
        OwnAction::ReleasedIdle { tasks } => {
            return format!("nothing. taskhold has just released {}.", count(tasks, "idle task"));
        }
    }
    let diagnosis = &alert.diagnosis;
    let actions = &diagnosis.suggested_actions;
    let is_release = |action: &&SuggestedAction| matches!(action, SuggestedAction::ReleaseIdle { .. });
    if alert.kind != AlertKind::TooManyDeployments
        && let Some(release) = actions.iter().find(is_release)
    {
        return format!("{} No job needs the protection.", instruction(release, alert));
    }
    let outlook = outlook(alert);
    let act = actions.iter().find(|action| helps(action, outlook));
    let act_or = |other: &str| act.map_or_else(|| other.to_owned(), |action| instruction(action, alert));
    match (alert.kind, outlook) {
        (AlertKind::DeploymentBlocked | AlertKind::DeploymentAtRisk, outlook) => of_rollout(alert, outlook, act_or),
        (AlertKind::ScaleInBlocked, _) => match diagnosis.blocking_tasks.iter().any(is_foreign) {
            true => ASK_THE_OWNER.to_owned(),
            false => still_at_work(alert),
        },
        (AlertKind::ProtectionRefused | AlertKind::ProtectionExpiring, _) => match refused::by_ecs(alert) {
            0 => "let jobs of these tasks finish, or send new jobs to other tasks.".to_owned(),
            _ => of_refusal(alert, act_or),
        },
        (AlertKind::TooManyDeployments, _) => "pause the pipeline that deploys this service.".to_owned(),
        (AlertKind::OrphanedProtection, _) if silent_tasks(alert) > 0 => of_silence(silent_tasks(alert)),
        (AlertKind::OrphanedProtection, _) => "release the tasks that the status command lists as idle.".to_owned(),
        (AlertKind::JobInterrupted, _) => "restart the jobs.".to_owned(),
    }
}

/// What to check about the jobs of a scale-in, which run much longer than they were expected to.
fn still_at_work(alert: &Alert) -> String {
    let jobs: usize = alert.diagnosis.blocking_tasks.iter().map(|task| task.jobs().len()).sum();
    let (jobs, they, were) = if jobs == 1 { ("the job makes", "it", "was") } else { ("the jobs make", "they", "were") };
    match alert.first_expected_end {
        Some(end) => {
            format!("check whether {jobs} progress: {they} {were} first expected to end at {}.", clock(end, alert.at))
        }
        None => format!("check whether {jobs} progress."),
    }
}

fn of_silence(tasks: usize) -> String {
    match tasks {
        1 => "check in the task's log whether its worker still runs: it has stopped sending heartbeats.".to_owned(),
        many => format!(
            "check in the logs of {many} tasks whether their workers still run: they have stopped sending heartbeats."
        ),
    }
}

const ASK_THE_OWNER: &str =
    "ask the owner of the worker whether it still needs the protection: taskhold did not set it.";

fn is_foreign(task: &BlockingTask) -> bool {
    task.protected_for == ProtectedFor::Foreign
}

/// Whether an action helps now and interrupts no job.
fn helps(action: &SuggestedAction, outlook: Outlook) -> bool {
    match action {
        SuggestedAction::Wait { .. }
        | SuggestedAction::DeferCleanUp { .. }
        | SuggestedAction::ReleaseByForce { .. } => false,
        SuggestedAction::ExtendDeadline { .. } => outlook != Outlook::Passed,
        _ => true,
    }
}

fn of_refusal(alert: &Alert, act_or: impl Fn(&str) -> String) -> String {
    let tasks = refused::tasks(alert);
    let owner = match tasks.first().and_then(|task| task.protected_until) {
        Some(end) => format!(
            "tell the owner of the jobs that {} protection ends at {}, before its jobs do. taskhold retries automatically.",
            if tasks.len() == 1 { "the" } else { "the first" },
            clock(end, alert.at)
        ),
        _ => "tell the owner of the jobs that they run unprotected. taskhold retries automatically.".to_owned(),
    };
    let is_raise = |action: &SuggestedAction| matches!(action, SuggestedAction::RaiseDesiredCount { .. });
    // A higher desired count may not help while a protected task blocks.
    let is_uncertain = !alert.diagnosis.blocking_tasks.is_empty();
    match is_uncertain && alert.diagnosis.suggested_actions.iter().any(is_raise) {
        true => owner,
        false => act_or(&owner),
    }
}

fn of_rollout(alert: &Alert, outlook: Outlook, act_or: impl Fn(&str) -> String) -> String {
    let Some(forecast) = alert.diagnosis.forecast else {
        return act_or("nothing. The block ends by itself.");
    };
    let check_again = clock(forecast.by_jobs, alert.at);
    let deadline = alert.diagnosis.deadline;
    let source = deadline.map(|deadline| deadline.source);
    let overrunning = overrunning(alert);
    let decide = || act_or(&deadline.map_or_else(String::new, |deadline| choice(alert, deadline)));
    match outlook {
        Outlook::Late { likelihood: Likelihood::Declared | Likelihood::Probable, .. } | Outlook::Passed
            if source == Some(DeadlineSource::CleanUp) =>
        {
            "ask the owner of the worker to stop the old tasks from taking new jobs, and restart their jobs on other \
             tasks."
                .to_owned()
        }
        Outlook::Late { likelihood: Likelihood::Declared | Likelihood::Probable, .. } => decide(),
        Outlook::Passed if source == Some(DeadlineSource::CloudFormation) => missed(source).to_owned(),
        Outlook::Passed => act_or(missed(source)),
        Outlook::Open | Outlook::InTime { .. } | Outlook::Expected { .. } if forecast.is_open_ended() => {
            "ask the owner of the worker to stop the old tasks from taking new jobs. Under taskhold-run serve, the worker \
             can ask GET /v1/admission before each job."
                .to_owned()
        }
        Outlook::Late { .. } if alert.diagnosis.blocking_tasks.iter().all(is_foreign) => ASK_THE_OWNER.to_owned(),
        _ if silent_tasks(alert) > 0 => of_silence(silent_tasks(alert)),
        _ if overrunning > 0 => check_progress(overrunning),
        Outlook::Late { .. } if forecast.basis == ForecastBasis::Maximum => {
            "find out when the jobs end: their workers report no expected end.".to_owned()
        }
        Outlook::Late { .. } | Outlook::Expected { .. } => {
            format!("check again at {check_again}. If the jobs are still running then, {}", decide())
        }
        Outlook::Open | Outlook::InTime { .. } => "nothing. The block ends by itself.".to_owned(),
    }
}

fn check_progress(jobs: usize) -> String {
    match jobs {
        1 => "ask the owner of the worker whether its job is still making progress: it has run past its expected end."
            .to_owned(),
        many => format!(
            "ask the owner of the worker whether {many} jobs are still making progress: they have run past their expected \
             ends."
        ),
    }
}

/// The choice between the deadline and the jobs, if no action saves both.
fn choice(alert: &Alert, deadline: Deadline) -> String {
    let at = clock(deadline.at, alert.at);
    let miss = missing(deadline);
    let by_force = shown(alert).into_iter().zip(1..).find_map(|(action, number)| match action {
        SuggestedAction::ReleaseByForce { tasks, .. } => Some((tasks, number)),
        _ => None,
    });
    let Some((tasks, number)) = by_force else {
        return format!("decide some minutes before {at}: {miss}, or interrupt the jobs. See the runbook.");
    };
    let released = |task: &&BlockingTask| tasks.contains(&task.task);
    let jobs = alert.diagnosis.blocking_tasks.iter().filter(released).map(|task| task.jobs().len()).sum();
    let cost = if jobs == 0 { "its work".to_owned() } else { count(jobs, "job") };
    let tasks = if tasks.len() == 1 { "the task" } else { "the tasks" };
    format!(
        "decide some minutes before {at}: {miss}, or release {tasks} by force (action {number} below, interrupts {cost})."
    )
}
