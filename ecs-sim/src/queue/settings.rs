//! The settings of a new queue.

use super::error::QueueError;
use super::limits::{DELAY_SECONDS_MAX, MESSAGE_BYTES_MAX, VISIBILITY_TIMEOUT_SECONDS_MAX};

/// SQS's bounds of MessageRetentionPeriod: one minute to 14 days.
const RETENTION_SECONDS: std::ops::RangeInclusive<u32> = 60..=1_209_600;

/// The maximum number of receives, and the queue for messages that exceed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedrivePolicy {
    /// After this many receives, the next one moves the message instead; 1..=1000.
    pub max_receive_count: u32,
    /// The name of the dead-letter queue, which must exist first.
    pub dead_letter_queue: String,
}

/// The settings of a queue; the default is SQS's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message stays invisible; 30 by default.
    pub visibility_timeout_seconds: u32,
    /// Delay of a message that names none; 0 by default.
    pub delay_seconds: u32,
    /// Lifetime of a message from its send time; four days by default.
    pub retention_seconds: u32,
    /// The largest message; 1 MiB by default.
    pub message_bytes_max: usize,
    /// Where messages go that cannot be processed; nowhere by default.
    pub redrive: Option<RedrivePolicy>,
    /// Whether the body replaces a missing MessageDeduplicationId on a FIFO queue.
    pub content_based_deduplication: bool,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            visibility_timeout_seconds: 30,
            delay_seconds: 0,
            retention_seconds: 345_600,
            message_bytes_max: MESSAGE_BYTES_MAX,
            redrive: None,
            content_based_deduplication: false,
        }
    }
}

impl QueueSettings {
    /// Sets the visibility timeout of a received message.
    #[must_use]
    pub fn with_visibility_timeout(mut self, seconds: u32) -> Self {
        self.visibility_timeout_seconds = seconds;
        self
    }

    /// Moves a message to `dead_letter_queue` after `max_receive_count` receives.
    #[must_use]
    pub fn with_redrive(mut self, dead_letter_queue: impl Into<String>, max_receive_count: u32) -> Self {
        self.redrive = Some(RedrivePolicy { max_receive_count, dead_letter_queue: dead_letter_queue.into() });
        self
    }

    pub(super) fn check(&self, name: &str) -> Result<(), QueueError> {
        let invalid = |name: &str, reason: &str| {
            Err(QueueError::InvalidAttributeValue { name: name.to_owned(), reason: reason.to_owned() })
        };
        if self.visibility_timeout_seconds > VISIBILITY_TIMEOUT_SECONDS_MAX {
            return invalid("VisibilityTimeout", "not between 0 and 43200");
        }
        if self.delay_seconds > DELAY_SECONDS_MAX {
            return invalid("DelaySeconds", "not between 0 and 900");
        }
        if !RETENTION_SECONDS.contains(&self.retention_seconds) {
            return invalid("MessageRetentionPeriod", "not between 60 and 1209600");
        }
        if !(1024..=MESSAGE_BYTES_MAX).contains(&self.message_bytes_max) {
            return invalid("MaximumMessageSize", "not between 1024 and 1048576");
        }
        if self.content_based_deduplication && !is_fifo(name) {
            return invalid("ContentBasedDeduplication", "the queue is not FIFO");
        }
        match &self.redrive {
            Some(redrive) if !(1..=1000).contains(&redrive.max_receive_count) => {
                invalid("RedrivePolicy", "maxReceiveCount is not between 1 and 1000")
            }
            Some(redrive) if is_fifo(&redrive.dead_letter_queue) != is_fifo(name) => {
                invalid("RedrivePolicy", "the dead-letter queue is of another kind, standard or FIFO")
            }
            _ => Ok(()),
        }
    }
}

/// SQS recognizes FIFO queues by their names.
pub(super) fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

/// 1 to 80 letters, digits, hyphens and underscores, and `.fifo` at the end for a FIFO queue.
pub(super) fn check_name(name: &str) -> Result<(), QueueError> {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if stem.is_empty() || name.len() > 80 || !stem.chars().all(allowed) {
        let reason = "must be 1 to 80 letters, digits, hyphens or underscores".to_owned();
        return Err(QueueError::InvalidParameterValue { name: "QueueName", reason });
    }
    Ok(())
}
