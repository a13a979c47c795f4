//! Deduplication of FIFO queues.

use std::collections::BTreeMap;

use super::message::SendMessage;

/// Within this time a FIFO queue treats a message with a known deduplication id as a duplicate: five minutes, as in
/// SQS.
const DEDUPLICATION_MS: i64 = 300_000;

/// The messages of the last five minutes: the message's id and send time, by deduplication id.
#[derive(Debug, Clone, Default)]
pub(super) struct Deduplication {
    seen: BTreeMap<String, (String, i64)>,
}

impl Deduplication {
    /// The id of the message that this one repeats.
    pub(super) fn first_of(&mut self, message: &SendMessage, now_ms: i64) -> Option<String> {
        self.seen.retain(|_, (_, sent_ms)| now_ms < *sent_ms + DEDUPLICATION_MS);
        let (id, _) = self.seen.get(deduplication_id(message))?;
        Some(id.clone())
    }

    /// Records a stored message.
    pub(super) fn remember(&mut self, message: &SendMessage, id: String, now_ms: i64) {
        let key = deduplication_id(message).to_owned();
        self.seen.insert(key, (id, now_ms));
    }
}

/// The deduplication id; without one, the body, where SQS uses the body's SHA-256.
fn deduplication_id(message: &SendMessage) -> &str {
    message.message_deduplication_id.as_deref().unwrap_or(&message.body)
}
