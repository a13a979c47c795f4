//! A scale-in that protected tasks hold up, and what ECS says of it.
//!
//! aws-facts: "ECS: service event messages": the two captured forms, word for word.

use std::collections::BTreeMap;

use super::eventbridge::ServiceAction;
use super::service::{HOLD_REPEAT_MS, Hold};
use super::variants::ProtectionEvent;
use super::{ControlPlane, Due};

impl ControlPlane {
    /// Announces each task set that begins to wait for protected tasks, and ends the hold when none waits any more.
    pub(super) fn update_hold(&mut self, key: u64, held: &BTreeMap<String, usize>) {
        let now = self.now;
        let hold = self.service_mut(key).hold.take();
        if let Some(hold) = &hold
            && held.is_empty()
        {
            self.due.remove(&(hold.repeats_at, Due::HoldIsRepeated(key)));
        }
        if held.is_empty() {
            return;
        }
        let repeats_at = hold.as_ref().map_or(now + HOLD_REPEAT_MS, |hold| hold.repeats_at);
        let known = hold.map(|hold| hold.task_sets).unwrap_or_default();
        let task_sets = held.keys().cloned().collect();
        self.service_mut(key).hold = Some(Hold { task_sets, repeats_at });
        self.due.insert((repeats_at, Due::HoldIsRepeated(key)));
        let new: Vec<_> = held.iter().filter(|(task_set, _)| !known.contains(*task_set)).collect();
        for (task_set, count) in &new {
            self.say_unable_to_scale_in(key, task_set, **count);
        }
        if !new.is_empty() {
            self.emit_hold(key);
        }
    }

    /// Another round of messages about a scale-in that still waits.
    pub(super) fn repeat_hold(&mut self, key: u64) {
        let next = self.now + HOLD_REPEAT_MS;
        let Some(hold) = &mut self.service_mut(key).hold else {
            return;
        };
        hold.repeats_at = next;
        let task_sets = hold.task_sets.clone();
        self.due.insert((next, Due::HoldIsRepeated(key)));
        for task_set in task_sets {
            let count = self.protected_in(key, &task_set);
            self.say_unable_to_reach_steady_state(key, &task_set, count);
            self.say_unable_to_scale_in(key, &task_set, count);
        }
        self.emit_hold(key);
    }

    fn protected_in(&self, key: u64, task_set: &str) -> usize {
        let tasks = self.services[&key].tasks.iter().map(|task| &self.tasks[task]);
        tasks.filter(|task| task.is_protected() && task.deployment.as_deref() == Some(task_set)).count()
    }

    /// aws-facts: "What is not known": whether EventBridge hears of this is a variant.
    fn emit_hold(&mut self, key: u64) {
        if self.variants.protection_event == ProtectionEvent::Sent {
            self.emit_service_action(key, ServiceAction::TasksetScaleInFailureByTaskProtection);
        }
    }

    /// The captured form that names the task set beside the service.
    fn say_unable_to_scale_in(&mut self, key: u64, task_set: &str, count: usize) {
        let name = &self.services[&key].name;
        let message = format!(
            "(service {name}, taskSet {task_set}) was unable to scale in due to (reason {count} tasks under protection)"
        );
        self.say_message(key, message);
    }

    /// The captured form that speaks of steady state.
    fn say_unable_to_reach_steady_state(&mut self, key: u64, task_set: &str, count: usize) {
        self.say(
            key,
            format!(
                "was unable to reach steady state because (taskSet {task_set}) was unable to scale in due to (reason {count} tasks under protection)"
            ),
        );
    }
}
