//! The JSON of an interrupted task, defined as `jobInterrupted` in `schemas/alert.schema.json`.

use crate::clock::WholeSeconds;
use crate::notify::json::limits::{VERSION, bytes_left, text};
use crate::notify::json::parts::Lists;
use crate::notify::json::tasks::{Room, jobs};
use crate::notify::json::values::bounded;
use crate::notify::notification::Notification;
use crate::notify::notification::interruption::jobs as interrupted_jobs;
use crate::service::alert::{AlertKind, Transition};
use crate::task::interruption::{InterruptedTask, StopStage};
use serde::Serialize;
use serde_json::json;

/// Maximum number of exit codes: more than ECS allows containers in a task (ECS Developer Guide, "Amazon ECS service
/// quotas").
const EXIT_CODES_MAX: usize = 20;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InterruptionDocument<'a> {
    version: u32,
    incident: &'a str,
    kind: AlertKind,
    event: Transition,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_name: Option<&'a str>,
    cluster: &'a str,
    task_arn: String,
    at: WholeSeconds,
    stage: StopStage,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_until: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protection_reported_at: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protection_lost_at: Option<WholeSeconds>,
    #[serde(flatten)]
    lists: Lists,
}

pub(crate) fn message(notification: &Notification<'_>, interrupted: &InterruptedTask) -> String {
    let InterruptedTask { task, interruption } = interrupted;
    let service = notification.service.as_ref();
    let mut document = InterruptionDocument {
        version: VERSION,
        incident: &notification.incident,
        kind: notification.kind,
        event: notification.event,
        service: service.map(ToString::to_string),
        service_name: service.map(|service| service.name.as_str()),
        cluster: &task.cluster.name,
        task_arn: task.to_string(),
        at: interruption.at.into(),
        stage: interruption.stage,
        stop_code: interruption.stop_code.as_deref().map(bounded),
        stopped_reason: interruption.stopped_reason.as_deref().map(bounded),
        protected_until: interruption.protected_until.map(Into::into),
        protection_reported_at: interruption.protection_reported_at.map(Into::into),
        protection_lost_at: interruption.protection_lost_at.map(Into::into),
        lists: Lists::of_an_alert(),
    };
    let first = interruption.exit_codes.iter().take(EXIT_CODES_MAX);
    let exit_codes = first.map(|exit| json!({"container": bounded(&exit.container), "exitCode": exit.code}));
    document.lists.add("exitCodes", exit_codes.collect(), interruption.exit_codes.len());
    let all = interrupted_jobs(interruption);
    document.lists.reserve("jobs", all.len());
    let shown = jobs(&all, &Room::for_jobs_in_an_alert(bytes_left(&document)));
    document.lists.add("jobs", shown, all.len());
    text(&document)
}
