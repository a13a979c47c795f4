//! The content of `protection-refused` and `protection-expiring`: the refused tasks, the consequences, when ECS may
//! accept the protection, and what taskhold does automatically.

use crate::ecs::arn::TaskId;
use crate::notify::words::{clock, count, rollout, time_from};
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::service::diagnosis::{BlockingTask, RefusedTask};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Whether a kind is about refused tasks.
pub(crate) fn is_about(kind: AlertKind) -> bool {
    matches!(kind, AlertKind::ProtectionRefused | AlertKind::ProtectionExpiring)
}

/// The refused tasks that the alert is about. Unprotected tasks are sorted by the end of their jobs, the latest first;
/// tasks that lose their protection are sorted by when they lose it, the earliest first.
pub(crate) fn tasks(alert: &Alert) -> Vec<&RefusedTask> {
    let is_protected = alert.kind == AlertKind::ProtectionExpiring;
    let refused_tasks = alert.diagnosis.refused_tasks.iter();
    let mut told: Vec<&RefusedTask> =
        refused_tasks.filter(|refused_task| refused_task.protected_until.is_some() == is_protected).collect();
    // A stable sort: unprotected tasks keep their order.
    told.sort_by_key(|refused_task| refused_task.protected_until);
    told
}

/// All refused tasks: first those that the alert is about (for other kinds, the unprotected ones), then the rest.
pub(crate) fn all(alert: &Alert) -> Vec<&RefusedTask> {
    let mut all = tasks(alert);
    let is_protected = alert.kind == AlertKind::ProtectionExpiring;
    all.extend(
        alert
            .diagnosis
            .refused_tasks
            .iter()
            .filter(|refused_task| refused_task.protected_until.is_some() != is_protected),
    );
    all
}

/// The problem of the service in ASCII and at most about 60 characters.
pub(crate) fn phrase(alert: &Alert) -> String {
    let tasks = tasks(alert);
    match (alert.kind, alert.event) {
        (AlertKind::ProtectionExpiring, Transition::Resolved) => protection_is_over(alert),
        (AlertKind::ProtectionExpiring, _) => match tasks.first().and_then(|first| first.protected_until) {
            Some(until) => protection_ends(tasks.len(), until, alert.at),
            None => "busy tasks lose protection before their jobs end".to_owned(),
        },
        (_, Transition::Resolved) => "no job runs unprotected any more".to_owned(),
        (_, event) => {
            let still = if event == Transition::Opened { "" } else { "still " };
            match tasks.len() {
                0 => format!("busy tasks {still}run unprotected: ECS refuses"),
                1 => format!("1 busy task {still}runs unprotected: ECS refuses"),
                many => format!("{many} busy tasks {still}run unprotected: ECS refuses"),
            }
        }
    }
}

fn protection_ends(tasks: usize, first: Timestamp, now: Timestamp) -> String {
    let loses = if tasks == 1 { "loses" } else { "lose" };
    let when = match (first <= now, tasks) {
        (true, _) => "now".to_owned(),
        (false, 1) => format!("at {}", clock(first, now)),
        (false, _) => format!("from {} on", clock(first, now)),
    };
    format!("{} {loses} protection {when}", count(tasks, "busy task"))
}

/// Whether `protection-expiring` is resolved because the protection has expired, which must not read as good news.
pub(crate) fn is_lost(alert: &Alert) -> bool {
    alert.kind == AlertKind::ProtectionExpiring && alert.event == Transition::Resolved && unprotected(alert) > 0
}

fn unprotected(alert: &Alert) -> usize {
    alert.diagnosis.refused_tasks.iter().filter(|refused_task| refused_task.protected_until.is_none()).count()
}

fn protection_is_over(alert: &Alert) -> String {
    match unprotected(alert) {
        0 => "no job is about to lose its protection any more".to_owned(),
        1 => "protection has ended, 1 busy task runs unprotected".to_owned(),
        many => format!("protection has ended, {many} busy tasks run unprotected"),
    }
}

/// The blocking tasks without those that the alert is about: a task whose protection ECS does not renew can be both.
pub(crate) fn other_blocking_tasks(alert: &Alert) -> Vec<&BlockingTask> {
    let listed: BTreeSet<&TaskId> = match is_about(alert.kind) {
        true => tasks(alert).into_iter().map(|refused_task| &refused_task.task).collect(),
        false => BTreeSet::new(),
    };
    alert.diagnosis.blocking_tasks.iter().filter(|blocking_task| !listed.contains(&blocking_task.task)).collect()
}

/// The number of blocking tasks that lose their protection before their jobs end. Waiting interrupts those jobs.
pub(crate) fn lost_by_waiting(alert: &Alert) -> usize {
    let expiring = alert.diagnosis.refused_tasks.iter().filter(|refused_task| refused_task.protected_until.is_some());
    let expiring: BTreeSet<&TaskId> = expiring.map(|refused_task| &refused_task.task).collect();
    alert.diagnosis.blocking_tasks.iter().filter(|blocking_task| expiring.contains(&blocking_task.task)).count()
}

/// When ECS may accept the protection, and what taskhold does automatically.
pub(crate) fn outlook(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let by_itself = "taskhold retries at each reconcile of the service, and whenever it clears protection in it.";
    let first = other_blocking_tasks(alert).into_iter().map(|blocking_task| blocking_task.protected_until).min();
    match first {
        Some(first) => format!(
            "The first blocking protection ends by {}, and ECS may grant it then. taskhold retries then, at each \
             reconcile of the service, and whenever it clears protection in it.",
            time_from(first, alert.at)
        ),
        None if !diagnosis.blocking_tasks.is_empty() => {
            let moving = rollout(&diagnosis.rollout);
            format!(
                "Nothing else blocks its {moving}, which may stop each of them when its protection ends. {by_itself}"
            )
        }
        None if diagnosis.gaps.is_empty() => {
            format!("No protected task blocks it now, so ECS may grant the next request. {by_itself}")
        }
        None => format!("taskhold could not read which tasks block it. {by_itself}"),
    }
}

/// AWS's documented actions, for when the diagnosis has none: ECS reports a block without naming the blocking tasks.
pub(crate) fn general_suggested_actions(alert: &Alert) -> Option<String> {
    let diagnosis = &alert.diagnosis;
    let numbers = &diagnosis.task_counts;
    let wanted = is_about(alert.kind) && diagnosis.suggested_actions.is_empty();
    wanted.then(|| {
        format!(
            "If it lasts: wait until protections end, release tasks that may be stopped, or raise the desired count above \
             the number of protected tasks (now {} desired, {} protected).",
            numbers.desired, numbers.protected
        )
    })
}
