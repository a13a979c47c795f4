//! Tasks and jobs as JSON: as many as fit.
//!
//! If not all tasks fit, first the jobs of each task are limited, then labels are dropped, then tasks. Each shortened
//! list states how many items were omitted.

use crate::clock::WholeSeconds;
use crate::ecs::arn::{ClusterArn, Task};
use crate::notify::json::{escaped_bytes, sendable};
use crate::notify::task_view::TaskView;
use crate::service::diagnosis::ProtectedFor;
use crate::service::snapshot::JobSnapshot;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The number of items omitted from a list; `None` if it is complete.
type Omitted = Option<NonZeroUsize>;

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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskReport<'a> {
    task_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<&'a str>,
    /// When ECS first refused to protect it; only of a refused task.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_until: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_for: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<JobReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs_omitted: Omitted,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobReport<'a> {
    job_id: &'a str,
    attempt: u32,
    until: WholeSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_until: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels_omitted: Omitted,
}

/// The first tasks that fit.
pub(crate) fn tasks<'a, T: Into<TaskView<'a>>>(
    cluster: &Arc<ClusterArn>,
    tasks: impl IntoIterator<Item = T>,
    room: &Room,
) -> Vec<Value> {
    let views: Vec<TaskView<'_>> = tasks.into_iter().map(Into::into).collect();
    as_many_as_fit(&views, room, |view, detail| json_of(&task_report(cluster, view, detail)))
}

/// The first jobs that fit.
pub(crate) fn jobs(jobs: &[JobSnapshot], room: &Room) -> Vec<Value> {
    as_many_as_fit(jobs, room, |job, detail| json_of(&job_report(job, detail)))
}

/// The ARN of a task of the cluster.
pub(crate) fn task_arn(cluster: &Arc<ClusterArn>, id: &crate::ecs::arn::TaskId) -> String {
    Task { cluster: cluster.clone(), id: id.clone() }.to_string()
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

fn task_report<'a>(cluster: &Arc<ClusterArn>, view: &TaskView<'a>, detail: Detail) -> TaskReport<'a> {
    let protected_for = view.protected_for.map(|protected_for| match protected_for {
        ProtectedFor::Jobs(_) => "jobs",
        ProtectedFor::NoJob => "idle",
        ProtectedFor::Foreign => "foreign",
        ProtectedFor::Unknown => "unknown",
    });
    TaskReport {
        task_arn: task_arn(cluster, view.task),
        deployment: view.deployment,
        since: view.refused_since.map(Into::into),
        protected_until: view.protected_until.map(Into::into),
        protected_for,
        jobs: view.jobs.iter().take(detail.jobs_max).map(|job| job_report(job, detail)).collect(),
        jobs_omitted: NonZeroUsize::new(view.jobs.len().saturating_sub(detail.jobs_max)),
    }
}

fn job_report(job: &JobSnapshot, detail: Detail) -> JobReport<'_> {
    let JobSnapshot { key, until, expected_until, labels } = job;
    JobReport {
        job_id: &key.job_id,
        attempt: key.attempt,
        until: (*until).into(),
        expected_until: expected_until.map(Into::into),
        labels: labels.iter().take(detail.labels_max).map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        labels_omitted: NonZeroUsize::new(labels.len().saturating_sub(detail.labels_max)),
    }
}

fn json_of(report: &impl Serialize) -> Value {
    serde_json::to_value(report).expect("plain data has a JSON form")
}
