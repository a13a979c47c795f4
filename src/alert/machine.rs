//! The JSON for machines. Its shape is published in `schemas/alert.schema.json`.
//!
//! It always fits where it goes: lists are shortened, the jobs before the tasks, and each that was shortened says by how
//! much. Nothing is cut inside.

use super::mail::NOTE_CHARS_MAX;
use super::unmet::{all as all_unmet, is_about as is_about_unmet};
use super::{Alert, AlertEvent, AlertKind};
use crate::data::{escaped, is_printable};
use crate::decide::diagnose::{Arithmetic, Standing};
use crate::decide::remedy::RemedyNote;
use crate::report::{
    DeadlineReport, Detail, FinishReport, Room, TagProblemReport, gaps, movement, tag_problems, tasks, unmet, way_out,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// The version of the shape. Fields are added without a new one.
pub const VERSION: u32 = 1;
/// What it may take as a string within JSON, quotes and escapes counted. Half of what SNS takes: mail and chat share the
/// rest, and the envelope in which SNS hands it on is escaped once more.
pub const ESCAPED_BYTES_MAX: usize = 128 * 1024;
/// More is for the `status` command to list.
pub const BLOCKERS_MAX: usize = 500;
/// Tasks that ECS refused, as many as blockers.
pub const UNMET_MAX: usize = BLOCKERS_MAX;
/// Commands of a way out, each for ten tasks, and its tasks.
pub const COMMANDS_MAX: usize = 10;
/// Reasons why something could not be seen.
pub const GAPS_MAX: usize = crate::report::GAPS_MAX;
/// Tags of the service that count for nothing.
pub const TAG_PROBLEMS_MAX: usize = crate::report::TAG_PROBLEMS_MAX;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: u32,
    incident: &'a str,
    kind: AlertKind,
    event: AlertEvent,
    service: String,
    service_name: &'a str,
    cluster: &'a str,
    since: Timestamp,
    at: Timestamp,
    standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    movement: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_since: Option<Timestamp>,
    blockers: Vec<Value>,
    blockers_left_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish: Option<FinishReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<DeadlineReport>,
    arithmetic: Arithmetic,
    ways_out: Vec<Value>,
    unmet: Vec<Value>,
    unmet_left_out: usize,
    remedies: Vec<Value>,
    tag_problems: Vec<TagProblemReport>,
    tag_problems_left_out: usize,
    gaps: Vec<String>,
    gaps_left_out: usize,
}

/// The JSON as text: at most [`ESCAPED_BYTES_MAX`] when it is escaped, and so not more as it is.
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
        since: alert.since,
        at: alert.at,
        standing: diagnosis.standing,
        movement: movement(&diagnosis.movement),
        blocked_since: diagnosis.blocked_since,
        blockers: Vec::new(),
        blockers_left_out: diagnosis.blockers.len(),
        finish: diagnosis.finish.as_ref().map(FinishReport::from),
        deadline: diagnosis.deadline.map(|deadline| DeadlineReport::new(deadline, diagnosis.finish.as_ref())),
        arithmetic: diagnosis.arithmetic,
        ways_out: diagnosis.ways_out.iter().map(|way| way_out(cluster, way, COMMANDS_MAX)).collect(),
        unmet: Vec::new(),
        unmet_left_out: diagnosis.unmet.len(),
        remedies: alert.remedies.iter().map(remedy).collect(),
        tag_problems: tag_problems(&diagnosis.tag_problems).collect(),
        tag_problems_left_out: diagnosis.tag_problems.len().saturating_sub(TAG_PROBLEMS_MAX),
        gaps: gaps(&diagnosis.gaps).collect(),
        gaps_left_out: diagnosis.gaps.len().saturating_sub(GAPS_MAX),
    };
    // As many tasks as fit. Those that ECS refused have a part of the room that is half of it if they are what the alert is
    // about, those in the way the rest.
    let left = |document: &Document<'_>| ESCAPED_BYTES_MAX.saturating_sub(escaped_bytes(&text(document)));
    let room = |items_max, bytes_max| Room { items_max, bytes_max, bytes: |json| escaped_bytes(&sendable(json)) };
    let part = left(&document) / if is_about_unmet(alert.kind) { 2 } else { 8 };
    document.unmet = unmet(cluster, &all_unmet(alert), &room(UNMET_MAX, part), &Detail::LESS_AND_LESS);
    document.unmet_left_out -= document.unmet.len();
    let rest = left(&document);
    document.blockers = tasks(cluster, &diagnosis.blockers, &room(BLOCKERS_MAX, rest), &Detail::LESS_AND_LESS);
    document.blockers_left_out -= document.blockers.len();
    text(&document)
}

fn text(document: &Document<'_>) -> String {
    sendable(&serde_json::to_string(document).expect("plain data has a JSON form"))
}

/// JSON without the two characters that SQS refuses and JSON allows (SQS API reference, "SendMessage"): a job may be called
/// by them, and its alert must not come to nothing. They occur in strings alone, where an escape means the same.
pub(super) fn sendable(json: &str) -> String {
    json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

/// How long a text is as a string within JSON.
pub(super) fn escaped_bytes(text: &str) -> usize {
    json!(text).to_string().len()
}

/// What was done, or not. The ledger keeps few.
fn remedy(note: &RemedyNote) -> Value {
    json!({"at": note.at, "text": escaped(&note.text, NOTE_CHARS_MAX, is_printable)})
}
