//! An EventBridge envelope: `EcsEvent::parse`.

use super::{expect, seeds};
use taskhold::lambda::ecs_event::EcsEvent;
use taskhold::lambda::payload::Invocation;
use taskhold::lambda::sqs_record;
use taskhold::lambda::sqs_record::QueueMessage;

/// The events of `events/`.
pub fn seeds() -> Vec<String> {
    ["ecs-", "scheduled-"].into_iter().flat_map(seeds::payloads).collect()
}

/// Why a body is malformed although its envelope parses: in the parts that the envelope's parser ignores, a member
/// with a known name is duplicated, a number is greater than any float, an escape is no character, or lists are
/// nested too deeply.
const PASSED_OVER: [&str; 6] = [
    "duplicate field",
    "number out of range",
    "surrogate in hex escape",
    "unexpected end of hex escape",
    "invalid unicode code point",
    "recursion limit exceeded",
];

/// An accepted event belongs to a configured cluster, and parses as the same event as a payload and in the body of
/// a message.
pub fn check(text: &str) {
    let clusters = expect::clusters();
    let Ok(event) = EcsEvent::parse(text, clusters) else { return };
    expect::event(&event);
    if !text.trim_start().starts_with('{') || !is_of_aws(text) {
        return;
    }
    match sqs_record::parse(text, clusters) {
        QueueMessage::Ecs(same) => assert_eq!(same, event),
        // The envelope's parser ignores these parts, and a body's parser reads them.
        QueueMessage::Malformed(error) => {
            let error = error.to_string();
            assert!(PASSED_OVER.iter().any(|why| error.contains(why)), "{error}");
        }
        QueueMessage::Job(job) => panic!("it is taken for {job:?}"),
    }
    match Invocation::parse(text, clusters) {
        Invocation::Ecs(same) => assert_eq!(same, event),
        Invocation::UnreadableBatch(_) | Invocation::Unrecognized(_) | Invocation::Sqs(_) => {
            assert!(text.contains("ecords"), "only `Records` tell of another shape");
        }
        Invocation::Command(command) => panic!("it is taken for {command:?}"),
        Invocation::Hook(input) => panic!("it is taken for {input:?}"),
        Invocation::Messages(messages) => panic!("it is taken for {messages:?}"),
    }
}

/// Whether AWS itself sends the event. One of another source may contain a job message.
fn is_of_aws(envelope: &str) -> bool {
    let envelope: serde_json::Value = serde_json::from_str(envelope).unwrap_or_default();
    envelope["source"].as_str().is_some_and(|source| source.starts_with("aws."))
}
