//! The untyped members of a message's body: the fields of a job message, the members that mark envelopes around one, and
//! fields whose names are nearly right.
//!
//! All are read in one pass, since nearly every body is a job message. The fields are untyped so that a wrong type is
//! reported with the field's name and rule.

use crate::ecs::arn::shown;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

/// A field of a message whose name suggests that it stands for a known one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MisnamedField {
    /// The name in the message, shortened for display.
    pub found: String,
    /// The field that it seems to stand for.
    pub meant: &'static str,
}

/// More of them in one message are not reported.
const MISNAMED_MAX: usize = 4;

/// Names that differ from a field's by more than a few letters, without case and separators, and the field.
const OTHER_NAMES: [(&str, &str); 19] = [
    ("duration", "maxDurationMinutes"),
    ("durationminutes", "maxDurationMinutes"),
    ("expiresinminutes", "maxDurationMinutes"),
    ("maxduration", "maxDurationMinutes"),
    ("maxminutes", "maxDurationMinutes"),
    ("timeout", "maxDurationMinutes"),
    ("timeoutminutes", "maxDurationMinutes"),
    ("estimateddurationminutes", "expectedDurationMinutes"),
    ("expectedduration", "expectedDurationMinutes"),
    ("expectedminutes", "expectedDurationMinutes"),
    ("clusterarn", "cluster"),
    ("clustername", "cluster"),
    ("ecstaskarn", "taskArn"),
    ("event", "type"),
    ("heartbeatinterval", "heartbeatMinutes"),
    ("heartbeatintervalminutes", "heartbeatMinutes"),
    ("jobkind", "kind"),
    ("messagetype", "type"),
    ("tags", "labels"),
];

/// Of names with at least this many letters, two that differ by one letter mean the same.
const LETTERS_MIN: usize = 6;

#[derive(Default)]
pub(crate) struct JobMessageFields {
    pub(crate) version: Option<Value>,
    pub(crate) message_type: Option<Value>,
    pub(crate) job_id: Option<Value>,
    pub(crate) attempt: Option<Value>,
    pub(crate) task_arn: Option<Value>,
    pub(crate) cluster: Option<Value>,
    pub(crate) task_id: Option<Value>,
    pub(crate) max_duration_minutes: Option<Value>,
    pub(crate) expected_duration_minutes: Option<Value>,
    pub(crate) heartbeat_minutes: Option<Value>,
    pub(crate) kind: Option<Value>,
    pub(crate) labels: Option<Value>,
    pub(crate) protection: Option<Value>,
    detail_type: Option<Value>,
    source: Option<Value>,
    detail: Option<Box<RawValue>>,
    sns_type: Option<Value>,
    sns_message: Option<Value>,
    sqs_source: Option<Value>,
    sqs_body: Option<Value>,
    pub(crate) misnamed: Vec<MisnamedField>,
}

/// The names of the fields of a job message.
const FIELDS: [&str; 13] = [
    "version",
    "type",
    "jobId",
    "attempt",
    "taskArn",
    "cluster",
    "taskId",
    "maxDurationMinutes",
    "expectedDurationMinutes",
    "heartbeatMinutes",
    "kind",
    "labels",
    "protection",
];

/// The members that mark an envelope.
const MARKS: [&str; 6] = ["detail-type", "source", "Type", "Message", "eventSource", "body"];

/// What surrounds a message.
pub(crate) enum Envelope<'a> {
    /// An event of AWS, not of a worker.
    EventOfAws,
    /// An event of another source: a message may be inside, as the text of a JSON object or of another envelope.
    Event(&'a str),
    /// The message is inside, likewise.
    Around(&'a str),
}

impl JobMessageFields {
    /// Where the value of one of [`FIELDS`] or [`MARKS`] goes.
    fn slot(&mut self, name: &str) -> &mut Option<Value> {
        match name {
            "version" => &mut self.version,
            "type" => &mut self.message_type,
            "jobId" => &mut self.job_id,
            "attempt" => &mut self.attempt,
            "taskArn" => &mut self.task_arn,
            "cluster" => &mut self.cluster,
            "taskId" => &mut self.task_id,
            "maxDurationMinutes" => &mut self.max_duration_minutes,
            "expectedDurationMinutes" => &mut self.expected_duration_minutes,
            "heartbeatMinutes" => &mut self.heartbeat_minutes,
            "kind" => &mut self.kind,
            "labels" => &mut self.labels,
            "protection" => &mut self.protection,
            "detail-type" => &mut self.detail_type,
            "source" => &mut self.source,
            "Type" => &mut self.sns_type,
            "Message" => &mut self.sns_message,
            "eventSource" => &mut self.sqs_source,
            "body" => &mut self.sqs_body,
            _ => unreachable!("`{name}` is in neither list"),
        }
    }

    /// Whether a field of a job message is absent.
    pub(crate) fn lacks(&self, field: &str) -> bool {
        match field {
            "maxDurationMinutes" => self.max_duration_minutes.is_none(),
            "expectedDurationMinutes" => self.expected_duration_minutes.is_none(),
            "kind" => self.kind.is_none(),
            "labels" => self.labels.is_none(),
            "protection" => self.protection.is_none(),
            "attempt" => self.attempt.is_none(),
            // The others are required, or have one that replaces them: their absence is an error of its own.
            _ => false,
        }
    }

    /// The envelope that the object is, if it is one: an EventBridge event, an SNS notification, or an SQS record.
    pub(crate) fn envelope(&self) -> Option<Envelope<'_>> {
        if let (Some(_), Some(source)) = (&self.detail_type, &self.source) {
            let is_of_aws = source.as_str().is_none_or(|source| source.starts_with("aws."));
            return Some(match &self.detail {
                Some(detail) if !is_of_aws => Envelope::Event(detail.get()),
                _ => Envelope::EventOfAws,
            });
        }
        let inside = if self.sns_type.as_ref().and_then(Value::as_str) == Some("Notification") {
            &self.sns_message
        } else if self.sqs_source.as_ref().and_then(Value::as_str) == Some("aws:sqs") {
            &self.sqs_body
        } else {
            return None;
        };
        inside.as_ref().and_then(Value::as_str).map(Envelope::Around)
    }

    /// Whether the object is meant as a job message, valid or not.
    pub(crate) fn reports_a_job(&self) -> bool {
        let message_type = self.message_type.as_ref().and_then(Value::as_str);
        message_type.is_some_and(|message_type| message_type.starts_with("job."))
            || self.job_id.is_some() && (self.task_arn.is_some() || self.task_id.is_some())
    }
}

impl<'de> Deserialize<'de> for JobMessageFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = JobMessageFields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JobMessageFields, A::Error> {
        let mut fields = JobMessageFields::default();
        while let Some(name) = members.next_key()? {
            match name {
                Name::Detail => fields.detail = members.next_value()?,
                Name::Known(name) => {
                    let slot = fields.slot(name);
                    if slot.is_some() {
                        return Err(A::Error::duplicate_field(name));
                    }
                    *slot = members.next_value()?;
                }
                Name::Unknown(misnamed) => {
                    members.next_value::<IgnoredAny>()?;
                    let room = MISNAMED_MAX - fields.misnamed.len();
                    fields.misnamed.extend(misnamed.into_iter().take(room));
                }
            }
        }
        Ok(fields)
    }
}

/// The name of a member, recognized without a copy.
enum Name {
    /// One of [`FIELDS`] or [`MARKS`].
    Known(&'static str),
    /// The content of an EventBridge event.
    Detail,
    /// Any other, with the field that it seems to stand for.
    Unknown(Option<MisnamedField>),
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
        if name == "detail" {
            return Ok(Name::Detail);
        }
        let known = FIELDS.iter().chain(&MARKS).find(|known| **known == name).copied();
        let misnamed = || meant(name).map(|meant| MisnamedField { found: shown(name), meant });
        Ok(known.map_or_else(|| Name::Unknown(misnamed()), Name::Known))
    }
}

/// The field that an unknown name seems to stand for.
fn meant(name: &str) -> Option<&'static str> {
    // Longer names mean something else, and are not worth comparing.
    if name.len() > 40 {
        return None;
    }
    let letters = letters(name);
    let is_close = |field: &&&str| {
        let field = self::letters(field);
        letters == field || letters.len().min(field.len()) >= LETTERS_MIN && strsim::levenshtein(&letters, &field) <= 1
    };
    let other = || OTHER_NAMES.into_iter().find(|(other, _)| *other == letters).map(|(_, field)| field);
    FIELDS.iter().find(is_close).copied().or_else(other)
}

fn letters(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_known_has_its_place_and_no_other_one() {
        for name in FIELDS.into_iter().chain(MARKS) {
            let body = format!(r#"{{"{name}": 7, "{name}": 7}}"#);
            let error = serde_json::from_str::<JobMessageFields>(&body).err().unwrap().to_string();
            assert!(error.starts_with(&format!("duplicate field `{name}`")), "{error}");
        }
    }

    #[test]
    fn a_field_in_another_spelling_and_one_that_users_expect_are_recognized_and_others_are_not() {
        for (name, field) in [
            ("max_duration_minutes", Some("maxDurationMinutes")),
            ("MaxDurationMinutes", Some("maxDurationMinutes")),
            ("max-duration-minute", Some("maxDurationMinutes")),
            ("expiresInMinutes", Some("maxDurationMinutes")),
            ("job_id", Some("jobId")),
            ("JobID", Some("jobId")),
            ("task_arn", Some("taskArn")),
            ("taskArns", Some("taskArn")),
            ("tags", Some("labels")),
            ("clusterName", Some("cluster")),
            ("Kind", Some("kind")),
            ("jobKind", Some("kind")),
            ("kinds", None),
            ("priority", None),
            ("types", None),
            ("", None),
        ] {
            assert_eq!(meant(name), field, "{name}");
        }
    }
}
