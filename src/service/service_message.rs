//! Parses `DescribeServices.events[].message`, the only place where ECS says in words that protection blocks a rollout.
//!
//! The texts are those of aws-facts "ECS: service event messages". They are matched in full, because a similar message
//! (draining, capacity, placement) must not raise an alert.

/// What a service message says about a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceMessage {
    /// A scale-in, on its own or as part of a deployment, waits for protected tasks. AWS also documents a reason at the end
    /// of longer messages: more tasks are protected than desired.
    Protection,
    /// The service has reached a steady state.
    SteadyState,
    /// Anything else. A rebalancing between Availability Zones that waits for protected tasks blocks no rollout.
    Other,
}

impl ServiceMessage {
    /// Reads the message of an event of the service.
    pub fn read(message: &str) -> Self {
        let message = message.trim().trim_end_matches('.');
        let too_many = "Reason: The number of protected tasks are more than the desired count of tasks";
        if message.ends_with(too_many) || is_scale_in_blocked(message) {
            return Self::Protection;
        }
        let steady =
            message.strip_prefix("(service ").and_then(|rest| rest.strip_suffix(") has reached a steady state"));
        if steady.is_some_and(is_name) { Self::SteadyState } else { Self::Other }
    }
}

/// `(service worker, taskSet ecs-svc/6163164058718610164) was unable to scale in due to (reason 1 tasks under protection)`
/// `(service api) was unable to reach steady state because (taskSet ecs-svc/1) was unable to scale in due to (reason …)`
fn is_scale_in_blocked(message: &str) -> bool {
    let parts = || {
        let rest = message.strip_prefix("(service ")?;
        let missed = rest.split_once(") was unable to reach steady state because (taskSet ");
        let (service, rest) = missed.or_else(|| rest.split_once(", taskSet "))?;
        let (task_set, rest) = rest.split_once(") was unable to scale in due to (reason ")?;
        let count = rest.strip_suffix(" under protection)")?;
        let count = count.strip_suffix(" tasks").or_else(|| count.strip_suffix(" task"))?;
        Some((service, task_set.strip_prefix("ecs-svc/")?, count))
    };
    parts().is_some_and(|(service, task_set, count)| is_name(service) && is_number(task_set) && is_number(count))
}

fn is_name(service: &str) -> bool {
    !service.is_empty() && service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_captured_and_documented_texts_are_recognized() {
        for text in [
            "(service api) was unable to reach steady state because (taskSet ecs-svc/1111111111111111111) was unable to scale in due to (reason 2 tasks under protection)",
            "(service worker, taskSet ecs-svc/1111111111111111111) was unable to scale in due to (reason 1 tasks under protection)",
            "(service api) was unable to place a task. Reason: The number of protected tasks are more than the desired count of tasks",
        ] {
            assert_eq!(ServiceMessage::read(text), ServiceMessage::Protection, "{text}");
        }
        assert_eq!(ServiceMessage::read("(service api) has reached a steady state."), ServiceMessage::SteadyState);
    }

    #[test]
    fn routine_texts_a_rebalancing_and_near_misses_block_no_rollout() {
        for text in [
            "",
            "(service api) has begun draining connections on 2 tasks.",
            "(service api) has stopped 2 running tasks: (task 6b777c1809a94925ab48098fa09824de).",
            "(service api) has started 2 tasks: (task 6b777c1809a94925ab48098fa09824de).",
            "(service api) (deployment ecs-svc/1111111111111111111) deployment completed.",
            "(service api) (deployment ecs-svc/1111111111111111111) deployment failed: tasks failed to start.",
            "(service api) registered 1 targets in (target-group arn:aws:x)",
            "(service api, taskSet ecs-svc/1) was unable to scale in due to (reason 2 tasks draining)",
            "(service api, taskSet ecs-svc/1) was unable to scale in due to (reason two tasks under protection)",
            "(service api, taskSet ecs-svc/1) was unable to scale in due to (reason -1 tasks under protection)",
            "(service api, taskSet ecs-svc/1) was unable to scale out due to (reason 2 tasks under protection)",
            "(service api, taskSet ecs-svc/x) was unable to scale in due to (reason 2 tasks under protection)",
            "(service api, taskSet ecs-svc/1) was unable to scale in due to (reason 2 tasks under protection) again",
            "x (service api, taskSet ecs-svc/1) was unable to scale in due to (reason 2 tasks under protection)",
            "(service api) was unable to reach steady state because (taskSet ecs-svc/1) was unable to place tasks",
            "service (api) was unable to AZ Rebalance because (task-set-name) was unable to scale in due to (reason).",
            "service (api) was unable to AZ Rebalance because (x) was unable to scale in due to (reason capacity).",
            "(service api) was unable to AZ Rebalance because (taskSet ecs-svc/1) was unable to scale in due to (reason 1 task under protection).",
            "The number of protected tasks are more than the desired count of tasks, or so somebody said",
        ] {
            assert_eq!(ServiceMessage::read(text), ServiceMessage::Other, "{text}");
        }
    }

    #[test]
    fn what_no_service_and_no_task_set_is_called_is_not_recognized() {
        let said = |service: &str, task_set: &str| {
            let missed = format!(
                "(service {service}) was unable to reach steady state because (taskSet {task_set}) was unable to scale in due to (reason 2 tasks under protection)"
            );
            let steady = format!("(service {service}) has reached a steady state.");
            let of_protection = ServiceMessage::read(&missed) != ServiceMessage::Other;
            (of_protection, ServiceMessage::read(&steady) != ServiceMessage::Other)
        };
        for name in ["api", "a-b", "a_b", "A9", "-", "_"] {
            assert_eq!(said(name, "ecs-svc/1"), (true, true), "{name}");
        }
        for name in ["", "a b", "a.b", "a,b", "a)b", "ä"] {
            assert_eq!(said(name, "ecs-svc/1"), (false, false), "{name}");
        }
        for task_set in ["ecs-svc/", "ecs-svc/1a", "ecs-svc", "1"] {
            assert!(!said("api", task_set).0, "{task_set}");
        }
    }
}
