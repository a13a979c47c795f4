//! The JSON of an interrupted task, defined as `jobInterrupted` in `schemas/alert.schema.json`.

use crate::clock::WholeSeconds;
use crate::notify::interrupted::{EVENT, InterruptionView, KIND};
use crate::notify::json::{ESCAPED_BYTES_MAX, VERSION, escaped_bytes, sendable};
use crate::notify::view::parts::bounded;
use crate::notify::view::tasks::{Detail, Room, jobs};
use crate::service::alert::{AlertKind, Transition};
use crate::task::interruption::StopStage;
use serde::Serialize;
use serde_json::Value;

/// Maximum number of exit codes: more than ECS allows containers in a task (ECS Developer Guide, "Amazon ECS service
/// quotas").
const EXIT_CODES_MAX: usize = 20;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
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
    exit_codes: Vec<ExitCode>,
    exit_codes_omitted: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_until: Option<WholeSeconds>,
    jobs: Vec<Value>,
    jobs_omitted: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExitCode {
    container: String,
    exit_code: i32,
}

/// The JSON, at most [`ESCAPED_BYTES_MAX`] in escaped form.
pub(crate) fn message(view: &InterruptionView<'_>) -> String {
    let what = view.what;
    let exit_codes = what.exit_codes.iter().take(EXIT_CODES_MAX);
    let mut document = Document {
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
        exit_codes: exit_codes
            .map(|(container, exit_code)| ExitCode { container: bounded(container), exit_code: *exit_code })
            .collect(),
        exit_codes_omitted: what.exit_codes.len().saturating_sub(EXIT_CODES_MAX),
        protected_until: what.protected_until.map(Into::into),
        jobs: Vec::new(),
        jobs_omitted: view.jobs.len(),
    };
    let bytes_max = ESCAPED_BYTES_MAX.saturating_sub(escaped_bytes(&text(&document)));
    let room = Room { items_max: usize::MAX, bytes_max, bytes: |json| escaped_bytes(&sendable(json)) };
    document.jobs = jobs(&view.jobs, &room, &Detail::OF_JOBS);
    document.jobs_omitted -= document.jobs.len();
    text(&document)
}

fn text(document: &Document<'_>) -> String {
    sendable(&serde_json::to_string(document).expect("plain data has a JSON form"))
}
