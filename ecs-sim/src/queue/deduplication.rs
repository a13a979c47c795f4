//! How a FIFO queue tells duplicates.

use std::collections::BTreeMap;

use super::SendMessage;

/// Within this time a FIFO queue takes a message with a known deduplication id for a duplicate: five minutes, as in SQS.
const DEDUPLICATION_MS: i64 = 300_000;

/// What a FIFO queue has seen within five minutes: by deduplication id the message's id and when it was sent.
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

    /// Remembers a message that was stored.
    pub(super) fn remember(&mut self, message: &SendMessage, (id, now_ms): (String, i64)) {
        let key = deduplication_id(message).to_owned();
        self.seen.insert(key, (id, now_ms));
    }
}

/// What a FIFO queue tells duplicates by; without an id it is the body, where SQS takes the body's SHA-256.
fn deduplication_id(message: &SendMessage) -> &str {
    message.message_deduplication_id.as_deref().unwrap_or(&message.body)
}
