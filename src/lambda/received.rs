//! What SQS says about a message, apart from its body: when it was sent, how often it was received, and by whom it was
//! sent; and whose word counts.

use crate::ecs::arn::{Task, shown};
use aws_lambda_events::sqs::SqsMessage;
use jiff::Timestamp;

/// The attribute of a dead-lettered message with the time at which SQS first received it, as in `2026-01-05T09:30:00.5Z`.
pub const SENT_AT_ATTRIBUTE: &str = "taskhold.sentAt";

/// The attributes of a message, apart from its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// When SQS first received it; trusted more than the sender's clock.
    pub sent_at: Timestamp,
    /// The number of deliveries including this one; 1 if SQS does not say.
    pub receives: u32,
    /// Who sent it, according to SQS; empty if SQS does not say.
    pub sender: String,
    /// The way on which it came.
    pub channel: Channel,
}

/// The way on which a message came, which decides whether it may carry an ECS event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A queue to which others send.
    Queue,
    /// EventBridge or Lambda put it into the dead-letter queue, because they could not deliver it.
    Undelivered,
}

impl Received {
    /// Takes the attributes of a record (aws-facts "Lambda and SQS"). SQS always sets them; a payload written by hand
    /// without them counts as sent just now, for the first time.
    ///
    /// A message that was dead-lettered and sent again has a new `SentTimestamp`, and the original one in an attribute.
    /// That attribute counts only if it is earlier: a sender can shorten what its message asks for, never extend it.
    pub fn take_from(message: &mut SqsMessage, now: Timestamp) -> Self {
        let text = |name: &str| message.attributes.get(name).map(String::as_str);
        let sent_at = text("SentTimestamp").and_then(moment_of_sqs).unwrap_or(now);
        let receives = text("ApproximateReceiveCount").and_then(|count| count.parse().ok());
        let original = message.message_attributes.get(SENT_AT_ATTRIBUTE);
        Self {
            sent_at: first_sent_at(sent_at, original.and_then(|attribute| attribute.string_value.as_deref())),
            receives: receives.unwrap_or(1),
            sender: message.attributes.remove("SenderId").unwrap_or_default(),
            channel: Channel::Queue,
        }
    }
}

/// The time from which a message counts: of the one that SQS reports and the original one in an attribute, the earlier.
pub(crate) fn first_sent_at(sent_at: Timestamp, original: Option<&str>) -> Timestamp {
    original.and_then(|text| text.parse().ok()).map_or(sent_at, |original: Timestamp| original.min(sent_at))
}

/// The moment in an attribute of SQS, which is in milliseconds (aws-facts "Lambda and SQS").
pub(crate) fn moment_of_sqs(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

/// Whether a message comes from the task that it reports on. The credentials of a task role carry the task's id as
/// session name, and SQS attaches that to the message (aws-facts "ECS: the protection API"). Only a role has sessions
/// that its trust policy guards: the name of a federated user, `ACCOUNT:NAME`, is free to choose.
///
/// # Errors The sender is another, or SQS does not say; the text is the reason for dead-lettering the message.
pub fn check_sender(sender: &str, task: &Task) -> Result<(), String> {
    if let Some((unique_id, session)) = sender.split_once(':')
        && is_of_a_role(unique_id)
        && session == task.id.as_str()
    {
        return Ok(());
    }
    let (sender, id) = (shown(sender), &task.id);
    Err(format!(
        "its sender is `{sender}`; with TASKHOLD_REQUIRE_SENDER_TASK only the task itself, in session `{id}` of its task role (`AROA…:{id}`), may report its jobs"
    ))
}

/// Whether a unique id is that of a role (IAM User Guide, "IAM identifiers": `AROA` and letters and digits in upper
/// case).
fn is_of_a_role(unique_id: &str) -> bool {
    let rest = unique_id.strip_prefix("AROA").unwrap_or_default();
    !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether a message may carry an ECS event while only tasks may report jobs. SQS does not say who sent an event
/// to the job queue, so it is refused there.
///
/// # Errors It came through a queue; the text is the reason for dead-lettering the message.
pub fn check_channel(channel: Channel) -> Result<(), String> {
    match channel {
        Channel::Undelivered => Ok(()),
        Channel::Queue => Err(
            "it is an ECS event; with TASKHOLD_REQUIRE_SENDER_TASK the job queue carries only job messages: let the rule invoke the function, and redrive undelivered events with `{\"redrive\": {}}`".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lambda_events::sqs::SqsMessageAttribute;

    #[test]
    fn a_refusal_of_any_sender_fits_an_attribute() {
        let task = "arn:aws:ecs:eu-west-1:111122223333:task/video/6b777c1809a94925ab48098fa09824de".parse().unwrap();
        let long = check_sender(&"x".repeat(5000), &task).unwrap_err();
        assert!(long.len() < 700, "{}", long.len());
    }

    fn received(attributes: &[(&str, &str)], original: Option<&str>) -> Received {
        let mut message = SqsMessage::default();
        message.attributes.extend(attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        message.message_attributes.extend(original.map(|text| {
            let mut attribute = SqsMessageAttribute::default();
            attribute.string_value = Some(text.to_owned());
            (SENT_AT_ATTRIBUTE.to_owned(), attribute)
        }));
        Received::take_from(&mut message, Timestamp::from_second(1_700_000_000).unwrap())
    }

    #[test]
    fn what_sqs_says_is_read_and_without_it_a_message_counts_as_just_sent() {
        let nothing = received(&[], None);
        assert_eq!((nothing.sent_at.as_second(), nothing.receives), (1_700_000_000, 1));
        assert_eq!((nothing.sender.as_str(), nothing.channel), ("", Channel::Queue));
        let attributes =
            [("SentTimestamp", "1764000000000"), ("ApproximateReceiveCount", "3"), ("SenderId", "AROAEXAMPLE:x")];
        let received = received(&attributes, None);
        assert_eq!((received.sent_at.as_millisecond(), received.receives), (1_764_000_000_000, 3));
        assert_eq!(received.sender, "AROAEXAMPLE:x");
    }

    #[test]
    fn the_original_time_of_a_redriven_message_counts_only_if_it_is_earlier() {
        let sent = [("SentTimestamp", "1764000000000")];
        for (original, expected_ms) in [
            ("2025-11-24T15:59:59.5Z", 1_763_999_999_500),
            ("2020-01-01T00:00:00Z", 1_577_836_800_000),
            ("2025-11-24T16:00:00.001Z", 1_764_000_000_000),
            ("2099-01-01T00:00:00Z", 1_764_000_000_000),
            ("1763999999500", 1_764_000_000_000),
            ("yesterday", 1_764_000_000_000),
        ] {
            assert_eq!(received(&sent, Some(original)).sent_at.as_millisecond(), expected_ms, "{original}");
        }
    }
}
