//! Dead letters: a message that cannot be carried out is sent to the dead-letter queue with the reason, and only then
//! counts as done. A crash in between dead-letters it twice rather than never.

use crate::outbox::DeliveryError;
use crate::sqs::{MESSAGE_BYTES_MAX, sends};
use async_trait::async_trait;

/// Why the message was dead-lettered. The names of these attributes are part of taskhold's interface.
pub const REASON_ATTRIBUTE: &str = "taskhold.reason";
/// The message's id in its original queue.
pub const MESSAGE_ID_ATTRIBUTE: &str = "taskhold.messageId";
/// The ARN of the original queue.
pub const SOURCE_ATTRIBUTE: &str = "taskhold.sourceQueueArn";
/// The original size of the body, present only if the body was cut to make room for the attributes.
pub const BODY_BYTES_ATTRIBUTE: &str = "taskhold.bodyBytes";

/// Longer reasons are cut, since a reason must fit beside a body.
const REASON_CHARS_MAX: usize = 1000;
/// Space for four attributes: their names, the type `String`, a reason of four bytes per character, an id and an ARN.
const ATTRIBUTES_BYTES_MAX: usize = 6 * 1024;

/// A message for the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The original body, cut if it does not fit.
    pub body: String,
    /// Message attributes, all of type `String`.
    pub attributes: Vec<(&'static str, String)>,
}

/// Stores dead-lettered messages for an operator to inspect.
#[async_trait]
pub trait DeadLetterQueue: Send + Sync {
    /// Sends at most [`crate::sqs::MESSAGES_PER_SEND_MAX`] messages of at most [`MESSAGE_BYTES_MAX`] together. Returns
    /// for each, in order, whether the queue has stored it.
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), DeliveryError>>;
}

impl DeadLetter {
    /// Prepares a message from its body, the reason, its id and the ARN of its original queue.
    pub fn new(body: &str, reason: &str, message_id: &str, source_queue_arn: &str) -> Self {
        let mut attributes = vec![
            (REASON_ATTRIBUTE, sendable(reason)),
            (MESSAGE_ID_ATTRIBUTE, sendable(message_id)),
            (SOURCE_ATTRIBUTE, sendable(source_queue_arn)),
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
fn sendable(text: &str) -> String {
    let taken = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().take(REASON_CHARS_MAX).map(|c| if taken(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_lettered(body: &str) -> DeadLetter {
        DeadLetter::new(body, "because", "id-1", "arn:aws:sqs:eu-west-1:111122223333:jobs")
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
        let message = DeadLetter::new(&"x".repeat(2 * MESSAGE_BYTES_MAX), &reason, "id-1", &long[..1000]);
        assert!(message.bytes() <= MESSAGE_BYTES_MAX, "{}", message.bytes());
    }

    #[test]
    fn characters_that_sqs_refuses_are_replaced() {
        let message = DeadLetter::new("x", "a\u{0}b\u{ffff}c", "id", "");
        assert_eq!(message.attributes[0], (REASON_ATTRIBUTE, "a\u{fffd}b\u{fffd}c".to_owned()));
        assert_eq!(message.attributes.len(), 2, "an attribute without a value is left out");
    }

    #[test]
    fn sends_hold_to_sqs_limits_and_lose_nothing() {
        let large = dead_lettered(&"x".repeat(600_000));
        let mut messages = vec![large.clone(), large];
        messages.extend((0..25).map(|_| dead_lettered("small")));
        let sends = DeadLetter::sends(&messages);
        assert_eq!(sends.iter().map(|send| send.len()).collect::<Vec<_>>(), [1, 10, 10, 6]);
        assert_eq!(sends.concat(), messages);
        for send in sends {
            assert!(send.iter().map(DeadLetter::bytes).sum::<usize>() <= MESSAGE_BYTES_MAX);
        }
    }
}
