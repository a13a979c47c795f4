//! Batch sends, and the rules for every batch.

use std::collections::BTreeSet;

use super::error::QueueError;
use super::limits::MESSAGE_BYTES_MAX;
use super::message::SendMessage;
use super::queues::Queues;

/// Maximum number of entries of a batch call, SQS's own limit.
pub const BATCH_ENTRIES_MAX: usize = 10;

/// One entry of a batch of sends: the sender's id for it, and the message.
#[derive(Debug, Clone)]
pub struct SendMessageEntry {
    /// The sender's id for the entry within the batch, which the answer repeats.
    pub id: String,
    /// The message.
    pub message: SendMessage,
}

impl Queues {
    /// Sends up to ten messages, each of which succeeds or fails by itself; the answers are in the order of `entries`.
    ///
    /// # Errors
    /// An error of the whole batch: none or too many entries, ids that are not distinct, more than 1 MiB in all.
    pub fn send_batch(
        &mut self,
        queue: &str,
        entries: Vec<SendMessageEntry>,
    ) -> Result<Vec<Result<String, QueueError>>, QueueError> {
        self.queue(queue)?;
        check_entry_ids(entries.iter().map(|entry| entry.id.as_str()))?;
        let bytes: usize = entries.iter().map(|entry| entry.message.bytes()).sum();
        if bytes > MESSAGE_BYTES_MAX {
            return Err(QueueError::BatchRequestTooLong { bytes, bytes_max: MESSAGE_BYTES_MAX });
        }
        Ok(entries.into_iter().map(|entry| self.send(queue, entry.message)).collect())
    }
}

/// Checks the ids of a batch, as SQS does before it reads any entry.
pub(crate) fn check_entry_ids<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), QueueError> {
    let entries = ids.len();
    if entries == 0 {
        return Err(QueueError::EmptyBatchRequest);
    }
    if entries > BATCH_ENTRIES_MAX {
        return Err(QueueError::TooManyEntriesInBatchRequest { entries });
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        // 80 characters: SQS's own limit.
        if id.is_empty() || id.len() > 80 || !id.chars().all(allowed) {
            return Err(QueueError::InvalidBatchEntryId { id: id.to_owned() });
        }
        if !seen.insert(id) {
            return Err(QueueError::BatchEntryIdsNotDistinct { id: id.to_owned() });
        }
    }
    Ok(())
}
