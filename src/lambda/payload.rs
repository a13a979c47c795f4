//! The typed forms of a payload. [`Invocation::parse`] recognizes a whole payload, [`crate::lambda::sqs_record::parse`]
//! a single SQS record.
//!
//! An unrecognized payload is normal: event names of the future, events of others, a test from the console. It is
//! counted and acknowledged. A malformed one was meant to be a job message but breaks its rules: it is dead-lettered
//! with the reason. A payload with messages that taskhold does not read fails, so that its source keeps them.

use crate::api::command;
use crate::api::command::{Command, CommandError};
use crate::api::hook::HookInput;
use crate::config::clusters::Clusters;
use crate::ecs::arn::shown;
use crate::lambda::ecs_event::EcsEvent;
use crate::lambda::messages;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A payload of the function.
#[derive(Debug)]
pub enum Invocation {
    /// A batch of SQS messages, from an event source mapping or a pipe.
    Sqs(SqsEvent),
    /// Messages that no queue would deliver again.
    Messages(SqsEvent),
    /// An ECS event.
    Ecs(EcsEvent),
    /// A command from an operator or a CI step.
    Command(Result<Command, CommandError>),
    /// ECS asks a deployment lifecycle hook whether the deployment may continue.
    Hook(HookInput),
    /// Messages that cannot be parsed, or come from a source that taskhold does not read. Acknowledging them would delete
    /// them, so the invocation must fail.
    UnreadableBatch(String),
    /// Anything else, with a short description.
    Unrecognized(String),
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
        match payload.trim_start().chars().next() {
            Some('{') => Self::parse_object(payload, clusters),
            Some('[') => Self::parse_array(payload),
            _ => Self::Unrecognized("neither a JSON object nor an array".to_owned()),
        }
    }

    /// A pipe delivers its batch as a bare array (Amazon EventBridge User Guide, "Amazon EventBridge Pipes batching and
    /// concurrency"): SQS records, or what an input template made of them.
    fn parse_array(payload: &str) -> Self {
        let elements: Vec<&RawValue> = match serde_json::from_str(payload) {
            Ok(elements) => elements,
            Err(error) => return Self::Unrecognized(format!("not a JSON array: {error}")),
        };
        if names_sqs(payload) {
            return match serde_json::from_str::<Vec<SqsMessage>>(payload) {
                Ok(records) => Self::batch(records),
                Err(error) => Self::UnreadableBatch(shown(&error.to_string())),
            };
        }
        match messages::of_array(&elements) {
            Some(records) => Self::Messages(event(records)),
            None => Self::Unrecognized("a JSON array of no known shape".to_owned()),
        }
    }

    fn parse_object(payload: &str, clusters: &Clusters) -> Self {
        if let Some(batch) = plain_batch(payload) {
            return Self::Sqs(batch);
        }
        let shape: Shape<'_> = match serde_json::from_str(payload) {
            Ok(shape) => shape,
            Err(error) => return Self::Unrecognized(format!("not a JSON object: {error}")),
        };
        if let Some(records) = shape.records {
            return Self::parse_records(payload, records.get());
        }
        let is_event = shape.source.is_some() && shape.detail_type.is_some();
        // Before other shapes: an answer to any of them would roll the deployment back.
        if let Some(input) = HookInput::parse(payload, clusters).filter(|_| !is_event) {
            return Self::Hook(input);
        }
        if let Some(records) = messages::of_object(payload) {
            return Self::Messages(event(records));
        }
        if is_event {
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

    fn parse_records(payload: &str, records: &str) -> Self {
        if names_sqs(records) {
            return match serde_json::from_str::<SqsEvent>(payload) {
                Ok(batch) => Self::batch(batch.records),
                Err(error) => Self::UnreadableBatch(shown(&error.to_string())),
            };
        }
        if let Some(records) = messages::of_sns(records) {
            return Self::Messages(event(records));
        }
        match other_messages(records) {
            Some(source) => Self::UnreadableBatch(format!(
                "its records are of `{}`; taskhold reads messages from SQS, SNS and EventBridge only",
                shown(&source)
            )),
            None => Self::Unrecognized("`Records` without messages".to_owned()),
        }
    }

    fn batch(records: Vec<SqsMessage>) -> Self {
        match records.iter().all(is_of_sqs) {
            true => Self::Sqs(event(records)),
            false => Self::UnreadableBatch("a record has no `messageId`, or is of another source".to_owned()),
        }
    }
}

fn event(records: Vec<SqsMessage>) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = records;
    event
}

/// The source of records that carry messages, of a service other than SQS (Lambda Developer Guide, the sample events of
/// Amazon Kinesis, Amazon DynamoDB and Amazon SNS).
fn other_messages(records: &str) -> Option<String> {
    let records: Vec<Value> = serde_json::from_str(records).ok()?;
    let carries =
        |record: &&Value| ["Sns", "body", "dynamodb", "kinesis"].iter().any(|member| record.get(member).is_some());
    let record = records.iter().find(carries)?;
    let source = record.get("eventSource").or_else(|| record.get("EventSource")).and_then(Value::as_str);
    Some(source.unwrap_or("an unnamed source").to_owned())
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

fn is_of_sqs(record: &SqsMessage) -> bool {
    record.event_source.as_deref() == Some("aws:sqs") && record.message_id.is_some()
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
    fn a_payload_that_begins_like_a_batch_is_checked_in_full() {
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
    fn a_batch_of_a_pipe_is_a_batch_and_an_element_that_is_no_record_fails_it() {
        let record = r#"{"messageId": "m", "eventSource": "aws:sqs", "body": "{}"}"#;
        assert!(matches!(parse(&format!("[{record}]")), Invocation::Sqs(batch) if batch.records.len() == 1));
        assert!(matches!(parse(&format!("[{record}, 7]")), Invocation::UnreadableBatch(_)));
        for payload in ["[]", "[7]", r#"["aws"]"#, r#"[{"a": 1}]"#, "[1"] {
            assert!(matches!(parse(payload), Invocation::Unrecognized(_)), "{payload}");
        }
    }

    #[test]
    fn a_message_without_a_queue_is_read_wherever_it_comes_from() {
        let message = serde_json::json!({"version": 1, "type": "job.started", "jobId": "j-1", "taskArn": "any"});
        let sns = serde_json::json!({"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m",
            "Message": message.to_string(), "Timestamp": "2026-01-05T09:30:00.000Z"}}]});
        let event = serde_json::json!({"id": "m", "source": "my.workers", "detail-type": "job", "detail": message,
            "time": "2026-01-05T09:30:00Z"});
        for (payload, id) in [
            (&sns, "m"),
            (&event, "m"),
            (&message, "invocation"),
            (&serde_json::json!([{"jobId": 7}, message]), "element-1"),
        ] {
            let Invocation::Messages(messages) = parse(&payload.to_string()) else { panic!("{payload}") };
            let last = messages.records.last().unwrap();
            assert_eq!(last.message_id.as_deref(), Some(id));
            assert!(last.body.as_deref().unwrap().contains("j-1"));
            let sent_at = last.attributes.get("SentTimestamp").map(String::as_str);
            assert_eq!(sent_at, (id == "m").then_some("1767605400000"));
        }
        let other = serde_json::json!({"source": "my.workers", "detail-type": "news", "detail": {"text": "j-1"}});
        assert!(matches!(parse(&other.to_string()), Invocation::Ecs(EcsEvent::Ignored(_))));
    }

    #[test]
    fn messages_of_a_source_that_is_not_read_are_never_acknowledged() {
        for record in [r#"{"eventSource": "aws:kinesis", "kinesis": {}}"#, r#"{"EventSource": "aws:sns", "Sns": {}}"#] {
            let payload = format!(r#"{{"Records": [{record}]}}"#);
            assert!(matches!(parse(&payload), Invocation::UnreadableBatch(why) if why.contains("`aws:")), "{payload}");
        }
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
