//! One message per interrupted job, for a queue whose consumer restarts the jobs. The shape is published in
//! `schemas/interrupted-job.schema.json`.

use crate::clock::WholeSeconds;
use crate::notify::json::limits::text;
use crate::notify::json::values::bounded;
use crate::notify::notification::interruption::{jobs, service};
use crate::service::alert::AlertKind;
use crate::service::snapshot::JobSnapshot;
use crate::task::interruption::{InterruptedTask, StopStage};
use crate::task::job::Labels;
use serde::Serialize;

/// The version of the shape. New fields do not change it.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobDocument<'a> {
    version: u32,
    kind: AlertKind,
    job_id: &'a str,
    attempt: u32,
    labels: &'a Labels,
    task_arn: &'a str,
    cluster: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    stage: StopStage,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_reason: Option<&'a str>,
    at: WholeSeconds,
}

/// The message bodies as JSON, each far below SQS's limit: the limits of job messages bound the job's texts, and ECS's
/// texts are shortened.
pub fn job_messages(interrupted: &InterruptedTask) -> Vec<String> {
    let InterruptedTask { task, interruption } = interrupted;
    let (task_arn, service) = (task.to_string(), service(task, interruption).map(|service| service.to_string()));
    let (stop_code, reason) = (&interruption.stop_code, &interruption.stopped_reason);
    let (stop_code, reason) = (stop_code.as_deref().map(bounded), reason.as_deref().map(bounded));
    let body = |JobSnapshot { key, labels, .. }: &JobSnapshot| {
        text(&JobDocument {
            version: VERSION,
            kind: AlertKind::JobInterrupted,
            job_id: &key.job_id,
            attempt: key.attempt,
            labels,
            task_arn: &task_arn,
            cluster: &task.cluster.name,
            service: service.as_deref(),
            stage: interruption.stage,
            stop_code: stop_code.as_deref(),
            stopped_reason: reason.as_deref(),
            at: interruption.at.into(),
        })
    };
    jobs(interruption).iter().map(body).collect()
}
