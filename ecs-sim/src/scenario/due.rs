//! What reaches the function by itself: sweeps, events of ECS, and invocations by lifecycle hooks.

use super::world::ScenarioWorld;
use crate::control_plane::{HookInvocation, Millis};
use crate::region::FUNCTION_ARN;
use serde_json::Value;

impl ScenarioWorld {
    /// Whether a sweep is due; if so, schedules the next one.
    pub(super) fn take_due_sweep(&mut self) -> bool {
        let now = self.now();
        match &mut self.sweep {
            Some((at, every)) if *at <= now => {
                *at = now + *every;
                true
            }
            _ => false,
        }
    }

    pub(super) fn take_due_event(&mut self) -> Option<(Value, usize)> {
        let now = self.now();
        let (at, _) = *self.events.keys().next()?;
        if at > now { None } else { self.events.pop_first().map(|(_, event)| event) }
    }

    pub(super) fn event_comes_again(&mut self, event: Value, attempt: usize, pause: Millis) {
        self.events_made += 1;
        self.events.insert((self.now() + pause, self.events_made), (event, attempt));
    }

    /// The next invocation of the function under test by a lifecycle hook.
    pub(super) fn take_hook_invocation(&mut self) -> Option<HookInvocation> {
        self.region.lock().ecs.take_hook_invocation(FUNCTION_ARN)
    }
}
