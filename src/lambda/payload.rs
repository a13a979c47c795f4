//! The typed forms of a payload. [`Invocation::parse`] recognizes a whole payload, [`crate::lambda::sqs_record::parse`]
//! a single SQS record.
//!
//! An unrecognized payload is normal: event names of the future, events of others, a test from the console. It is
//! counted and acknowledged. A malformed one was meant to be a job message but breaks its rules: it is dead-lettered
//! with the reason.

use crate::api::command;
use crate::api::command::{Command, CommandError};
use crate::config::clusters::Clusters;
use crate::ecs::arn::shown;
use crate::lambda::service_event;
use crate::lambda::task_state_change;
use crate::service::trigger::ServiceTrigger;
use crate::task::stop::TaskStopEvent;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sqs::SqsEvent;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A payload of the function.
#[derive(Debug)]
pub enum Invocation {
    /// A batch of SQS messages.
    Sqs(SqsEvent),
    /// An ECS event.
    Ecs(EcsEvent),
    /// A command from an operator or a CI step.
    Command(Result<Command, CommandError>),
    /// An SQS batch that cannot be parsed. Acknowledging it would delete its messages, so the invocation must fail.
    UnreadableBatch(String),
    /// Anything else, with a short description.
    Unrecognized(String),
}

/// An ECS event as EventBridge delivers it. It says what to reconcile and proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EcsEvent {
    /// A task of a configured cluster is stopping or has stopped, according to the event.
    TaskStopEvent(TaskStopEvent),
    /// An event about a service of a configured cluster.
    Service(ServiceTrigger),
    /// An event without consequences, with a short description.
    Ignored(String),
}

/// The members that distinguish the shapes. Their values are not parsed until the shape is known.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(rename = "Records", borrow)]
    records: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(rename = "detail-type", borrow)]
    detail_type: Option<&'a RawValue>,
}

impl Invocation {
    /// Recognizes a payload. Total: anything unknown is [`Invocation::Unrecognized`].
    pub fn parse(payload: &str, clusters: &Clusters) -> Self {
        if !payload.trim_start().starts_with('{') {
            return Self::Unrecognized("not a JSON object".to_owned());
        }
        if let Some(batch) = plain_batch(payload) {
            return Self::Sqs(batch);
        }
        let shape: Shape<'_> = match serde_json::from_str(payload) {
            Ok(shape) => shape,
            Err(error) => return Self::Unrecognized(format!("not a JSON object: {error}")),
        };
        if let Some(records) = shape.records {
            if !names_sqs(records.get()) {
                return Self::Unrecognized("`Records` of another source than `aws:sqs`".to_owned());
            }
            return match serde_json::from_str::<SqsEvent>(payload) {
                Ok(batch) if batch.records.iter().all(is_of_sqs) => Self::Sqs(batch),
                Ok(_) => Self::UnreadableBatch("a record has no `messageId`, or is of another source".to_owned()),
                Err(error) => Self::UnreadableBatch(shown(&error.to_string())),
            };
        }
        if shape.source.is_some() && shape.detail_type.is_some() {
            return match EcsEvent::parse(payload, clusters) {
                Ok(event) => Self::Ecs(event),
                Err(error) => Self::Unrecognized(format!("not an EventBridge event: {}", shown(&error.to_string()))),
            };
        }
        match command::parse(payload, clusters) {
            Some(command) => Self::Command(command),
            None => Self::Unrecognized("a JSON object of no known shape".to_owned()),
        }
    }
}

/// An SQS batch as Lambda formats it, which most payloads are: parsed directly, without checking its shape first.
/// `None` for anything else.
fn plain_batch(payload: &str) -> Option<SqsEvent> {
    if !payload.starts_with("{\"Records\"") {
        return None;
    }
    let batch: SqsEvent = serde_json::from_str(payload).ok()?;
    (!batch.records.is_empty() && batch.records.iter().all(is_of_sqs)).then_some(batch)
}

/// Whether any record may come from SQS. AWS writes the name literally, but a payload written by hand may escape
/// characters in it.
fn names_sqs(records: &str) -> bool {
    // Records may have any shape, and an unreadable one must not hide the others: a batch not recognized as SQS's would
    // be acknowledged.
    let is_spelt = |record: &Value| record.get("eventSource").is_some_and(|source| source == "aws:sqs");
    let may_be = |records: Value| records.as_array().is_some_and(|records| records.iter().any(is_spelt));
    records.contains("\"aws:sqs\"") || records.contains("\\u") && serde_json::from_str(records).map_or(true, may_be)
}

fn is_of_sqs(record: &aws_lambda_events::sqs::SqsMessage) -> bool {
    record.event_source.as_deref() == Some("aws:sqs") && record.message_id.is_some()
}

impl EcsEvent {
    /// Parses an EventBridge envelope, from a payload or from the body of a message.
    ///
    /// # Errors It is not an envelope. An unknown source, detail-type or event name is not an error but
    /// [`EcsEvent::Ignored`].
    pub fn parse(envelope: &str, clusters: &Clusters) -> Result<Self, serde_json::Error> {
        let event: EventBridgeEvent<Box<RawValue>> = serde_json::from_str(envelope)?;
        Ok(match (event.source.as_str(), event.detail_type.as_str()) {
            ("aws.ecs", "ECS Task State Change") => {
                let stop = task_state_change::parse(event.detail.get(), clusters);
                stop.map_or_else(Self::Ignored, Self::TaskStopEvent)
            }
            ("aws.ecs", "ECS Service Action" | "ECS Deployment State Change") => {
                let resources: Vec<String> = event.resources.into_iter().flatten().collect();
                let trigger = service_event::parse(event.detail.get(), &resources, clusters);
                trigger.map_or_else(Self::Ignored, Self::Service)
            }
            (source, detail_type) => Self::Ignored(format!("`{}` of `{}`", shown(detail_type), shown(source))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(payload: &str) -> Invocation {
        let video = "arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap();
        Invocation::parse(payload, &Clusters::new(vec![video]).unwrap())
    }

    /// The description of a payload without consequences.
    fn said(payload: &serde_json::Value) -> String {
        match parse(&payload.to_string()) {
            Invocation::Ecs(EcsEvent::Ignored(why)) => why,
            Invocation::UnreadableBatch(why) | Invocation::Unrecognized(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_said_of_what_is_not_acted_on_is_one_short_line_whatever_others_wrote() {
        let text = "a\nb\u{2028}".repeat(10_000);
        for payload in [
            serde_json::json!({"source": text, "detail-type": "x", "detail": {}}),
            serde_json::json!({"source": "aws.s3", "detail-type": text, "detail": {}}),
            serde_json::json!({"source": "aws.ecs", "detail-type": "x", "detail": {}, "resources": text}),
            serde_json::json!({"source": "aws.ecs", "detail-type": "ECS Service Action", "detail": text}),
            serde_json::json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": text}),
            serde_json::json!({"Records": [{"eventSource": "aws:sqs", "attributes": text}]}),
        ] {
            let said = said(&payload);
            assert!(said.chars().count() < 500 && !said.contains(['\n', '\u{2028}']), "{said}");
        }
    }

    #[test]
    fn a_batch_is_recognized_with_every_spelling_of_the_sqs_name() {
        let batch = |source: &str| format!(r#"{{"Records": [{{"messageId": "m", "eventSource": "{source}"}}]}}"#);
        for spelt in ["aws:sqs", r"aws:sq\u0073", r"\u0061ws\u003Asqs"] {
            assert!(matches!(parse(&batch(spelt)), Invocation::Sqs(_)), "{spelt}");
        }
        assert!(matches!(parse(&batch(r"aws:s\u0033")), Invocation::Unrecognized(_)));
    }

    #[test]
    fn what_begins_like_a_batch_and_is_none_is_looked_at_more_closely() {
        let record = r#"{"messageId": "m", "eventSource": "aws:sqs"}"#;
        for payload in [r#"{"Records": []}"#.to_owned(), format!(r#"{{"Records": [{record}], "Records": [{record}]}}"#)]
        {
            assert!(matches!(parse(&payload), Invocation::Unrecognized(_)), "{payload}");
        }
        assert!(matches!(
            parse(&format!(r#"{{"Records": [{record}, {{"eventSource": "aws:sqs"}}]}}"#)),
            Invocation::UnreadableBatch(_)
        ));
    }

    #[test]
    fn a_record_that_cannot_be_read_does_not_hide_that_another_is_of_sqs() {
        for other in
            ["7", r#""text""#, "[]", r#"{"eventSource": 1e999}"#, r#"{"eventSource": "x", "eventSource": "y"}"#]
        {
            let payload = format!(r#"{{"Records": [{other}, {{"eventSource": "aws:sq\u0073"}}]}}"#);
            assert!(matches!(parse(&payload), Invocation::UnreadableBatch(_)), "{payload}");
        }
    }
}
