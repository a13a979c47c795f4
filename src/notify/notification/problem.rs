//! The problem of a service, when it began, and what it means: the first lines of a notification.

use crate::notify::notification::Severity;
use crate::notify::notification::refused;
use crate::notify::notification::rollout::{margin, pause, rollout};
use crate::notify::wording::{count, span, time, time_from};
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::service::diagnosis::Diagnosis;
use crate::service::forecast::ForecastBasis;
use crate::service::task_counts::DEPLOYMENTS_MAX;

pub(crate) fn severity(alert: &Alert) -> Severity {
    match (alert.event, alert.kind) {
        (Transition::Resolved, _) if !refused::is_lost(alert) => Severity::Over,
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

/// The problem of the service in ASCII and at most about 60 characters.
pub(crate) fn problem(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let rollout = rollout(&diagnosis.rollout);
    let is_over = alert.event == Transition::Resolved;
    let still = if alert.event == Transition::Opened { "" } else { "still " };
    let deployments = format!("{} of {DEPLOYMENTS_MAX} deployments", diagnosis.task_counts.deployments);
    match alert.kind {
        AlertKind::DeploymentBlocked | AlertKind::ScaleInBlocked if is_over => {
            "protected tasks no longer block it".to_owned()
        }
        AlertKind::DeploymentBlocked | AlertKind::ScaleInBlocked => match diagnosis.blocking_tasks.len() {
            0 => format!("protected tasks {still}block its {rollout}"),
            1 => format!("1 protected task {still}blocks its {rollout}"),
            many => format!("{} {still}block its {rollout}", count(many, "protected task")),
        },
        AlertKind::DeploymentAtRisk if diagnosis.rollout.is_clean_up() && !is_over => {
            format!("old tasks {still}protected beyond the clean-up of its deployment")
        }
        AlertKind::DeploymentAtRisk if is_over => "it is no longer about to miss its deadline".to_owned(),
        AlertKind::DeploymentAtRisk if has_missed_its_deadline(alert) => {
            format!("its {rollout} has missed its deadline")
        }
        AlertKind::DeploymentAtRisk => match margin(diagnosis) {
            Some(margin) if margin.is_negative() && is_declared(diagnosis) => {
                format!("its {rollout} will {still}miss its deadline by {}", span(margin))
            }
            _ => format!("its {rollout} may {still}miss its deadline"),
        },
        AlertKind::ProtectionRefused | AlertKind::ProtectionExpiring => refused::problem(alert),
        AlertKind::TooManyDeployments if is_over => format!("it can be deployed again, {deployments} used"),
        AlertKind::TooManyDeployments => format!("{still}{deployments} in progress"),
        AlertKind::OrphanedProtection if is_over => "every protected task has a job again".to_owned(),
        AlertKind::OrphanedProtection => format!("tasks {still}protected though their jobs have ended"),
        // An interrupted task has a notification of its own.
        AlertKind::JobInterrupted => "a task stopped while its jobs were running".to_owned(),
    }
}

fn is_declared(diagnosis: &Diagnosis) -> bool {
    diagnosis.forecast.is_some_and(|forecast| forecast.basis == ForecastBasis::Declared)
}

fn has_missed_its_deadline(alert: &Alert) -> bool {
    alert.diagnosis.deadline.is_some_and(|deadline| deadline.at <= alert.at)
}

/// Since when, until when, and what it means.
pub(crate) fn summary(alert: &Alert) -> Vec<String> {
    if alert.event == Transition::Resolved {
        let lasted = span(alert.at.duration_since(alert.since));
        return vec![format!("It lasted {lasted}: from {} to {}.", time(alert.since), time(alert.at))];
    }
    let began = if alert.kind == AlertKind::DeploymentAtRisk { "Started" } else { "Since" };
    let since = format!("{began} {}.", time_from(alert.since, alert.at));
    let deadline = alert.diagnosis.deadline.map(|deadline| time_from(deadline.at, alert.at));
    let mut summary = match deadline {
        None => vec![since],
        // The deadline is the rollout's, not the refusal's.
        Some(deadline) if refused::is_about(alert.kind) => {
            vec![since, format!("Deadline of its {}: {deadline}.", rollout(&alert.diagnosis.rollout))]
        }
        Some(deadline) => vec![format!("{since} Deadline: {deadline}.")],
    };
    summary.extend(superseded(alert));
    summary.extend(pause(&alert.diagnosis, alert.at));
    summary.extend(time_passed(alert));
    summary.push(meaning(alert).to_owned());
    summary
}

/// The deployments that the incident spans, if there are several.
fn superseded(alert: &Alert) -> Option<String> {
    // Digits after a prefix of ECS. Whatever else it might be is no part of a sentence.
    let named =
        |id: &str| id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_/".contains(*c)).take(64).collect::<String>();
    let (first, newest) = (named(alert.superseded.first()?), named(alert.diagnosis.rollout.id()?));
    Some(match alert.superseded.len() {
        1 => format!("It began with {first}, which {newest} superseded."),
        _ => format!("It began with {first}. Later deployments superseded it, the newest of them {newest}."),
    })
}

/// The percentage of the time to the deadline that has passed. `None` unless the alert escalates because of it.
fn time_passed(alert: &Alert) -> Option<String> {
    let (started_at, deadline) = (alert.diagnosis.rollout.started_at()?, alert.diagnosis.deadline?);
    let whole = deadline.at.duration_since(started_at).as_secs().max(1);
    let percent = alert.at.duration_since(started_at).as_secs().max(0).saturating_mul(100) / whole;
    let is_wanted = alert.event == Transition::Escalated && percent < 100;
    is_wanted.then(|| format!("{percent} % of the time to its deadline has passed."))
}

/// The consequences, and what to avoid.
fn meaning(alert: &Alert) -> &'static str {
    match alert.kind {
        AlertKind::DeploymentBlocked => {
            "ECS stops no protected task, and may refuse to protect further ones until this is over."
        }
        AlertKind::ScaleInBlocked => {
            "More tasks run than desired, for longer than the jobs were expected to run, or without a job. ECS stops no \
             protected task, and may refuse to protect further ones until this is over."
        }
        AlertKind::DeploymentAtRisk if alert.diagnosis.rollout.is_clean_up() => {
            "The deployment succeeded, and ECS removes its old tasks for two weeks. What ECS does with tasks that are \
             protected longer is not documented."
        }
        AlertKind::DeploymentAtRisk if has_missed_its_deadline(alert) => {
            "The tool that waited for it may have given up or rolled it back."
        }
        AlertKind::DeploymentAtRisk => "It has not failed yet: there is still time to act.",
        AlertKind::ProtectionRefused => {
            "ECS refuses protection while protected tasks block a deployment or scale-in. Until ECS grants it, a \
             task may be stopped in the middle of its jobs."
        }
        AlertKind::ProtectionExpiring => {
            "ECS refuses to renew. When a protection ends, its task may be stopped in the middle of its jobs."
        }
        AlertKind::TooManyDeployments => "ECS refuses a sixth deployment: start none until one of these has ended.",
        AlertKind::OrphanedProtection => {
            "No job needs these protections. They will block the next deployment or scale-in until they expire."
        }
        AlertKind::JobInterrupted => "Its running jobs ended with it.",
    }
}
