//! Parses `DescribeServices.events[].message`, the only place where ECS says in words that protection blocks a rollout.
//!
//! The texts are those of aws-facts "ECS: service event messages". They are matched in full, because a similar message
//! (draining, capacity, placement) must not raise an alert.

/// What a service message says about protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceMessage<'a> {
    /// Captured: a scale-in, on its own or as part of a deployment, waits for protected tasks.
    UnableToScaleIn {
        /// The deployment or task set that is blocked.
        task_set: &'a str,
        /// The number of its protected tasks.
        protected_tasks: u32,
    },
    /// Captured: the same, in a message about the steady state of the service.
    UnableToReachSteadyState {
        /// The deployment or task set that is blocked.
        task_set: &'a str,
        /// The number of its protected tasks.
        protected_tasks: u32,
    },
    /// Documented: rebalancing between Availability Zones waits.
    UnableToRebalance,
    /// Documented as the reason at the end of longer messages: more tasks are protected than desired.
    MoreProtectedThanDesired,
    /// The service has reached a steady state.
    SteadyState,
    /// Not about protection.
    Other,
}

impl<'a> ServiceMessage<'a> {
    /// Reads the message of an event of the service.
    pub fn read(message: &'a str) -> Self {
        let message = message.trim().trim_end_matches('.');
        if message.ends_with("Reason: The number of protected tasks are more than the desired count of tasks") {
            return Self::MoreProtectedThanDesired;
        }
        scale_in(message)
            .or_else(|| steady_state_missed(message))
            .or_else(|| rebalance(message))
            .or_else(|| steady_state(message))
            .unwrap_or(Self::Other)
    }

    /// Whether the message says that protection blocks something.
    pub fn tells_of_protection(self) -> bool {
        !matches!(self, Self::SteadyState | Self::Other)
    }
}

/// `(service worker, taskSet ecs-svc/6163164058718610164) was unable to scale in due to (reason 1 tasks under protection)`
fn scale_in(message: &str) -> Option<ServiceMessage<'_>> {
    let rest = message.strip_prefix("(service ")?;
    let (service, rest) = rest.split_once(", taskSet ")?;
    let (task_set, rest) = rest.split_once(") was unable to scale in due to ")?;
    let protected_tasks = tasks_under_protection(rest)?;
    (is_name(service) && is_task_set(task_set)).then_some(ServiceMessage::UnableToScaleIn { task_set, protected_tasks })
}

/// `(service api) was unable to reach steady state because (taskSet ecs-svc/1) was unable to scale in due to (reason …)`
fn steady_state_missed(message: &str) -> Option<ServiceMessage<'_>> {
    let rest = message.strip_prefix("(service ")?;
    let (service, rest) = rest.split_once(") was unable to reach steady state because (taskSet ")?;
    let (task_set, rest) = rest.split_once(") was unable to scale in due to ")?;
    let protected_tasks = tasks_under_protection(rest)?;
    (is_name(service) && is_task_set(task_set))
        .then_some(ServiceMessage::UnableToReachSteadyState { task_set, protected_tasks })
}

/// `service (api) was unable to AZ Rebalance because (task-set-name) was unable to scale in due to (reason)`
fn rebalance(message: &str) -> Option<ServiceMessage<'_>> {
    let rest = message.strip_prefix("service (").or_else(|| message.strip_prefix("(service "))?;
    let (service, rest) = rest.split_once(") was unable to AZ Rebalance because (")?;
    let (_, reason) = rest.split_once(") was unable to scale in due to (")?;
    // AWS does not document the values of `reason`. Of the captured forms only one is about protection.
    let is_of_protection = reason == "reason)" || tasks_under_protection(&format!("({reason}")).is_some();
    (is_name(service) && is_of_protection).then_some(ServiceMessage::UnableToRebalance)
}

fn steady_state(message: &str) -> Option<ServiceMessage<'_>> {
    let service = message.strip_prefix("(service ")?.strip_suffix(") has reached a steady state")?;
    is_name(service).then_some(ServiceMessage::SteadyState)
}

/// `(reason 2 tasks under protection)`
fn tasks_under_protection(text: &str) -> Option<u32> {
    let count = text.strip_prefix("(reason ")?.strip_suffix(" under protection)")?;
    let count = count.strip_suffix(" tasks").or_else(|| count.strip_suffix(" task"))?;
    if count.bytes().all(|byte| byte.is_ascii_digit()) { count.parse().ok() } else { None }
}

fn is_name(service: &str) -> bool {
    !service.is_empty() && service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_task_set(id: &str) -> bool {
    id.strip_prefix("ecs-svc/")
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_captured_and_documented_texts_are_recognized() {
        let task_set = "ecs-svc/1111111111111111111";
        for (text, expected) in [
            (
                "(service api) was unable to reach steady state because (taskSet ecs-svc/1111111111111111111) was unable to scale in due to (reason 2 tasks under protection)",
                ServiceMessage::UnableToReachSteadyState { task_set, protected_tasks: 2 },
            ),
            (
                "(service worker, taskSet ecs-svc/1111111111111111111) was unable to scale in due to (reason 1 tasks under protection)",
                ServiceMessage::UnableToScaleIn { task_set, protected_tasks: 1 },
            ),
            (
                "service (api) was unable to AZ Rebalance because (task-set-name) was unable to scale in due to (reason).",
                ServiceMessage::UnableToRebalance,
            ),
            (
                "(service api) was unable to place a task. Reason: The number of protected tasks are more than the desired count of tasks",
                ServiceMessage::MoreProtectedThanDesired,
            ),
            ("(service api) has reached a steady state.", ServiceMessage::SteadyState),
        ] {
            assert_eq!(ServiceMessage::read(text), expected, "{text}");
        }
    }

    #[test]
    fn routine_texts_and_near_misses_say_nothing_about_protection() {
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
            "service (api) was unable to AZ Rebalance because (x) was unable to scale in due to (reason capacity).",
            "The number of protected tasks are more than the desired count of tasks, or so somebody said",
        ] {
            assert!(!ServiceMessage::read(text).tells_of_protection(), "{text}");
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
