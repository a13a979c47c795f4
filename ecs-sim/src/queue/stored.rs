//! One message with its state: when it is visible, and how often it was received.

use std::sync::Arc;

use super::error::QueueError;
use super::limits::seconds_ms;
use super::message::Message;
use super::received::ReceivedMessage;
use super::settings::QueueSettings;

/// A message with its state.
#[derive(Debug, Clone)]
pub(super) struct StoredMessage {
    pub(super) message: Arc<Message>,
    pub(super) sequence: u64,
    pub(super) visible_at_ms: i64,
    pub(super) receive_count: u32,
    pub(super) first_received_ms: Option<i64>,
    pub(super) last_received_ms: i64,
    /// Numbers the receipt handles: only the latest one deletes.
    pub(super) receipts: u32,
}

impl StoredMessage {
    pub(super) fn new(message: Message, sequence: u64, visible_at_ms: i64) -> Self {
        Self {
            message: Arc::new(message),
            sequence,
            visible_at_ms,
            receive_count: 0,
            first_received_ms: None,
            last_received_ms: visible_at_ms,
            receipts: 0,
        }
    }

    pub(super) fn is_expired(&self, settings: &QueueSettings, now_ms: i64) -> bool {
        self.message.sent_ms + seconds_ms(settings.retention_seconds) <= now_ms
    }

    pub(super) fn is_exhausted(&self, settings: &QueueSettings) -> bool {
        settings.redrive.as_ref().is_some_and(|redrive| self.receive_count >= redrive.max_receive_count)
    }

    pub(super) fn hand_out(&mut self, now_ms: i64) -> ReceivedMessage {
        self.receive_count += 1;
        self.receipts += 1;
        self.last_received_ms = now_ms;
        ReceivedMessage {
            message: Arc::clone(&self.message),
            receipt_handle: format!("AQEB{:016x}{:08x}", self.sequence, self.receipts),
            receive_count: self.receive_count,
            first_received_ms: *self.first_received_ms.get_or_insert(now_ms),
        }
    }
}

/// Splits a receipt handle of [`StoredMessage::hand_out`] into the message's number and the number of its receipt.
pub(super) fn parse_receipt_handle(receipt_handle: &str) -> Result<(u64, u32), QueueError> {
    let parse = || {
        let digits = receipt_handle.strip_prefix("AQEB").filter(|digits| digits.len() == 24)?;
        let (sequence, receipt) = digits.split_at_checked(16)?;
        Some((u64::from_str_radix(sequence, 16).ok()?, u32::from_str_radix(receipt, 16).ok()?))
    };
    parse().ok_or_else(|| QueueError::ReceiptHandleIsInvalid { receipt_handle: receipt_handle.to_owned() })
}
