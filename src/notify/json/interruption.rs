//! The JSON of an interrupted task, defined as `jobInterrupted` in `schemas/alert.schema.json`.

use crate::clock::WholeSeconds;
use crate::notify::interrupted::{EVENT, InterruptionView, KIND};
use crate::notify::json::parts::{Lists, bounded};
use crate::notify::json::tasks::{Room, jobs};
use crate::notify::json::{VERSION, bytes_left, text};
use crate::service::alert::{AlertKind, Transition};
use crate::task::interruption::StopStage;
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
    #[serde(flatten)]
    lists: Lists,
}

/// The JSON, at most [`ESCAPED_BYTES_MAX`](crate::notify::json::ESCAPED_BYTES_MAX) in escaped form.
pub(crate) fn message(view: &InterruptionView<'_>) -> String {
    let what = view.what;
    let mut document = InterruptionDocument {
        version: VERSION,
        incident: &view.incident(),
        kind: KIND,
        event: EVENT,
        service: view.service.as_ref().map(ToString::to_string),
        service_name: view.service.as_ref().map(|service| service.name.as_str()),
        cluster: &view.task.cluster.name,
        task_arn: view.task.to_string(),
        at: what.at.into(),
        stage: what.stage,
        stop_code: what.stop_code.as_deref().map(bounded),
        stopped_reason: what.stopped_reason.as_deref().map(bounded),
        protected_until: what.protected_until.map(Into::into),
        lists: Lists::of_an_alert(),
    };
    let first = what.exit_codes.iter().take(EXIT_CODES_MAX);
    let exit_codes = first.map(|(container, code)| json!({"container": bounded(container), "exitCode": code}));
    document.lists.add("exitCodes", exit_codes.collect(), what.exit_codes.len());
    document.lists.reserve("jobs", view.jobs.len());
    let shown = jobs(&view.jobs, &Room::for_jobs_in_an_alert(bytes_left(&document)));
    document.lists.add("jobs", shown, view.jobs.len());
    text(&document)
}
