//! The messages of one queue, and when each is visible.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::deduplication::Deduplication;
use super::error::QueueError;
use super::limits::{VISIBILITY_TIMEOUT_SECONDS_MAX, seconds_ms};
use super::message::Message;
use super::received::{Receive, ReceivedMessage};
use super::settings::{QueueSettings, is_fifo};
use super::stored::{StoredMessage, parse_receipt_handle};

/// How many deleted messages can still be delivered again. Limits the memory of a server that runs for days; a test
/// asks for a duplicate soon after.
const DELETED_MAX: usize = 10_000;

/// The number of messages in a queue, by their state for a receive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// A receive would return these: ApproximateNumberOfMessages.
    pub visible: usize,
    /// Received and not yet deleted: ApproximateNumberOfMessagesNotVisible.
    pub in_flight: usize,
    /// Sent and not yet visible: ApproximateNumberOfMessagesDelayed.
    pub delayed: usize,
}

/// One queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    fifo: bool,
    name: String,
    settings: QueueSettings,
    created_ms: i64,
    messages: BTreeMap<u64, StoredMessage>,
    /// Every message once, by when it becomes visible, so that neither a receive nor `next_due` reads all of them.
    due: BTreeSet<(i64, u64)>,
    deleted: VecDeque<StoredMessage>,
    deduplication: Deduplication,
}

impl Queue {
    pub(super) fn new(name: &str, settings: QueueSettings, created_ms: i64) -> Self {
        Self {
            fifo: is_fifo(name),
            name: name.to_owned(),
            settings,
            created_ms,
            messages: BTreeMap::new(),
            due: BTreeSet::new(),
            deleted: VecDeque::new(),
            deduplication: Deduplication::default(),
        }
    }

    pub(super) fn settings(&self) -> &QueueSettings {
        &self.settings
    }

    pub(super) fn created_ms(&self) -> i64 {
        self.created_ms
    }

    pub(super) fn is_fifo(&self) -> bool {
        self.fifo
    }

    /// The record for deduplication; only a FIFO queue uses it.
    pub(super) fn deduplication(&mut self) -> &mut Deduplication {
        &mut self.deduplication
    }

    pub(super) fn next_due(&self, now_ms: i64) -> Option<i64> {
        self.due.range((now_ms.saturating_add(1), 0)..).next().map(|(visible_at_ms, _)| *visible_at_ms)
    }

    pub(super) fn messages(&self, now_ms: i64) -> impl Iterator<Item = &Message> {
        let live = move |stored: &&StoredMessage| !stored.is_expired(&self.settings, now_ms);
        self.messages.values().filter(live).map(|stored| stored.message.as_ref())
    }

    pub(super) fn counts(&self, now_ms: i64) -> MessageCounts {
        let mut counts = MessageCounts::default();
        for stored in self.messages.values().filter(|stored| !stored.is_expired(&self.settings, now_ms)) {
            if stored.visible_at_ms <= now_ms {
                counts.visible += 1;
            } else if stored.receive_count > 0 {
                counts.in_flight += 1;
            } else {
                counts.delayed += 1;
            }
        }
        counts
    }

    pub(super) fn add(&mut self, stored: StoredMessage) {
        self.due.insert((stored.visible_at_ms, stored.sequence));
        self.messages.insert(stored.sequence, stored);
    }

    /// Returns the visible messages, and those that exceeded their receives: the second list is for the dead-letter
    /// queue.
    pub(super) fn receive(
        &mut self,
        receive: Receive,
        now_ms: i64,
    ) -> (Vec<ReceivedMessage>, Vec<(Arc<Message>, u64)>) {
        let timeout_seconds = receive.visibility_timeout_seconds.unwrap_or(self.settings.visibility_timeout_seconds);
        let (mut received, mut taken, mut exhausted) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        while received.len() < receive.max {
            let Some(sequence) = self.next_visible(now_ms) else {
                break;
            };
            let stored = self.messages.get_mut(&sequence).expect("`due` names stored messages");
            if stored.is_expired(&self.settings, now_ms) {
                self.remove(sequence);
                continue;
            }
            if stored.is_exhausted(&self.settings) {
                exhausted.extend(self.remove(sequence).map(|stored| (stored.message, sequence)));
                continue;
            }
            bytes += stored.message.event_bytes();
            if bytes > receive.bytes_max && !received.is_empty() {
                break;
            }
            // Removed from `due` until the receive is over, so that a timeout of 0 does not return a message twice.
            self.due.remove(&(stored.visible_at_ms, sequence));
            received.push(stored.hand_out(now_ms));
            taken.push(sequence);
        }
        for sequence in taken {
            self.become_visible(sequence, now_ms + seconds_ms(timeout_seconds));
        }
        (received, exhausted)
    }

    /// The next message for a receive: on a standard queue the one visible the longest, on a FIFO queue the oldest
    /// whose group has no older message in flight.
    fn next_visible(&self, now_ms: i64) -> Option<u64> {
        if !self.fifo {
            return self
                .due
                .first()
                .filter(|(visible_at_ms, _)| *visible_at_ms <= now_ms)
                .map(|(_, sequence)| *sequence);
        }
        let mut waiting_groups = BTreeSet::new();
        for (sequence, stored) in &self.messages {
            let group = stored.message.message_group_id.as_deref();
            if !self.due.contains(&(stored.visible_at_ms, *sequence)) {
                continue; // returned by this very receive, which may continue in the group
            }
            if stored.visible_at_ms > now_ms {
                waiting_groups.insert(group);
            } else if !waiting_groups.contains(&group) {
                return Some(*sequence);
            }
        }
        None
    }

    pub(super) fn delete(&mut self, receipt_handle: &str) -> Result<(), QueueError> {
        let (sequence, receipt) = parse_receipt_handle(receipt_handle)?;
        if self.messages.get(&sequence).is_some_and(|stored| stored.receipts == receipt) {
            if self.deleted.len() == DELETED_MAX {
                self.deleted.pop_front();
            }
            let deleted = self.remove(sequence);
            self.deleted.extend(deleted);
        }
        Ok(())
    }

    pub(super) fn change_visibility(
        &mut self,
        receipt_handle: &str,
        seconds: u32,
        now_ms: i64,
    ) -> Result<(), QueueError> {
        let (sequence, receipt) = parse_receipt_handle(receipt_handle)?;
        let Some(stored) = self.messages.get(&sequence).filter(|stored| stored.receipts == receipt) else {
            let reason = "the message is gone or was received again".to_owned();
            return Err(QueueError::InvalidParameterValue { name: "ReceiptHandle", reason });
        };
        if stored.visible_at_ms <= now_ms {
            return Err(QueueError::MessageNotInflight { id: stored.message.id.clone() });
        }
        let visible_at_ms = now_ms + seconds_ms(seconds);
        if visible_at_ms - stored.last_received_ms > seconds_ms(VISIBILITY_TIMEOUT_SECONDS_MAX) {
            let reason = format!("more than {VISIBILITY_TIMEOUT_SECONDS_MAX} seconds since the receive");
            return Err(QueueError::InvalidParameterValue { name: "VisibilityTimeout", reason });
        }
        self.become_visible(sequence, visible_at_ms);
        Ok(())
    }

    pub(super) fn deliver_again(&mut self, id: &str, sequence: u64, now_ms: i64) -> Result<(), QueueError> {
        // Newest first, so that a copy of a copy repeats the latest delivery.
        let original = self.messages.values().rev().chain(self.deleted.iter().rev()).find(|s| s.message.id == id);
        let Some(original) = original else {
            return Err(QueueError::MessageDoesNotExist { queue: self.name.clone(), id: id.to_owned() });
        };
        let mut copy = StoredMessage { sequence, visible_at_ms: now_ms, ..original.clone() };
        copy.receive_count = copy.receive_count.saturating_sub(1);
        self.add(copy);
        Ok(())
    }

    pub(super) fn purge(&mut self) {
        self.messages.clear();
        self.due.clear();
    }

    fn become_visible(&mut self, sequence: u64, visible_at_ms: i64) {
        let stored = self.messages.get_mut(&sequence).expect("the caller just saw the message");
        self.due.remove(&(stored.visible_at_ms, sequence));
        stored.visible_at_ms = visible_at_ms;
        self.due.insert((visible_at_ms, sequence));
    }

    fn remove(&mut self, sequence: u64) -> Option<StoredMessage> {
        let stored = self.messages.remove(&sequence)?;
        self.due.remove(&(stored.visible_at_ms, sequence));
        Some(stored)
    }
}
