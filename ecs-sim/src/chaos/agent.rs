//! Workers that protect their task themselves for a job, as `taskhold-run` does: from before the start of the first such
//! job to the end of the last job.

use super::job::{JobModel, WorkerReport};
use super::world::World;
use crate::control_plane::Millis;
use crate::doubles::clock::timestamp;
use serde_json::{Value, json};
use taskhold::ecs::PROTECTION_MINUTES_MAX;

impl World {
    /// The worker protects its task for a job that starts or takes longer.
    pub(super) fn agent_protects(&mut self, task: usize, job: usize) {
        let now = self.now();
        let by_agent = self.model.tasks[task].jobs.iter().filter(|job| job.is_by_agent && job.is_unfinished());
        let until = by_agent.filter_map(JobModel::until).max().unwrap_or(now);
        let minutes = (until - now).div_euclid(60_000) + 1;
        let minutes = minutes.clamp(1, i64::from(PROTECTION_MINUTES_MAX));
        let granted = self.set_by_other(task, Some(minutes));
        self.counts.add("protections requested by workers");
        self.narrate(|_| format!("t{task}: its worker requests {minutes} minutes: {granted:?}"));
        let known = &mut self.model.tasks[task].jobs[job];
        match granted {
            Ok(until) => known.agent_reports.push(WorkerReport::Until(until.unwrap_or(now))),
            // An earlier grant still covers the job.
            Err(_) if known.agent_reports.last().and_then(WorkerReport::until) >= known.until() => {}
            Err(reason) => known.agent_reports.push(WorkerReport::Refused(reason)),
        }
    }

    /// The worker clears the protection when its last job has finished.
    pub(super) fn agent_clears(&mut self, task: usize) {
        let jobs = &self.model.tasks[task].jobs;
        if jobs.iter().any(|job| job.is_by_agent) && !jobs.iter().any(JobModel::is_unfinished) {
            let cleared = self.set_by_other(task, None);
            self.narrate(|_| format!("t{task}: its worker clears its protection: {cleared:?}"));
        }
    }

    /// Another writer than taskhold sets or clears the protection of a task. Returns until when ECS protects it now, or why
    /// ECS refuses.
    pub(super) fn set_by_other(&mut self, task: usize, minutes: Option<i64>) -> Result<Option<Millis>, String> {
        let id = self.model.tasks[task].id.clone();
        let (before, answer, after) = {
            let mut region = self.region.lock();
            let until = |region: &crate::region::Region| region.ecs.task(&id).and_then(|task| task.protected_until);
            let before = until(&region);
            let answer = region.ecs.set_own_protection(&id, minutes);
            (before, answer, until(&region))
        };
        let answer = answer.map_err(|error| error.to_string())?;
        if let Some(failure) = answer.failures.first() {
            return Err(failure.reason.clone());
        }
        self.model.changes_by_others += 1;
        let number = self.model.changes_by_others;
        let known = &mut self.model.tasks[task];
        known.protection.changed_by_other(number, after);
        known.is_meddled_with |= after < before && known.jobs.iter().any(|job| !job.is_by_agent);
        Ok(after)
    }
}

impl WorkerReport {
    /// The member `protection` of a job message.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Until(until) => json!({"by": "agent", "until": timestamp(*until).to_string()}),
            Self::Refused(reason) => json!({"by": "agent", "refused": {"reason": reason}}),
        }
    }
}
