//! The email of an interrupted task: what happened, why, which jobs were running, and what to do.

use crate::notify::email::lines::Lines;
use crate::notify::email::{LINE_CHARS_MAX, SUBJECT_CHARS_MAX, job};
use crate::notify::interrupted::{InterruptionView, KIND, cause};
use crate::notify::words::{count, is_of_a_name, names_within, time, word};
use crate::service::suggested_action::shell_quoted;
use crate::text::{escaped, is_printable, is_printable_in_quotes};

/// Maximum number of jobs: more than a task usually runs at once, and few enough to restart one by one.
const JOBS_SHOWN_MAX: usize = 50;
/// Maximum number of containers, as many as ECS allows in a task (ECS Developer Guide, "Amazon ECS service quotas").
const CONTAINERS_SHOWN_MAX: usize = 10;
/// For a container's name.
const CONTAINER_CHARS_MAX: usize = 64;
/// For a `stopCode` that this version does not know.
const STOP_CODE_CHARS_MAX: usize = 64;
/// For ECS's `stoppedReason`.
const REASON_CHARS_MAX: usize = 600;

pub(crate) fn subject(view: &InterruptionView<'_>) -> String {
    let (word, phrase) = (word(crate::notify::interrupted::EVENT, KIND), view.phrase());
    let cluster = &view.task.cluster.name;
    let room = SUBJECT_CHARS_MAX.saturating_sub(format!("{word}  (): {phrase}").len());
    match &view.service {
        Some(service) => {
            let (service, cluster) = names_within((&service.name, cluster), room);
            format!("{word} {service} ({cluster}): {phrase}")
        }
        None => format!("{word} {}: {phrase}", escaped(cluster, room, is_of_a_name)),
    }
}

pub(crate) fn body(view: &InterruptionView<'_>) -> String {
    let mut lines = Lines::default();
    headline(&mut lines, view);
    lines.prose(0, &format!("Noticed {}. {}", time(view.what.at), view.stage()));
    lines.blank();
    why(&mut lines, view);
    lines.prose(0, &view.protection());
    lines.blank();
    jobs(&mut lines, view);
    lines.blank();
    lines.prose(0, "What to do:");
    lines.prose(0, &format!("1. {}", view.advice()));
    lines.prose(0, "2. See how the task ended; ECS keeps it for about an hour:");
    lines.whole(3, &describe_command(view));
    lines.prose(0, "Where the function has a queue for interrupted jobs, each of them is a message there too.");
    lines.blank();
    lines.whole(0, &format!("Task:     {}", view.task));
    match &view.service {
        Some(service) => lines.whole(0, &format!("Service:  {service}")),
        None => lines.whole(0, "Service:  not known: ECS no longer reports it"),
    }
    lines.whole(0, &format!("Incident: {}", escaped(&view.incident(), usize::MAX, is_printable)));
    lines.text()
}

fn headline(lines: &mut Lines, view: &InterruptionView<'_>) {
    let (word, phrase) = (word(crate::notify::interrupted::EVENT, KIND), view.phrase());
    let cluster = &view.task.cluster.name;
    let room = LINE_CHARS_MAX.saturating_sub(format!("{word}  in cluster : {phrase}.").len());
    match &view.service {
        Some(service) => {
            let (service, cluster) = names_within((&service.name, cluster), room);
            lines.prose(0, &format!("{word} {service} in cluster {cluster}: {phrase}."));
        }
        None => {
            lines.prose(0, &format!("{word} in cluster {}: {phrase}.", escaped(cluster, room, is_of_a_name)));
        }
    }
}

fn why(lines: &mut Lines, view: &InterruptionView<'_>) {
    let what = view.what;
    let code = what.stop_code.as_deref().map(|code| escaped(code, STOP_CODE_CHARS_MAX, is_printable_in_quotes));
    match (cause(what), code) {
        (Some(cause), Some(code)) => lines.prose(0, &format!("Why: {} ({code}).", cause.plain)),
        (_, Some(code)) => lines.parts(0, &["Why: a stopCode that taskhold does not know", &format!("\"{code}\"")]),
        (_, None) => lines.prose(0, "Why: ECS reports no stopCode."),
    }
    if let Some(reason) = &what.stopped_reason {
        lines.prose(0, "ECS says:");
        lines.quoted(2, &escaped(reason, REASON_CHARS_MAX, is_printable));
    }
    exit_codes(lines, view);
}

fn exit_codes(lines: &mut Lines, view: &InterruptionView<'_>) {
    let codes = &view.what.exit_codes;
    if codes.is_empty() {
        return;
    }
    let mut parts: Vec<String> = codes
        .iter()
        .take(CONTAINERS_SHOWN_MAX)
        .map(|(container, code)| {
            format!("{code} of \"{}\"", escaped(container, CONTAINER_CHARS_MAX, is_printable_in_quotes))
        })
        .collect();
    parts[0].insert_str(0, "Exit codes: ");
    if codes.len() > CONTAINERS_SHOWN_MAX {
        parts.push(format!("and of {}", count(codes.len() - CONTAINERS_SHOWN_MAX, "more container")));
    }
    lines.parts(0, &parts.iter().map(String::as_str).collect::<Vec<_>>());
}

fn jobs(lines: &mut Lines, view: &InterruptionView<'_>) {
    lines.prose(0, "The jobs that were running, longest remaining first:");
    view.jobs.iter().take(JOBS_SHOWN_MAX).for_each(|one| job(lines, one, view.what.at));
    if view.jobs.len() > JOBS_SHOWN_MAX {
        lines.prose(4, &format!("and {}.", count(view.jobs.len() - JOBS_SHOWN_MAX, "more job")));
    }
}

/// The command that shows how the task ended.
pub(crate) fn describe_command(view: &InterruptionView<'_>) -> String {
    let cluster = &view.task.cluster;
    format!(
        "aws ecs describe-tasks --region {} --cluster {} --tasks {}",
        shell_quoted(&cluster.region),
        shell_quoted(&cluster.name),
        shell_quoted(view.task.id.as_str())
    )
}
