//! The email for the on-call engineer.
//!
//! The first two lines give the problem, the service, the start and the deadline. Then follow the blocking tasks,
//! the forecast, the task counts and the suggested actions, the least invasive first, each command on its own line.

pub mod lines;
pub mod refused;

use crate::notify::actions::commands;
use crate::notify::email::lines::Lines;
use crate::notify::refused::{
    general_suggested_actions, is_about as is_about_refused, lost_by_waiting, other_blocking_tasks, outlook,
};
use crate::notify::words::{
    blocking_heading, count, deadline_source, margin_in_words, meaning, names, passed, phrase, since, time, time_from,
    word,
};
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::service::diagnosis::{BlockingTask, DEPLOYMENTS_MAX, ProtectedFor, TaskCounts};
use crate::service::forecast::longest_first;
use crate::service::snapshot::JobSnapshot;
use crate::service::suggested_action::SuggestedAction;
use crate::task::job::Labels;
use crate::text::{escaped, is_printable, is_printable_in_quotes};

use jiff::Timestamp;

/// SNS requires fewer than 100 characters (SNS API reference, "Publish").
pub const SUBJECT_CHARS_MAX: usize = 99;
/// Longer lines wrap badly on a phone. Commands and identifiers are never wrapped, so that they can be copied.
pub const LINE_CHARS_MAX: usize = 100;
/// Maximum number of blocking tasks: more than a person checks one by one.
pub const BLOCKING_TASKS_SHOWN_MAX: usize = 20;
/// Maximum number of refused tasks. Together with [`BLOCKING_TASKS_BESIDE_SHOWN_MAX`] they take the space of
/// [`BLOCKING_TASKS_SHOWN_MAX`].
pub const REFUSED_SHOWN_MAX: usize = 12;
/// Maximum number of blocking tasks beside refused tasks.
pub const BLOCKING_TASKS_BESIDE_SHOWN_MAX: usize = BLOCKING_TASKS_SHOWN_MAX - REFUSED_SHOWN_MAX;
/// Maximum number of jobs of one task.
pub const JOBS_SHOWN_MAX: usize = 5;
/// Maximum number of commands of a suggested action, each for ten tasks.
pub const COMMANDS_SHOWN_MAX: usize = 5;
/// Maximum number of failed reads; the first ones explain the rest.
pub const GAPS_SHOWN_MAX: usize = 10;
/// For ids of jobs and deployments; a line has room for no more.
const ID_CHARS_MAX: usize = 72;
/// For all labels of one job together: enough to recognize the job. The status command returns them whole.
const LABELS_CHARS_MAX: usize = 72;
/// For one failed read.
const GAP_CHARS_MAX: usize = 300;
/// For the result of a remediation: taskhold's text, perhaps with an AWS error.
pub(crate) const NOTE_CHARS_MAX: usize = 300;
/// Maximum number of tags that taskhold ignores.
pub const TAG_PROBLEMS_SHOWN_MAX: usize = 5;
/// For a tag's key, so that it can be found, and for its value, so that it is recognized.
const TAG_CHARS_MAX: (usize, usize) = (128, 64);

/// The subject: at most [`SUBJECT_CHARS_MAX`] printable ASCII characters.
pub fn subject(alert: &Alert) -> String {
    let (word, phrase) = (word(alert.event, alert.kind), phrase(alert));
    let room = SUBJECT_CHARS_MAX.saturating_sub(format!("{word} X (X): {phrase}").len() - 2);
    let (service, cluster) = names(alert, room);
    format!("{word} {service} ({cluster}): {phrase}")
}

/// The body, as plain text.
pub fn body(alert: &Alert) -> String {
    let mut lines = Lines::default();
    let (word, phrase) = (word(alert.event, alert.kind), phrase(alert));
    let room = LINE_CHARS_MAX.saturating_sub(format!("{word} X in cluster X: {phrase}.").len() - 2);
    let (service, cluster) = names(alert, room);
    lines.prose(0, &format!("{word} {service} in cluster {cluster}: {phrase}."));
    lines.prose(0, &since(alert));
    if let Some(passed) = passed(alert) {
        lines.prose(0, &passed);
    }
    if alert.event != Transition::Resolved {
        lines.prose(0, meaning(alert));
        if is_about_refused(alert.kind) {
            refused::section(&mut lines, alert);
            in_the_way(&mut lines, alert);
            lines.blank();
            lines.prose(0, &outlook(alert));
        } else {
            in_the_way(&mut lines, alert);
            forecast(&mut lines, alert);
        }
        numbers(&mut lines, &alert.diagnosis.task_counts);
        suggested_actions(&mut lines, alert);
        tag_problems(&mut lines, alert);
    }
    remediations(&mut lines, alert);
    gaps(&mut lines, alert);
    lines.blank();
    lines.whole(0, &format!("Service:  {}", alert.service));
    lines.whole(0, &format!("Incident: {}", escaped(&alert.incident, usize::MAX, is_printable)));
    lines.text()
}

fn in_the_way(lines: &mut Lines, alert: &Alert) {
    let blocking_tasks = other_blocking_tasks(alert);
    let shown_max =
        if is_about_refused(alert.kind) { BLOCKING_TASKS_BESIDE_SHOWN_MAX } else { BLOCKING_TASKS_SHOWN_MAX };
    if blocking_tasks.is_empty() {
        if alert.kind == AlertKind::OrphanedProtection {
            lines.blank();
            lines.prose(0, "They block nothing now. The status command lists them (protectedTasks).");
        }
        return;
    }
    lines.blank();
    let heading = match alert.kind {
        AlertKind::OrphanedProtection => "Protected without a running job, longest first:".to_owned(),
        _ => blocking_heading(alert),
    };
    lines.prose(0, &heading);
    for (number, blocking_task) in blocking_tasks.iter().take(shown_max).enumerate() {
        in_the_way_one(lines, (number + 1, blocking_task), alert.at);
    }
    if blocking_tasks.len() > shown_max {
        lines.prose(0, &format!("and {}.", count(blocking_tasks.len() - shown_max, "more task")));
    }
}

fn in_the_way_one(lines: &mut Lines, (number, blocking_task): (usize, &BlockingTask), now: Timestamp) {
    let of = blocking_task.deployment.as_deref().map(|id| escaped(id, ID_CHARS_MAX - 32, is_printable));
    let of = of.map_or(String::new(), |id| format!(" of {id}"));
    lines.parts(0, &[&format!("{number:>2}. task {}{of}", blocking_task.task)]);
    let until = format!("protected until {}", time_from(blocking_task.protected_until, now));
    match &blocking_task.protected_for {
        ProtectedFor::Jobs(jobs) => {
            lines.parts(4, &[&until, &format!("for {}:", count(jobs.len(), "job"))]);
            longest_first(jobs).into_iter().take(JOBS_SHOWN_MAX).for_each(|one| job(lines, one, now));
            if jobs.len() > JOBS_SHOWN_MAX {
                lines.prose(4, &format!("and {}.", count(jobs.len() - JOBS_SHOWN_MAX, "more job")));
            }
        }
        ProtectedFor::NoJob => lines.parts(4, &[&until, "idle: its jobs have ended"]),
        ProtectedFor::Foreign => lines.parts(4, &[&until, "foreign: not protected by taskhold"]),
        ProtectedFor::Unknown => lines.parts(4, &[&until, "taskhold could not read its jobs"]),
    }
}

/// A job on several lines.
pub(crate) fn job(lines: &mut Lines, job: &JobSnapshot, now: Timestamp) {
    let id = escaped(&job.key.job_id, ID_CHARS_MAX, is_printable_in_quotes);
    let attempt = if job.key.attempt == 1 { String::new() } else { format!(" attempt {}", job.key.attempt) };
    let mut parts = vec![format!("- \"{id}\"{attempt}")];
    parts.extend(labels(&job.labels));
    parts.push(format!("until {}", time_from(job.until, now)));
    parts.extend(job.expected_until.map(|expected| format!("expected {}", time_from(expected, now))));
    lines.parts(4, &parts.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The labels in one pair of quotation marks, so that none can pass for taskhold's own text.
fn labels(labels: &Labels) -> Option<String> {
    let told: Vec<String> = labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let told = escaped(&told.join(", "), LABELS_CHARS_MAX, is_printable_in_quotes);
    (!labels.is_empty()).then(|| format!("labels \"{told}\""))
}

fn forecast(lines: &mut Lines, alert: &Alert) {
    let diagnosis = &alert.diagnosis;
    let Some(forecast) = diagnosis.forecast else { return };
    lines.blank();
    lines.prose(0, "Earliest end:");
    lines.prose(2, &format!("{} if the jobs end as expected,", time_from(forecast.by_jobs, alert.at)));
    lines.prose(2, &format!("{} if every protection lasts to its end.", time_from(forecast.by_expiry, alert.at)));
    if let (Some(margin), Some(deadline)) = (margin_in_words(diagnosis), diagnosis.deadline) {
        lines.prose(0, &margin);
        lines.prose(0, &deadline_source(&deadline));
    }
}

fn numbers(lines: &mut Lines, numbers: &TaskCounts) {
    let TaskCounts { desired, lower_bound, upper_bound, live, protected, room, deployments } = numbers;
    lines.blank();
    lines.prose(0, &format!("Tasks: {desired} desired, min {lower_bound}, max {upper_bound}; {live} live, {protected} of them protected."));
    lines.prose(
        0,
        &format!(
            "Room for {room} new tasks beside the blocking tasks. Deployments: {deployments} of {DEPLOYMENTS_MAX}."
        ),
    );
}

fn suggested_actions(lines: &mut Lines, alert: &Alert) {
    let ways = &alert.diagnosis.suggested_actions;
    if let Some(general) = general_suggested_actions(alert) {
        lines.blank();
        lines.prose(0, &general);
    }
    if ways.is_empty() {
        return;
    }
    lines.blank();
    lines.prose(0, "Suggested actions, safest first:");
    for (number, way) in ways.iter().enumerate() {
        lines.prose(0, &format!("{}. {}", number + 1, suggested_action(way, alert)));
        let commands = commands(way);
        commands.iter().take(COMMANDS_SHOWN_MAX).for_each(|command| lines.whole(3, command));
        if commands.len() > COMMANDS_SHOWN_MAX {
            let more = count(commands.len() - COMMANDS_SHOWN_MAX, "more command");
            lines.prose(3, &format!("and {more} of this form, for the other tasks."));
        }
    }
}

/// A suggested action in words, without its commands.
pub(crate) fn suggested_action(way: &SuggestedAction, alert: &Alert) -> String {
    let now = alert.at;
    match (way, lost_by_waiting(alert)) {
        (SuggestedAction::Wait { until, .. }, lost @ 1..) => format!(
            "Wait until {}. That interrupts the jobs of {} whose protection ECS does not renew.",
            time_from(*until, now),
            count(lost, "task")
        ),
        (way, _) => harmless_suggested_action(way, now),
    }
}

fn harmless_suggested_action(way: &SuggestedAction, now: Timestamp) -> String {
    match way {
        SuggestedAction::Wait { until, expected } if until == expected => {
            format!("Wait until {}.", time_from(*until, now))
        }
        SuggestedAction::Wait { until, expected } => {
            format!("Wait. Its expected end is {}, at the latest {}.", time(*expected), time(*until))
        }
        SuggestedAction::ReleaseIdle { tasks, .. } if tasks.len() == 1 => {
            "Release the task whose jobs have all ended:".to_owned()
        }
        SuggestedAction::ReleaseIdle { tasks, .. } => {
            format!("Release the {} tasks whose jobs have all ended:", tasks.len())
        }
        SuggestedAction::RaiseDesiredCount { to, .. } => {
            format!("Raise the desired count to {to}, above the number of protected tasks:")
        }
        SuggestedAction::RaiseMaximumPercent { to, .. } => {
            format!("Raise maximumPercent to {to}, so that new tasks fit beside the protected ones:")
        }
    }
}

fn remediations(lines: &mut Lines, alert: &Alert) {
    if alert.remediations.is_empty() {
        return;
    }
    lines.blank();
    lines.prose(0, "Remediations by taskhold:");
    for note in &alert.remediations {
        let text = escaped(&note.text, NOTE_CHARS_MAX, is_printable);
        lines.prose(0, &format!("- {}: {text}.", time_from(note.at, alert.at)));
    }
}

fn tag_problems(lines: &mut Lines, alert: &Alert) {
    let problems = &alert.diagnosis.tag_problems;
    if problems.is_empty() {
        return;
    }
    lines.blank();
    lines.prose(0, "Tags of the service that taskhold ignores:");
    for problem in problems.iter().take(TAG_PROBLEMS_SHOWN_MAX) {
        let (tag_chars_max, value_chars_max) = TAG_CHARS_MAX;
        let tag = escaped(&problem.tag, tag_chars_max, is_printable_in_quotes);
        let value = escaped(&problem.value, value_chars_max, is_printable_in_quotes);
        lines.quoted(2, &format!("\"{tag}\" is \"{value}\"; it {}", problem.fault));
    }
    if problems.len() > TAG_PROBLEMS_SHOWN_MAX {
        lines.prose(2, &format!("and {} more.", problems.len() - TAG_PROBLEMS_SHOWN_MAX));
    }
}

fn gaps(lines: &mut Lines, alert: &Alert) {
    let gaps = &alert.diagnosis.gaps;
    if gaps.is_empty() {
        return;
    }
    lines.blank();
    lines.prose(0, "What taskhold could not read, so there may be more:");
    for gap in gaps.iter().take(GAPS_SHOWN_MAX) {
        lines.quoted(2, &escaped(gap, GAP_CHARS_MAX, is_printable));
    }
    if gaps.len() > GAPS_SHOWN_MAX {
        lines.prose(2, &format!("and {} more.", gaps.len() - GAPS_SHOWN_MAX));
    }
}
