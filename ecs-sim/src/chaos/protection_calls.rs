//! The effects of UpdateTaskProtection, and the checks of its calls: a task that protects itself has one writer, a
//! release clears only protection that taskhold set, and only an end releases.
//!
//! Allowed: a release of protection that another writer set after the function's read, of protection whose expiry fits a
//! call of taskhold, and of idle tasks of a service with the tag `taskhold:managed`.

use super::broken::Broken;
use super::protection::{SentRequest, Writer};
use super::world::World;
use crate::control_plane::Millis;
use crate::doubles::ecs::{answer, protection_answer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use taskhold::ecs::arn::{ClusterArn, Task, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::{ProtectionAnswer, ProtectionSetting};

impl World {
    /// A protection call takes effect.
    pub(super) fn set_protection(&mut self, call: &SentRequest, request: &Value) -> Result<ProtectionAnswer, EcsError> {
        let before = self.protected_until(request);
        let answered = answer(&mut self.region.lock(), "UpdateTaskProtection", request);
        let result = protection_answer(&answered.expect("no fault of the Region's own is set")?);
        for task in &result.protected_tasks {
            self.protection_was_set(call, task.task_id.as_str(), &before);
        }
        for failure in &result.failures {
            self.counts.add("tasks refused");
            self.narrate(|_| format!("  ECS refuses to protect {}: {}", failure.task_id, failure.reason.as_str()));
        }
        Ok(result)
    }

    /// Until when ECS protects the tasks of a request, as far as it does.
    fn protected_until(&self, request: &Value) -> BTreeMap<String, Millis> {
        let region = self.region.lock();
        let ids = request["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str);
        ids.filter_map(|id| Some((id.to_owned(), region.ecs.task(id)?.protected_until?))).collect()
    }

    fn protection_was_set(&mut self, call: &SentRequest, id: &str, before: &BTreeMap<String, Millis>) {
        let Some(number) = self.model.number_of(id) else { return };
        let (now, until) = (self.now(), self.region.lock().ecs.task(id).and_then(|task| task.protected_until));
        match (call.setting, until) {
            (ProtectionSetting::Disabled, _) => {
                self.counts.add("releases");
                self.narrate(|_| format!("  ECS clears the protection of {id}"));
                // Of two broken promises, that of a busy task comes first.
                self.check_moment();
                self.check_release(call, number, before.get(id).copied());
                self.model.tasks[number].protection.cleared();
            }
            (ProtectionSetting::Enabled { .. }, until) => {
                self.counts.add("protections");
                self.narrate(|world| {
                    format!("  ECS protects {id} until {}", until.map_or_else(String::new, |until| world.shown(until)))
                });
                let task = &mut self.model.tasks[number];
                task.protection.granted(now, until.unwrap_or(now));
                task.is_meddled_with &= until < task.promised_until();
                let at_most = task.protected_at_most_until();
                if until.is_some_and(|until| at_most.is_none_or(|at_most| until > at_most)) {
                    self.break_off(Broken::Longer, format!("{id} is protected for longer than any of its jobs needs"));
                }
            }
        }
    }

    /// For a deliberate defect: replaces the expiry of other writers' protection by that of the function's own.
    pub(super) fn disguise(&self, cluster: &ClusterArn, answer: &mut ProtectionAnswer) {
        let cluster = Arc::new(cluster.clone());
        for reported in answer.protected_tasks.iter_mut().filter(|reported| reported.protection_enabled) {
            let task = Task { cluster: cluster.clone(), id: reported.task_id.clone() };
            let number = self.model.number_of(task.id.as_str());
            let is_foreign = number.is_some_and(|number| self.model.tasks[number].protection.writer == Writer::Other);
            if let Some(own) = self.task_record(&task).protection.own.last().filter(|_| is_foreign) {
                reported.expiration_date = Some(own.latest);
            }
        }
    }

    /// The polled invocation reads the protection of tasks.
    pub(super) fn reads_protection(&mut self, tasks: &[TaskId]) {
        let changes = self.model.changes_by_others;
        let known = tasks.iter().filter_map(|id| self.model.number_of(id.as_str()));
        let reads = known.map(|task| ((self.polled, task), changes));
        self.protection_reads.extend(reads.collect::<Vec<_>>());
    }

    /// The polled invocation sends a call.
    pub(super) fn protection_call(&mut self, setting: ProtectionSetting, tasks: &[TaskId]) -> SentRequest {
        let numbers: Vec<usize> = tasks.iter().filter_map(|id| self.model.number_of(id.as_str())).collect();
        for task in &numbers {
            self.check_one_writer(*task, setting);
        }
        let read = |task: usize| Some((task, *self.protection_reads.get(&(self.polled, task))?));
        SentRequest { setting, sent_at: self.now(), read: numbers.into_iter().filter_map(read).collect() }
    }

    fn check_one_writer(&mut self, number: usize, setting: ProtectionSetting) {
        let task = &self.model.tasks[number];
        let protects_itself = !task.jobs.is_empty() && task.jobs.iter().all(|job| job.is_by_agent);
        let may_release = setting == ProtectionSetting::Disabled && self.is_managed(number);
        if protects_itself && !may_release {
            let why = format!("t{number} protects itself for all of its jobs, and taskhold requested {setting:?}");
            self.break_off(Broken::Foreign, why);
        }
    }

    /// A release has taken effect on a task that was protected until then.
    pub(super) fn check_release(&mut self, call: &SentRequest, number: usize, protected_until: Option<Millis>) {
        let task = &self.model.tasks[number];
        if task.jobs.is_empty() {
            let why = format!("t{number} was released, but no worker has reported a job on it");
            return self.break_off(Broken::Foreign, why);
        }
        let Some(until) = protected_until else { return };
        let is_foreign = task.protection.is_foreign_since(call.read.get(&number).copied());
        if is_foreign && !task.protection.fits_own(until) && !self.is_managed(number) {
            let until = self.shown(until);
            let why = format!("t{number} was released, but another writer had protected it until {until}");
            return self.break_off(Broken::Foreign, why);
        }
        let now = self.now();
        let kept =
            task.jobs.iter().filter_map(|job| Some((job, job.keeps_until(&task.protection, call.sent_at, now)?)));
        if let Some((job, kept)) = kept.max_by_key(|(_, kept)| *kept) {
            let (id, attempt) = (&job.id, job.attempt);
            let why =
                format!("t{number} was released, but {id} (attempt {attempt}) keeps it until {}", self.shown(kept));
            self.break_off(Broken::Early, why);
        }
    }

    /// Whether a tag has ever allowed to release protection of any writer.
    fn is_managed(&self, number: usize) -> bool {
        let service = self.model.tasks[number].service.as_ref();
        service.and_then(|name| self.model.services.get(name)).is_some_and(|service| service.was_managed)
    }
}
