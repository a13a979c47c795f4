//! Protected tasks as JSON: as many as there is room for.
//!
//! If not all fit, first fewer jobs of each are told, then no labels, and then fewer tasks. Each list that was shortened says
//! by how much.

use super::arn;
use crate::decide::diagnose::{Blocker, HeldFor, longest_first};
use crate::ecs::ClusterArn;
use crate::observe::ObservedJob;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// How many were left out of a list; `None` if none were.
pub(super) type LeftOut = Option<NonZeroUsize>;

/// How much is told of each task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detail {
    /// Jobs of a task.
    pub(crate) jobs_max: usize,
    /// Labels of a job.
    pub(crate) labels_max: usize,
}

impl Detail {
    /// Everything.
    pub(super) const WHOLE: Self = Self { jobs_max: usize::MAX, labels_max: usize::MAX };
    /// What is told when not everything fits, to be tried in turn.
    pub(crate) const LESS_AND_LESS: [Self; 4] = [
        Self { jobs_max: 20, labels_max: usize::MAX },
        Self { jobs_max: 5, labels_max: usize::MAX },
        Self { jobs_max: 1, labels_max: usize::MAX },
        Self { jobs_max: 1, labels_max: 0 },
    ];
}

/// The room that a list of tasks has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// In tasks.
    pub(crate) tasks_max: usize,
    /// In bytes.
    pub(crate) bytes_max: usize,
    /// How many bytes a text of JSON counts for, where it goes.
    pub(crate) bytes: fn(&str) -> usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskReport<'a> {
    task_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<&'a str>,
    protected_until: Timestamp,
    held_for: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<JobReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs_left_out: LeftOut,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobReport<'a> {
    job_id: &'a str,
    attempt: u32,
    until: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels_left_out: LeftOut,
}

/// As many tasks as fit, those in front, with the first of these details with which all fit, or else the last.
pub(crate) fn tasks(cluster: &Arc<ClusterArn>, tasks: &[Blocker], room: &Room, details: &[Detail]) -> Vec<Value> {
    let wanted = tasks.len().min(room.tasks_max);
    let mut taken = Vec::new();
    for detail in details {
        let mut used = 0;
        let fits = |report: &Value| {
            used += (room.bytes)(&report.to_string()) + ",".len();
            used <= room.bytes_max
        };
        taken =
            tasks[..wanted].iter().map(|task| json!(task_report(cluster, task, *detail))).take_while(fits).collect();
        if taken.len() == wanted {
            break;
        }
    }
    taken
}

fn task_report<'a>(cluster: &Arc<ClusterArn>, task: &'a Blocker, detail: Detail) -> TaskReport<'a> {
    let (held_for, jobs) = match &task.held_for {
        HeldFor::Jobs(jobs) => ("jobs", longest_first(jobs)),
        HeldFor::Nobody => ("nobody", Vec::new()),
        HeldFor::Foreign => ("foreign", Vec::new()),
        HeldFor::Unread => ("unread", Vec::new()),
    };
    TaskReport {
        task_arn: arn(cluster, &task.task),
        deployment: task.deployment.as_deref(),
        protected_until: task.protected_until,
        held_for,
        jobs_left_out: NonZeroUsize::new(jobs.len().saturating_sub(detail.jobs_max)),
        jobs: jobs.into_iter().take(detail.jobs_max).map(|job| job_report(job, detail)).collect(),
    }
}

fn job_report(job: &ObservedJob, detail: Detail) -> JobReport<'_> {
    let ObservedJob { key, until, expected_until, labels } = job;
    let told = labels.iter().take(detail.labels_max).map(|(name, value)| (name.as_str(), value.as_str()));
    JobReport {
        job_id: &key.job_id,
        attempt: key.attempt,
        until: *until,
        expected_until: *expected_until,
        labels: told.collect(),
        labels_left_out: NonZeroUsize::new(labels.len().saturating_sub(detail.labels_max)),
    }
}
