//! The JSON for machines. Its shape is published in `schemas/alert.schema.json`.
//!
//! It always fits where it goes: lists are shortened, the jobs before the tasks, and each that was shortened says by how
//! much. Nothing is cut inside.

use super::words::{escaped, is_printable, longest_first};
use super::{Alert, AlertEvent, AlertKind};
use crate::decide::diagnose::{Arithmetic, Blocker, HeldFor, Standing};
use crate::ecs::TASKS_PER_PROTECTION_CALL_MAX;
use crate::report::{BlockerReport, DeadlineReport, FinishReport, movement, way_out};
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
/// Jobs of a blocker, and if those do not fit, fewer.
pub const JOBS_MAX: [usize; 3] = [20, 5, 1];
/// Commands of a way out, each for ten tasks, and its tasks.
pub const COMMANDS_MAX: usize = 10;
/// Reasons why something could not be seen.
pub const GAPS_MAX: usize = 20;
/// One of them: text of AWS's, of any length.
const GAP_CHARS_MAX: usize = 500;

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
    gaps: Vec<String>,
    gaps_left_out: usize,
}

/// The JSON as text: at most [`ESCAPED_BYTES_MAX`] when it is escaped, and so not more as it is.
pub fn message(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let cluster = &alert.service.cluster;
    let gaps = diagnosis.gaps.iter().take(GAPS_MAX).map(|gap| escaped(gap, GAP_CHARS_MAX, is_printable));
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
        ways_out: diagnosis.ways_out.iter().map(|way| shortened(way_out(cluster, way))).collect(),
        gaps: gaps.collect(),
        gaps_left_out: diagnosis.gaps.len().saturating_sub(GAPS_MAX),
    };
    let room = ESCAPED_BYTES_MAX.saturating_sub(escaped_bytes(&text(&document)));
    document.blockers = blockers(alert, room);
    document.blockers_left_out -= document.blockers.len();
    text(&document)
}

/// As many blockers as fit, those that are protected longest first.
fn blockers(alert: &Alert, room: usize) -> Vec<Value> {
    let wanted = alert.diagnosis.blockers.len().min(BLOCKERS_MAX);
    let mut taken = Vec::new();
    for jobs_max in JOBS_MAX {
        let mut used = 0;
        let reports = alert.diagnosis.blockers.iter().take(wanted).map(|one| blocker(alert, one, jobs_max));
        let fits = |report: &Value| {
            used += escaped_bytes(&sendable(&report.to_string())) + ",".len();
            used <= room
        };
        taken = reports.take_while(fits).collect();
        if taken.len() == wanted {
            break;
        }
    }
    taken
}

fn blocker(alert: &Alert, blocker: &Blocker, jobs_max: usize) -> Value {
    let HeldFor::Jobs(jobs) = &blocker.held_for else {
        return json!(BlockerReport::new(&alert.service.cluster, blocker));
    };
    let longest = longest_first(jobs).into_iter().take(jobs_max).cloned().collect();
    let shorter = Blocker {
        task: blocker.task.clone(),
        deployment: blocker.deployment.clone(),
        protected_until: blocker.protected_until,
        held_for: HeldFor::Jobs(longest),
    };
    let mut report = json!(BlockerReport::new(&alert.service.cluster, &shorter));
    if jobs.len() > jobs_max {
        report["jobsLeftOut"] = json!(jobs.len() - jobs_max);
    }
    report
}

/// A way out with the first of its commands, and with the tasks that these are for.
fn shortened(mut way: Value) -> Value {
    let lists = [
        ("commands", "commandsLeftOut", COMMANDS_MAX),
        ("taskArns", "taskArnsLeftOut", COMMANDS_MAX * TASKS_PER_PROTECTION_CALL_MAX),
    ];
    for (list, left_out, max) in lists {
        if let Some(items) = way.get_mut(list).and_then(Value::as_array_mut)
            && items.len() > max
        {
            let more = items.len() - max;
            items.truncate(max);
            way[left_out] = json!(more);
        }
    }
    way
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
