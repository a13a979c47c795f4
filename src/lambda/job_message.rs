//! The job message that a worker sends: its fields, their rules, and the error when one is broken.
//!
//! Unknown fields are tolerated; wrong types and out-of-range numbers are not. `schemas/job-message.schema.json` states
//! the same rules for other programs, and a test compares the two.

mod error;

use crate::config::clusters::Clusters;
use crate::ecs::PROTECTION_MINUTES_MAX;
use crate::ecs::arn::{Task, shown};
pub use crate::lambda::job_message::error::JobMessageError;
use crate::lambda::job_message_fields::{JobMessageFields, MisnamedField};
use crate::task::agent_protection::AgentProtection;
use crate::task::job::{Job, JobKey, JobReport, Labels, Reported};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::borrow::Cow;

/// Maximum length of a `jobId`, in characters.
pub const JOB_ID_CHARS_MAX: usize = 256;
/// Maximum duration of a job that declares none, in minutes: ECS's own default for protection.
pub const MAX_DURATION_MINUTES_DEFAULT: u32 = 120;
/// Maximum length of a `kind`, in characters.
pub const KIND_CHARS_MAX: usize = 64;
/// Maximum number of labels. They are shown to people, so they are few and short.
pub const LABELS_MAX: usize = 8;
/// Maximum length of a label's name, in characters.
pub const LABEL_NAME_CHARS_MAX: usize = 64;
/// Maximum length of a label's value, in characters.
pub const LABEL_VALUE_CHARS_MAX: usize = 128;

/// The type of a job message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobMessageType {
    /// `job.started`
    Started,
    /// `job.heartbeat`
    Heartbeat,
    /// `job.finished`
    Finished,
}

impl JobMessageType {
    /// The value of `type` in the message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "job.started",
            Self::Heartbeat => "job.heartbeat",
            Self::Finished => "job.finished",
        }
    }
}

/// A valid job message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobMessage {
    /// Its type.
    pub message_type: JobMessageType,
    /// The job.
    pub job: JobKey,
    /// The task that runs the job.
    pub task: Task,
    /// Declared maximum duration of the job, counted from this message.
    pub max_duration_minutes: Option<u32>,
    /// Expected duration of the job, counted from this message.
    pub expected_duration_minutes: Option<u32>,
    /// The most minutes that pass between two messages about the job.
    pub heartbeat_minutes: Option<u32>,
    /// What kind of job it is.
    pub kind: Option<String>,
    /// Labels, shown to people.
    pub labels: Labels,
    /// What the worker reports about protection that the task sets itself for this job.
    pub protection: Option<AgentProtection>,
    /// Unknown fields whose names suggest that they stand for a known one. Their values are ignored.
    pub misnamed: Vec<MisnamedField>,
}

/// A job as one message alone reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedJob {
    /// The task that runs it.
    pub task: Task,
    /// What the message reports.
    pub report: JobReport,
}

impl JobMessageFields {
    pub(crate) fn validate(self, clusters: &Clusters) -> Result<JobMessage, JobMessageError> {
        self.check_version()?;
        let misnamed = self.misnamed.iter().filter(|misnamed| self.lacks(misnamed.meant)).cloned().collect();
        Ok(JobMessage {
            message_type: self.message_type()?,
            job: JobKey { job_id: self.job_id()?, attempt: self.attempt()? },
            task: self.task(clusters)?,
            max_duration_minutes: minutes("maxDurationMinutes", self.max_duration_minutes.as_ref())?,
            expected_duration_minutes: minutes("expectedDurationMinutes", self.expected_duration_minutes.as_ref())?,
            heartbeat_minutes: minutes("heartbeatMinutes", self.heartbeat_minutes.as_ref())?,
            kind: self.kind()?,
            labels: labels(self.labels.as_ref())?,
            protection: self.agent_protection()?,
            misnamed,
        })
    }

    /// The error for a required field that is missing.
    fn missing(&self, field: &'static str, rule: &'static str) -> JobMessageError {
        match self.misnamed.iter().find(|misnamed| misnamed.meant == field) {
            Some(misnamed) => JobMessageError::Misnamed(field, rule, misnamed.found.clone()),
            None => JobMessageError::Missing(field, rule),
        }
    }

    fn check_version(&self) -> Result<(), JobMessageError> {
        const RULE: &str = "the number 1";
        match &self.version {
            None => Err(self.missing("version", RULE)),
            Some(value) if whole(value) == Some(1) => Ok(()),
            Some(other) => Err(wrong("version", other, RULE)),
        }
    }

    fn message_type(&self) -> Result<JobMessageType, JobMessageError> {
        const RULE: &str = "`job.started`, `job.heartbeat` or `job.finished`";
        let value = self.message_type.as_ref().ok_or_else(|| self.missing("type", RULE))?;
        let known = [JobMessageType::Started, JobMessageType::Heartbeat, JobMessageType::Finished];
        let found = known.into_iter().find(|known| value.as_str() == Some(known.as_str()));
        found.ok_or_else(|| wrong("type", value, RULE))
    }

    fn job_id(&self) -> Result<String, JobMessageError> {
        const RULE: &str = "a string of 1 to 256 characters";
        let value = self.job_id.as_ref().ok_or_else(|| self.missing("jobId", RULE))?;
        match value.as_str() {
            Some(text) if (1..=JOB_ID_CHARS_MAX).contains(&text.chars().count()) => Ok(text.to_owned()),
            _ => Err(wrong("jobId", value, RULE)),
        }
    }

    fn kind(&self) -> Result<Option<String>, JobMessageError> {
        const RULE: &str = "a string of 1 to 64 characters";
        let Some(value) = &self.kind else { return Ok(None) };
        let kind = value.as_str().filter(|kind| (1..=KIND_CHARS_MAX).contains(&kind.chars().count()));
        kind.map(|kind| Some(kind.to_owned())).ok_or_else(|| wrong("kind", value, RULE))
    }

    fn attempt(&self) -> Result<u32, JobMessageError> {
        const RULE: &str = "a whole number from 1 to 4294967295";
        let Some(value) = &self.attempt else { return Ok(1) };
        let attempt = whole(value).filter(|number| *number >= 1);
        attempt.ok_or_else(|| wrong("attempt", value, RULE))
    }

    fn agent_protection(&self) -> Result<Option<AgentProtection>, JobMessageError> {
        const RULE: &str = "an object with `by` \"agent\", and with `until`, a time as in RFC 3339, or `refused`, an \
                            object with a `reason` of 1 to 256 characters";
        let Some(value) = &self.protection else { return Ok(None) };
        AgentProtection::read(value).map(Some).ok_or_else(|| wrong("protection", value, RULE))
    }

    fn task(&self, clusters: &Clusters) -> Result<Task, JobMessageError> {
        let task_arn = text("taskArn", self.task_arn.as_ref())?;
        let cluster = text("cluster", self.cluster.as_ref())?;
        let task_id = text("taskId", self.task_id.as_ref())?;
        match (task_arn, cluster, task_id) {
            (Some(arn), cluster, task_id) => {
                let of_arn = |source| JobMessageError::Task { field: "taskArn", source };
                let task = clusters.task(arn, cluster).map_err(of_arn)?;
                match task_id {
                    Some(other) if other != task.id.as_str() => Err(JobMessageError::Wrong {
                        field: "taskId".into(),
                        found: format!("`{}`", shown(other)),
                        rule: "the id that `taskArn` ends with, or left out",
                    }),
                    _ => Ok(task),
                }
            }
            (None, Some(cluster), Some(id)) => {
                clusters.task_in(cluster, id).map_err(|source| JobMessageError::Task { field: "taskId", source })
            }
            (None, Some(_), None) => Err(self.missing("taskId", "a task id, beside `cluster`")),
            (None, None, _) => Err(self.missing("taskArn", "a task ARN, or `cluster` and `taskId`")),
        }
    }
}

impl JobMessage {
    /// The job as this message alone reports it, given the time at which SQS received the message.
    pub fn into_job(self, sent_at: Timestamp) -> ReportedJob {
        let after = |minutes: u32| {
            let duration = SignedDuration::from_mins(i64::from(minutes));
            sent_at.saturating_add(duration).unwrap_or(Timestamp::MAX)
        };
        let declared = self.max_duration_minutes.map(after);
        let by_default = after(MAX_DURATION_MINUTES_DEFAULT);
        let mut job = Job { reported_at: Some(sent_at), ..Job::default() };
        match self.message_type {
            JobMessageType::Started => {
                job.started_at = Some(sent_at);
                job.declared_until = declared.or(Some(by_default));
            }
            JobMessageType::Heartbeat => {
                job.declared_until = declared;
                job.presumed_until = Some(by_default);
            }
            JobMessageType::Finished => job.finished_at = Some(sent_at),
        }
        let expected = self.expected_duration_minutes.map(after);
        job.expected_until = expected.map(|value| Reported { at: sent_at, value });
        job.heartbeat_minutes = self.heartbeat_minutes;
        job.kind = self.kind;
        job.labels = (!self.labels.is_empty()).then_some(Reported { at: sent_at, value: self.labels });
        // ECS grants at most this from now on, whatever the message says.
        let grantable = after(PROTECTION_MINUTES_MAX);
        job.protection = self.protection.map(|report| Reported { at: sent_at, value: report.at_most(grantable) });
        ReportedJob { task: self.task, report: JobReport { key: self.job, job } }
    }
}

fn wrong(field: impl Into<Cow<'static, str>>, value: &Value, rule: &'static str) -> JobMessageError {
    let found = match value {
        Value::String(text) if text.is_empty() => "an empty string".to_owned(),
        Value::String(text) => match text.chars().count() {
            0..=64 => format!("the string \"{}\"", text.escape_default()),
            chars => format!("a string of {chars} characters"),
        },
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    JobMessageError::Wrong { field: field.into(), found, rule }
}

fn text<'a>(field: &'static str, value: Option<&'a Value>) -> Result<Option<&'a str>, JobMessageError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(field, other, "a string")),
    }
}

/// A whole number, including the form `90.0`: it is an integer in JSON Schema, and some languages write it so.
fn whole(value: &Value) -> Option<u32> {
    if let Some(number) = value.as_u64() {
        return u32::try_from(number).ok();
    }
    let number =
        value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked in the line above")]
    Some(number as u32)
}

fn minutes(field: &'static str, value: Option<&Value>) -> Result<Option<u32>, JobMessageError> {
    const RULE: &str = "a whole number from 1 to 2880";
    let Some(value) = value else { return Ok(None) };
    match whole(value).filter(|minutes| (1..=PROTECTION_MINUTES_MAX).contains(minutes)) {
        Some(minutes) => Ok(Some(minutes)),
        None => Err(wrong(field, value, RULE)),
    }
}

fn labels(value: Option<&Value>) -> Result<Labels, JobMessageError> {
    const RULE: &str = "an object of at most 8 strings of at most 128 characters, under names of at most 64";
    let Some(value) = value else { return Ok(Labels::new()) };
    let short = |text: &str, chars_max: usize| text.chars().count() <= chars_max;
    let object = value.as_object().filter(|object| object.len() <= LABELS_MAX);
    let object = object.filter(|object| object.keys().all(|name| short(name, LABEL_NAME_CHARS_MAX)));
    let label = |(name, value): (&String, &Value)| match value.as_str() {
        Some(text) if short(text, LABEL_VALUE_CHARS_MAX) => Ok((name.clone(), text.to_owned())),
        _ => Err(wrong(format!("labels.{}", shown(name)), value, "a string of at most 128 characters")),
    };
    object.ok_or_else(|| wrong("labels", value, RULE))?.iter().map(label).collect()
}
