//! Messages as a receiver gets them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::Message;

/// A message as one receive returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The part that all deliveries share.
    pub message: Arc<Message>,
    /// Identifies this delivery in a delete or a change of visibility.
    pub receipt_handle: String,
    /// ApproximateReceiveCount: 1 on the first delivery.
    pub receive_count: u32,
    /// ApproximateFirstReceiveTimestamp, in milliseconds since the epoch.
    pub first_received_ms: i64,
}

impl ReceivedMessage {
    /// The system attributes, by SQS's names, all of them strings.
    #[must_use]
    pub fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let message = &self.message;
        let mut attributes = BTreeMap::from([
            ("ApproximateReceiveCount", self.receive_count.to_string()),
            ("SentTimestamp", message.sent_ms.to_string()),
            ("SenderId", message.sender_id.clone()),
            ("ApproximateFirstReceiveTimestamp", self.first_received_ms.to_string()),
        ]);
        let optional = [
            ("MessageGroupId", &message.message_group_id),
            ("MessageDeduplicationId", &message.message_deduplication_id),
            ("DeadLetterQueueSourceArn", &message.dead_letter_queue_source_arn),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                attributes.insert(name, value.clone());
            }
        }
        attributes
    }
}

/// The limits of one receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receive {
    /// Maximum number of messages. The limit of ten applies to the API only; an event source mapping takes more.
    pub max: usize,
    /// Approximate maximum size of a Lambda event with all the messages; one message is always taken.
    pub bytes_max: usize,
    /// How long the messages stay invisible; the queue's own timeout when unset.
    pub visibility_timeout_seconds: Option<u32>,
}

impl Receive {
    /// At most `max` messages, of any size.
    #[must_use]
    pub fn up_to(max: usize) -> Self {
        Self { max, bytes_max: usize::MAX, visibility_timeout_seconds: None }
    }
}
