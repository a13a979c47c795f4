//! Messages as a receiver gets them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Message;

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
