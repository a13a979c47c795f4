//! Tasks and jobs as JSON: as many as fit.
//!
//! If not all tasks fit, first the jobs of each task are limited, then labels are dropped, then tasks. Each shortened
//! list states how many items were omitted.

use crate::clock::WholeSeconds;
use crate::ecs::arn::ClusterArn;
use crate::notify::view::task_arn;
use crate::service::diagnosis::{BlockingTask, ProtectedFor, RefusedTask};
use crate::service::forecast::longest_first;
use crate::service::snapshot::JobSnapshot;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The number of items omitted from a list; `None` if it is complete.
pub(crate) type Omitted = Option<NonZeroUsize>;

/// The amount of detail per task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detail {
    /// Maximum number of jobs of a task.
    pub(crate) jobs_max: usize,
    /// Maximum number of labels of a job.
    pub(crate) labels_max: usize,
}

impl Detail {
    /// Full detail.
    pub(crate) const WHOLE: Self = Self { jobs_max: usize::MAX, labels_max: usize::MAX };
    /// The levels to try in turn until everything fits.
    pub(crate) const LESS_AND_LESS: [Self; 4] = [
        Self { jobs_max: 20, labels_max: usize::MAX },
        Self { jobs_max: 5, labels_max: usize::MAX },
        Self { jobs_max: 1, labels_max: usize::MAX },
        Self { jobs_max: 1, labels_max: 0 },
    ];
    /// The levels for lists of jobs without tasks.
    pub(crate) const OF_JOBS: [Self; 2] = [Self::WHOLE, Self { jobs_max: usize::MAX, labels_max: 0 }];
}

/// The space for a list of tasks or jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Maximum number of items.
    pub(crate) items_max: usize,
    /// Maximum number of bytes.
    pub(crate) bytes_max: usize,
    /// Computes the size of a JSON text at its destination, where it may be escaped again.
    pub(crate) bytes: fn(&str) -> usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskReport<'a> {
    task_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<&'a str>,
    protected_until: WholeSeconds,
    protected_for: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<JobReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs_omitted: Omitted,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusedTaskReport<'a> {
    task_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<&'a str>,
    since: WholeSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_until: Option<WholeSeconds>,
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

/// Protected tasks, limited by [`as_many_as_fit`].
pub(crate) fn tasks(cluster: &Arc<ClusterArn>, tasks: &[BlockingTask], room: &Room, details: &[Detail]) -> Vec<Value> {
    as_many_as_fit(tasks, (room, details), |task, detail| json!(task_report(cluster, task, detail)))
}

/// Refused tasks, limited by [`as_many_as_fit`].
pub(crate) fn refused_tasks(
    cluster: &Arc<ClusterArn>,
    tasks: &[&RefusedTask],
    room: &Room,
    details: &[Detail],
) -> Vec<Value> {
    as_many_as_fit(tasks, (room, details), |task, detail| json!(refused_report(cluster, task, detail)))
}

/// Jobs, limited by [`as_many_as_fit`].
pub(crate) fn jobs(jobs: &[JobSnapshot], room: &Room, details: &[Detail]) -> Vec<Value> {
    as_many_as_fit(jobs, (room, details), |job, detail| json!(job_report(job, detail)))
}

/// The first items that fit: at the first level of detail at which all fit, or else at the last level.
fn as_many_as_fit<T>(
    all: &[T],
    (room, details): (&Room, &[Detail]),
    report: impl Fn(&T, Detail) -> Value,
) -> Vec<Value> {
    let wanted = all.len().min(room.items_max);
    let mut taken = Vec::new();
    for detail in details {
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

fn task_report<'a>(cluster: &Arc<ClusterArn>, task: &'a BlockingTask, detail: Detail) -> TaskReport<'a> {
    let (protected_for, jobs) = match &task.protected_for {
        ProtectedFor::Jobs(jobs) => ("jobs", longest_first(jobs)),
        ProtectedFor::NoJob => ("idle", Vec::new()),
        ProtectedFor::Foreign => ("foreign", Vec::new()),
        ProtectedFor::Unknown => ("unknown", Vec::new()),
    };
    TaskReport {
        task_arn: task_arn(cluster, &task.task),
        deployment: task.deployment.as_deref(),
        protected_until: task.protected_until.into(),
        protected_for,
        jobs_omitted: NonZeroUsize::new(jobs.len().saturating_sub(detail.jobs_max)),
        jobs: jobs.into_iter().take(detail.jobs_max).map(|job| job_report(job, detail)).collect(),
    }
}

fn refused_report<'a>(cluster: &Arc<ClusterArn>, task: &'a RefusedTask, detail: Detail) -> RefusedTaskReport<'a> {
    let jobs = longest_first(&task.jobs);
    RefusedTaskReport {
        task_arn: task_arn(cluster, &task.task),
        deployment: task.deployment.as_deref(),
        since: task.since.into(),
        protected_until: task.protected_until.map(Into::into),
        jobs_omitted: NonZeroUsize::new(jobs.len().saturating_sub(detail.jobs_max)),
        jobs: jobs.into_iter().take(detail.jobs_max).map(|job| job_report(job, detail)).collect(),
    }
}

fn job_report(job: &JobSnapshot, detail: Detail) -> JobReport<'_> {
    let JobSnapshot { key, until, expected_until, labels } = job;
    let told = labels.iter().take(detail.labels_max).map(|(name, value)| (name.as_str(), value.as_str()));
    JobReport {
        job_id: &key.job_id,
        attempt: key.attempt,
        until: (*until).into(),
        expected_until: expected_until.map(Into::into),
        labels: told.collect(),
        labels_omitted: NonZeroUsize::new(labels.len().saturating_sub(detail.labels_max)),
    }
}
