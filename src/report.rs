//! The JSON that operators and CI steps get. Its shapes are published in `schemas/answers.schema.json`.

use crate::decide::diagnose::{
    Arithmetic, Blocker, Deadline, Diagnosis, Finish, HeldFor, Movement, Standing, WayOut, blockers_among,
};
use crate::decide::preflight::{Preflight, Verdict};
use crate::ecs::{ClusterArn, Task, TaskId};
use crate::event::CommandError;
use crate::observe::{Observed, ObservedJob};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The answer to a command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// To `status`.
    Status {
        /// One for each service.
        services: Vec<ServiceReport>,
        /// Whether the cluster has more services than were reported.
        more: bool,
    },
    /// To `preflight`.
    Preflight(Box<PreflightReport>),
    /// To `sweep`.
    Sweep(SweepReport),
    /// To a command that could not be carried out.
    Error(ErrorReport),
}

/// What a sweep came to, in services and alerts.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// Services that were looked at.
    pub looked_at: usize,
    /// Services that the time did not suffice for.
    pub not_looked_at: usize,
    /// Services and clusters that could not be looked at; why is in the log.
    pub failed: usize,
    /// Alerts that were sent.
    pub alerts: usize,
}

/// Why a command could not be carried out.
#[derive(Debug, Serialize)]
pub struct ErrorReport {
    /// For machines.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl From<CommandError> for Answer {
    fn from(error: CommandError) -> Self {
        Self::Error(ErrorReport { code: error.code(), message: error.to_string() })
    }
}

/// What became of one service in a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// It was looked at, and so many alerts were sent.
    At {
        /// Alerts.
        alerts: usize,
    },
    /// It could not be looked at.
    Failed,
    /// The time did not suffice.
    NotInTime,
}

impl SweepReport {
    pub(crate) fn count(&mut self, looked: Looked) {
        match looked {
            Looked::At { alerts } => {
                self.looked_at += 1;
                self.alerts += alerts;
            }
            Looked::Failed => self.failed += 1,
            Looked::NotInTime => self.not_looked_at += 1,
        }
    }
}

/// How a service stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    service: String,
    at: Timestamp,
    standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    movement: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_since: Option<Timestamp>,
    blockers: Vec<BlockerReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish: Option<FinishReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<DeadlineReport>,
    arithmetic: Arithmetic,
    ways_out: Vec<Value>,
    protected_tasks: Vec<BlockerReport>,
    gaps: Vec<String>,
}

/// What a deployment would meet that began now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreflightReport {
    service: String,
    at: Timestamp,
    verdict: Verdict,
    protected_tasks: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish: Option<FinishReport>,
    deadline: DeadlineReport,
    blockers: Vec<BlockerReport>,
    gaps: Vec<String>,
}

/// A protected task: one that blocks, or any.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockerReport {
    task_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<String>,
    protected_until: Timestamp,
    held_for: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<JobReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct JobReport {
    job_id: String,
    attempt: u32,
    until: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_until: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FinishReport {
    by_expiry: Timestamp,
    by_jobs: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadlineReport {
    at: Timestamp,
    source: crate::decide::diagnose::DeadlineSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    margin_minutes: Option<i64>,
}

impl ServiceReport {
    /// Puts what was observed and what was made of it into words for machines.
    pub fn new(observed: &Observed, diagnosis: &Diagnosis) -> Self {
        let cluster = &observed.service.arn.cluster;
        let reports = |tasks: &[Blocker]| tasks.iter().map(|task| BlockerReport::new(cluster, task)).collect();
        let protected: Vec<_> = observed.protected().map(|(task, _)| task).collect();
        Self {
            service: observed.service.arn.to_string(),
            at: observed.at,
            standing: diagnosis.standing,
            movement: movement(&diagnosis.movement),
            blocked_since: diagnosis.blocked_since,
            blockers: reports(&diagnosis.blockers),
            finish: diagnosis.finish.as_ref().map(FinishReport::from),
            deadline: diagnosis.deadline.map(|deadline| DeadlineReport::new(deadline, diagnosis.finish.as_ref())),
            arithmetic: diagnosis.arithmetic,
            ways_out: diagnosis.ways_out.iter().map(|way| way_out(cluster, way)).collect(),
            protected_tasks: reports(&blockers_among(&protected)),
            gaps: diagnosis.gaps.clone(),
        }
    }
}

impl PreflightReport {
    /// Puts a preflight into words for machines.
    pub fn new(observed: &Observed, preflight: &Preflight) -> Self {
        let cluster = &observed.service.arn.cluster;
        Self {
            service: observed.service.arn.to_string(),
            at: observed.at,
            verdict: preflight.verdict,
            protected_tasks: preflight.blockers.len(),
            finish: preflight.finish.as_ref().map(FinishReport::from),
            deadline: DeadlineReport::new(preflight.deadline, preflight.finish.as_ref()),
            blockers: preflight.blockers.iter().map(|blocker| BlockerReport::new(cluster, blocker)).collect(),
            gaps: preflight.gaps.clone(),
        }
    }
}

impl BlockerReport {
    pub(crate) fn new(cluster: &Arc<ClusterArn>, blocker: &Blocker) -> Self {
        let (held_for, jobs) = match &blocker.held_for {
            HeldFor::Jobs(jobs) => ("jobs", jobs.iter().map(JobReport::from).collect()),
            HeldFor::Nobody => ("nobody", Vec::new()),
            HeldFor::Foreign => ("foreign", Vec::new()),
            HeldFor::Unread => ("unread", Vec::new()),
        };
        Self {
            task_arn: arn(cluster, &blocker.task),
            deployment: blocker.deployment.clone(),
            protected_until: blocker.protected_until,
            held_for,
            jobs,
        }
    }
}

impl From<&ObservedJob> for JobReport {
    fn from(job: &ObservedJob) -> Self {
        let ObservedJob { key, until, expected_until } = job;
        Self { job_id: key.job_id.clone(), attempt: key.attempt, until: *until, expected_until: *expected_until }
    }
}

impl From<&Finish> for FinishReport {
    fn from(finish: &Finish) -> Self {
        Self { by_expiry: finish.by_expiry, by_jobs: finish.by_jobs }
    }
}

impl DeadlineReport {
    pub(crate) fn new(deadline: Deadline, finish: Option<&Finish>) -> Self {
        // Rounded down, so that a deadline that is missed by seconds is not told as met to the minute.
        let minutes = |margin: SignedDuration| i64::try_from(margin.as_millis().div_euclid(60_000)).unwrap_or(i64::MAX);
        let margin_minutes = finish.map(|finish| minutes(deadline.margin(finish)));
        Self { at: deadline.at, source: deadline.source, margin_minutes }
    }
}

fn arn(cluster: &Arc<ClusterArn>, id: &TaskId) -> String {
    Task { cluster: cluster.clone(), id: id.clone() }.to_string()
}

pub(crate) fn movement(movement: &Movement) -> Option<Value> {
    let kind = match movement {
        Movement::None => return None,
        Movement::Deployment { .. } => "deployment",
        Movement::TaskSet { .. } => "task-set",
        Movement::ScaleIn { .. } => "scale-in",
    };
    Some(json!({"kind": kind, "id": movement.id(), "begunAt": movement.begun_at()}))
}

pub(crate) fn way_out(cluster: &Arc<ClusterArn>, way: &WayOut) -> Value {
    match way {
        WayOut::Wait { until, expected } => json!({"way": "wait", "until": until, "expected": expected}),
        WayOut::ReleaseIdle { tasks, commands } => {
            let tasks: Vec<String> = tasks.iter().map(|id| arn(cluster, id)).collect();
            json!({"way": "release-idle", "taskArns": tasks, "commands": commands})
        }
        WayOut::RaiseDesiredCount { to, command } => {
            json!({"way": "raise-desired-count", "to": to, "commands": [command]})
        }
        WayOut::RaiseMaximumPercent { to, command } => {
            json!({"way": "raise-maximum-percent", "to": to, "commands": [command]})
        }
    }
}
