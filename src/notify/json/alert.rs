//! The JSON of an alert about a service, defined as `ofService` in `schemas/alert.schema.json`.

use crate::clock::WholeSeconds;
use crate::notify::json::limits::{BLOCKING_TASKS_MAX, COMMANDS_MAX, REFUSED_MAX, VERSION, bytes_left, text};
use crate::notify::json::parts::{Lists, RolloutReport, suggested_action};
use crate::notify::json::tasks::{Room, tasks};
use crate::notify::notification::refused::all as all_refused;
use crate::service::alert::{Alert, AlertKind, Transition};
use crate::service::remediation::RemediationNote;
use crate::text::{escaped, is_printable};
use serde::Serialize;
use serde_json::{Value, json};

/// For the result of a remediation: taskhold's text, perhaps with an AWS error.
const NOTE_CHARS_MAX: usize = 300;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertDocument<'a> {
    version: u32,
    incident: &'a str,
    kind: AlertKind,
    event: Transition,
    service: String,
    service_name: &'a str,
    cluster: &'a str,
    since: WholeSeconds,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    superseded_deployments: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    came_back_at: Option<WholeSeconds>,
    at: WholeSeconds,
    #[serde(flatten)]
    rollout: RolloutReport,
    suggested_actions: Vec<Value>,
    remediations: Vec<Value>,
    #[serde(flatten)]
    lists: Lists,
}

pub(crate) fn message(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let cluster = &alert.service.cluster;
    let actions = diagnosis.suggested_actions.iter();
    let mut document = AlertDocument {
        version: VERSION,
        incident: &alert.incident,
        kind: alert.kind,
        event: alert.event,
        service: alert.service.to_string(),
        service_name: &alert.service.name,
        cluster: &cluster.name,
        since: alert.since.into(),
        superseded_deployments: &alert.superseded,
        came_back_at: alert.came_back_at.map(Into::into),
        at: alert.at.into(),
        rollout: diagnosis.into(),
        suggested_actions: actions.map(|action| suggested_action(cluster, action, COMMANDS_MAX)).collect(),
        remediations: alert.remediations.iter().map(remediation).collect(),
        lists: Lists::of_an_alert(),
    };
    let refused = all_refused(alert);
    document.lists.reserve("blockingTasks", diagnosis.blocking_tasks.len());
    document.lists.reserve("refusedTasks", refused.len());
    document.lists.add_tag_problems(&diagnosis.tag_problems);
    document.lists.add_gaps(&diagnosis.gaps);
    // As many tasks as fit. Refused tasks may use half of the space if the alert is about them, else an eighth;
    // blocking tasks use the rest.
    let part = bytes_left(&document) / if alert.kind.is_about_refusals() { 2 } else { 8 };
    let shown = tasks(cluster, refused.iter().copied(), &Room::in_an_alert(REFUSED_MAX, part));
    document.lists.add("refusedTasks", shown, refused.len());
    let room = Room::in_an_alert(BLOCKING_TASKS_MAX, bytes_left(&document));
    let shown = tasks(cluster, &diagnosis.blocking_tasks, &room);
    document.lists.add("blockingTasks", shown, diagnosis.blocking_tasks.len());
    text(&document)
}

/// A remediation note. The service record limits their number.
fn remediation(note: &RemediationNote) -> Value {
    json!({"at": WholeSeconds::from(note.at), "text": escaped(&note.text, NOTE_CHARS_MAX, is_printable)})
}
