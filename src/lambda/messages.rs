//! Messages that reach the function without a queue: from SNS directly, from a pipe with an input template, in an event
//! of a worker, or in an invocation by hand.
//!
//! They are handled as SQS records are. But nothing redelivers a single one of them, so the invocation fails if one must
//! be retried.

use crate::lambda::sqs_record::reports_a_job;
use aws_lambda_events::sqs::SqsMessage;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// `Records` as SNS delivers them (Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS notifications").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SnsRecord {
    event_source: String,
    sns: SnsNotification,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SnsNotification {
    message_id: String,
    message: String,
    timestamp: Option<String>,
}

/// The members of an EventBridge event that identify and date it.
#[derive(Default, Deserialize)]
struct Dated {
    id: Option<String>,
    time: Option<String>,
}

/// The messages in `Records` of SNS. `None` if they are of another source.
pub(crate) fn of_sns(records: &str) -> Option<Vec<SqsMessage>> {
    let records: Vec<SnsRecord> = serde_json::from_str(records).ok()?;
    let message = |record: SnsRecord| {
        let SnsNotification { message_id, message, timestamp } = record.sns;
        (record.event_source == "aws:sns").then(|| received(message_id, message, timestamp))
    };
    records.into_iter().map(message).collect::<Option<Vec<_>>>().filter(|messages| !messages.is_empty())
}

/// The messages in an array: each element is one, if any of them reports a job.
pub(crate) fn of_array(elements: &[&RawValue]) -> Option<Vec<SqsMessage>> {
    let any = elements.iter().any(|element| reports_a_job(element.get()));
    let message =
        |(at, element): (usize, &&RawValue)| received(format!("element-{at}"), element.get().to_owned(), None);
    any.then(|| elements.iter().enumerate().map(message).collect())
}

/// The message that a payload is, alone or in envelopes.
pub(crate) fn of_object(payload: &str) -> Option<Vec<SqsMessage>> {
    let dated = || serde_json::from_str(payload).unwrap_or_default();
    reports_a_job(payload).then(dated).map(|Dated { id, time }| {
        vec![received(id.unwrap_or_else(|| "invocation".to_owned()), payload.to_owned(), time)]
    })
}

fn received(id: String, body: String, sent_at: Option<String>) -> SqsMessage {
    let mut message = SqsMessage::default();
    let sent_at = sent_at.and_then(|sent_at| sent_at.parse::<Timestamp>().ok());
    let attribute = |at: Timestamp| ("SentTimestamp".to_owned(), at.as_millisecond().to_string());
    message.attributes.extend(sent_at.map(attribute));
    (message.message_id, message.body) = (Some(id), Some(body));
    message
}
