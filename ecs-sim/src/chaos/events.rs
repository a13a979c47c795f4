//! Events of ECS on their way to the function.

use crate::control_plane::Millis;
use serde_json::Value;
use std::collections::BTreeMap;

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
    pub(super) fn add(&mut self, at: Millis, event: Event) {
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
