//! Queue attributes: SQS writes all of them as strings, the redrive policy as JSON in a string.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::queue::settings::is_fifo;
use crate::queue::{QueueError, QueueSettings, Queues, RedrivePolicy};

/// Attributes that a client may set without an effect here: encryption, access, long polling, FIFO throughput.
const WITHOUT_EFFECT: [&str; 9] = [
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

/// Attributes that a client may only read, or that [`parse`] understands.
const WITH_EFFECT: [&str; 12] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DelaySeconds",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "QueueArn",
    "RedrivePolicy",
    "VisibilityTimeout",
];

pub(super) fn is_known(name: &str) -> bool {
    WITH_EFFECT.contains(&name) || WITHOUT_EFFECT.contains(&name)
}

/// The settings that CreateQueue's attributes request.
pub(super) fn parse(queue: &str, attributes: &BTreeMap<String, String>) -> Result<QueueSettings, QueueError> {
    let mut settings = QueueSettings::default();
    for (name, value) in attributes {
        match name.as_str() {
            "VisibilityTimeout" => settings.visibility_timeout_seconds = number(name, value)?,
            "DelaySeconds" => settings.delay_seconds = number(name, value)?,
            "MessageRetentionPeriod" => settings.retention_seconds = number(name, value)?,
            "MaximumMessageSize" => settings.message_bytes_max = number(name, value)?,
            "ContentBasedDeduplication" => settings.content_based_deduplication = value == "true",
            "RedrivePolicy" => settings.redrive = redrive(value)?,
            "FifoQueue" if (value == "true") != is_fifo(queue) => {
                return Err(invalid(name, "the name ends in `.fifo` exactly when the queue is FIFO"));
            }
            name if WITHOUT_EFFECT.contains(&name) => {}
            _ => return Err(QueueError::InvalidAttributeName { name: name.clone() }),
        }
    }
    Ok(settings)
}

/// The attributes of a queue.
pub(super) fn of(queues: &Queues, queue: &str) -> Result<BTreeMap<&'static str, String>, QueueError> {
    let (settings, counts) = (queues.settings(queue)?, queues.counts(queue)?);
    let created_seconds = (queues.queue(queue)?.created_ms() / 1000).to_string();
    let mut attributes = BTreeMap::from([
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
        ("CreatedTimestamp", created_seconds.clone()),
        ("DelaySeconds", settings.delay_seconds.to_string()),
        ("LastModifiedTimestamp", created_seconds),
        ("MaximumMessageSize", settings.message_bytes_max.to_string()),
        ("MessageRetentionPeriod", settings.retention_seconds.to_string()),
        ("QueueArn", queues.arn(queue)),
        ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
        ("VisibilityTimeout", settings.visibility_timeout_seconds.to_string()),
    ]);
    if is_fifo(queue) {
        attributes.insert("FifoQueue", "true".to_owned());
        attributes.insert("ContentBasedDeduplication", settings.content_based_deduplication.to_string());
    }
    if let Some(redrive) = &settings.redrive {
        let arn = queues.arn(&redrive.dead_letter_queue);
        let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": redrive.max_receive_count });
        attributes.insert("RedrivePolicy", policy.to_string());
    }
    Ok(attributes)
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, QueueError> {
    value.parse().map_err(|_| invalid(name, "not a number within bounds"))
}

/// `maxReceiveCount` is a number or a string; an empty policy removes it.
fn redrive(value: &str) -> Result<Option<RedrivePolicy>, QueueError> {
    if value.is_empty() {
        return Ok(None);
    }
    let policy: Value = serde_json::from_str(value).map_err(|_| invalid("RedrivePolicy", "not JSON"))?;
    let count = &policy["maxReceiveCount"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).and_then(|count| u32::try_from(count).ok());
    let queue = policy["deadLetterTargetArn"].as_str().and_then(|arn| arn.rsplit(':').next());
    match (count, queue) {
        (Some(max_receive_count), Some(queue)) => {
            Ok(Some(RedrivePolicy { max_receive_count, dead_letter_queue: queue.to_owned() }))
        }
        _ => Err(invalid("RedrivePolicy", "needs deadLetterTargetArn and maxReceiveCount")),
    }
}

fn invalid(name: &str, reason: &str) -> QueueError {
    QueueError::InvalidAttributeValue { name: name.to_owned(), reason: reason.to_owned() }
}
