//! Checks what must be in order a quarter of an hour after the storm.

use super::broken::Broken;
use super::calm::{SWEPT_MS, rechecks};
use super::job::JobModel;
use super::world::World;
use crate::control_plane::{DeploymentRolloutState, SimulatedServiceStatus, TaskProtectionResponse, TaskStatus};
use crate::doubles::clock::timestamp;
use crate::region::CLUSTER;
use serde_json::json;
use std::collections::BTreeSet;
use taskhold::service::alert::AlertKind;

impl World {
    /// The tasks that taskhold must protect for a live job, and that are not protected although ECS would protect them.
    pub(super) fn neglected(&self) -> BTreeSet<usize> {
        let region = self.region.lock();
        let now = region.now();
        let needs = |job: &JobModel| !job.is_by_agent && job.is_live_at(now + SWEPT_MS);
        let has_job = |task: &usize| self.model.tasks[*task].jobs.iter().any(needs);
        let bare = |task: &usize| {
            let real = region.ecs.task(&self.model.tasks[*task].id);
            real.is_some_and(|real| real.is_live() && !real.is_protected() && real.last_status == TaskStatus::Running)
        };
        let tasks = (0..self.model.tasks.len()).filter(has_job).filter(bare);
        let tasks: Vec<usize> = tasks.collect();
        drop(region);
        tasks.into_iter().filter(|task| self.is_granted(*task)).collect()
    }

    /// Whether ECS would protect a task now.
    pub(super) fn is_granted(&self, task: usize) -> bool {
        let mut ecs = self.region.lock().ecs.clone();
        let answer = ecs.set_own_protection(&self.model.tasks[task].id, Some(1));
        answer.is_ok_and(|answer| answer.failures.is_empty())
    }

    /// Checks a quarter of an hour after the storm. `neglected` is the result of one sweep earlier.
    pub(super) fn check_order(&mut self, neglected: &BTreeSet<usize>) {
        let still = self.neglected();
        let is_excused = |task: &&usize| self.has_dead_lettered(**task);
        if let Some(task) = still.intersection(neglected).find(|task| !is_excused(task)) {
            let why = format!("t{task} is busy and unprotected, although ECS would grant protection");
            return self.break_off(Broken::Convergence, why);
        }
        let refused = self.refused();
        for (task, service) in refused {
            let kinds = [AlertKind::ProtectionRefused, AlertKind::ProtectionExpiring];
            if !kinds.iter().any(|kind| self.model.is_open(*kind, &service)) && !self.has_dead_lettered(task) {
                let why = format!("ECS refuses to protect t{task} of {service}, but no open alert reports it");
                return self.break_off(Broken::Alerts, why);
            }
        }
        self.check_chains();
    }

    /// The unprotected tasks with a live job that ECS refuses to protect now, with their services.
    fn refused(&self) -> Vec<(usize, String)> {
        let region = self.region.lock();
        let now = region.now();
        let mut refused = Vec::new();
        for (number, task) in self.model.tasks.iter().enumerate() {
            let is_asked = |job: &JobModel| !job.is_by_agent || job.is_refused_to_agent();
            let has_job = task.jobs.iter().any(|job| is_asked(job) && job.is_live_at(now + SWEPT_MS));
            let real = region.ecs.task(&task.id).filter(|real| real.is_live() && !real.is_protected());
            if let (true, Some(_), Some(service)) = (has_job, real, &task.service) {
                let answer = region.ecs.clone().set_own_protection(&task.id, Some(1));
                let is_blocked = |answer: &TaskProtectionResponse| {
                    answer.failures.iter().any(|failure| failure.reason == "DEPLOYMENT_BLOCKED")
                };
                if answer.is_ok_and(|answer| is_blocked(&answer)) {
                    refused.push((number, service.clone()));
                }
            }
        }
        refused
    }

    /// Whether a message of the task was dead-lettered, so that its information may be lost.
    pub(super) fn has_dead_lettered(&self, task: usize) -> bool {
        let mut dead_lettered = self.model.messages.values().filter(|message| !message.dead_lettered_by.is_empty());
        dead_lettered.any(|message| message.content.task() == Some(task))
    }

    /// A service with several deployments must be watched, and its next recheck must be on its way.
    fn check_chains(&mut self) {
        let rechecks = rechecks(self);
        let now = timestamp(self.now());
        let mut broken = None;
        for (service, record) in self.service_records() {
            let due = record.watch.as_ref().and_then(|watch| watch.due);
            let is_due = due.filter(|due| *due > now).map(|due| json!(due));
            let on_their_way = rechecks.iter().filter(|recheck| is_due.as_ref() == Some(&recheck["due"])).count();
            if is_due.is_some() && on_their_way == 0 {
                broken = Some(format!("{} expects a recheck at {due:?}, but none is in the queue", service.name));
            }
            let moves = self.region.lock().ecs.service(CLUSTER, &service.name).is_some_and(|service| {
                let is_young = service.deployments[0].created_at + 2 * SWEPT_MS > self.calm_at + 2 * SWEPT_MS;
                let has_failed = service.primary().rollout_state == DeploymentRolloutState::Failed;
                let is_active = service.status == SimulatedServiceStatus::Active && !has_failed;
                service.deployments.len() > 1 && is_active && !is_young
            });
            if moves && due.is_none() {
                broken = Some(format!("{} has several deployments, but no recheck is scheduled", service.name));
            }
        }
        if let Some(why) = broken {
            self.break_off(Broken::Convergence, why);
        }
    }
}
