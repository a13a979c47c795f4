//! The answers to `status` and `preflight` for one service, in bounded size.

use crate::clock::WholeSeconds;
use crate::ecs::arn::ClusterArn;
use crate::notify::json::limits::bytes;
use crate::notify::json::parts::{Lists, RolloutReport, deadline, forecast, suggested_action};
use crate::notify::json::service_deployment::pause;
use crate::notify::json::tasks::{Room, tasks};
use crate::service::blocking_task::protected_among;
use crate::service::diagnosis::Diagnosis;
use crate::service::preflight::{Preflight, PreflightVerdict};
use crate::service::record::ServiceRecord;
use crate::service::snapshot::ServiceSnapshot;
use crate::service::suggested_action::SuggestedAction;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// Maximum size of an answer in bytes, apart from a few hundred kilobytes of errors: Lambda returns at most 6 MB from a
/// direct invocation (AWS Lambda Developer Guide, "Lambda quotas").
pub const ANSWER_BYTES_MAX: usize = 5 * 1024 * 1024;

/// The answer to `status` for one service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    service: String,
    at: WholeSeconds,
    #[serde(flatten)]
    rollout: RolloutReport,
    suggested_actions: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_recheck_at: Option<WholeSeconds>,
    #[serde(flatten)]
    lists: Lists,
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
    forecast: Option<Value>,
    deadline: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<Value>,
    #[serde(flatten)]
    lists: Lists,
}

/// The share of the report for each list other than tasks is one over this.
const SHARES: usize = 8;

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
        let protected: Vec<_> = snapshot.protected().map(|(task, _)| task).collect();
        let protected = protected_among(&protected);
        let share = bytes_max / SHARES;
        let mut lists = Lists::of_an_answer(share);
        lists.reserve("blockingTasks", diagnosis.blocking_tasks.len());
        lists.reserve("refusedTasks", diagnosis.refused_tasks.len());
        lists.reserve("protectedTasks", protected.len());
        if let Some(known) = known {
            lists.add_incidents(&known.incidents);
        }
        lists.add_tag_problems(&diagnosis.tag_problems);
        lists.add_gaps(&diagnosis.gaps);
        let mut report = Self {
            service: snapshot.service.arn.to_string(),
            at: snapshot.at.into(),
            rollout: diagnosis.into(),
            suggested_actions: suggested_actions(cluster, &diagnosis.suggested_actions, share),
            next_recheck_at: known.and_then(|known| Some(known.watch.as_ref()?.due?.into())),
            lists,
        };
        // Tasks fill the remaining space: a quarter for refused tasks, half of the rest for blocking tasks, and what
        // remains for all protected tasks.
        let room = |report: &Self, part: usize| Room::in_an_answer(bytes_max.saturating_sub(bytes(report)) / part);
        let refused = tasks(cluster, &diagnosis.refused_tasks, &room(&report, 4));
        report.lists.add("refusedTasks", refused, diagnosis.refused_tasks.len());
        let blocking_tasks = tasks(cluster, &diagnosis.blocking_tasks, &room(&report, 2));
        report.lists.add("blockingTasks", blocking_tasks, diagnosis.blocking_tasks.len());
        let shown = tasks(cluster, &protected, &room(&report, 1));
        report.lists.add("protectedTasks", shown, protected.len());
        report
    }
}

impl PreflightReport {
    /// Creates the report of a preflight, of at most [`ANSWER_BYTES_MAX`] bytes.
    pub fn new(snapshot: &ServiceSnapshot, preflight: &Preflight) -> Self {
        let mut lists = Lists::of_an_answer(ANSWER_BYTES_MAX / SHARES);
        // The same share as for the blocking tasks of a status.
        let cluster = &snapshot.service.arn.cluster;
        let room = |part: usize| Room::in_an_answer(ANSWER_BYTES_MAX / part);
        let shown = tasks(cluster, &preflight.blocking_tasks, &room(2));
        lists.add("blockingTasks", shown, preflight.blocking_tasks.len());
        let refused = tasks(cluster, &preflight.refused_tasks, &room(4));
        lists.add("refusedTasks", refused, preflight.refused_tasks.len());
        lists.add_tag_problems(&preflight.tag_problems);
        lists.add_gaps(&preflight.gaps);
        Self {
            service: snapshot.service.arn.to_string(),
            at: snapshot.at.into(),
            verdict: preflight.verdict,
            protected_tasks: preflight.blocking_tasks.len(),
            forecast: preflight.forecast.as_ref().map(forecast),
            deadline: deadline(preflight.deadline, preflight.forecast.as_ref()),
            paused: preflight.pause.as_ref().map(pause),
            lists,
        }
    }
}

/// The suggested actions: complete if they fit into `room` bytes, else with fewer commands each.
fn suggested_actions(cluster: &Arc<ClusterArn>, actions: &[SuggestedAction], room: usize) -> Vec<Value> {
    let mut reports = Vec::new();
    for commands_max in [usize::MAX, 10, 1] {
        reports = actions.iter().map(|action| suggested_action(cluster, action, commands_max)).collect();
        if bytes(&reports) <= room {
            break;
        }
    }
    reports
}
