//! The refused tasks in an email.

use crate::notify::email::lines::Lines;
use crate::notify::email::{ID_CHARS_MAX, JOBS_SHOWN_MAX, REFUSED_SHOWN_MAX, job};
use crate::notify::refused;
use crate::notify::words::{count, span, time_from};
use crate::service::alert::{Alert, AlertKind};
use crate::service::diagnosis::RefusedTask;
use crate::service::forecast::longest_first;
use crate::text::{escaped, is_printable};
use jiff::Timestamp;

/// The refused tasks with their jobs.
pub(crate) fn section(lines: &mut Lines, alert: &Alert) {
    let tasks = refused::tasks(alert);
    if tasks.is_empty() {
        return;
    }
    lines.blank();
    lines.prose(
        0,
        match alert.kind {
            AlertKind::ProtectionExpiring => "About to lose protection, soonest first:",
            _ => "Unprotected, longest remaining job first:",
        },
    );
    for (number, task) in tasks.iter().take(REFUSED_SHOWN_MAX).enumerate() {
        one(lines, (number + 1, task), alert.at);
    }
    if tasks.len() > REFUSED_SHOWN_MAX {
        lines.prose(0, &format!("and {}.", count(tasks.len() - REFUSED_SHOWN_MAX, "more task")));
    }
}

fn one(lines: &mut Lines, (number, task): (usize, &RefusedTask), now: Timestamp) {
    let of = task.deployment.as_deref().map(|id| escaped(id, ID_CHARS_MAX - 32, is_printable));
    let of = of.map_or(String::new(), |id| format!(" of {id}"));
    lines.parts(0, &[&format!("{number:>2}. task {}{of}", task.task)]);
    let mut parts = Vec::new();
    if let Some(until) = task.protected_until {
        parts.push(format!("protected until {}", time_from(until, now)));
        let short = task.wanted_until().map(|wanted| span(wanted.duration_since(until)));
        parts.extend(short.map(|short| format!("{short} too short")));
    }
    parts.push(format!("refused since {}", time_from(task.since, now)));
    parts.push(format!("for {}:", count(task.jobs.len(), "job")));
    lines.parts(4, &parts.iter().map(String::as_str).collect::<Vec<_>>());
    longest_first(&task.jobs).into_iter().take(JOBS_SHOWN_MAX).for_each(|one| job(lines, one, now));
    if task.jobs.len() > JOBS_SHOWN_MAX {
        lines.prose(4, &format!("and {}.", count(task.jobs.len() - JOBS_SHOWN_MAX, "more job")));
    }
}
