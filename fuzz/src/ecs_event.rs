//! An EventBridge envelope: `EcsEvent::parse`.

use super::{expect, seeds};
use taskhold::event::{EcsEvent, Invocation, Record, record};

/// The events of `events/`.
pub fn seeds() -> Vec<String> {
    ["ecs-", "scheduled-"].into_iter().flat_map(seeds::payloads).collect()
}

/// What is acted on is of a configured cluster; and it is the same event as a payload and in the body of a message.
pub fn check(text: &str) {
    let clusters = expect::clusters();
    let Ok(event) = EcsEvent::parse(text, clusters) else { return };
    expect::event(&event);
    if !text.trim_start().starts_with('{') {
        return;
    }
    match record::parse(text, clusters) {
        Record::Ecs(same) => assert_eq!(same, event),
        // What an envelope's parser does not read, and a body's does: members of other shapes, twice; numbers of any size.
        Record::Malformed(error) => {
            let error = error.to_string();
            let is_read_by_one = ["duplicate field", "number out of range"].iter().any(|why| error.contains(why));
            assert!(is_read_by_one, "{error}");
        }
        Record::Job(job) => panic!("it is taken for {job:?}"),
    }
    match Invocation::parse(text, clusters) {
        Invocation::Ecs(same) => assert_eq!(same, event),
        Invocation::UnreadableBatch(_) | Invocation::Unrecognized(_) | Invocation::Sqs(_) => {
            assert!(text.contains("ecords"), "only `Records` tell of another shape");
        }
        Invocation::Command(command) => panic!("it is taken for {command:?}"),
    }
}
