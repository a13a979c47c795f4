//! Invocations that fail: the `errorType` that Lambda reports. `tests/sam/test_invoke.py` sends the same payloads to the
//! binary in a container.

use crate::files::read;
use crate::stage::StagedRegion;
use ecs_sim::control_plane::ServiceSpec;
use ecs_sim::doubles::clock::timestamp;
use ecs_sim::region::{CLUSTER, Fault};
use serde_json::{Value, json};

/// The `errorType` and the message, or `None` if the invocation succeeds.
fn failure_of(payload: &Value, faults: &[Fault]) -> Option<(&'static str, String)> {
    let StagedRegion { region, function, tasks } =
        StagedRegion::of_parts(ServiceSpec::new(CLUSTER, "web", 1), &[], |_, parts| parts);
    region.lock().faults.extend(faults.iter().copied());
    let deadline = timestamp(region.lock().now() + 30_000);
    let payload = payload.to_string().replace("4f0c2a9be1d84763a5c07be214d95f3a", &tasks[0]);
    let failure = crate::block_on(function.handle(&payload, deadline)).err()?;
    Some((failure.error_type(), failure.to_string()))
}

fn sns_invocation() -> Value {
    serde_json::from_str(&read("events/sns-invocation.json")).unwrap()
}

#[test]
fn messages_that_the_function_cannot_read_fail_as_unreadable() {
    for record in [
        json!({"eventSource": "aws:sqs", "body": "{}"}),
        json!({"eventSource": "aws:kinesis", "kinesis": {"data": "e30="}}),
    ] {
        let (error_type, message) = failure_of(&json!({"Records": [record]}), &[]).unwrap();
        assert_eq!(error_type, "UnreadableMessages");
        assert!(message.starts_with("cannot read the messages of the payload"), "{message}");
    }
}

#[test]
fn a_message_without_a_queue_that_must_be_retried_fails_the_invocation() {
    assert_eq!(failure_of(&sns_invocation(), &[]), None);
    let (error_type, message) = failure_of(&sns_invocation(), &[Fault::ServerError; 5]).unwrap();
    assert_eq!(error_type, "MessagesToRetry");
    assert!(message.starts_with("1 of 1 messages must be retried"), "{message}");
}
