//! The JSON of an alert, for machines. Its shape is published in `schemas/alert.schema.json`.
//!
//! It always fits its transport: lists are shortened, jobs before tasks, and each shortened list states how many items
//! were omitted. Single items are never cut.

use crate::clock::WholeSeconds;
use crate::notify::email::NOTE_CHARS_MAX;
use crate::notify::refused::{all as all_refused, is_about as is_about_refused};
use crate::notify::view::parts::{
    DeadlineReport, ForecastReport, TagProblemReport, gaps, rollout, suggested_action, tag_problems,
};
use crate::notify::view::tasks::{Detail, Room, refused_tasks, tasks};
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::service::diagnosis::{RolloutStatus, TaskCounts};
use crate::service::remediation::RemediationNote;
use crate::text::{escaped, is_printable};
use serde::Serialize;
use serde_json::{Value, json};

/// The version of the shape. New fields do not change it.
pub const VERSION: u32 = 1;
/// Maximum size as a string within JSON, including quotes and escapes. Half of SNS's limit: email and chat share the
/// rest, and the envelope that SNS delivers escapes the message once more.
pub const ESCAPED_BYTES_MAX: usize = 128 * 1024;
/// Maximum number of blocking tasks; the `status` command returns more.
pub const BLOCKING_TASKS_MAX: usize = 500;
/// Maximum number of refused tasks, the same as of blocking tasks.
pub const REFUSED_MAX: usize = BLOCKING_TASKS_MAX;
/// Maximum number of commands of a suggested action, each for ten tasks, and of its tasks accordingly.
pub const COMMANDS_MAX: usize = 10;
/// Maximum number of failed reads.
pub const GAPS_MAX: usize = crate::notify::view::parts::GAPS_MAX;
/// Maximum number of tags that taskhold ignores.
pub const TAG_PROBLEMS_MAX: usize = crate::notify::view::parts::TAG_PROBLEMS_MAX;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: u32,
    incident: &'a str,
    kind: AlertKind,
    event: Transition,
    service: String,
    service_name: &'a str,
    cluster: &'a str,
    since: WholeSeconds,
    at: WholeSeconds,
    rollout_status: RolloutStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_since: Option<WholeSeconds>,
    blocking_tasks: Vec<Value>,
    blocking_tasks_omitted: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<ForecastReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<DeadlineReport>,
    task_counts: TaskCounts,
    suggested_actions: Vec<Value>,
    refused_tasks: Vec<Value>,
    refused_tasks_omitted: usize,
    remediations: Vec<Value>,
    tag_problems: Vec<TagProblemReport>,
    tag_problems_omitted: usize,
    gaps: Vec<String>,
    gaps_omitted: usize,
}

/// The JSON: at most [`ESCAPED_BYTES_MAX`] in escaped form, and therefore unescaped too.
pub fn message(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let cluster = &alert.service.cluster;
    let mut document = Document {
        version: VERSION,
        incident: &alert.incident,
        kind: alert.kind,
        event: alert.event,
        service: alert.service.to_string(),
        service_name: &alert.service.name,
        cluster: &cluster.name,
        since: alert.since.into(),
        at: alert.at.into(),
        rollout_status: diagnosis.rollout_status,
        rollout: rollout(&diagnosis.rollout),
        blocked_since: diagnosis.blocked_since.map(Into::into),
        blocking_tasks: Vec::new(),
        blocking_tasks_omitted: diagnosis.blocking_tasks.len(),
        forecast: diagnosis.forecast.as_ref().map(ForecastReport::from),
        deadline: diagnosis.deadline.map(|deadline| DeadlineReport::new(deadline, diagnosis.forecast.as_ref())),
        task_counts: diagnosis.task_counts,
        suggested_actions: diagnosis
            .suggested_actions
            .iter()
            .map(|way| suggested_action(cluster, way, COMMANDS_MAX))
            .collect(),
        refused_tasks: Vec::new(),
        refused_tasks_omitted: diagnosis.refused_tasks.len(),
        remediations: alert.remediations.iter().map(remediation).collect(),
        tag_problems: tag_problems(&diagnosis.tag_problems).collect(),
        tag_problems_omitted: diagnosis.tag_problems.len().saturating_sub(TAG_PROBLEMS_MAX),
        gaps: gaps(&diagnosis.gaps).collect(),
        gaps_omitted: diagnosis.gaps.len().saturating_sub(GAPS_MAX),
    };
    // As many tasks as fit. Refused tasks may use half of the space if the alert is about them, else an eighth;
    // blocking tasks use the rest.
    let left = |document: &Document<'_>| ESCAPED_BYTES_MAX.saturating_sub(escaped_bytes(&text(document)));
    let room = |items_max, bytes_max| Room { items_max, bytes_max, bytes: |json| escaped_bytes(&sendable(json)) };
    let part = left(&document) / if is_about_refused(alert.kind) { 2 } else { 8 };
    document.refused_tasks =
        refused_tasks(cluster, &all_refused(alert), &room(REFUSED_MAX, part), &Detail::LESS_AND_LESS);
    document.refused_tasks_omitted -= document.refused_tasks.len();
    let rest = left(&document);
    document.blocking_tasks =
        tasks(cluster, &diagnosis.blocking_tasks, &room(BLOCKING_TASKS_MAX, rest), &Detail::LESS_AND_LESS);
    document.blocking_tasks_omitted -= document.blocking_tasks.len();
    text(&document)
}

fn text(document: &Document<'_>) -> String {
    sendable(&serde_json::to_string(document).expect("plain data has a JSON form"))
}

/// JSON without the two characters that SQS rejects although JSON allows them (SQS API reference, "SendMessage"). A job
/// id may contain them, and its alert must still be sent. They occur only in strings, where an escape is equivalent.
pub(crate) fn sendable(json: &str) -> String {
    json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

/// The length of a text as a string within JSON.
pub(crate) fn escaped_bytes(text: &str) -> usize {
    json!(text).to_string().len()
}

/// A remediation note. The service record limits their number.
fn remediation(note: &RemediationNote) -> Value {
    json!({"at": WholeSeconds::from(note.at), "text": escaped(&note.text, NOTE_CHARS_MAX, is_printable)})
}
