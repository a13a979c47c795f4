//! The end of a delivery: a message is deleted, becomes visible again, or moves to the dead-letter queue.

use std::sync::Arc;

use super::error::QueueError;
use super::limits::VISIBILITY_TIMEOUT_SECONDS_MAX;
use super::queues::Queues;
use super::received::{Receive, ReceivedMessage};
use super::stored::StoredMessage;

impl Queues {
    /// Receives up to `max` visible messages, which become invisible for the queue's visibility timeout.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn receive(&mut self, queue: &str, max: usize) -> Result<Vec<ReceivedMessage>, QueueError> {
        self.receive_with(queue, Receive::up_to(max))
    }

    /// Receives within the given limits. A message that has been received as often as the redrive policy allows moves
    /// to the dead-letter queue instead, with its id, body, attributes and SentTimestamp; its receives are counted from
    /// zero there.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, or a visibility timeout above 12 hours.
    pub fn receive_with(&mut self, queue: &str, receive: Receive) -> Result<Vec<ReceivedMessage>, QueueError> {
        check_visibility(receive.visibility_timeout_seconds.unwrap_or_default())?;
        let (now_ms, arn) = (self.now_ms, self.arn(queue));
        let source = self.queue_mut(queue)?;
        let (received, exhausted) = source.receive(receive, now_ms);
        let Some(redrive) = source.settings().redrive.clone() else {
            return Ok(received);
        };
        let dead_letter_queue = self.queue_mut(&redrive.dead_letter_queue).expect("create() saw the dead-letter queue");
        for (message, sequence) in exhausted {
            let mut message = Arc::unwrap_or_clone(message);
            message.dead_letter_queue_source_arn = Some(arn.clone());
            dead_letter_queue.add(StoredMessage::new(message, sequence, now_ms));
        }
        Ok(received)
    }

    /// Deletes the message of a receipt handle. An outdated handle succeeds and deletes nothing: SQS requires the
    /// handle of the latest receive.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `ReceiptHandleIsInvalid`.
    pub fn delete(&mut self, queue: &str, receipt_handle: &str) -> Result<(), QueueError> {
        self.queue_mut(queue)?.delete(receipt_handle)
    }

    /// Makes a message in flight visible again `seconds` from now; 0 is at once.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, `ReceiptHandleIsInvalid`, `MessageNotInflight`, or more than 12 hours since the receive.
    pub fn change_visibility(&mut self, queue: &str, receipt_handle: &str, seconds: u32) -> Result<(), QueueError> {
        check_visibility(seconds)?;
        let now_ms = self.now_ms;
        self.queue_mut(queue)?.change_visibility(receipt_handle, seconds, now_ms)
    }

    /// Delivers a message once more, as a standard queue may: same id, body and SentTimestamp, visible at once, whether
    /// the original is waiting, in flight or deleted. Deleting one of the two leaves the other. The copy repeats the
    /// last delivery, so its ApproximateReceiveCount does not count as a further one.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, or `MessageDoesNotExist` for an id that the queue has never had or no longer remembers.
    pub fn deliver_again(&mut self, queue: &str, message_id: &str) -> Result<(), QueueError> {
        self.sequence += 1;
        let (sequence, now_ms) = (self.sequence, self.now_ms);
        self.queue_mut(queue)?.deliver_again(message_id, sequence, now_ms)
    }
}

fn check_visibility(seconds: u32) -> Result<(), QueueError> {
    if seconds > VISIBILITY_TIMEOUT_SECONDS_MAX {
        let reason = format!("must be between 0 and {VISIBILITY_TIMEOUT_SECONDS_MAX}");
        return Err(QueueError::InvalidParameterValue { name: "VisibilityTimeout", reason });
    }
    Ok(())
}
