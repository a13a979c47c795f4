//! The refused tasks in a chat message.

use crate::notify::chat::span::code;
use crate::notify::chat::{ID_CHARS_MAX, JOBS_SHOWN_MAX, REFUSED_SHOWN_MAX, TASK_ID_CHARS, job};
use crate::notify::refused;
use crate::notify::words::{count, time_from};
use crate::service::alert::{Alert, AlertKind};
use crate::service::diagnosis::RefusedTask;
use crate::service::forecast::longest_first;
use jiff::Timestamp;

/// The refused tasks with their jobs.
pub(crate) fn section(alert: &Alert) -> Vec<String> {
    let tasks = refused::tasks(alert);
    if tasks.is_empty() {
        return Vec::new();
    }
    let heading = match alert.kind {
        AlertKind::ProtectionExpiring => "About to lose protection, soonest first:",
        _ => "Unprotected, longest remaining job first:",
    };
    let mut lines = vec![heading.to_owned()];
    lines.extend(tasks.iter().take(REFUSED_SHOWN_MAX).map(|task| one(task, alert.at)));
    if tasks.len() > REFUSED_SHOWN_MAX {
        lines.push(format!("• and {}", count(tasks.len() - REFUSED_SHOWN_MAX, "more task")));
    }
    lines
}

fn one(task: &RefusedTask, now: Timestamp) -> String {
    let of = task.deployment.as_deref().map_or(String::new(), |id| format!(" of {}", code(id, ID_CHARS_MAX)));
    let until =
        task.protected_until.map_or(String::new(), |until| format!(", protected until {}", time_from(until, now)));
    let mut jobs: Vec<String> = longest_first(&task.jobs).into_iter().take(JOBS_SHOWN_MAX).map(job).collect();
    if task.jobs.len() > JOBS_SHOWN_MAX {
        jobs.push(format!("and {}", count(task.jobs.len() - JOBS_SHOWN_MAX, "more job")));
    }
    format!(
        "• {}{of}{until}, refused since {}, for {}",
        code(task.task.as_str(), TASK_ID_CHARS),
        time_from(task.since, now),
        jobs.join("; ")
    )
}
