//! How events of ECS reach the function: late, twice, reordered, or not at all.

use super::world::World;
use crate::control_plane::Millis;
use serde_json::Value;
use std::collections::BTreeMap;

/// Delays of events. EventBridge promises no time (aws-facts "EventBridge").
const LATE_MS: [Millis; 5] = [0, 0, 1_500, 20_000, 90_000];
/// Lambda runs a failed asynchronous invocation twice more, after one minute and after two (AWS Lambda Developer Guide,
/// "How Lambda handles errors and retries with asynchronous invocation").
const RETRIES_MS: [Millis; 2] = [60_000, 120_000];

/// An event and the number of its failures.
#[derive(Clone)]
pub(super) struct Event {
    pub(super) payload: Value,
    pub(super) failures: usize,
}

#[derive(Default)]
pub(super) struct OnTheirWay {
    /// By arrival time.
    due: BTreeMap<(Millis, u64), Event>,
    made: u64,
}

impl OnTheirWay {
    fn add(&mut self, at: Millis, event: Event) {
        self.made += 1;
        self.due.insert((at, self.made), event);
    }

    pub(super) fn next(&self) -> Option<Millis> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn take(&mut self, now: Millis) -> Option<Event> {
        self.next().filter(|at| *at <= now)?;
        self.due.pop_first().map(|(_, event)| event)
    }
}

impl World {
    /// Puts the events that ECS has emitted on their way.
    pub(super) fn take_events(&mut self) {
        let emitted = self.region.lock().ecs.take_events();
        let now = self.now();
        for payload in emitted.into_iter().filter(is_subscribed) {
            if self.fault(self.rules.events_lost_percent) {
                self.counts.strike("events lost");
                continue;
            }
            let late = if self.is_calm { 0 } else { self.choices.one_of(&LATE_MS) };
            if late > 0 {
                self.counts.strike("events late");
            }
            let is_doubled = self.fault(15);
            if is_doubled {
                self.counts.strike("events doubled");
                self.events.add(now + LATE_MS[3], Event { payload: payload.clone(), failures: 0 });
            }
            self.events.add(now + late, Event { payload, failures: 0 });
        }
    }

    /// An invocation with an event failed or was cut off.
    pub(super) fn event_failed(&mut self, event: Event) {
        let Some(pause) = RETRIES_MS.get(event.failures) else {
            self.counts.add("events given up");
            return;
        };
        let at = self.now() + pause;
        self.events.add(at, Event { failures: event.failures + 1, ..event });
    }
}

/// Whether the rules of template.yaml match the event.
fn is_subscribed(event: &Value) -> bool {
    event["detail-type"] != "ECS Task State Change" || event["detail"]["desiredStatus"] == "STOPPED"
}
