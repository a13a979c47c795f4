//! Any payload of a Lambda invocation: `Invocation::parse`.

use super::{expect, seeds, sqs_body};
use jiff::Timestamp;
use serde_json::Value;
use taskhold::lambda::ecs_event::EcsEvent;
use taskhold::lambda::payload::Invocation;
use taskhold::lambda::received::Received;

/// Every payload in `events/`.
pub fn seeds() -> Vec<String> {
    seeds::payloads("")
}

/// An accepted payload belongs to a configured cluster, and an unrecognized one gets a short reason.
pub fn check(text: &str) {
    match Invocation::parse(text, expect::clusters()) {
        Invocation::Sqs(batch) | Invocation::Messages(batch) => {
            for message in &batch.records {
                assert!(message.message_id.is_some(), "without an id a record cannot be retried");
                let received = Received::take_from(&mut message.clone(), Timestamp::UNIX_EPOCH);
                assert!(received.sent_at <= Timestamp::MAX);
                message.body.as_deref().inspect(|body| sqs_body::check(body));
            }
        }
        Invocation::Ecs(event) => {
            not_a_batch(text);
            expect::event(&event);
            assert_eq!(EcsEvent::parse(text, expect::clusters()).ok(), Some(event));
        }
        Invocation::Command(Ok(command)) => {
            not_a_batch(text);
            expect::command(&command);
        }
        Invocation::Command(Err(error)) => {
            not_a_batch(text);
            expect::reason(&error.to_string());
        }
        Invocation::Hook(input) => {
            not_a_batch(text);
            expect::reason(&input.stage);
            match &input.service {
                Ok(service) => expect::service(service),
                Err(why) => expect::reason(why),
            }
        }
        Invocation::UnreadableBatch(why) => expect::reason(&why),
        Invocation::Unrecognized(why) => {
            expect::reason(&why);
            // With two members of one name, the intended one is unknown, and Lambda sends no such payload.
            if !why.contains("duplicate field `Records`") {
                not_a_batch(text);
            }
        }
    }
}

/// Acknowledging a batch as something else would delete its messages.
fn not_a_batch(text: &str) {
    let Ok(payload) = serde_json::from_str::<Value>(text) else { return };
    let records = payload.get("Records").unwrap_or(&payload).as_array();
    let mut sources = records.into_iter().flatten().filter_map(|record| record.get("eventSource"));
    let is_batch = sources.any(|source| source == "aws:sqs");
    assert!(!is_batch, "a batch of SQS is acknowledged unread");
}
