//! The interruptions of the jobs of a task, and how long ECS protected the task before it stopped.

use crate::outbox::Delivery;
use crate::task::change::EcsProtection;
use crate::task::interruption::{InterruptedJob, Interruption, TaskStop, TrackedInterruption};
use crate::task::job::JobKey;
use crate::task::record::TaskRecord;
use jiff::Timestamp;

impl TaskRecord {
    /// Records that the task stops in the middle of its live jobs, rejected ones included. Each job is recorded once.
    /// `reported` is the protection that ECS reported at the stop.
    pub fn interrupt(&mut self, end: &TaskStop, reported: EcsProtection, now: Timestamp) {
        let is_noted = |key: &JobKey| self.interruptions.iter().any(|interruption| interruption.what.names(key));
        let interrupted = |(key, until): (&JobKey, Timestamp)| InterruptedJob {
            key: key.clone(),
            until,
            labels: self
                .jobs
                .get(key)
                .and_then(|job| job.labels.as_ref())
                .map(|labels| labels.value.clone())
                .unwrap_or_default(),
        };
        let rejected = self.rejected_jobs(now).map(|job| (&job.key, job.until));
        let jobs = self.live_jobs(now).chain(rejected).filter(|(key, _)| !is_noted(key));
        let jobs: Vec<_> = jobs.map(interrupted).collect();
        if jobs.is_empty() {
            return;
        }
        let confirmed = self.protection.confirmed_until.filter(|until| *until > now);
        let lost_at = self.protection.lost.filter(|lost| lost.until > now).map(|lost| lost.at);
        let by_worker = self.agent_until(now).filter(|_| confirmed.is_none() && lost_at.is_none());
        let (protection_reported_at, protection_lost_at) = match (by_worker, reported) {
            (None, _) => (self.protection.reported_at, lost_at),
            (Some(_), EcsProtection::Until(until)) if until > now => (Some(now), None),
            (Some(_), _) => {
                let reports = self.jobs.values().filter_map(|job| Some(job.protection.as_ref()?.at));
                let last_report = reports.max();
                (None, self.agent_cleared_at.as_deref().copied().filter(|at| Some(*at) >= last_report))
            }
        };
        let what = Interruption {
            stage: end.stage,
            at: now,
            service: end
                .service
                .clone()
                .or_else(|| self.membership.as_ref().map(|membership| membership.service.clone())),
            jobs,
            stop_code: end.cause.code.as_deref().map(clipped),
            stopped_reason: end.cause.reason.as_deref().map(clipped),
            exit_codes: end.cause.exit_codes.iter().take(CONTAINERS_MAX).map(clipped_code).collect(),
            protected_until: confirmed.or(by_worker),
            is_reported_by_worker: by_worker.is_some(),
            protection_reported_at,
            protection_lost_at,
        };
        self.interruptions.push(TrackedInterruption::new(what));
    }

    /// The deliveries of interruptions that are not reported yet.
    pub fn pending_interruptions(&self) -> impl Iterator<Item = &Delivery> {
        self.interruptions.iter().filter_map(|interruption| interruption.delivery.as_ref())
    }

    /// Whether an interruption is due to be reported.
    pub fn has_due_interruption(&self, now: Timestamp) -> bool {
        self.pending_interruptions().any(|delivery| delivery.is_due(now))
    }

    /// Claims the next interruption that is due. The claim takes effect when the record is stored.
    pub fn claim_interruption(&mut self, now: Timestamp) -> Option<TrackedInterruption> {
        let is_due = |delivery: &Delivery| delivery.is_due(now);
        let interruption = self.interruptions.iter_mut().find(|known| known.delivery.as_ref().is_some_and(is_due))?;
        interruption.delivery.as_mut()?.claim(now);
        Some(interruption.clone())
    }

    /// Notes what ECS reports about a task that protects itself.
    pub(crate) fn see_agent(&mut self, reported: EcsProtection, now: Timestamp) {
        match reported {
            EcsProtection::NotAsked => {}
            EcsProtection::Until(_) => self.agent_cleared_at = None,
            EcsProtection::Unprotected if self.agent_until(now).is_some() => {
                self.agent_cleared_at = Some(Box::new(now))
            }
            EcsProtection::Unprotected => {}
        }
    }

    /// Until when the task protects itself for its live jobs, according to its workers.
    pub fn agent_until(&self, now: Timestamp) -> Option<Timestamp> {
        let jobs = self.live_jobs(now).filter_map(|(key, _)| self.jobs.get(key)?.agent_until());
        jobs.filter(|until| *until > now).max()
    }
}

/// Most characters kept of a text that ECS reports or an event claims, so that the record stays small.
const REPORTED_CHARS_MAX: usize = 500;
/// Most containers of a task ("Amazon ECS service quotas": containers per task definition).
const CONTAINERS_MAX: usize = 10;

fn clipped(text: &str) -> String {
    text.chars().take(REPORTED_CHARS_MAX).collect()
}

fn clipped_code((container, code): &(String, i32)) -> (String, i32) {
    (clipped(container), *code)
}
