//! Observes ECS for a scenario: its messages and actions, new tasks, stopped tasks, and emitted events.

use super::statement::EventsOfEcs;
use super::world::{ScenarioWorld, TrueJob};
use crate::control_plane::{Millis, StopCode};
use serde_json::Value;

impl ScenarioWorld {
    /// What ECS reported and did since the last call.
    pub(super) fn take_ecs_reports(&mut self) -> Vec<String> {
        self.observe_ecs();
        std::mem::take(&mut self.ecs_reports)
    }

    /// Takes in everything that has changed in ECS: names new tasks and sends events on their way.
    pub(super) fn observe_ecs(&mut self) {
        let mut region = self.region.lock();
        for task in region.ecs.tasks() {
            if !self.named.contains_key(&task.id) {
                self.named.insert(task.id.clone(), self.tasks.len());
                self.tasks.push(task.id.clone());
            }
        }
        let now = region.now();
        let changed = region.ecs.tasks().filter(|task| self.protected.get(&task.id).copied() != task.protected_until);
        let changed: Vec<_> = changed.map(|task| (task.id.clone(), task.protected_until)).collect();
        let events = region.ecs.take_events();
        let mut messages = Vec::new();
        for service in region.ecs.services() {
            let last = self.last_messages.get(&service.name);
            let new: Vec<_> = service.events.iter().take_while(|event| Some(&event.id) != last).collect();
            messages.extend(new.iter().rev().map(|event| event.message.clone()));
            if let Some(newest) = new.first() {
                self.last_messages.insert(service.name.clone(), newest.id.clone());
            }
        }
        drop(region);
        for (task, until) in changed {
            self.observe_protection(task, until);
        }
        self.summary.deployments_completed +=
            messages.iter().filter(|text| text.ends_with("deployment completed.")).count();
        let messages: Vec<String> = messages.iter().map(|text| shortened(&self.named(text))).collect();
        self.ecs_reports.extend(messages);
        for event in events {
            self.report_stop(&event);
            if self.events_of_ecs == EventsOfEcs::Lost {
                continue;
            }
            for late in self.delivery.delays(&event) {
                self.events_made += 1;
                self.events.insert((now + late, self.events_made), (event.clone(), 0));
            }
        }
    }

    /// The protection of a task has changed. Its unfinished jobs lose it, unless it has expired.
    fn observe_protection(&mut self, task: String, until: Option<Millis>) {
        let now = self.now();
        let before = self.protected.get(&task).copied();
        let is_lower = until < before;
        if !is_lower || before > Some(now) {
            let jobs = self.jobs.values_mut().filter(|job| job.task == task && !job.finished);
            jobs.for_each(|job| job.is_uncovered = is_lower);
        }
        match until {
            Some(until) => self.protected.insert(task, until),
            None => self.protected.remove(&task),
        };
    }

    /// Reports a task that has begun to stop or has stopped, which may end a job.
    fn report_stop(&mut self, event: &Value) {
        let detail = &event["detail"];
        let status = (detail["lastStatus"].as_str(), detail["desiredStatus"].as_str());
        let (Some(arn), (Some("STOPPED"), _)) = (detail["taskArn"].as_str(), status) else { return };
        let id = arn.rsplit('/').next().unwrap_or(arn).to_owned();
        let now = self.now();
        let live = |job: &&TrueJob| job.task == id && !job.finished && job.until > now;
        let live: Vec<&TrueJob> = self.jobs.values().filter(live).collect();
        let (live, is_uncovered) = (live.len(), live.iter().any(|job| job.is_uncovered));
        let region = self.region.lock();
        let stop_code = region.ecs.task(&id).and_then(|task| task.stop_code);
        drop(region);
        if stop_code == Some(StopCode::ServiceSchedulerInitiated) {
            self.summary.scaled_in += 1;
            self.summary.interrupted += usize::from(live > 0);
            if is_uncovered {
                self.cut_off.insert(self.named(&id));
            }
        }
        let reason = shortened(&self.named(detail["stoppedReason"].as_str().unwrap_or_default()));
        let jobs = if live > 0 { format!(" in the middle of {live} jobs") } else { String::new() };
        self.ecs_reports.push(format!("task {} has stopped ({reason}){jobs}", self.named(&id)));
    }
}

/// Deployment ids have 19 digits; the last four identify those of a scenario.
fn shortened(text: &str) -> String {
    let mut parts = text.split("ecs-svc/");
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (id, rest) = part.split_at(digits);
        short.push_str(&format!("ecs-svc/…{}{rest}", &id[digits.saturating_sub(4)..]));
    }
    short
}
