//! How the events of ECS reach the function: as a scenario has them, or in other ways that EventBridge allows. It
//! promises each event once or more often, and no order (aws-facts "EventBridge").

use crate::control_plane::Millis;
use fastrand::Rng;
use serde_json::Value;

/// Maximum delay of an event: longer than a task needs to start, so that a later event may arrive first.
const LATE_MAX_MS: Millis = 60_000;

/// The fate of events on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disorder {
    /// Each arrives once, in order and at once.
    #[default]
    None,
    /// Each arrives at once, and again up to a minute later, depending on the seed.
    Doubled(u64),
    /// Each arrives up to a minute late, depending on the seed, so that later ones overtake it.
    Shuffled(u64),
    /// Events about a scale-in that protection blocks are lost.
    WithoutProtectionEvents,
    /// Events about services are lost; those about tasks arrive.
    WithoutServiceEvents,
}

/// Delivers events in one kind of disorder.
#[derive(Debug)]
pub(super) struct EventDelivery {
    disorder: Disorder,
    rng: Rng,
}

impl Default for EventDelivery {
    fn default() -> Self {
        Self::new(Disorder::None)
    }
}

impl EventDelivery {
    pub(super) fn new(disorder: Disorder) -> Self {
        let seed = match disorder {
            Disorder::Doubled(seed) | Disorder::Shuffled(seed) => seed,
            Disorder::None | Disorder::WithoutProtectionEvents | Disorder::WithoutServiceEvents => 0,
        };
        Self { disorder, rng: Rng::with_seed(seed) }
    }

    /// The delays of an event, one for each delivery.
    pub(super) fn delays(&mut self, event: &Value) -> Vec<Millis> {
        let mut late = || self.rng.i64(0..=LATE_MAX_MS);
        match self.disorder {
            Disorder::Doubled(_) => vec![0, late()],
            Disorder::Shuffled(_) => vec![late()],
            Disorder::WithoutProtectionEvents if is_about_protection(event) => Vec::new(),
            Disorder::WithoutServiceEvents if is_about_a_service(event) => Vec::new(),
            Disorder::None | Disorder::WithoutProtectionEvents | Disorder::WithoutServiceEvents => vec![0],
        }
    }
}

fn is_about_protection(event: &Value) -> bool {
    event["detail"]["eventName"] == "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION"
}

fn is_about_a_service(event: &Value) -> bool {
    event["detail-type"] != "ECS Task State Change"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn delays(disorder: Disorder) -> Vec<Vec<Millis>> {
        let events = [
            json!({"detail-type": "ECS Task State Change", "detail": {"lastStatus": "RUNNING"}}),
            json!({"detail-type": "ECS Deployment State Change", "detail": {"eventName": "SERVICE_DEPLOYMENT_COMPLETED"}}),
            json!({"detail-type": "ECS Service Action", "detail": {"eventName": "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION"}}),
        ];
        let mut delivery = EventDelivery::new(disorder);
        events.iter().map(|event| delivery.delays(event)).collect()
    }

    #[test]
    fn without_disorder_each_event_comes_at_once() {
        assert_eq!(delays(Disorder::None), [vec![0], vec![0], vec![0]]);
    }

    #[test]
    fn events_are_omitted_by_what_they_tell() {
        assert_eq!(delays(Disorder::WithoutProtectionEvents), [vec![0], vec![0], vec![]]);
        assert_eq!(delays(Disorder::WithoutServiceEvents), [vec![0], vec![], vec![]]);
    }

    #[test]
    fn a_doubled_event_comes_at_once_and_again_within_a_minute() {
        for delays in delays(Disorder::Doubled(1)) {
            assert!(matches!(delays[..], [0, late] if (0..=LATE_MAX_MS).contains(&late)), "{delays:?}");
        }
    }

    #[test]
    fn shuffled_events_overtake_each_other_and_one_seed_is_one_order() {
        let order = |seed| delays(Disorder::Shuffled(seed)).concat();
        assert!((1..=20).any(|seed| !order(seed).is_sorted()));
        assert!((1..=20).all(|seed| order(seed).len() == 3 && order(seed) == order(seed)));
    }
}
