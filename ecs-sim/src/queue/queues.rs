//! The queues of an account, and the operations that are not about a delivery.

use std::collections::BTreeMap;

use super::error::QueueError;
use super::limits::seconds_ms;
use super::message::{Message, SendMessage};
use super::origin::QueueOrigin;
use super::settings::{QueueSettings, check_name};
use super::storage::{MessageCounts, Queue};
use super::stored::StoredMessage;

/// All queues of one account in one Region, at one moment.
#[derive(Debug, Clone)]
pub struct Queues {
    pub(super) origin: QueueOrigin,
    pub(super) now_ms: i64,
    pub(super) queues: BTreeMap<String, Queue>,
    /// Numbers every message of every queue, so that an id or a receipt handle is unique.
    pub(super) sequence: u64,
}

impl Queues {
    /// Creates an account without queues; the time is `now_ms`, in milliseconds since the epoch.
    #[must_use]
    pub fn new(origin: QueueOrigin, now_ms: i64) -> Self {
        Self { origin, now_ms, queues: BTreeMap::new(), sequence: 0 }
    }

    /// The time, in milliseconds since the epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now_ms
    }

    /// Moves the time forward. An earlier moment changes nothing, because queues never see time run backwards.
    pub fn advance_to(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// The next moment at which a delayed or in-flight message becomes visible; messages that are already visible do
    /// not count.
    #[must_use]
    pub fn next_due(&self) -> Option<i64> {
        self.queues.values().filter_map(|queue| queue.next_due(self.now_ms)).min()
    }

    /// Where the queues live.
    #[must_use]
    pub fn origin(&self) -> &QueueOrigin {
        &self.origin
    }

    /// Sets the beginning of queue URLs, once a server knows its port.
    pub fn set_endpoint(&mut self, endpoint: impl Into<String>) {
        self.origin.endpoint = endpoint.into();
    }

    /// The names of all queues, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.queues.keys().map(String::as_str)
    }

    /// The URL that a queue of this name has or would have.
    #[must_use]
    pub fn url(&self, queue: &str) -> String {
        format!("{}/{}/{queue}", self.origin.endpoint, self.origin.account)
    }

    /// The ARN that a queue of this name has or would have.
    #[must_use]
    pub fn arn(&self, queue: &str) -> String {
        {
            let QueueOrigin { partition, region, account, .. } = &self.origin;
            format!("arn:{partition}:sqs:{region}:{account}:{queue}")
        }
    }

    /// Creates a queue and returns its URL. Repeating it with the same settings changes nothing, as in SQS.
    ///
    /// # Errors
    /// A name or setting that SQS refuses, a dead-letter queue that does not exist yet, or `QueueNameExists` when the
    /// queue has other settings.
    pub fn create(&mut self, name: &str, settings: QueueSettings) -> Result<String, QueueError> {
        check_name(name)?;
        settings.check(name)?;
        if let Some(redrive) = &settings.redrive {
            let dead_letter_queue = &redrive.dead_letter_queue;
            if dead_letter_queue == name || !self.queues.contains_key(dead_letter_queue) {
                let reason = format!("dead-letter queue `{dead_letter_queue}` does not exist");
                return Err(QueueError::InvalidAttributeValue { name: "RedrivePolicy".to_owned(), reason });
            }
        }
        match self.queues.get(name) {
            Some(queue) if *queue.settings() != settings => Err(QueueError::QueueNameExists { queue: name.to_owned() }),
            Some(_) => Ok(self.url(name)),
            None => {
                self.queues.insert(name.to_owned(), Queue::new(name, settings, self.now_ms));
                Ok(self.url(name))
            }
        }
    }

    /// The settings of a queue.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn settings(&self, queue: &str) -> Result<&QueueSettings, QueueError> {
        Ok(self.queue(queue)?.settings())
    }

    /// The numbers of messages that wait, are in flight and are delayed.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn counts(&self, queue: &str) -> Result<MessageCounts, QueueError> {
        Ok(self.queue(queue)?.counts(self.now_ms))
    }

    /// Every message in a queue, visible or not, oldest first. SQS has no such operation; tests need it.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn messages(&self, queue: &str) -> Result<Vec<&Message>, QueueError> {
        Ok(self.queue(queue)?.messages(self.now_ms).collect())
    }

    /// Sends one message and returns its id. A FIFO queue answers a duplicate within five minutes with the first one's
    /// id, and stores nothing.
    ///
    /// # Errors
    /// `QueueDoesNotExist`, or any error of SQS: too long, an empty body, a delay above 15 minutes.
    pub fn send(&mut self, queue: &str, message: SendMessage) -> Result<String, QueueError> {
        let now_ms = self.now_ms;
        let id = message_id(self.sequence + 1);
        let target = self.queue_mut(queue)?;
        message.check(target.settings())?;
        if target.is_fifo() {
            message.check_fifo(target.settings())?;
            if let Some(first) = target.deduplication().first_of(&message, now_ms) {
                return Ok(first);
            }
            target.deduplication().remember(&message, id.clone(), now_ms);
        }
        let delay_seconds = message.delay_seconds.unwrap_or(target.settings().delay_seconds);
        let (message, visible_at_ms) = (message.sent(id.clone(), now_ms), now_ms + seconds_ms(delay_seconds));
        self.sequence += 1;
        let stored = StoredMessage::new(message, self.sequence, visible_at_ms);
        self.queue_mut(queue)?.add(stored);
        Ok(id)
    }

    /// Empties a queue. SQS takes up to a minute; the simulation does it at once.
    ///
    /// # Errors
    /// `QueueDoesNotExist`.
    pub fn purge(&mut self, queue: &str) -> Result<(), QueueError> {
        self.queue_mut(queue)?.purge();
        Ok(())
    }

    pub(super) fn queue(&self, name: &str) -> Result<&Queue, QueueError> {
        self.queues.get(name).ok_or_else(|| QueueError::QueueDoesNotExist { queue: name.to_owned() })
    }

    pub(super) fn queue_mut(&mut self, name: &str) -> Result<&mut Queue, QueueError> {
        self.queues.get_mut(name).ok_or_else(|| QueueError::QueueDoesNotExist { queue: name.to_owned() })
    }
}

/// Shaped as a UUID, as clients expect, but counted.
fn message_id(sequence: u64) -> String {
    format!("00000000-0000-4000-8000-{sequence:012x}")
}
