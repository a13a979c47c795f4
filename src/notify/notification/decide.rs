//! The content of the first lines of a notification.

use crate::notify::notification::first_action;
use crate::notify::notification::first_lines::FirstLines;
use crate::notify::notification::outlook::{consequence, deployment_ends, ends};
use crate::notify::notification::problem::silent_tasks;
use crate::notify::notification::refused;
use crate::notify::wording::{clock, count, time_from};
use crate::service::alert::{Alert, AlertKind};
use crate::service::rollout::Rollout;
use crate::service::task_counts::DEPLOYMENTS_MAX;
use crate::task::interruption::{Interruption, StopStage};

/// The first lines about an open incident of a service.
pub(crate) fn of_service(alert: &Alert) -> FirstLines {
    FirstLines { until: until(alert), waiting: waiting(alert), first: first_action::of_service(alert) }
}

/// The first lines about a task that stops while its jobs are running.
pub(crate) fn of_interruption(interruption: &Interruption) -> FirstLines {
    let unless = "unless your own queue redelivers them or a consumer of taskhold's queue for interrupted jobs \
                  restarts them.";
    let check = "find out which jobs are restarted automatically.";
    match interruption.stage {
        StopStage::Stopped => FirstLines {
            until: "the jobs are restarted. The task has stopped.".to_owned(),
            waiting: format!("the jobs are lost, {unless}"),
            first: format!("{check} Restart the others."),
        },
        StopStage::Stopping => FirstLines {
            until: time_to_stop(interruption.stop_code.as_deref()).to_owned(),
            waiting: format!("the jobs that do not finish by then are lost, {unless}"),
            first: format!("{check} When the task has stopped, restart the others that did not finish."),
        },
    }
}

/// How long a task takes to stop (aws-facts "EventBridge": the notice of Spot often has no `stopCode`).
fn time_to_stop(stop_code: Option<&str>) -> &'static str {
    match stop_code {
        Some("SpotInterruption" | "TerminationNotice") => "the task stops, within two minutes.",
        Some(_) => "the task stops, within the stopTimeout of its containers.",
        None => "the task stops: on Spot within two minutes, elsewhere within the stopTimeout of its containers.",
    }
}

fn until(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    match alert.kind {
        AlertKind::DeploymentBlocked | AlertKind::ScaleInBlocked | AlertKind::DeploymentAtRisk => ends(alert),
        AlertKind::ProtectionRefused => match refused::grantable_from(alert) {
            Some(first) => format!(
                "perhaps {}, when another task's protection ends and ECS may protect {}.",
                time_from(first, alert.at),
                refused::these_tasks(alert)
            ),
            None => "ECS accepts the protection, or the jobs finish.".to_owned(),
        },
        AlertKind::ProtectionExpiring => match refused::tasks(alert).first().and_then(|first| first.protected_until) {
            Some(until) => {
                let protection = if refused::tasks(alert).len() == 1 { "the" } else { "the first" };
                let until = time_from(until, alert.at);
                format!("ECS renews the protection. If it does not, {protection} protection ends at {until}.")
            }
            None => "ECS renews the protection, or the jobs finish.".to_owned(),
        },
        AlertKind::TooManyDeployments => match deployment_ends(alert).first() {
            Some(first) => format!("the first of the deployments ends, by {}.", time_from(*first, alert.at)),
            None => "one of the deployments ends.".to_owned(),
        },
        AlertKind::OrphanedProtection => match diagnosis.blocking_tasks.iter().map(|task| task.protected_until).max() {
            Some(until) => format!("{}, when the last protection ends.", time_from(until, alert.at)),
            None => "the protections end.".to_owned(),
        },
        // An interrupted task has first lines of its own: `of_interruption`.
        AlertKind::JobInterrupted => "the jobs are restarted.".to_owned(),
    }
}

fn waiting(alert: &Alert) -> String {
    match alert.kind {
        AlertKind::DeploymentBlocked | AlertKind::ScaleInBlocked | AlertKind::DeploymentAtRisk => {
            let unprotected = match refused::unprotected(alert) {
                0 => String::new(),
                1 => " Meanwhile 1 busy task runs unprotected.".to_owned(),
                many => format!(" Meanwhile {many} busy tasks run unprotected."),
            };
            format!("{}{unprotected}", consequence(alert))
        }
        AlertKind::ProtectionRefused => {
            format!("{} may stop {}.", stopper(alert), tasks_at_stake(alert))
        }
        AlertKind::ProtectionExpiring => {
            let (stopper, tasks) = (stopper(alert), tasks_at_stake(alert));
            match refused::tasks(alert).first().and_then(|first| first.protected_until) {
                Some(until) => format!("from {} on, {stopper} may stop {tasks}.", clock(until, alert.at)),
                None => format!("after the end of the protection, {stopper} may stop {tasks}."),
            }
        }
        AlertKind::TooManyDeployments => room_for_deployments(alert),
        AlertKind::OrphanedProtection if silent_tasks(alert) > 0 => {
            "the next deployment or scale-in waits for these tasks. If a job still runs there, nothing renews its \
             protection."
                .to_owned()
        }
        AlertKind::OrphanedProtection => "the next deployment or scale-in waits for these tasks.".to_owned(),
        AlertKind::JobInterrupted => "nothing restarts the jobs.".to_owned(),
    }
}

/// What may stop the refused tasks: a deployment in progress does not stop its own new tasks.
fn stopper(alert: &Alert) -> &'static str {
    let newest = match &alert.diagnosis.rollout {
        Rollout::Deployment { id, .. } => Some(id.as_str()),
        Rollout::None | Rollout::CleanUp { .. } | Rollout::TaskSet { .. } | Rollout::ScaleIn { .. } => None,
    };
    let tasks = refused::tasks(alert);
    let are_new = !tasks.is_empty() && tasks.iter().all(|task| task.deployment.as_deref() == newest);
    match newest.is_some() && are_new {
        true => "the next deployment, a rollback or a scale-in",
        false => "a deployment or scale-in",
    }
}

/// The refused tasks and their jobs, after a verb.
fn tasks_at_stake(alert: &Alert) -> String {
    let tasks = refused::tasks(alert);
    match tasks.iter().map(|task| task.jobs.len()).sum() {
        0 => "these tasks and interrupt their jobs".to_owned(),
        jobs => format!("{} and interrupt {}", count(tasks.len(), "task"), count(jobs, "job")),
    }
}

/// Whether ECS accepts further deployments.
fn room_for_deployments(alert: &Alert) -> String {
    let deployments = usize::try_from(alert.diagnosis.task_counts.deployments).unwrap_or(usize::MAX);
    match DEPLOYMENTS_MAX.saturating_sub(deployments) {
        0 => "ECS refuses another deployment of the service.".to_owned(),
        1 => "1 more deployment fits. ECS refuses any beyond that.".to_owned(),
        many => format!("{many} more deployments fit. ECS refuses any beyond that."),
    }
}
