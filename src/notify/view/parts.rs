//! JSON parts that alerts and command answers share, so that both use the same words for the same things.

use crate::clock::WholeSeconds;
use crate::ecs::TASKS_PER_PROTECTION_CALL_MAX;
use crate::ecs::arn::ClusterArn;
use crate::notify::view::task_arn;
use crate::notify::view::tasks::Omitted;
use crate::service::alert::AlertKind;
use crate::service::forecast::{Deadline, DeadlineSource, Forecast};
use crate::service::incident::{Incident, Incidents};
use crate::service::rollout::Rollout;
use crate::service::suggested_action::SuggestedAction;
use crate::service::tags::TagProblem;
use crate::text::{escaped, is_printable};
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Maximum number of failed reads; the first ones explain the rest.
pub(crate) const GAPS_MAX: usize = 20;
/// For one failed read, or for an error message: AWS's text, of any length.
const TEXT_CHARS_MAX: usize = 500;
/// Maximum number of tags that taskhold ignores.
pub(crate) const TAG_PROBLEMS_MAX: usize = 10;
/// The longest key of a tag (Amazon ECS Developer Guide, "Tagging Amazon ECS resources"), so that it can be found.
const TAG_CHARS_MAX: usize = 128;
/// For a tag's value: as much as it takes to recognize it.
const TAG_VALUE_CHARS_MAX: usize = 64;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForecastReport {
    by_expiry: WholeSeconds,
    by_jobs: WholeSeconds,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadlineReport {
    at: WholeSeconds,
    source: DeadlineSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    margin_minutes: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct TagProblemReport {
    tag: String,
    value: String,
    problem: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IncidentReport {
    incident: String,
    kind: AlertKind,
    since: WholeSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    notified_at: Option<WholeSeconds>,
    escalations: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<WholeSeconds>,
}

impl From<&Forecast> for ForecastReport {
    fn from(forecast: &Forecast) -> Self {
        Self { by_expiry: forecast.by_expiry.into(), by_jobs: forecast.by_jobs.into() }
    }
}

impl DeadlineReport {
    pub(crate) fn new(deadline: Deadline, forecast: Option<&Forecast>) -> Self {
        // Rounded down, so that a deadline missed by seconds is not reported as met.
        let minutes = |margin: SignedDuration| i64::try_from(margin.as_millis().div_euclid(60_000)).unwrap_or(i64::MAX);
        let margin_minutes = forecast.map(|forecast| minutes(deadline.margin(forecast)));
        Self { at: deadline.at.into(), source: deadline.source, margin_minutes }
    }
}

impl From<&TagProblem> for TagProblemReport {
    fn from(problem: &TagProblem) -> Self {
        Self {
            tag: escaped(&problem.tag, TAG_CHARS_MAX, is_printable),
            value: escaped(&problem.value, TAG_VALUE_CHARS_MAX, is_printable),
            problem: problem.fault.to_string(),
        }
    }
}

impl IncidentReport {
    fn new(key: &str, incident: &Incident) -> Self {
        let Incident { kind, since, notified_at, state, attempted, pending } = incident;
        // `notified_at` is set when the function decides to notify; delivery may not have happened yet.
        let was_notified = *attempted && pending.is_none();
        Self {
            incident: key.to_owned(),
            kind: *kind,
            since: (*since).into(),
            notified_at: was_notified.then(|| (*notified_at).into()),
            escalations: state.marks(),
            resolved_at: state.resolved_at().map(Into::into),
        }
    }
}

/// The incidents: open ones first, the oldest in front; then resolved ones, the most recently resolved in front.
pub(crate) fn incidents(incidents: &Incidents) -> Vec<IncidentReport> {
    let mut incidents: Vec<(&String, &Incident)> = incidents.iter().collect();
    incidents.sort_by_key(|(_, incident)| (incident.state.resolved_at().map(Reverse), incident.since));
    incidents.into_iter().map(|(key, incident)| IncidentReport::new(key, incident)).collect()
}

/// The first failed reads, each bounded in length.
pub(crate) fn gaps(gaps: &[String]) -> impl Iterator<Item = String> {
    gaps.iter().take(GAPS_MAX).map(|gap| bounded(gap))
}

/// Foreign text, bounded and escaped for a reader.
pub(crate) fn bounded(text: &str) -> String {
    escaped(text, TEXT_CHARS_MAX, is_printable)
}

/// The first tag problems.
pub(crate) fn tag_problems(problems: &[TagProblem]) -> impl Iterator<Item = TagProblemReport> {
    problems.iter().take(TAG_PROBLEMS_MAX).map(TagProblemReport::from)
}

pub(crate) fn rollout(rollout: &Rollout) -> Option<Value> {
    let kind = match rollout {
        Rollout::None => return None,
        Rollout::Deployment { .. } => "deployment",
        Rollout::TaskSet { .. } => "task-set",
        Rollout::ScaleIn { .. } => "scale-in",
    };
    Some(json!({"kind": kind, "id": rollout.id(), "startedAt": rollout.started_at().map(WholeSeconds::from)}))
}

/// A suggested action with its first commands, and the tasks of those commands.
pub(crate) fn suggested_action(cluster: &Arc<ClusterArn>, way: &SuggestedAction, commands_max: usize) -> Value {
    match way {
        SuggestedAction::Wait { until, expected } => {
            let [until, expected] = [*until, *expected].map(WholeSeconds::from);
            json!({"action": "wait", "until": until, "expected": expected})
        }
        SuggestedAction::ReleaseIdle { tasks, commands } => {
            let tasks_max = commands_max.saturating_mul(TASKS_PER_PROTECTION_CALL_MAX);
            let told: Vec<String> = tasks.iter().take(tasks_max).map(|id| task_arn(cluster, id)).collect();
            let first: Vec<&String> = commands.iter().take(commands_max).collect();
            let mut way = json!({"action": "release-idle", "taskArns": told, "commands": first});
            for (member, all, told) in
                [("taskArnsOmitted", tasks.len(), told.len()), ("commandsOmitted", commands.len(), first.len())]
            {
                if all > told {
                    way[member] = json!(all - told);
                }
            }
            way
        }
        SuggestedAction::RaiseDesiredCount { to, command } => {
            json!({"action": "raise-desired-count", "to": to, "commands": [command]})
        }
        SuggestedAction::RaiseMaximumPercent { to, command } => {
            json!({"action": "raise-maximum-percent", "to": to, "commands": [command]})
        }
    }
}

/// The first items that fit into `room` bytes of JSON, and how many of `all` are omitted.
pub(crate) fn fitting<T: Serialize>(items: impl IntoIterator<Item = T>, all: usize, room: usize) -> (Vec<T>, Omitted) {
    let mut used = 0;
    let fits = |item: &T| {
        used += bytes(item) + ",".len();
        used <= room
    };
    let taken: Vec<T> = items.into_iter().take_while(fits).collect();
    let omitted = NonZeroUsize::new(all - taken.len());
    (taken, omitted)
}

/// The length of a value as JSON, in bytes.
pub(crate) fn bytes(value: &impl Serialize) -> usize {
    serde_json::to_string(value).expect("plain data has a JSON form").len()
}
