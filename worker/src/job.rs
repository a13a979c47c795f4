//! The job, and the messages about it (schemas/job-message.schema.json).

use crate::duration::{minutes_up, shown};
use crate::log::Log;
use crate::watch::{GRANT_MAX, Known};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the options say about the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeclaredJob {
    pub(crate) id: String,
    pub(crate) attempt: u32,
    pub(crate) max: Duration,
    pub(crate) expected: Option<Duration>,
    pub(crate) kind: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl DeclaredJob {
    /// Logs that one request cannot protect the whole job, so that its protection is renewed.
    pub(crate) fn note_length(&self, log: Log) {
        if self.max > GRANT_MAX {
            let fields = [("job", self.id.as_str()), ("max", &shown(self.max)), ("granted", &shown(GRANT_MAX))];
            log.info("job may last longer than ECS grants at once; its protection will be renewed", &fields);
        }
    }
}

/// The task as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskName {
    pub(crate) arn: String,
    /// Only where the ARN lacks the cluster, as old ones do.
    pub(crate) cluster: Option<String>,
}

impl TaskName {
    /// The name of a task, if it can be named: a short ARN needs the cluster.
    pub(crate) fn of(arn: &str, cluster: Option<&str>) -> Option<Self> {
        let resource = arn.splitn(6, ':').nth(5)?.strip_prefix("task/")?;
        let is_short = !resource.contains('/');
        let cluster = cluster.filter(|cluster| !cluster.is_empty());
        if is_short && cluster.is_none() {
            return None;
        }
        Some(Self { arn: arn.to_owned(), cluster: cluster.filter(|_| is_short).map(str::to_owned) })
    }

    /// The id at the end of the ARN.
    pub(crate) fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }
}

/// The type of a job message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportType {
    Started,
    Heartbeat,
    Finished,
}

impl ReportType {
    fn name(self) -> &'static str {
        match self {
            Self::Started => "job.started",
            Self::Heartbeat => "job.heartbeat",
            Self::Finished => "job.finished",
        }
    }
}

/// A message about the job, of which `left` is still to come at most.
pub(crate) fn message(job: &DeclaredJob, task: &TaskName, report: ReportType, state: JobState<'_>) -> Value {
    let mut message = json!({ "version": 1, "type": report.name(), "jobId": job.id, "taskArn": task.arn });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            message[name] = value;
        }
    };
    set("cluster", task.cluster.as_deref().map(Value::from));
    set("attempt", (job.attempt != 1).then(|| job.attempt.into()));
    if report != ReportType::Finished {
        let minutes = |duration: Duration| Value::from(minutes_up(duration.min(GRANT_MAX)).max(1));
        set("maxDurationMinutes", Some(minutes(state.left)));
        set("expectedDurationMinutes", state.expected_left.map(minutes));
        set("heartbeatMinutes", state.heartbeat_interval.map(minutes));
        set("kind", job.kind.as_deref().map(Value::from));
        set("labels", (!job.labels.is_empty()).then(|| json!(job.labels)));
        set("protection", reported_protection(state.known));
    }
    message
}

/// The job at the time of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobState<'a> {
    pub(crate) left: Duration,
    pub(crate) expected_left: Option<Duration>,
    /// How often it is reported, if it is.
    pub(crate) heartbeat_interval: Option<Duration>,
    pub(crate) known: &'a Known,
}

/// What the function learns about protection that the agent set. Without an answer of ECS it learns nothing, and protects the
/// task itself.
fn reported_protection(known: &Known) -> Option<Value> {
    match known {
        Known::Granted(expiry) => Some(json!({ "by": "agent", "until": expiry.date.to_string() })),
        Known::Refused(refusal) => Some(json!({ "by": "agent", "refused": { "reason": refusal.reason } })),
        Known::Nothing | Known::Unanswered(_) | Known::Lost => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{AgentProblem, AgentRefusal};
    use crate::watch::Expiry;

    const ARN: &str = "arn:aws:ecs:eu-west-1:111122223333:task/video/4f0c2a9be1d84763a5c07be214d95f3a";
    const SHORT_ARN: &str = "arn:aws:ecs:eu-west-1:111122223333:task/4f0c2a9be1d84763a5c07be214d95f3a";

    fn job() -> DeclaredJob {
        DeclaredJob {
            id: "episode-0417".to_owned(),
            attempt: 2,
            max: Duration::from_secs(7200),
            expected: None,
            kind: Some("encode".to_owned()),
            labels: BTreeMap::from([("title".to_owned(), "Episode 417".to_owned())]),
        }
    }

    fn granted() -> Known {
        Known::Granted(Expiry { moment: Duration::ZERO, date: "2026-11-29T12:00:00Z".parse().unwrap() })
    }

    fn state(known: &Known) -> JobState<'_> {
        JobState {
            left: Duration::from_secs(7199),
            expected_left: Some(Duration::from_secs(61)),
            heartbeat_interval: Some(Duration::from_secs(600)),
            known,
        }
    }

    fn all_messages() -> Vec<Value> {
        let refused = Known::Refused(AgentRefusal { reason: "DEPLOYMENT_BLOCKED".to_owned(), detail: None });
        let unanswered = Known::Unanswered(AgentProblem::Busy);
        let tasks = [TaskName::of(ARN, Some("video")).unwrap(), TaskName::of(SHORT_ARN, Some("video")).unwrap()];
        let mut messages = Vec::new();
        for known in [granted(), refused, unanswered, Known::Lost] {
            for task in &tasks {
                for report in [ReportType::Started, ReportType::Heartbeat, ReportType::Finished] {
                    messages.push(message(&job(), task, report, state(&known)));
                }
            }
        }
        messages
    }

    #[test]
    fn every_message_matches_the_published_schema() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/job-message.schema.json");
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        for message in all_messages() {
            assert!(schema.is_valid(&message), "{message}");
        }
    }

    #[test]
    fn the_message_of_a_start_says_what_the_agent_granted() {
        let task = TaskName::of(ARN, None).unwrap();
        let message = message(&job(), &task, ReportType::Started, state(&granted()));
        let expected = json!({
            "version": 1, "type": "job.started", "jobId": "episode-0417", "attempt": 2, "taskArn": ARN,
            "maxDurationMinutes": 120, "expectedDurationMinutes": 2, "heartbeatMinutes": 10, "kind": "encode",
            "labels": { "title": "Episode 417" },
            "protection": { "by": "agent", "until": "2026-11-29T12:00:00Z" },
        });
        assert_eq!(message, expected);
    }

    #[test]
    fn a_refusal_is_reported_and_an_agent_without_an_answer_leaves_protection_to_the_function() {
        let task = TaskName::of(ARN, None).unwrap();
        let refused = Known::Refused(AgentRefusal { reason: "DEPLOYMENT_BLOCKED".to_owned(), detail: None });
        let of = |known: &Known| message(&job(), &task, ReportType::Started, state(known));
        assert_eq!(of(&refused)["protection"], json!({ "by": "agent", "refused": { "reason": "DEPLOYMENT_BLOCKED" } }));
        assert!(of(&Known::Unanswered(AgentProblem::Busy)).get("protection").is_none());
    }

    #[test]
    fn a_job_longer_than_the_format_allows_declares_the_longest_duration() {
        let task = TaskName::of(ARN, None).unwrap();
        let long = JobState {
            left: Duration::from_secs(72 * 3600),
            expected_left: None,
            heartbeat_interval: None,
            known: &Known::Nothing,
        };
        assert_eq!(message(&job(), &task, ReportType::Started, long)["maxDurationMinutes"], 2880);
        let over = JobState { left: Duration::ZERO, ..long };
        assert_eq!(message(&job(), &task, ReportType::Heartbeat, over)["maxDurationMinutes"], 1);
    }

    #[test]
    fn a_short_arn_needs_the_cluster() {
        assert_eq!(TaskName::of(SHORT_ARN, None), None);
        assert_eq!(TaskName::of(SHORT_ARN, Some("")), None);
        assert_eq!(TaskName::of("", None), None);
        assert_eq!(TaskName::of("arn:aws:s3:::bucket", None), None);
        let task = TaskName::of(SHORT_ARN, Some("video")).unwrap();
        assert_eq!(task.cluster.as_deref(), Some("video"));
        assert_eq!(task.id(), "4f0c2a9be1d84763a5c07be214d95f3a");
    }
}
