//! The problem of a service, when it began, and what it means: the first lines of a notification.

use crate::notify::notification::Severity;
use crate::notify::notification::deadline::{deadline_source, left};
use crate::notify::notification::ending;
use crate::notify::notification::outlook::{Outlook, needed, outlook};
use crate::notify::notification::refused;
use crate::notify::notification::rollout::{pause, rollout};
use crate::notify::wording::{clock, span, time_from};
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::service::blocking_task::ProtectedFor;
use crate::service::forecast::ForecastBasis;
use crate::service::task_counts::DEPLOYMENTS_MAX;

pub(crate) fn severity(alert: &Alert) -> Severity {
    match (alert.event, alert.kind) {
        (Transition::Resolved, _) if !is_loss(alert) => Severity::Over,
        (Transition::Escalated | Transition::Resolved, _)
        | (_, AlertKind::JobInterrupted | AlertKind::DeploymentBlocked | AlertKind::ProtectionRefused) => {
            Severity::Critical
        }
        (_, AlertKind::DeploymentAtRisk | AlertKind::ScaleInBlocked | AlertKind::ProtectionExpiring) => {
            Severity::Warning
        }
        (_, AlertKind::TooManyDeployments | AlertKind::OrphanedProtection) => Severity::Minor,
    }
}

/// Whether a resolved incident ended with a loss.
fn is_loss(alert: &Alert) -> bool {
    refused::is_lost(alert) || ending::has_stopped(alert)
}

/// The state of a service's incident in one word or two. One that ends with a loss is not called resolved.
pub(crate) fn status_of(alert: &Alert) -> &'static str {
    match alert.event == Transition::Resolved && is_loss(alert) {
        true => "ENDED",
        false => status(alert.kind, alert.event),
    }
}

/// The state of an incident in one word or two.
pub(crate) fn status(kind: AlertKind, event: Transition) -> &'static str {
    match (event, kind) {
        (Transition::Resolved, _) => "RESOLVED",
        (_, AlertKind::DeploymentBlocked) => "BLOCKED",
        (_, AlertKind::DeploymentAtRisk) => "AT RISK",
        (_, AlertKind::ScaleInBlocked) => "SCALE-IN",
        (_, AlertKind::ProtectionRefused) => "REFUSED",
        (_, AlertKind::ProtectionExpiring) => "EXPIRING",
        (_, AlertKind::TooManyDeployments) => "LIMIT",
        (_, AlertKind::OrphanedProtection) => "ORPHANED",
        (_, AlertKind::JobInterrupted) => "INTERRUPTED",
    }
}

/// The problem of the service in ASCII and at most about 65 characters.
pub(crate) fn problem(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let is_over = alert.event == Transition::Resolved;
    let still = if alert.event == Transition::Opened { "" } else { "still " };
    let deployments = format!("{} of {DEPLOYMENTS_MAX} deployments", diagnosis.task_counts.deployments);
    match alert.kind {
        AlertKind::DeploymentBlocked | AlertKind::DeploymentAtRisk if is_over => ending::of_rollout(alert),
        AlertKind::ScaleInBlocked if is_over => "protected tasks no longer block its scale-in".to_owned(),
        AlertKind::DeploymentBlocked | AlertKind::ScaleInBlocked | AlertKind::DeploymentAtRisk => by_the_clock(alert),
        AlertKind::ProtectionRefused | AlertKind::ProtectionExpiring => refused::problem(alert),
        AlertKind::TooManyDeployments if is_over => format!("it can be deployed again, {deployments} in progress"),
        AlertKind::TooManyDeployments => format!("{still}{deployments} in progress"),
        AlertKind::OrphanedProtection if is_over => "no protection is orphaned any more".to_owned(),
        AlertKind::OrphanedProtection => orphaned(alert, still),
        // An interrupted task has a notification of its own.
        AlertKind::JobInterrupted => "a task stopped while its jobs were running".to_owned(),
    }
}

/// The tasks that are protected without a job or a working worker, and for how long.
fn orphaned(alert: &Alert, still: &str) -> String {
    let tasks = &alert.diagnosis.blocking_tasks;
    let Some(until) = tasks.iter().map(|task| task.protected_until).max() else {
        return format!("tasks are {still}protected though their jobs have ended");
    };
    let left = span(until.duration_since(alert.at));
    match (tasks.len(), silent_tasks(alert)) {
        (1, 0) => format!("1 idle task is {still}protected for another {left}"),
        (many, 0) => format!("{many} idle tasks are {still}protected, for up to {left}"),
        (1, _) => format!("1 task is {still}protected, but its worker is silent"),
        (many, silent) if silent == many => format!("{many} tasks are {still}protected, but their workers are silent"),
        (many, silent) => {
            format!("{many} tasks are {still}protected: {} idle, {silent} with a silent worker", many - silent)
        }
    }
}

/// How many of the tasks have a worker that is silent.
pub(crate) fn silent_tasks(alert: &Alert) -> usize {
    alert.diagnosis.blocking_tasks.iter().filter(|task| task.silent_since().is_some()).count()
}

/// The problem of a rollout, with the time that remains.
fn by_the_clock(alert: &Alert) -> String {
    let (diagnosis, now) = (&alert.diagnosis, alert.at);
    let still = if alert.event == Transition::Opened { "" } else { "still " };
    let rollout = rollout(&diagnosis.rollout);
    let block = match diagnosis.blocking_tasks.len() {
        0 => format!("tasks {still}block"),
        1 => format!("1 task {still}blocks"),
        many => format!("{many} tasks {still}block"),
    };
    // An escalation differs from a repetition.
    let used = percent_used(alert).map(|percent| format!("{percent} % of the time used"));
    match (outlook(alert), diagnosis.deadline, diagnosis.forecast) {
        (Outlook::Passed, Some(deadline), _) => {
            let passed = now.duration_since(deadline.at);
            let ago = if passed.as_mins() == 0 {
                "has just passed".to_owned()
            } else {
                format!("passed {} ago", span(passed))
            };
            format!("deadline {ago}, {rollout} still blocked")
        }
        (Outlook::Late { by, likelihood }, Some(deadline), _) => {
            let needed = used.unwrap_or_else(|| needed(deadline, by, likelihood, now));
            format!("{}, {needed}", left(deadline, now))
        }
        _ if let Some(used) = used => format!("{block} its {rollout}, {used}"),
        // The jobs have run past their expected ends.
        _ if alert.kind == AlertKind::ScaleInBlocked => format!("{block} its {rollout}"),
        (_, _, Some(forecast)) if forecast.is_open_ended() => format!("{block} its {rollout}, no end is known"),
        (_, _, Some(forecast)) if forecast.basis == ForecastBasis::Maximum => {
            format!("{block} its {rollout} for at most {}", span(forecast.by_expiry.duration_since(now)))
        }
        (_, _, Some(forecast)) => {
            format!("{block} its {rollout}, probably for {}", span(forecast.by_jobs.duration_since(now)))
        }
        (_, _, None) => format!("{block} its {rollout}"),
    }
}

/// Since when, and what it means.
pub(crate) fn summary(alert: &Alert) -> Vec<String> {
    if alert.event == Transition::Resolved {
        return ending::summary(alert);
    }
    let began = if alert.kind == AlertKind::DeploymentAtRisk { "Started" } else { "Since" };
    let mut summary = vec![format!("{began} {}.", time_from(alert.since, alert.at))];
    let deadline = alert.diagnosis.deadline.filter(|_| alert.kind.is_about_refusals());
    summary.extend(deadline.map(|deadline| {
        // The deadline is the rollout's, not the refusal's.
        format!("Deadline of its {}: {}.", rollout(&alert.diagnosis.rollout), time_from(deadline.at, alert.at))
    }));
    summary.extend(
        alert.came_back_at.map(|at| format!("The problem ended, and came back at {}.", time_from(at, alert.at))),
    );
    summary.extend(superseded(alert));
    summary.extend(pause(&alert.diagnosis, alert.at));
    summary.extend(time_passed(alert));
    summary.extend(deadline_source(&alert.diagnosis).filter(|_| alert.kind.is_about_a_deployment()));
    summary.extend(meaning(alert));
    summary
}

/// The deployments that the incident spans, if there are several.
fn superseded(alert: &Alert) -> Option<String> {
    // Digits after a prefix of ECS. Whatever else it might be is no part of a sentence.
    let named =
        |id: &str| id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_/".contains(*c)).take(64).collect::<String>();
    let (first, newest) = (named(alert.superseded.first()?), named(alert.diagnosis.rollout.id()?));
    let began =
        alert.diagnosis.rollout.started_at().map_or_else(String::new, |at| format!(" at {}", clock(at, alert.at)));
    Some(match alert.superseded.len() {
        _ if alert.came_back_at.is_some() => {
            format!("It began with {first}. The newest deployment is {newest}{began}.")
        }
        1 => format!("It began with {first}, which {newest} superseded{began}."),
        _ => format!("It began with {first}. Later deployments superseded it, the newest of them {newest}{began}."),
    })
}

/// The part of the time to the deadline that has passed. `None` unless the alert escalates because of it.
fn time_passed(alert: &Alert) -> Option<String> {
    percent_used(alert).map(|percent| format!("{percent} % of the time to its deadline has passed."))
}

/// The same as a percentage.
fn percent_used(alert: &Alert) -> Option<i64> {
    let (started_at, deadline) = (alert.diagnosis.rollout.started_at()?, alert.diagnosis.deadline?);
    let whole = deadline.at.duration_since(started_at).as_secs().max(1);
    let percent = alert.at.duration_since(started_at).as_secs().max(0).saturating_mul(100) / whole;
    (alert.event == Transition::Escalated && percent < 100).then_some(percent)
}

/// The behavior of ECS that the reader has to know.
fn meaning(alert: &Alert) -> Option<String> {
    match alert.kind {
        AlertKind::DeploymentBlocked => Some(EFFECT_OF_PROTECTION.to_owned()),
        AlertKind::ScaleInBlocked => Some(format!("{} {EFFECT_OF_PROTECTION}", more_than_desired(alert))),
        AlertKind::ProtectionRefused => {
            Some("ECS refuses protection while protected tasks block a deployment or scale-in.".to_owned())
        }
        AlertKind::ProtectionExpiring => {
            Some("ECS refuses to renew protection while protected tasks block a deployment or scale-in.".to_owned())
        }
        AlertKind::DeploymentAtRisk
        | AlertKind::TooManyDeployments
        | AlertKind::OrphanedProtection
        | AlertKind::JobInterrupted => None,
    }
}

const EFFECT_OF_PROTECTION: &str = "ECS does not stop protected tasks. Until this is over, it may refuse to protect \
                                    other tasks of the service.";

/// Why a scale-in that waits is a problem. Its alert opens for one of these reasons.
fn more_than_desired(alert: &Alert) -> &'static str {
    let any = |is: fn(&ProtectedFor) -> bool| alert.diagnosis.blocking_tasks.iter().any(|task| is(&task.protected_for));
    if any(|protected_for| *protected_for == ProtectedFor::NoJob) {
        "More tasks run than desired, and a task without a job is still protected."
    } else if any(|protected_for| *protected_for == ProtectedFor::Foreign) {
        "More tasks run than desired, because of protection that taskhold did not set."
    } else if any(|protected_for| matches!(protected_for, ProtectedFor::Jobs(_))) {
        "More tasks run than desired, for longer than their jobs were expected to run."
    } else {
        "More tasks run than desired."
    }
}
