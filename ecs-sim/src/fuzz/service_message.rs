//! The text of an ECS service event message: `ServiceMessage::read`.

use taskhold::service::service_message::ServiceMessage;

/// The forms of aws-facts "ECS: service event messages", and some that only look alike.
pub fn seeds() -> Vec<String> {
    [
        "(service api) was unable to reach steady state because (taskSet ecs-svc/1111111111111111111) was unable to scale in due to (reason 2 tasks under protection)",
        "(service worker, taskSet ecs-svc/6163164058718610164) was unable to scale in due to (reason 1 tasks under protection)",
        "service (api) was unable to AZ Rebalance because (task-set-name) was unable to scale in due to (reason).",
        "(service api) was unable to AZ Rebalance because (ecs-svc/1) was unable to scale in due to (reason 1 task under protection).",
        "(service api) was unable to place a task. Reason: The number of protected tasks are more than the desired count of tasks",
        "(service api) has reached a steady state.",
        "(service api) has begun draining connections on 2 tasks.",
        "(service api) has stopped 2 running tasks: (task 6b777c1809a94925ab48098fa09824de).",
        "(service api) (deployment ecs-svc/1111111111111111111) deployment completed.",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Surrounding white space and a final period do not change the meaning of a message, and only a message with the
/// words of its form has a meaning.
pub fn check(text: &str) {
    let read = ServiceMessage::read(text);
    assert_eq!(ServiceMessage::read(&format!("  {}. \n", text.trim())), read);
    match read {
        ServiceMessage::Protection => assert!(
            text.contains("under protection)")
                || text.contains("The number of protected tasks are more than the desired count of tasks")
        ),
        ServiceMessage::SteadyState => assert!(text.contains("has reached a steady state")),
        ServiceMessage::Other => {}
    }
}
