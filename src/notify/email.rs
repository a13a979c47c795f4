//! The email for the on-call engineer: a notification as plain text.
//!
//! The first lines give the problem, how long it lasts, the cost of waiting, and the first action. The details follow,
//! then the actions with each command on its own line, then the status command and the runbook.

pub mod lines;

pub use crate::notify::email::lines::LINE_CHARS_MAX;
use crate::notify::email::lines::{Lines, on_one_line};
use crate::notify::notification::{Action, List, ListItem, ListKind, Notification, Section, ShownNames};
use crate::notify::sender::{Sender, runbook};
use crate::notify::wording::count;
use crate::text::{escaped, is_printable};

/// SNS requires fewer than 100 characters (SNS API reference, "Publish").
pub const SUBJECT_CHARS_MAX: usize = 99;
/// Maximum number of jobs of one task.
const JOBS_SHOWN_MAX: usize = 5;
/// Maximum number of commands of an action, each for ten tasks.
const COMMANDS_SHOWN_MAX: usize = 5;

/// Maximum number of items of a list.
fn shown_max(kind: ListKind) -> usize {
    match kind {
        // More than a person checks one by one. Refused tasks and the other blocking tasks share the space.
        ListKind::BlockingTasks => 20,
        ListKind::RefusedTasks => 12,
        ListKind::OtherBlockingTasks => 8,
        // More than a task usually runs at once, and few enough to restart one by one.
        ListKind::Jobs => 50,
        ListKind::TagProblems => 5,
        // The first ones explain the rest.
        ListKind::Remediations | ListKind::FailedReads | ListKind::StoppedReason | ListKind::TaskEnds => 10,
    }
}

/// The subject: at most [`SUBJECT_CHARS_MAX`] printable ASCII characters.
pub fn subject(notification: &Notification<'_>) -> String {
    let Notification { status, problem, .. } = notification;
    notification.line_with_names(SUBJECT_CHARS_MAX, |ShownNames { service, cluster }| match service {
        Some(service) => format!("{status} {service} ({cluster}): {problem}"),
        None => format!("{status} {cluster}: {problem}"),
    })
}

/// The body, as plain text.
pub fn body(notification: &Notification<'_>, sender: &Sender) -> String {
    let mut lines = Lines::default();
    lines.prose(0, &headline(notification).into());
    if let Some(first_lines) = &notification.first_lines {
        first_lines.lines().iter().for_each(|line| lines.prose(0, &line.as_str().into()));
        lines.blank();
    }
    notification.summary.iter().for_each(|sentence| lines.prose(0, &sentence.as_str().into()));
    notification.sections.iter().for_each(|part| section(&mut lines, part));
    actions(&mut lines, &notification.actions);
    notification.notes.iter().for_each(|part| section(&mut lines, part));
    lines.blank();
    lines.whole(0, &format!("Status:   {}", sender.status_command(notification)));
    lines.whole(0, &format!("Runbook:  {}", runbook(notification)));
    if let Some(task) = notification.task {
        lines.whole(0, &format!("Task:     {task}"));
    }
    match &notification.service {
        Some(service) => lines.whole(0, &format!("Service:  {service}")),
        None => lines.whole(0, "Service:  not known: ECS no longer reports it"),
    }
    lines.whole(0, &format!("Incident: {}", escaped(&notification.incident, usize::MAX, is_printable)));
    lines.whole(0, &format!("Sent by:  {}", sender.shown(notification)));
    lines.text()
}

fn headline(notification: &Notification<'_>) -> String {
    let Notification { status, problem, .. } = notification;
    notification.line_with_names(LINE_CHARS_MAX, |ShownNames { service, cluster }| match service {
        Some(service) => format!("{status} {service} in cluster {cluster}: {problem}."),
        None => format!("{status} in cluster {cluster}: {problem}."),
    })
}

fn section(lines: &mut Lines, section: &Section) {
    lines.blank();
    match section {
        Section::Lines(sentences) => sentences.iter().for_each(|sentence| lines.prose(0, sentence)),
        Section::List(list) => self::list(lines, list),
    }
}

fn list(lines: &mut Lines, list: &List) {
    lines.prose(0, &list.heading.as_str().into());
    let shown = list.items.iter().take(shown_max(list.kind));
    let more = list.total - shown.len();
    let is_of_tasks =
        matches!(list.kind, ListKind::RefusedTasks | ListKind::BlockingTasks | ListKind::OtherBlockingTasks);
    for (number, item) in shown.enumerate() {
        match is_of_tasks {
            true => task(lines, number + 1, item),
            false => bullet(lines, 2, item),
        }
    }
    if more > 0 {
        let indent = if is_of_tasks { 0 } else { 2 };
        lines.prose(indent, &format!("and {}.", count(more, &format!("more {}", list.kind.noun()))).into());
    }
}

/// A task on several lines.
fn task(lines: &mut Lines, number: usize, task: &ListItem) {
    lines.marked(0, &format!("{number:>2}. "), &task.title);
    let mut details: Vec<String> = task.details.iter().map(on_one_line).collect();
    if let Some(last) = details.last_mut().filter(|_| !task.jobs.is_empty()) {
        last.push(':');
    }
    lines.parts(4, &details);
    let shown = task.jobs.iter().take(JOBS_SHOWN_MAX);
    let more = task.jobs_total - shown.len();
    shown.for_each(|job| bullet(lines, 4, job));
    if more > 0 {
        lines.prose(4, &format!("and {}.", count(more, "more job")).into());
    }
}

fn bullet(lines: &mut Lines, indent: usize, item: &ListItem) {
    if item.details.is_empty() {
        return lines.marked(indent, "- ", &item.title);
    }
    let title = format!("- {}", on_one_line(&item.title));
    let parts: Vec<String> = std::iter::once(title).chain(item.details.iter().map(on_one_line)).collect();
    lines.parts(indent, &parts);
}

fn actions(lines: &mut Lines, actions: &[Action]) {
    if actions.is_empty() {
        return;
    }
    lines.blank();
    lines.prose(0, &"Suggested actions, safest first:".into());
    for (number, Action { text, commands, .. }) in actions.iter().enumerate() {
        lines.prose(0, &format!("{}. {text}", number + 1).into());
        commands.iter().take(COMMANDS_SHOWN_MAX).for_each(|command| lines.whole(3, command));
        if commands.len() > COMMANDS_SHOWN_MAX {
            let more = count(commands.len() - COMMANDS_SHOWN_MAX, "more command");
            lines.prose(3, &format!("and {more} of this form, for the other tasks.").into());
        }
    }
}
