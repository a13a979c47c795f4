//! JSON parts that alerts and command answers share, so that both use the same words for the same things.

use crate::clock::WholeSeconds;
use crate::ecs::TASKS_PER_PROTECTION_CALL_MAX;
use crate::ecs::arn::{ClusterArn, Task, TaskId};
use crate::notify::json::limits::{GAPS_MAX, TAG_PROBLEMS_MAX, bytes};
use crate::notify::json::service_deployment::{pause, service_deployment};
use crate::notify::json::values::{bounded, present};
use crate::notify::notification::suggested_action::commands;
use crate::service::diagnosis::Diagnosis;
use crate::service::forecast::{Deadline, Forecast, ForecastBasis};
use crate::service::incident::{Incident, Incidents};
use crate::service::rollout::Rollout;
use crate::service::rollout_status::RolloutStatus;
use crate::service::suggested_action::SuggestedAction;
use crate::service::tags::TagProblem;
use crate::service::task_counts::TaskCounts;
use crate::text::{escaped, is_printable};
use jiff::SignedDuration;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::sync::Arc;

/// The longest key of a tag (Amazon ECS Developer Guide, "Tagging Amazon ECS resources"), so that it can be found.
const TAG_CHARS_MAX: usize = 128;
/// For a tag's value: as much as it takes to recognize it.
const TAG_VALUE_CHARS_MAX: usize = 64;

/// What a diagnosis says about the rollout of a service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolloutReport {
    rollout_status: RolloutStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_since: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until: Option<WholeSeconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_deployment: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Value>,
    task_counts: TaskCounts,
}

impl From<&Diagnosis> for RolloutReport {
    fn from(diagnosis: &Diagnosis) -> Self {
        let expected = diagnosis.forecast.as_ref();
        Self {
            rollout_status: diagnosis.rollout_status,
            rollout: rollout(&diagnosis.rollout),
            blocked_since: diagnosis.blocked_since.map(Into::into),
            paused: diagnosis.pause.as_ref().map(pause),
            paused_until: diagnosis.paused_until.map(Into::into),
            service_deployment: diagnosis.service_deployment.as_ref().map(service_deployment),
            forecast: expected.map(forecast),
            deadline: diagnosis.deadline.map(|at| deadline(at, expected)),
            task_counts: diagnosis.task_counts,
        }
    }
}

fn rollout(rollout: &Rollout) -> Option<Value> {
    let kind = match rollout {
        Rollout::None => return None,
        Rollout::Deployment { .. } => "deployment",
        Rollout::CleanUp { .. } => "clean-up",
        Rollout::TaskSet { .. } => "task-set",
        Rollout::ScaleIn { .. } => "scale-in",
    };
    Some(json!({"kind": kind, "id": rollout.id(), "startedAt": rollout.started_at().map(WholeSeconds::from)}))
}

pub(crate) fn forecast(forecast: &Forecast) -> Value {
    let Forecast { by_expiry, by_jobs, basis, by_risk, jobs_started } = *forecast;
    let unlikely_after = by_risk.filter(|_| basis == ForecastBasis::Learned);
    present(json!({
        "byExpiry": WholeSeconds::from(by_expiry),
        "byJobs": WholeSeconds::from(by_jobs),
        "basis": basis,
        "unlikelyAfter": unlikely_after.map(WholeSeconds::from),
        "jobsStarted": (jobs_started > 0).then_some(jobs_started),
    }))
}

/// A deadline with its margin to the expected end.
pub(crate) fn deadline(deadline: Deadline, forecast: Option<&Forecast>) -> Value {
    // Rounded down, so that a deadline missed by seconds is not reported as met.
    let minutes = |margin: SignedDuration| i64::try_from(margin.as_millis().div_euclid(60_000)).unwrap_or(i64::MAX);
    let margin = forecast.map(|forecast| minutes(deadline.margin(forecast)));
    present(json!({"at": WholeSeconds::from(deadline.at), "source": deadline.source, "marginMinutes": margin}))
}

fn incident(key: &str, incident: &Incident) -> Value {
    let Incident { kind, since, notified_at, state, attempted, pending, scope: _ } = incident;
    // `notified_at` is set when the function decides to notify; delivery may not have happened yet.
    let was_notified = *attempted && pending.is_none();
    present(json!({
        "incident": key,
        "kind": kind,
        "since": WholeSeconds::from(*since),
        "notifiedAt": was_notified.then(|| WholeSeconds::from(*notified_at)),
        "escalations": state.marks(),
        "resolvedAt": state.resolved_at().map(WholeSeconds::from),
    }))
}

/// The ARN of a task of the cluster.
pub(crate) fn task_arn(cluster: &Arc<ClusterArn>, id: &TaskId) -> String {
    Task { cluster: cluster.clone(), id: id.clone() }.to_string()
}

/// A suggested action with its first commands, and the tasks of those commands.
pub(crate) fn suggested_action(cluster: &Arc<ClusterArn>, action: &SuggestedAction, commands_max: usize) -> Value {
    let mut report = match action {
        SuggestedAction::Wait { until, expected } => {
            let [until, expected] = [*until, *expected].map(WholeSeconds::from);
            return json!({"action": "wait", "until": until, "expected": expected});
        }
        SuggestedAction::ReleaseIdle { tasks, .. } => release(cluster, "release-idle", tasks, commands_max),
        SuggestedAction::ReleaseByForce { tasks, .. } => release(cluster, "release-by-force", tasks, commands_max),
        SuggestedAction::ExtendDeadline { minutes, .. } => json!({"action": "extend-deadline", "minutes": minutes}),
        SuggestedAction::RaiseDesiredCount { to, .. } => json!({"action": "raise-desired-count", "to": to}),
        SuggestedAction::RaiseMaximumPercent { to, .. } => json!({"action": "raise-maximum-percent", "to": to}),
        SuggestedAction::ContinueDeployment { .. } => json!({"action": "continue-deployment"}),
        SuggestedAction::RollBackDeployment { .. } => json!({"action": "roll-back-deployment"}),
        SuggestedAction::StopDeployment { .. } => json!({"action": "stop-deployment"}),
        SuggestedAction::DeferCleanUp { .. } => json!({"action": "defer-clean-up"}),
    };
    let commands = commands(action);
    let shown = commands.len().min(commands_max);
    report["commands"] = json!(commands[..shown]);
    if commands.len() > shown {
        report["commandsOmitted"] = json!(commands.len() - shown);
    }
    report
}

fn release(cluster: &Arc<ClusterArn>, action: &str, tasks: &[TaskId], commands_max: usize) -> Value {
    let tasks_max = commands_max.saturating_mul(TASKS_PER_PROTECTION_CALL_MAX);
    let shown: Vec<String> = tasks.iter().take(tasks_max).map(|id| task_arn(cluster, id)).collect();
    let mut report = json!({"action": action, "taskArns": shown});
    if tasks.len() > shown.len() {
        report["taskArnsOmitted"] = json!(tasks.len() - shown.len());
    }
    report
}

/// Which lists have a member with the number of omitted entries, named like the list with `Omitted` at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OmittedCounts {
    Always,
    IfAny,
}

/// The lists of a document that may be shortened, as members of the document.
#[derive(Debug)]
pub(crate) struct Lists {
    counts: OmittedCounts,
    /// For each list that is not of tasks.
    bytes_max: usize,
    lists: Vec<ShortenedList>,
}

#[derive(Debug)]
struct ShortenedList {
    name: &'static str,
    entries: Vec<Value>,
    omitted: usize,
}

impl Lists {
    /// The lists of an alert.
    pub(crate) fn of_an_alert() -> Self {
        Self { counts: OmittedCounts::Always, bytes_max: usize::MAX, lists: Vec::new() }
    }

    /// The lists of an answer. Each list that is not of tasks takes at most `bytes_max` bytes, so that, for example,
    /// many failed reads do not displace the tasks.
    pub(crate) fn of_an_answer(bytes_max: usize) -> Self {
        Self { counts: OmittedCounts::IfAny, bytes_max, lists: Vec::new() }
    }

    /// Reserves the place of a list and the space for its name and its count.
    pub(crate) fn reserve(&mut self, name: &'static str, total: usize) {
        self.lists.push(ShortenedList { name, entries: Vec::new(), omitted: total });
    }

    /// Adds the shown `entries` of a list of `total` entries, in its reserved place if there is one.
    pub(crate) fn add(&mut self, name: &'static str, entries: Vec<Value>, total: usize) {
        let list = ShortenedList { name, omitted: total - entries.len(), entries };
        match self.lists.iter_mut().find(|reserved| reserved.name == name) {
            Some(reserved) => *reserved = list,
            None => self.lists.push(list),
        }
    }

    /// Adds the first of the `entries` that fit.
    fn add_fitting(&mut self, name: &'static str, entries: impl Iterator<Item = Value>, total: usize) {
        let mut used = 0;
        let fits = |entry: &Value| {
            used += bytes(entry) + ",".len();
            used <= self.bytes_max
        };
        let entries = entries.take_while(fits).collect();
        self.add(name, entries, total);
    }

    /// Adds the failed reads, each bounded in length.
    pub(crate) fn add_gaps(&mut self, gaps: &[String]) {
        let first = gaps.iter().take(GAPS_MAX).map(|gap| bounded(gap).into());
        self.add_fitting("gaps", first, gaps.len());
    }

    /// Adds the tags that taskhold ignores.
    pub(crate) fn add_tag_problems(&mut self, problems: &[TagProblem]) {
        let report = |problem: &TagProblem| {
            let tag = escaped(&problem.tag, TAG_CHARS_MAX, is_printable);
            let value = escaped(&problem.value, TAG_VALUE_CHARS_MAX, is_printable);
            json!({"tag": tag, "value": value, "problem": problem.fault.to_string()})
        };
        let first = problems.iter().take(TAG_PROBLEMS_MAX).map(report);
        self.add_fitting("tagProblems", first, problems.len());
    }

    /// Adds the incidents: open ones first, the oldest in front; then resolved ones, the latest resolved in front.
    pub(crate) fn add_incidents(&mut self, incidents: &Incidents) {
        let mut sorted: Vec<(&String, &Incident)> = incidents.iter().collect();
        sorted.sort_by_key(|(_, incident)| (incident.state.resolved_at().map(Reverse), incident.since));
        let reports = sorted.into_iter().map(|(key, one)| incident(key, one));
        self.add_fitting("incidents", reports, incidents.len());
    }
}

impl Serialize for Lists {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for list in &self.lists {
            members.serialize_entry(list.name, &list.entries)?;
            if list.omitted > 0 || self.counts == OmittedCounts::Always {
                members.serialize_entry(&format!("{}Omitted", list.name), &list.omitted)?;
            }
        }
        members.end()
    }
}
