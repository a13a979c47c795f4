//! Dead letters: a message that cannot be carried out is sent to the dead-letter queue with the reason, and only then
//! counts as done. A crash in between dead-letters it twice rather than never.

use crate::lambda::received::{Received, SENT_AT_ATTRIBUTE};
use crate::sqs::{MESSAGE_BYTES_MAX, SqsError, sends};
use async_trait::async_trait;
use aws_lambda_events::sqs::SqsMessage;
use std::collections::HashMap;

/// Why the message was dead-lettered. The names of these attributes are part of taskhold's interface.
pub const REASON_ATTRIBUTE: &str = "taskhold.reason";
/// The message's id in its original queue.
pub const MESSAGE_ID_ATTRIBUTE: &str = "taskhold.messageId";
/// The ARN of the original queue.
pub const SOURCE_ATTRIBUTE: &str = "taskhold.sourceQueueArn";
/// Who sent the message to its original queue, according to SQS: in the dead-letter queue, its sender is the function.
pub const SENDER_ATTRIBUTE: &str = "taskhold.senderId";
/// The original size of the body, present only if the body was cut to make room for the attributes.
pub const BODY_BYTES_ATTRIBUTE: &str = "taskhold.bodyBytes";

/// Longer reasons are cut, since a reason must fit beside a body.
const REASON_CHARS_MAX: usize = 1000;
/// Longest sender that SQS reports: a unique id of 128 characters and a session of 64 (IAM and STS API references). The
/// space below relies on it.
const SENDER_CHARS_MAX: usize = 193;
/// Space for six attributes: their names, the type `String`, a reason of four bytes per character, an id, an ARN, a time
/// and a sender of four bytes per character.
const ATTRIBUTES_BYTES_MAX: usize = 7 * 1024;

/// A message for the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The original body, cut if it does not fit.
    pub body: String,
    /// Message attributes, all of type `String`.
    pub attributes: Vec<(&'static str, String)>,
}

/// A message of the dead-letter queue, as a receive returns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedDeadLetter {
    /// Its id in the dead-letter queue.
    pub message_id: String,
    /// Deletes this delivery of it.
    pub receipt_handle: String,
    /// The text of the message.
    pub body: String,
    /// What SQS says about it, by SQS's names.
    pub system_attributes: HashMap<String, String>,
    /// Its message attributes that are text.
    pub attributes: HashMap<String, String>,
}

/// Most messages of one receive (SQS API reference, "ReceiveMessage").
pub const MESSAGES_PER_RECEIVE_MAX: usize = 10;

/// Stores dead-lettered messages for an operator to inspect, and returns them for a redrive.
#[async_trait]
pub trait DeadLetterQueue: Send + Sync {
    /// Sends at most [`crate::sqs::MESSAGES_PER_SEND_MAX`] messages of at most [`MESSAGE_BYTES_MAX`] together. Returns
    /// for each, in order, whether the queue has stored it.
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), SqsError>>;

    /// Receives at most `max` messages, of at most [`MESSAGES_PER_RECEIVE_MAX`], with all their attributes; none if the
    /// queue is empty. No other receive returns them for some minutes.
    async fn receive_dead_letters(&self, max: usize) -> Result<Vec<ReceivedDeadLetter>, SqsError>;

    /// Deletes received messages by their receipt handles, at most [`MESSAGES_PER_RECEIVE_MAX`]. Returns for each, in
    /// order, whether it is deleted.
    async fn delete_dead_letters(&self, receipt_handles: &[String]) -> Vec<Result<(), SqsError>>;
}

impl DeadLetter {
    /// Prepares a message with the reason.
    pub fn new(message: &SqsMessage, received: &Received, reason: &str) -> Self {
        let body = message.body.as_deref().unwrap_or_default();
        let mut attributes = vec![
            (REASON_ATTRIBUTE, sendable(reason, REASON_CHARS_MAX)),
            (MESSAGE_ID_ATTRIBUTE, sendable(message.message_id.as_deref().unwrap_or_default(), REASON_CHARS_MAX)),
            (SOURCE_ATTRIBUTE, sendable(message.event_source_arn.as_deref().unwrap_or_default(), REASON_CHARS_MAX)),
            (SENT_AT_ATTRIBUTE, received.sent_at.to_string()),
            (SENDER_ATTRIBUTE, sendable(&received.sender, SENDER_CHARS_MAX)),
        ];
        // SQS rejects an attribute without a value.
        attributes.retain(|(_, value)| !value.is_empty());
        let room = MESSAGE_BYTES_MAX - ATTRIBUTES_BYTES_MAX;
        let mut kept = body;
        if body.len() > room {
            attributes.push((BODY_BYTES_ATTRIBUTE, body.len().to_string()));
            kept = &body[..body.floor_char_boundary(room)];
        }
        // SQS also rejects an empty body.
        let body = if kept.is_empty() { "(empty)".to_owned() } else { kept.to_owned() };
        Self { body, attributes }
    }

    /// Its size against [`MESSAGE_BYTES_MAX`].
    pub fn bytes(&self) -> usize {
        let attribute = |(name, value): &(&str, String)| name.len() + "String".len() + value.len();
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    /// Splits messages into batches that SQS accepts. A single message always fits, because [`Self::new`] bounds its
    /// size.
    pub fn sends(messages: &[Self]) -> Vec<&[Self]> {
        sends(messages, Self::bytes)
    }
}

/// The text without characters that SQS rejects (SQS API reference, "SendMessage"), bounded in length.
fn sendable(text: &str, chars_max: usize) -> String {
    let taken = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().take(chars_max).map(|c| if taken(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::received::Channel;

    const SENDER: &str = "AROAEXAMPLE:6b777c1809a94925ab48098fa09824de";

    fn message(body: &str, id: &str, source: &str) -> SqsMessage {
        let mut message = SqsMessage::default();
        message.body = Some(body.to_owned());
        message.message_id = Some(id.to_owned());
        message.event_source_arn = Some(source.to_owned());
        message
    }

    fn received(sender: &str) -> Received {
        let sent_at = "2026-01-05T09:30:00.5Z".parse().unwrap();
        Received { sent_at, receives: 1, sender: sender.to_owned(), channel: Channel::Queue }
    }

    fn dead_lettered(body: &str) -> DeadLetter {
        let message = message(body, "id-1", "arn:aws:sqs:eu-west-1:111122223333:jobs");
        DeadLetter::new(&message, &received(SENDER), "because")
    }

    #[test]
    fn a_body_of_the_full_size_is_cut_by_what_the_attributes_need_and_says_so() {
        let message = dead_lettered(&"ä".repeat(MESSAGE_BYTES_MAX / 2));
        assert!(message.bytes() <= MESSAGE_BYTES_MAX);
        assert!(message.body.len() > MESSAGE_BYTES_MAX - 8 * 1024);
        assert!(message.attributes.contains(&(BODY_BYTES_ATTRIBUTE, MESSAGE_BYTES_MAX.to_string())));
    }

    #[test]
    fn the_longest_reason_fits_beside_the_longest_body() {
        let reason = "\u{10ffff}".repeat(5000);
        let long = "x".repeat(5000);
        let sent = message(&"x".repeat(2 * MESSAGE_BYTES_MAX), "id-1", &long[..1000]);
        let message = DeadLetter::new(&sent, &received(&"\u{10ffff}".repeat(5000)), &reason);
        assert!(message.bytes() <= MESSAGE_BYTES_MAX, "{}", message.bytes());
    }

    #[test]
    fn characters_that_sqs_refuses_are_replaced() {
        let message = DeadLetter::new(&message("x", "id", ""), &received(""), "a\u{0}b\u{ffff}c");
        assert_eq!(message.attributes[0], (REASON_ATTRIBUTE, "a\u{fffd}b\u{fffd}c".to_owned()));
        assert_eq!(message.attributes.len(), 3, "an attribute without a value is left out");
    }
}
