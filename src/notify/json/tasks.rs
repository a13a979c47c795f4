//! Tasks and jobs as JSON: as many as fit.
//!
//! If not all tasks fit, first the jobs of each task are limited, then labels are dropped, then tasks. Each shortened
//! list states how many items were omitted.

use crate::clock::WholeSeconds;
use crate::ecs::arn::ClusterArn;
use crate::notify::json::limits::{escaped_bytes, sendable};
use crate::notify::json::parts::task_arn;
use crate::notify::json::values::present;
use crate::notify::task_view::TaskView;
use crate::service::blocking_task::ProtectedFor;
use crate::service::refused_task::RefusalCause;
use crate::service::snapshot::JobSnapshot;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The amount of detail per task.
#[derive(Clone, Copy, Debug)]
struct Detail {
    /// Maximum number of jobs of a task.
    jobs_max: usize,
    /// Maximum number of labels of a job.
    labels_max: usize,
}

/// All jobs with all labels.
const WHOLE: Detail = Detail { jobs_max: usize::MAX, labels_max: usize::MAX };
const SOME_JOBS: Detail = Detail { jobs_max: 20, ..WHOLE };
const FEW_JOBS: Detail = Detail { jobs_max: 5, ..WHOLE };
const ONE_JOB: Detail = Detail { jobs_max: 1, ..WHOLE };
const ONE_JOB_UNLABELLED: Detail = Detail { jobs_max: 1, labels_max: 0 };
const UNLABELLED: Detail = Detail { labels_max: 0, ..WHOLE };

/// The space for a list of tasks or jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Maximum number of items.
    items_max: usize,
    /// Maximum number of bytes.
    bytes_max: usize,
    /// Computes the size of a JSON text at its destination, where it may be escaped again.
    bytes: fn(&str) -> usize,
    /// The levels of detail to try in turn until everything fits.
    details: &'static [Detail],
}

impl Room {
    /// For the answer to a command, which is JSON.
    pub(crate) fn in_an_answer(bytes_max: usize) -> Self {
        let details = &[WHOLE, SOME_JOBS, FEW_JOBS, ONE_JOB, ONE_JOB_UNLABELLED];
        Self { items_max: usize::MAX, bytes_max, bytes: str::len, details }
    }

    /// For an alert, which is a string in JSON.
    pub(crate) fn in_an_alert(items_max: usize, bytes_max: usize) -> Self {
        let details = &[SOME_JOBS, FEW_JOBS, ONE_JOB, ONE_JOB_UNLABELLED];
        Self { items_max, bytes_max, bytes: |json| escaped_bytes(&sendable(json)), details }
    }

    /// For an alert about jobs: as many jobs as fit, rather than their labels.
    pub(crate) fn for_jobs_in_an_alert(bytes_max: usize) -> Self {
        Self { details: &[WHOLE, UNLABELLED], ..Self::in_an_alert(usize::MAX, bytes_max) }
    }
}

/// The first tasks that fit.
pub(crate) fn tasks<'a, T: Into<TaskView<'a>>>(
    cluster: &Arc<ClusterArn>,
    tasks: impl IntoIterator<Item = T>,
    room: &Room,
) -> Vec<Value> {
    let views: Vec<TaskView<'_>> = tasks.into_iter().map(Into::into).collect();
    as_many_as_fit(&views, room, |view, detail| task_report(cluster, view, detail))
}

/// The first jobs that fit.
pub(crate) fn jobs(jobs: &[JobSnapshot], room: &Room) -> Vec<Value> {
    as_many_as_fit(jobs, room, job_report)
}

/// The first items that fit: at the first level of detail at which all fit, or else at the last level.
fn as_many_as_fit<T>(all: &[T], room: &Room, report: impl Fn(&T, Detail) -> Value) -> Vec<Value> {
    let wanted = all.len().min(room.items_max);
    let mut taken = Vec::new();
    for detail in room.details {
        let mut used = 0;
        let fits = |report: &Value| {
            used += (room.bytes)(&report.to_string()) + ",".len();
            used <= room.bytes_max
        };
        taken = all[..wanted].iter().map(|item| report(item, *detail)).take_while(fits).collect();
        if taken.len() == wanted {
            break;
        }
    }
    taken
}

fn task_report(cluster: &Arc<ClusterArn>, view: &TaskView<'_>, detail: Detail) -> Value {
    let protected_for = view.protected_for.map(|protected_for| match protected_for {
        ProtectedFor::Jobs(_) => "jobs",
        ProtectedFor::NoJob => "idle",
        ProtectedFor::Foreign => "foreign",
        ProtectedFor::Unknown => "unknown",
    });
    let jobs: Vec<Value> = view.jobs.iter().take(detail.jobs_max).map(|job| job_report(job, detail)).collect();
    let cause = view.refusal_cause.and_then(|cause| match cause {
        RefusalCause::Ecs => None,
        RefusalCause::RecordFull => Some("record-full"),
    });
    present(json!({
        "taskArn": task_arn(cluster, view.task),
        "deployment": view.deployment,
        "cause": cause,
        "since": view.refused_since.map(WholeSeconds::from),
        "protectedUntil": view.protected_until.map(WholeSeconds::from),
        "protectedFor": protected_for,
        "lingersUntil": view.lingers_until.map(WholeSeconds::from),
        "jobsStarted": (view.jobs_started > 0).then_some(view.jobs_started),
        "jobs": (!jobs.is_empty()).then_some(jobs),
        "jobsOmitted": omitted(view.jobs.len(), detail.jobs_max),
    }))
}

fn job_report(job: &JobSnapshot, detail: Detail) -> Value {
    let JobSnapshot { key, until, expected_until, learned, silent_since, labels } = job;
    let shown: BTreeMap<&String, &String> = labels.iter().take(detail.labels_max).collect();
    present(json!({
        "jobId": key.job_id,
        "attempt": key.attempt,
        "until": WholeSeconds::from(*until),
        "expectedUntil": expected_until.map(WholeSeconds::from),
        "learnedUntil": learned.end().map(|learned| WholeSeconds::from(learned.expected)),
        "silentSince": silent_since.map(WholeSeconds::from),
        "labels": (!shown.is_empty()).then_some(shown),
        "labelsOmitted": omitted(labels.len(), detail.labels_max),
    }))
}

/// The number of items beyond a maximum; `None` if there are none.
fn omitted(all: usize, max: usize) -> Option<usize> {
    (all > max).then(|| all - max)
}
