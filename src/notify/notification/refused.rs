//! The content of `protection-refused` and `protection-expiring`: the refused tasks, the consequences, when ECS may
//! accept the protection, and what taskhold does automatically.

use crate::ecs::arn::TaskId;
use crate::notify::notification::ending;
use crate::notify::notification::rollout::rollout;
use crate::notify::notification::tasks::task;
use crate::notify::notification::{List, ListKind, Section};
use crate::notify::wording::{clock, count, span, time_from};
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::service::blocking_task::BlockingTask;
use crate::service::refused_task::{RefusalCause, RefusedTask};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// All refused tasks, first those that the alert is about: the unprotected ones, sorted by the end of their jobs, the
/// latest first; or, if their protection expires, those that are still protected, the one that expires first in front.
pub(crate) fn all(alert: &Alert) -> Vec<&RefusedTask> {
    let mut all: Vec<&RefusedTask> = alert.diagnosis.refused_tasks.iter().collect();
    // A stable sort: unprotected tasks keep their order.
    if alert.kind == AlertKind::ProtectionExpiring {
        all.sort_by_key(|task| (task.protected_until.is_none(), task.protected_until));
    } else {
        all.sort_by_key(|task| task.protected_until.is_some());
    }
    all
}

/// The refused tasks that the alert is about.
pub(crate) fn tasks(alert: &Alert) -> Vec<&RefusedTask> {
    let is_protected = alert.kind == AlertKind::ProtectionExpiring;
    let mut tasks = all(alert);
    tasks.retain(|task| task.protected_until.is_some() == is_protected);
    tasks
}

/// The problem of the service in ASCII and at most about 60 characters.
pub(crate) fn problem(alert: &Alert) -> String {
    if let Some(ending) = ending::of_refusal(alert) {
        return ending;
    }
    let tasks = tasks(alert);
    match (alert.kind, alert.event) {
        (AlertKind::ProtectionExpiring, Transition::Resolved) => match unprotected(alert) {
            0 => "no job is about to lose its protection any more".to_owned(),
            1 => "protection has ended, 1 busy task runs unprotected".to_owned(),
            many => format!("protection has ended, {many} busy tasks run unprotected"),
        },
        (AlertKind::ProtectionExpiring, _) => match tasks.first().and_then(|first| first.protected_until) {
            Some(until) => protection_ends(tasks.len(), until, alert.at),
            None => "busy tasks lose protection before their jobs end".to_owned(),
        },
        (_, Transition::Resolved) => "no job runs unprotected any more".to_owned(),
        (_, event) => {
            let still = if event == Transition::Opened { "" } else { "still " };
            let is_full = |task: &&RefusedTask| task.cause == RefusalCause::RecordFull;
            let why = match grantable_from(alert).map(|first| span(first.duration_since(alert.at))) {
                _ if !tasks.is_empty() && tasks.iter().all(is_full) => ": too many jobs".to_owned(),
                Some(wait) if tasks.len() == 1 => format!(", ECS may protect it in {wait}"),
                Some(wait) => format!(", ECS may protect them in {wait}"),
                None => ": ECS refuses".to_owned(),
            };
            match tasks.len() {
                0 => format!("busy tasks {still}unprotected{why}"),
                1 => format!("1 busy task {still}unprotected{why}"),
                many => format!("{many} busy tasks {still}unprotected{why}"),
            }
        }
    }
}

fn protection_ends(tasks: usize, first: Timestamp, now: Timestamp) -> String {
    let loses = if tasks == 1 { "loses" } else { "lose" };
    let when = match tasks {
        _ if first <= now => "now".to_owned(),
        1 => format!("at {}", clock(first, now)),
        _ => format!("from {} on", clock(first, now)),
    };
    format!("{} {loses} protection {when}", count(tasks, "busy task"))
}

/// Whether `protection-expiring` is resolved because the protection has expired, which must not read as good news.
pub(crate) fn is_lost(alert: &Alert) -> bool {
    alert.kind == AlertKind::ProtectionExpiring && alert.event == Transition::Resolved && unprotected(alert) > 0
}

/// The number of refused tasks without any protection.
pub(crate) fn unprotected(alert: &Alert) -> usize {
    alert.diagnosis.refused_tasks.iter().filter(|task| task.protected_until.is_none()).count()
}

/// The refused tasks with their jobs; `None` if there are none.
pub(crate) fn section(alert: &Alert) -> Option<Section> {
    let tasks = tasks(alert);
    let heading = match alert.kind {
        AlertKind::ProtectionExpiring => "About to lose protection, soonest first:",
        _ => "Unprotected, longest remaining job first:",
    };
    let items = tasks.iter().map(|refused| task(*refused, alert.at));
    (!tasks.is_empty()).then(|| List::section(ListKind::RefusedTasks, heading, tasks.len(), items))
}

/// The blocking tasks without those that the alert is about: a task whose protection ECS does not renew can be both.
pub(crate) fn other_blocking_tasks(alert: &Alert) -> Vec<&BlockingTask> {
    let listed: BTreeSet<&TaskId> = match alert.kind.is_about_refusals() {
        true => tasks(alert).into_iter().map(|refused| &refused.task).collect(),
        false => BTreeSet::new(),
    };
    alert.diagnosis.blocking_tasks.iter().filter(|task| !listed.contains(&task.task)).collect()
}

/// Blocking tasks that lose their protection before their jobs end. Waiting may interrupt those jobs.
pub(crate) struct UnrenewedProtection {
    /// Their number.
    pub(crate) tasks: usize,
    /// When the first protection ends.
    pub(crate) from: Timestamp,
}

/// The protection that waiting loses; `None` if there is none.
pub(crate) fn lost_by_waiting(alert: &Alert) -> Option<UnrenewedProtection> {
    let expiring = without_renewal(alert);
    let lost = alert.diagnosis.blocking_tasks.iter().filter(|task| expiring.contains(&task.task));
    let ends: Vec<Timestamp> = lost.map(|task| task.protected_until).collect();
    Some(UnrenewedProtection { tasks: ends.len(), from: ends.iter().min().copied()? })
}

/// The tasks whose protection ECS refuses to renew.
pub(crate) fn without_renewal(alert: &Alert) -> BTreeSet<&TaskId> {
    let expiring = alert.diagnosis.refused_tasks.iter().filter(|task| task.protected_until.is_some());
    expiring.map(|task| &task.task).collect()
}

/// When ECS may accept the protection, and what taskhold does automatically.
pub(crate) fn outlook(alert: &Alert) -> Section {
    let full = alert.diagnosis.refused_tasks.len() - alert.diagnosis.refused_by_ecs().count();
    let mut lines = Vec::new();
    if full > 0 {
        lines.push(format!(
            "taskhold has no room to record further live jobs of {}, and requests nothing for them. Let jobs finish, \
             check whether workers report job.finished, or send new jobs to other tasks; then send job.heartbeat or \
             job.started again.",
            count(full, "task")
        ));
    }
    if full == 0 || alert.diagnosis.refused_by_ecs().next().is_some() {
        lines.push(outlook_of_ecs(alert));
    }
    Section::Lines(lines.into_iter().map(Into::into).collect())
}

fn outlook_of_ecs(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let by_itself = "taskhold retries whenever it checks this service, and when another of its tasks is released.";
    match grantable_from(alert) {
        Some(first) => format!(
            "ECS may accept the request at {}, when the first blocking protection ends. taskhold retries then, \
             whenever it checks this service, and when another of its tasks is released.",
            time_from(first, alert.at)
        ),
        None if !diagnosis.blocking_tasks.is_empty() => format!(
            "No other task blocks the {}. ECS may stop {} as soon as {} protection ends. {by_itself}",
            rollout(&diagnosis.rollout),
            these_tasks(alert),
            if tasks(alert).len() == 1 { "its" } else { "their" }
        ),
        None if diagnosis.gaps.is_empty() => {
            format!("No protected task blocks it now, so ECS may accept the next request. {by_itself}")
        }
        None => format!("taskhold could not read which tasks block it. {by_itself}"),
    }
}

/// When ECS may grant the protection: the first protection ends that blocks it.
pub(crate) fn grantable_from(alert: &Alert) -> Option<Timestamp> {
    let is_by_ecs = by_ecs(alert) > 0 || alert.diagnosis.refused_tasks.is_empty();
    other_blocking_tasks(alert).into_iter().map(|task| task.protected_until).min().filter(|_| is_by_ecs)
}

/// The refused tasks in a sentence.
pub(crate) fn these_tasks(alert: &Alert) -> &'static str {
    if tasks(alert).len() == 1 { "this task" } else { "these tasks" }
}

/// The number of tasks of the alert that ECS refuses. The records of the others are full.
pub(crate) fn by_ecs(alert: &Alert) -> usize {
    alert.diagnosis.refused_by_ecs().count()
}
