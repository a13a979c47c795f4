//! Lambda's event source mapping of a queue, without Lambda: takes a batch, builds the event, and settles the batch
//! according to the function's answer.
//!
//! The mapping reports batch item failures (`FunctionResponseTypes: [ReportBatchItemFailures]`), as taskhold's template
//! does. Left out on purpose: polling and concurrency, which the caller decides; filters; and the batching window,
//! since a scenario says when a batch is taken.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::queue::{
    AttributeValue, MessageAttribute, QueueError, Queues, Receive, ReceivedMessage, md5_of_attributes, md5_of_text,
};

/// The largest event that Lambda builds from a batch: 6 MB (aws-facts "Lambda and SQS").
const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Takes batches from one queue for one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    queue: String,
    batch_size: usize,
}

/// A batch taken from the queue: its messages are invisible until it is settled or their visibility timeout ends.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The event to invoke the function with.
    pub event: Value,
    messages: Vec<ReceivedMessage>,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum FunctionAnswer {
    /// The function returned this; `Null` for an empty response.
    Answered(Value),
    /// The function returned an error, timed out or died, or its response is not JSON.
    Failed,
}

/// The outcome of a batch, by message id in the batch's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Done and deleted from the queue.
    pub deleted: Vec<String>,
    /// Still in the queue: visible again when the visibility timeout ends.
    pub kept: Vec<String>,
}

impl FunctionAnswer {
    /// Parses a function's response; an empty one is a valid answer.
    #[must_use]
    pub fn from_payload(payload: &[u8]) -> Self {
        if payload.is_empty() {
            return Self::Answered(Value::Null);
        }
        serde_json::from_slice(payload).map_or(Self::Failed, Self::Answered)
    }
}

impl Batch {
    /// The messages of the batch.
    #[must_use]
    pub fn messages(&self) -> &[ReceivedMessage] {
        &self.messages
    }
}

impl EventSource {
    /// Batches of up to `batch_size` messages of `queue`; Lambda allows 10,000, on a FIFO queue 10.
    #[must_use]
    pub fn new(queue: impl Into<String>, batch_size: usize) -> Self {
        Self { queue: queue.into(), batch_size }
    }

    /// Takes a batch, or nothing if no message is visible. A batch ends early where the event would exceed 6 MB.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn poll(&self, queues: &mut Queues) -> Result<Option<Batch>, QueueError> {
        let receive = Receive { bytes_max: EVENT_BYTES_MAX, ..Receive::up_to(self.batch_size) };
        let messages = queues.receive_with(&self.queue, receive)?;
        if messages.is_empty() {
            return Ok(None);
        }
        let (arn, region) = (queues.arn(&self.queue), &queues.origin().region);
        let records: Vec<Value> = messages.iter().map(|message| record(message, &arn, region)).collect();
        Ok(Some(Batch { event: json!({ "Records": records }), messages }))
    }

    /// Settles a batch: deletes the messages that the function did not report as failed. The rest stays until its
    /// visibility timeout ends.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn settle(&self, queues: &mut Queues, batch: &Batch, answer: &FunctionAnswer) -> Result<Settled, QueueError> {
        let ids: BTreeSet<&str> = batch.messages.iter().map(|received| received.message.id.as_str()).collect();
        let failed = match answer {
            FunctionAnswer::Answered(value) => failed_ids(value, &ids),
            FunctionAnswer::Failed => None,
        };
        let mut settled = Settled::default();
        for received in &batch.messages {
            let id = &received.message.id;
            if failed.as_ref().is_some_and(|failed| !failed.contains(id.as_str())) {
                queues.delete(&self.queue, &received.receipt_handle)?;
                settled.deleted.push(id.clone());
            } else {
                settled.kept.push(id.clone());
            }
        }
        Ok(settled)
    }
}

/// The messages that the answer reports as failed. `None` if the answer fails the whole batch: it is no object, or an
/// `itemIdentifier` is missing, null, empty or of no message in the batch (page "Handling errors for an SQS event
/// source in Lambda").
fn failed_ids<'a>(answer: &'a Value, ids: &BTreeSet<&str>) -> Option<BTreeSet<&'a str>> {
    let failures = match answer {
        Value::Null => &Value::Null,
        Value::Object(answer) => answer.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return None,
    };
    match failures {
        Value::Null => Some(BTreeSet::new()),
        Value::Array(failures) => failures
            .iter()
            .map(|failure| failure.get("itemIdentifier")?.as_str().filter(|id| ids.contains(id)))
            .collect(),
        _ => None,
    }
}

fn record(received: &ReceivedMessage, queue_arn: &str, region: &str) -> Value {
    let message = &received.message;
    let attributes = message.attributes.iter();
    let attributes: Map<_, _> = attributes.map(|(name, value)| (name.clone(), message_attribute(value))).collect();
    let mut record = json!({
        "messageId": message.id,
        "receiptHandle": received.receipt_handle,
        "body": message.body,
        "attributes": received.system_attributes(),
        "messageAttributes": attributes,
        "md5OfBody": md5_of_text(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    });
    if let Some(md5) = md5_of_attributes(&message.attributes) {
        record["md5OfMessageAttributes"] = md5.into();
    }
    record
}

/// Lambda writes an attribute's names in camel case, and includes lists that SQS itself has not implemented.
fn message_attribute(attribute: &MessageAttribute) -> Value {
    use base64::Engine;
    let value = match &attribute.value {
        AttributeValue::String(text) => ("stringValue", text.clone()),
        AttributeValue::Binary(bytes) => ("binaryValue", base64::engine::general_purpose::STANDARD.encode(bytes)),
    };
    json!({ "dataType": attribute.data_type, value.0: value.1, "stringListValues": [], "binaryListValues": [] })
}

#[cfg(test)]
mod tests;
