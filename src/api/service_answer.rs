//! The answers to `status` and `preflight` for one service, in bounded size.

use crate::api::answer::ANSWER_BYTES_MAX;
use crate::clock::WholeSeconds;
use crate::ecs::arn::ClusterArn;
use crate::notify::view::parts::{
    DeadlineReport, ForecastReport, IncidentReport, TagProblemReport, bytes, fitting, gaps, incidents, rollout,
    suggested_action, tag_problems,
};
use crate::notify::view::tasks::{Detail, Omitted, Room, refused_tasks, tasks};
use crate::service::diagnosis::{BlockingTask, Diagnosis, RefusedTask, RolloutStatus, TaskCounts, protected_among};
use crate::service::preflight::{Preflight, PreflightVerdict};
use crate::service::record::ServiceRecord;
use crate::service::snapshot::ServiceSnapshot;
use crate::service::suggested_action::SuggestedAction;
use serde::Serialize;
use serde_json::Value;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The answer to `status` for one service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    service: String,
    at: WholeSeconds,
    rollout_status: RolloutStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_since: Option<WholeSeconds>,
    blocking_tasks: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocking_tasks_omitted: Omitted,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<ForecastReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<DeadlineReport>,
    task_counts: TaskCounts,
    suggested_actions: Vec<Value>,
    refused_tasks: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_tasks_omitted: Omitted,
    protected_tasks: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_tasks_omitted: Omitted,
    #[serde(skip_serializing_if = "Option::is_none")]
    incidents: Option<Vec<IncidentReport>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incidents_omitted: Omitted,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_recheck_at: Option<WholeSeconds>,
    tag_problems: Vec<TagProblemReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_problems_omitted: Omitted,
    gaps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps_omitted: Omitted,
}

/// The answer to `preflight`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreflightReport {
    service: String,
    at: WholeSeconds,
    verdict: PreflightVerdict,
    protected_tasks: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<ForecastReport>,
    deadline: DeadlineReport,
    blocking_tasks: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocking_tasks_omitted: Omitted,
    tag_problems: Vec<TagProblemReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_problems_omitted: Omitted,
    gaps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps_omitted: Omitted,
}

/// The share of the report for each list other than tasks is one over this, so that, for example, many gaps do not
/// displace the blocking tasks.
const SHARES: usize = 8;
/// The size of the `…Omitted` members themselves.
const OMITTED_BYTES: usize = 256;

impl ServiceReport {
    /// Combines the snapshot, its diagnosis and the `known` service record into a report of at most `bytes_max` bytes,
    /// which should be some tens of thousands.
    pub fn new(
        snapshot: &ServiceSnapshot,
        diagnosis: &Diagnosis,
        known: Option<&ServiceRecord>,
        bytes_max: usize,
    ) -> Self {
        let cluster = &snapshot.service.arn.cluster;
        let share = bytes_max / SHARES;
        let incidents = known.map(|known| fitting(incidents(&known.incidents), known.incidents.len(), share));
        let (incidents, incidents_omitted) = incidents.map_or((None, None), |(told, omitted)| (Some(told), omitted));
        let problems = &diagnosis.tag_problems;
        let (tag_problems, tag_problems_omitted) = fitting(tag_problems(problems), problems.len(), share);
        let (gaps, gaps_omitted) = fitting(gaps(&diagnosis.gaps), diagnosis.gaps.len(), share);
        let report = Self {
            service: snapshot.service.arn.to_string(),
            at: snapshot.at.into(),
            rollout_status: diagnosis.rollout_status,
            rollout: rollout(&diagnosis.rollout),
            blocked_since: diagnosis.blocked_since.map(Into::into),
            blocking_tasks: Vec::new(),
            blocking_tasks_omitted: None,
            forecast: diagnosis.forecast.as_ref().map(ForecastReport::from),
            deadline: diagnosis.deadline.map(|deadline| DeadlineReport::new(deadline, diagnosis.forecast.as_ref())),
            task_counts: diagnosis.task_counts,
            suggested_actions: suggested_actions(cluster, &diagnosis.suggested_actions, share),
            refused_tasks: Vec::new(),
            refused_tasks_omitted: None,
            protected_tasks: Vec::new(),
            protected_tasks_omitted: None,
            incidents,
            incidents_omitted,
            next_recheck_at: known.and_then(|known| Some(known.watch.as_ref()?.due?.into())),
            tag_problems,
            tag_problems_omitted,
            gaps,
            gaps_omitted,
        };
        report.with_tasks(snapshot, diagnosis, bytes_max)
    }

    /// Fills the remaining space with tasks: a quarter for refused tasks, half of the rest for blocking tasks, and what
    /// remains for all protected tasks.
    fn with_tasks(self, snapshot: &ServiceSnapshot, diagnosis: &Diagnosis, bytes_max: usize) -> Self {
        let cluster = &snapshot.service.arn.cluster;
        let room = bytes_max.saturating_sub(bytes(&self) + OMITTED_BYTES);
        let refused: Vec<&RefusedTask> = diagnosis.refused_tasks.iter().collect();
        let (refused_tasks, refused_tasks_omitted) =
            budget(&refused, room / 4, |all, room, details| refused_tasks(cluster, all, room, details));
        let room = room.saturating_sub(bytes(&refused_tasks));
        let (blocking_tasks, blocking_tasks_omitted) = tasks_within(cluster, &diagnosis.blocking_tasks, room / 2);
        let protected: Vec<_> = snapshot.protected().map(|(task, _)| task).collect();
        let room = room.saturating_sub(bytes(&blocking_tasks));
        let (protected_tasks, protected_tasks_omitted) = tasks_within(cluster, &protected_among(&protected), room);
        let of_refused = Self { refused_tasks, refused_tasks_omitted, ..self };
        Self { blocking_tasks, blocking_tasks_omitted, protected_tasks, protected_tasks_omitted, ..of_refused }
    }
}

impl PreflightReport {
    /// Creates the report of a preflight, of at most [`ANSWER_BYTES_MAX`] bytes.
    pub fn new(snapshot: &ServiceSnapshot, preflight: &Preflight) -> Self {
        let share = ANSWER_BYTES_MAX / SHARES;
        let problems = &preflight.tag_problems;
        let (tag_problems, tag_problems_omitted) = fitting(tag_problems(problems), problems.len(), share);
        let (gaps, gaps_omitted) = fitting(gaps(&preflight.gaps), preflight.gaps.len(), share);
        // The same share as for the blocking tasks of a status.
        let room = ANSWER_BYTES_MAX / 2;
        let (blocking_tasks, blocking_tasks_omitted) =
            tasks_within(&snapshot.service.arn.cluster, &preflight.blocking_tasks, room);
        Self {
            service: snapshot.service.arn.to_string(),
            at: snapshot.at.into(),
            verdict: preflight.verdict,
            protected_tasks: preflight.blocking_tasks.len(),
            forecast: preflight.forecast.as_ref().map(ForecastReport::from),
            deadline: DeadlineReport::new(preflight.deadline, preflight.forecast.as_ref()),
            blocking_tasks,
            blocking_tasks_omitted,
            tag_problems,
            tag_problems_omitted,
            gaps,
            gaps_omitted,
        }
    }
}

fn tasks_within(cluster: &Arc<ClusterArn>, all: &[BlockingTask], bytes_max: usize) -> (Vec<Value>, Omitted) {
    budget(all, bytes_max, |all, room, details| tasks(cluster, all, room, details))
}

/// As many items as fit into `bytes_max`, and the number omitted.
fn budget<T>(
    all: &[T],
    bytes_max: usize,
    tell: impl Fn(&[T], &Room, &[Detail]) -> Vec<Value>,
) -> (Vec<Value>, Omitted) {
    let room = Room { items_max: usize::MAX, bytes_max, bytes: str::len };
    let [some, fewer, one, bare] = Detail::LESS_AND_LESS;
    let told = tell(all, &room, &[Detail::WHOLE, some, fewer, one, bare]);
    let omitted = NonZeroUsize::new(all.len() - told.len());
    (told, omitted)
}

/// The suggested actions: complete if they fit into `room` bytes, else with fewer commands each.
fn suggested_actions(cluster: &Arc<ClusterArn>, ways: &[SuggestedAction], room: usize) -> Vec<Value> {
    let mut told = Vec::new();
    for commands_max in [usize::MAX, 10, 1] {
        told = ways.iter().map(|way| suggested_action(cluster, way, commands_max)).collect();
        if bytes(&told) <= room {
            break;
        }
    }
    told
}
