//! The interruptions of the jobs of a task, and how long ECS protected the task before it stopped.

use crate::ecs::task::ContainerExit;
use crate::outbox::Delivery;
use crate::task::change::EcsProtection;
use crate::task::interruption::{InterruptedJob, Interruption, StopStage, TaskStop, TrackedInterruption};
use crate::task::job::JobKey;
use crate::task::record::TaskRecord;
use jiff::Timestamp;

impl TaskRecord {
    /// Records that the task stops or has stopped, and leaves its finished jobs to the next sweep. `reported` is the
    /// protection that ECS reported at the stop.
    pub(crate) fn end(&mut self, end: &TaskStop, reported: EcsProtection, now: Timestamp) {
        self.interrupt(end, reported, now);
        if end.stage == StopStage::Stopped {
            self.stop(now);
            if self.has_durations() {
                self.leave_durations_to(end.service.as_deref());
            }
        }
    }

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
            exit_codes: end.cause.exit_codes.iter().take(CONTAINERS_MAX).map(clipped_exit).collect(),
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
    pub(crate) fn record_agent_report(&mut self, reported: EcsProtection, now: Timestamp) {
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

fn clipped_exit(exit: &ContainerExit) -> ContainerExit {
    ContainerExit { container: clipped(&exit.container), code: exit.code }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::task::StopCause;
    use crate::task::agent_protection::AgentProtection;
    use crate::task::fixture::{at, key, live};
    use crate::task::interruption::StopStage;
    use crate::task::job::{Job, Reported};
    use jiff::SignedDuration;

    #[test]
    fn each_job_is_interrupted_once_even_if_it_began_after_the_notice() {
        let mut record = TaskRecord::default();
        let end = |stage| TaskStop { stage, service: None, cause: StopCause::default() };
        record.merge_job(&key("before"), &live(0, 30));
        record.interrupt(&end(StopStage::Stopping), EcsProtection::NotAsked, at(1));
        record.interrupt(&end(StopStage::Stopping), EcsProtection::NotAsked, at(1));
        record.merge_job(&key("after"), &live(1, 30));
        record.interrupt(&end(StopStage::Stopped), EcsProtection::NotAsked, at(2));
        let claimed: Vec<_> = std::iter::from_fn(|| record.claim_interruption(at(2)))
            .take(9)
            .map(|interruption| {
                (interruption.what.stage, interruption.what.jobs.into_iter().map(|job| job.key).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(claimed, [(StopStage::Stopping, vec![key("before")]), (StopStage::Stopped, vec![key("after")])],);
    }

    #[test]
    fn an_interruption_says_until_when_the_task_was_protected_if_that_is_not_over() {
        let protected_until = |minute| {
            let mut record = TaskRecord::default();
            record.merge_job(&key("j"), &live(0, 90));
            record.protection.confirmed_until = Some(at(30));
            let end = TaskStop { stage: StopStage::Stopped, service: None, cause: StopCause::default() };
            record.interrupt(&end, EcsProtection::NotAsked, at(minute));
            record.interruptions[0].what.protected_until
        };
        assert_eq!([protected_until(29), protected_until(30), protected_until(31)], [Some(at(30)), None, None]);
    }

    #[test]
    fn an_interruption_of_a_task_that_protects_itself_goes_by_its_workers_report_and_by_what_ecs_says() {
        let by_agent = Reported { value: AgentProtection::Until(at(30)), at: at(0) };
        let interrupted = |reported, minute| {
            let mut record = TaskRecord::default();
            record.merge_job(&key("j"), &Job { protection: Some(by_agent.clone()), ..live(0, 90) });
            let end = TaskStop { stage: StopStage::Stopped, service: None, cause: StopCause::default() };
            record.record_agent_report(reported, at(minute));
            record.interrupt(&end, reported, at(minute));
            let what = &record.interruptions[0].what;
            (what.protected_until, what.is_reported_by_worker, what.protection_reported_at, what.protection_lost_at)
        };
        let until = Some(at(30));
        assert_eq!(interrupted(EcsProtection::NotAsked, 5), (until, true, None, None));
        assert_eq!(interrupted(EcsProtection::Until(at(30)), 5), (until, true, Some(at(5)), None));
        assert_eq!(interrupted(EcsProtection::Unprotected, 5), (until, true, None, Some(at(5))));
        assert_eq!(interrupted(EcsProtection::Unprotected, 31), (None, false, None, None));
    }

    #[test]
    fn an_interruption_is_open_until_it_was_notified_except_while_an_invocation_sends_it() {
        let mut record = TaskRecord::default();
        assert!(!record.has_due_interruption(at(0)));
        record.merge_job(&key("j"), &live(0, 30));
        record.interrupt(
            &TaskStop { stage: StopStage::Stopped, service: None, cause: StopCause::default() },
            EcsProtection::NotAsked,
            at(1),
        );
        assert!(record.has_due_interruption(at(1)));
        assert!(record.claim_interruption(at(1)).is_some());
        let claim_ends = at(1) + crate::outbox::CLAIM;
        let [before, after] = [-1, 1].map(|second| claim_ends + SignedDuration::from_secs(second));
        assert_eq!([before, claim_ends, after].map(|now| record.has_due_interruption(now)), [false, true, true]);
        record.interruptions[0].delivery = None;
        assert!(!record.has_due_interruption(after));
        assert_eq!(record.claim_interruption(after), None);
    }
}
