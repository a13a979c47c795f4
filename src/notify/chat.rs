//! The custom notification that Amazon Q Developer (formerly AWS Chatbot) shows in Slack and Teams. It silently drops
//! one that does not match its schema (aws-facts "SNS and chat").
//!
//! Markdown is the client's own, and Slack's differs from Teams'. The text therefore uses no markup but code spans, and
//! a span contains no character that either client could take for markup. Foreign text never leaves its span.

pub mod span;

use crate::notify::chat::span::{code, is_safe_in_code};
use crate::notify::email::subject;
use crate::notify::json::sendable;
use crate::notify::notification::first_lines::FirstLines;
use crate::notify::notification::{
    Action, List, ListItem, ListKind, Notification, Piece, Section, Severity, ShownNames, Text,
};
use crate::notify::sender::{Sender, runbook};
use crate::notify::wording::count;
use crate::text::{escaped, is_printable};
use serde_json::{Value, json};

// The limits of "Custom notifications using Amazon Q Developer in chat applications" in its administrator guide.
/// For `content.title`.
pub const TITLE_CHARS_MAX: usize = 250;
/// For `content.description`.
pub const DESCRIPTION_CHARS_MAX: usize = 8000;
/// For each of `content.nextSteps`.
pub const NEXT_STEP_CHARS_MAX: usize = 350;
/// For each of `content.keywords`.
pub const KEYWORD_CHARS_MAX: usize = 75;

/// For the names of service and cluster together.
const TITLE_WITH_SHORT_NAMES_CHARS_MAX: usize = 200;
/// For an id, a job's id, its labels, or a tag.
const NAME_CHARS_MAX: usize = 48;
/// For a text of AWS.
const SENTENCE_CHARS_MAX: usize = 300;
/// Maximum number of jobs of one task.
const JOBS_SHOWN_MAX: usize = 3;
/// Only people read the id of an event, so it may be shortened.
const EVENT_ID_CHARS_MAX: usize = 200;

/// Maximum number of items of a list; the email has more.
fn shown_max(kind: ListKind) -> usize {
    match kind {
        ListKind::BlockingTasks | ListKind::RefusedTasks => 5,
        ListKind::Jobs => 10,
        ListKind::OtherBlockingTasks
        | ListKind::TagProblems
        | ListKind::Remediations
        | ListKind::FailedReads
        | ListKind::StoppedReason
        | ListKind::TaskEnds => 3,
    }
}

/// The notification as JSON. Title, description and next steps are markdown; the rest is plain.
pub fn message(notification: &Notification<'_>, sender: &Sender) -> String {
    let (kind, event) = (notification.kind.as_str(), notification.event.as_str());
    let mut content = json!({
        "textType": "client-markdown",
        "title": title(notification),
        "description": description(notification, sender),
        "keywords": ["taskhold", kind, event],
    });
    let status = Action {
        text: "See the status:".to_owned(),
        commands: vec![sender.status_command(notification)],
        elsewhere: "the email has",
    };
    content["nextSteps"] = notification.actions.iter().chain([&status]).map(next_step).collect::<Vec<_>>().into();
    let id = format!("{}/{event}/{}", notification.incident, notification.at.as_second());
    let message: Value = json!({
        "version": "1.0",
        "source": "custom",
        "id": escaped(&id, EVENT_ID_CHARS_MAX, is_printable),
        "content": content,
        "metadata": {
            "threadId": notification.incident,
            "summary": subject(notification),
            "eventType": kind,
            "relatedResources": notification.resources,
            "additionalContext": notification.facts,
        },
    });
    sendable(&message.to_string())
}

fn title(notification: &Notification<'_>) -> String {
    let sign = match notification.severity {
        Severity::Critical => "🔴",
        Severity::Warning => "🟠",
        Severity::Minor => "🟡",
        Severity::Over => "🟢",
    };
    let problem = &notification.problem;
    // The names are safe in a code span: other characters than those of a name are escaped in ASCII.
    let span = |name: &str| format!("`{}`", if name.is_empty() { "-" } else { name });
    notification.line_with_names(TITLE_WITH_SHORT_NAMES_CHARS_MAX, |ShownNames { service, cluster }| match service {
        Some(service) => format!("{sign} {} ({}): {problem}", span(service), span(cluster)),
        None => format!("{sign} {}: {problem}", span(cluster)),
    })
}

/// The description with as many items of each list as fit.
fn description(notification: &Notification<'_>, sender: &Sender) -> String {
    let lengths = [1, 2, 3, 5, 10].map(|divisor| shortened(notification, sender, divisor));
    let fitting = lengths.iter().find(|text| text.chars().count() <= DESCRIPTION_CHARS_MAX);
    fitting.unwrap_or(&lengths[lengths.len() - 1]).clone()
}

/// The description with a fraction of the items that are shown at most.
fn shortened(notification: &Notification<'_>, sender: &Sender, divisor: usize) -> String {
    let first_lines = notification.first_lines.iter().flat_map(FirstLines::lines);
    let mut lines: Vec<String> = first_lines.chain(notification.summary.iter().cloned()).collect();
    for section in notification.sections.iter().chain(&notification.notes) {
        match section {
            Section::Lines(sentences) => lines.extend(sentences.iter().map(marked_up)),
            Section::List(list) => lines.extend(self::list(list, divisor)),
        }
    }
    let (runbook, function) = (runbook(notification), &sender.function);
    let [runbook, function] = [&runbook, function].map(|name| code(name, NAME_CHARS_MAX));
    lines.push(format!("Runbook: {runbook}. Sent by taskhold, Lambda function {function}."));
    lines.join("\n")
}

fn list(list: &List, divisor: usize) -> Vec<String> {
    let shown = list.items.iter().take((shown_max(list.kind) / divisor).max(1));
    let more = list.total - shown.len();
    let jobs_max = (JOBS_SHOWN_MAX / divisor).max(1);
    let mut lines = vec![list.heading.clone()];
    lines.extend(shown.map(|item| format!("• {}", self::item(item, jobs_max))));
    lines.extend((more > 0).then(|| format!("• and {}", count(more, &format!("more {}", list.kind.noun())))));
    lines
}

fn item(item: &ListItem, jobs_max: usize) -> String {
    let parts: Vec<String> = std::iter::once(&item.title).chain(&item.details).map(marked_up).collect();
    let parts = parts.join(", ");
    if item.jobs.is_empty() {
        return parts;
    }
    let shown = item.jobs.iter().take(jobs_max);
    let more = item.jobs_total - shown.len();
    let mut jobs: Vec<String> = shown.map(|job| self::item(job, 0)).collect();
    jobs.extend((more > 0).then(|| format!("and {}", count(more, "more job"))));
    format!("{parts}: {}", jobs.join("; "))
}

/// A text with everything foreign in code spans.
fn marked_up(text: &Text) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Own(text) => text.clone(),
        Piece::Id(name) | Piece::Name(name) => code(name, NAME_CHARS_MAX),
        // ECS and taskhold quote names in backticks.
        Piece::Sentence(text) => code(&text.replace('`', "'"), SENTENCE_CHARS_MAX),
    };
    text.0.iter().map(piece).collect()
}

/// The action with its first command, if the command fits whole and is safe in a code span; otherwise the action says
/// where the command is. A command is never altered.
fn next_step(Action { text, commands, elsewhere }: &Action) -> String {
    let Some(first) = commands.first() else { return text.clone() };
    let more = match commands.len() {
        1 => String::new(),
        many => format!(" and {} of this form", count(many - 1, "more command")),
    };
    let step = format!("{text} `{first}`{more}");
    if first.chars().all(is_safe_in_code) && step.chars().count() <= NEXT_STEP_CHARS_MAX {
        return step;
    }
    format!("{} ({elsewhere} the command)", text.trim_end_matches([':', '.']))
}
