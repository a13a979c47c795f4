//! Messages as a sender passes them, and as a queue stores them.

use std::collections::BTreeMap;

use super::error::QueueError;
use super::limits::DELAY_SECONDS_MAX;
use super::settings::QueueSettings;

/// Maximum number of message attributes, SQS's own limit.
const MESSAGE_ATTRIBUTES_MAX: usize = 10;

/// Size of an event's record beside the message itself: names, handle, ARN, times; a bit more than seen in practice.
const RECORD_BYTES: usize = 1024;

/// SenderId of a message without a named sender; shaped like a role's session.
const SENDER_ID_DEFAULT: &str = "AROAEXAMPLEID:sender";

/// A message attribute: a type label such as `String`, `Number` or `Binary`, and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, optionally with a custom label after a dot.
    pub data_type: String,
    /// The value.
    pub value: AttributeValue,
}

/// The value of a message attribute in transport form: numbers are strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Of `String` and `Number` attributes.
    String(String),
    /// Of `Binary` attributes.
    Binary(Vec<u8>),
}

impl MessageAttribute {
    /// A `String` attribute.
    #[must_use]
    pub fn string(value: impl Into<String>) -> Self {
        Self { data_type: "String".to_owned(), value: AttributeValue::String(value.into()) }
    }

    fn bytes(&self) -> usize {
        self.data_type.len()
            + match &self.value {
                AttributeValue::String(value) => value.len(),
                AttributeValue::Binary(value) => value.len(),
            }
    }
}

/// A message to send.
#[derive(Debug, Clone, Default)]
pub struct SendMessage {
    /// The text of the message.
    pub body: String,
    /// Message attributes by name.
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// Seconds until the message becomes visible; the queue's own delay when unset.
    pub delay_seconds: Option<u32>,
    /// Who sends, as SQS reports it: for a role, `ROLE-ID:SESSION`.
    pub sender_id: Option<String>,
    /// The message group: required on FIFO queues, allowed on standard ones.
    pub message_group_id: Option<String>,
    /// The id that makes it a duplicate on a FIFO queue.
    pub message_deduplication_id: Option<String>,
}

impl SendMessage {
    /// A message with a body and nothing else.
    #[must_use]
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Adds a `String` attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), MessageAttribute::string(value));
        self
    }

    /// Makes the message visible `seconds` after it was sent.
    #[must_use]
    pub fn delayed(mut self, seconds: u32) -> Self {
        self.delay_seconds = Some(seconds);
        self
    }

    /// Sets the sender, as `ROLE-ID:SESSION`; with the credentials of a task role the session is the task's id.
    #[must_use]
    pub fn from_sender(mut self, sender_id: impl Into<String>) -> Self {
        self.sender_id = Some(sender_id.into());
        self
    }

    /// Sets the message group.
    #[must_use]
    pub fn in_group(mut self, message_group_id: impl Into<String>) -> Self {
        self.message_group_id = Some(message_group_id.into());
        self
    }

    /// The size that SQS counts: body, and names, types and values of the message attributes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        bytes_of(&self.body, &self.attributes)
    }

    /// Checks whether SQS accepts the message in a standard queue.
    pub(super) fn check(&self, settings: &QueueSettings) -> Result<(), QueueError> {
        if self.body.is_empty() {
            return Err(QueueError::MissingParameter { name: "MessageBody" });
        }
        if !self.body.chars().all(is_allowed) {
            return Err(QueueError::InvalidMessageContents);
        }
        self.check_attributes()?;
        let (bytes, bytes_max) = (self.bytes(), settings.message_bytes_max);
        if bytes > bytes_max {
            let reason = format!("message has {bytes} bytes with its attributes, more than {bytes_max}");
            return Err(QueueError::InvalidParameterValue { name: "MessageBody", reason });
        }
        if let Some(seconds) = self.delay_seconds.filter(|seconds| *seconds > DELAY_SECONDS_MAX) {
            let reason = format!("{seconds} is not between 0 and {DELAY_SECONDS_MAX}");
            return Err(QueueError::InvalidParameterValue { name: "DelaySeconds", reason });
        }
        Ok(())
    }

    fn check_attributes(&self) -> Result<(), QueueError> {
        let invalid = |reason| Err(QueueError::InvalidParameterValue { name: "MessageAttributes", reason });
        let attributes = self.attributes.len();
        if attributes > MESSAGE_ATTRIBUTES_MAX {
            return invalid(format!("{attributes} attributes are more than {MESSAGE_ATTRIBUTES_MAX}"));
        }
        for (name, attribute) in &self.attributes {
            let (data_type, empty) = (
                &attribute.data_type,
                match &attribute.value {
                    AttributeValue::String(value) => value.is_empty(),
                    AttributeValue::Binary(value) => value.is_empty(),
                },
            );
            let travels_as_text = match data_type.split('.').next() {
                Some("String" | "Number") => true,
                Some("Binary") => false,
                _ => {
                    return invalid(format!("attribute `{name}` has the unknown type `{data_type}`"));
                }
            };
            if empty || travels_as_text != matches!(attribute.value, AttributeValue::String(_)) {
                return invalid(format!("attribute `{name}` must have a value of type `{data_type}`"));
            }
        }
        Ok(())
    }

    /// Checks what a FIFO queue asks for besides.
    pub(super) fn check_fifo(&self, settings: &QueueSettings) -> Result<(), QueueError> {
        if self.message_group_id.is_none() {
            return Err(QueueError::MissingParameter { name: "MessageGroupId" });
        }
        if self.message_deduplication_id.is_none() && !settings.content_based_deduplication {
            return Err(QueueError::MissingParameter { name: "MessageDeduplicationId" });
        }
        if self.delay_seconds.is_some_and(|seconds| seconds > 0) {
            let reason = "a FIFO queue has no delay per message".to_owned();
            return Err(QueueError::InvalidParameterValue { name: "DelaySeconds", reason });
        }
        Ok(())
    }

    /// The message as the queue stores it.
    pub(super) fn sent(self, id: String, sent_ms: i64) -> Message {
        Message {
            id,
            body: self.body,
            attributes: self.attributes,
            sender_id: self.sender_id.unwrap_or_else(|| SENDER_ID_DEFAULT.to_owned()),
            sent_ms,
            message_group_id: self.message_group_id,
            message_deduplication_id: self.message_deduplication_id,
            dead_letter_queue_source_arn: None,
        }
    }
}

/// A message in a queue: the part that stays the same over all its deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// MessageId, shaped like a UUID.
    pub id: String,
    /// The text of the message.
    pub body: String,
    /// Message attributes by name.
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// SenderId: for a role, `ROLE-ID:SESSION`.
    pub sender_id: String,
    /// SentTimestamp, in milliseconds since the epoch.
    pub sent_ms: i64,
    /// MessageGroupId, if it has one.
    pub message_group_id: Option<String>,
    /// MessageDeduplicationId, if the sender gave one.
    pub message_deduplication_id: Option<String>,
    /// The queue that it came from, once it is in a dead-letter queue.
    pub dead_letter_queue_source_arn: Option<String>,
}

impl Message {
    /// The size that SQS counts: body, and names, types and values of the message attributes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        bytes_of(&self.body, &self.attributes)
    }

    /// Approximate size of the message in a Lambda event, which is JSON: a quote in the body becomes two bytes there.
    pub(super) fn event_bytes(&self) -> usize {
        let escaped = self.body.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\r' | b'\t')).count();
        self.bytes() + escaped + RECORD_BYTES
    }
}

fn bytes_of(body: &str, attributes: &BTreeMap<String, MessageAttribute>) -> usize {
    body.len() + attributes.iter().map(|(name, attribute)| name.len() + attribute.bytes()).sum::<usize>()
}

/// The characters that SQS accepts: those of XML 1.0.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}
