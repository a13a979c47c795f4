//! Scale-ins that protected tasks block, and the messages of ECS about them.
//!
//! aws-facts: "ECS: service event messages": the two captured forms, verbatim.

use std::collections::BTreeMap;

use super::eventbridge::ServiceAction;
use super::service::{Headroom, Held, Hold};
use super::state::{ControlPlane, Due};
use super::variants::ProtectionEvent;

impl ControlPlane {
    /// Announces each task set that begins to wait for protected tasks, and ends the hold when none waits any more.
    pub(super) fn update_hold(&mut self, key: u64, held: &BTreeMap<String, usize>) {
        let now = self.now;
        let rebalances = self.services[&key].rebalance.is_some();
        let what = if rebalances { Held::Rebalancing } else { Held::ScaleIn };
        let hold = self.service_mut(key).hold.take();
        if let Some(hold) = &hold
            && held.is_empty()
        {
            self.due.remove(&(hold.repeats_at, Due::HoldIsRepeated(key)));
        }
        if held.is_empty() {
            return;
        }
        let repeats_at = hold.as_ref().map_or(now + self.variants.repeats.millis(), |hold| hold.repeats_at);
        let known = hold.filter(|hold| hold.what == what).map(|hold| hold.task_sets).unwrap_or_default();
        let task_sets = held.keys().cloned().collect();
        self.service_mut(key).hold = Some(Hold { what, task_sets, repeats_at });
        self.due.insert((repeats_at, Due::HoldIsRepeated(key)));
        let new: Vec<_> = held.iter().filter(|(task_set, _)| !known.contains(*task_set)).collect();
        for (task_set, count) in &new {
            match what {
                Held::ScaleIn => self.say_unable_to_scale_in(key, task_set, **count),
                Held::Rebalancing => self.say_unable_to_rebalance(key, task_set, **count),
            }
        }
        if !new.is_empty() {
            self.emit_hold(key);
        }
    }

    /// Repeats the messages about a scale-in that still waits.
    pub(super) fn repeat_hold(&mut self, key: u64) {
        let next = self.now + self.variants.repeats.millis();
        let Some(hold) = &mut self.service_mut(key).hold else {
            return;
        };
        hold.repeats_at = next;
        let (what, task_sets) = (hold.what, hold.task_sets.clone());
        self.due.insert((next, Due::HoldIsRepeated(key)));
        for task_set in task_sets {
            let count = self.protected_in(key, &task_set);
            if what == Held::Rebalancing {
                self.say_unable_to_rebalance(key, &task_set, count);
                continue;
            }
            if self.is_outnumbered(key) {
                self.say_outnumbered(key, &task_set);
            }
            self.say_unable_to_reach_steady_state(key, &task_set, count);
            self.say_unable_to_scale_in(key, &task_set, count);
        }
        self.emit_hold(key);
    }

    /// Announces once that the percentages leave a deployment no room. Assumed: ECS sends no repeats until the problem is
    /// resolved.
    ///
    /// aws-facts: "ECS: service event messages".
    pub(super) fn update_room(&mut self, key: u64, room: Headroom) {
        let service = self.service_mut(key);
        let before = std::mem::replace(&mut service.room, room);
        if (before, room) == (Headroom::Some, Headroom::None) {
            let name = service.name.clone();
            let message = format!(
                "service ({name}) was unable to stop or start tasks during a deployment because of the service deployment configuration."
            );
            self.say_message(key, message);
        }
    }

    /// Whether more tasks are protected than desired.
    fn is_outnumbered(&self, key: u64) -> bool {
        let service = &self.services[&key];
        let protected = service.tasks.iter().filter(|task| self.tasks[task].is_protected()).count();
        protected > service.desired_count as usize
    }

    fn protected_in(&self, key: u64, task_set: &str) -> usize {
        let tasks = self.services[&key].tasks.iter().map(|task| &self.tasks[task]);
        tasks.filter(|task| task.is_protected() && task.deployment.as_deref() == Some(task_set)).count()
    }

    /// aws-facts: "Open questions": whether EventBridge receives this event is a variant.
    fn emit_hold(&mut self, key: u64) {
        if self.variants.protection_event == ProtectionEvent::Sent {
            self.emit_service_action(key, ServiceAction::TasksetScaleInFailureByTaskProtection);
        }
    }

    /// The captured form that names the task set in addition to the service.
    fn say_unable_to_scale_in(&mut self, key: u64, task_set: &str, count: usize) {
        let name = &self.services[&key].name;
        let message = format!(
            "(service {name}, taskSet {task_set}) was unable to scale in due to (reason {count} tasks under protection)"
        );
        self.say_message(key, message);
    }

    /// The captured form that mentions the steady state.
    fn say_unable_to_reach_steady_state(&mut self, key: u64, task_set: &str, count: usize) {
        self.say(
            key,
            format!(
                "was unable to reach steady state because (taskSet {task_set}) was unable to scale in due to (reason {count} tasks under protection)"
            ),
        );
    }

    /// AWS's page "Amazon ECS service event messages": "The service has more protected tasks than the desired number of
    /// tasks." Assumed: it comes together with the captured forms, not at once.
    fn say_outnumbered(&mut self, key: u64, task_set: &str) {
        let name = &self.services[&key].name;
        let message = format!(
            "service ({name}) was unable to reach steady state because task set ({task_set}) was unable to scale in. Reason: The number of protected tasks are more than the desired count of tasks"
        );
        self.say_message(key, message);
    }

    /// aws-facts: "ECS: service event messages": the documented form; the contents of its brackets come from the
    /// captured ones.
    fn say_unable_to_rebalance(&mut self, key: u64, task_set: &str, count: usize) {
        let name = &self.services[&key].name;
        let message = format!(
            "service ({name}) was unable to AZ Rebalance because (taskSet {task_set}) was unable to scale in due to (reason {count} tasks under protection)."
        );
        self.say_message(key, message);
    }
}
