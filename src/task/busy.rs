//! Whether a task is busy: it has a live job, or a job that outlived its declared time and still has protection.

use crate::task::job::{Job, JobKey};
use crate::task::own_protection::OwnProtection;
use crate::task::record::TaskRecord;
use jiff::Timestamp;

impl TaskRecord {
    /// Whether the protection of the task must stay: a job is live, or one outlived its declared time and was granted
    /// protection that has not expired.
    pub fn is_busy(&self, now: Timestamp) -> bool {
        self.live_jobs(now).next().is_some() || self.kept_until(now).is_some()
    }

    /// Until when a job that outlived its declared time keeps the protection that was requested in its lifetime, by the
    /// function or by the task itself. Only an end releases, and the job has not reported one. `None` if there is no
    /// such job, or if its protection has expired.
    pub fn kept_until(&self, now: Timestamp) -> Option<Timestamp> {
        let by_agent = self.outlived_jobs(now).filter_map(|(_, job)| job.agent_until()).filter(|until| *until > now);
        self.kept(now).map(|own| own.latest).chain(self.kept_from_before(now)).chain(by_agent).max()
    }

    /// Remembers the protection that outlived jobs keep, because a grant is about to replace it in the record. A job whose
    /// end is only presumed may turn out to have outlived an earlier one, when its start arrives.
    pub(crate) fn remember_kept(&mut self, now: Timestamp) {
        let is_presumed = |job: &Job| job.declared_until.is_none() && job.lives_until(now).is_some();
        let kept = match self.jobs.values().any(|job| is_presumed(job)) {
            // The first one, because each later request covers it and is rounded up.
            true => {
                let settled = self.protection.own.iter().map(|own| own.latest);
                let before = self.protection.kept_until.filter(|until| *until > now);
                before.or_else(|| settled.filter(|until| *until > now).max())
            }
            false => self.kept(now).map(|own| own.latest).chain(self.kept_from_before(now)).max(),
        };
        self.protection.kept_until = kept;
    }

    fn kept_from_before(&self, now: Timestamp) -> Option<Timestamp> {
        let has_outlived = self.outlived_jobs(now).next().is_some();
        self.protection.kept_until.filter(|until| has_outlived && *until > now)
    }

    /// The end that a request must not fall short of, because every call to ECS resets the expiry: what outlived jobs
    /// keep, and what the task has set itself for its live jobs.
    pub(crate) fn covered_until(&self, now: Timestamp) -> Option<Timestamp> {
        let live = self.jobs.values().filter(|job| self.stopped_at.is_none() && job.is_protected_by_agent());
        let by_agent = live.filter_map(|job| Some(job.lives_until(now)?.max(job.agent_until().unwrap_or(now))));
        self.kept(now).map(|own| own.earliest).chain(self.kept_from_before(now)).chain(by_agent).max()
    }

    /// The jobs that keep the task busy, each with its end: live ones, and outlived ones while their protection lasts.
    pub fn busy_jobs(&self, now: Timestamp) -> Vec<(&JobKey, Timestamp)> {
        let mut jobs: Vec<_> = self.live_jobs(now).collect();
        if let Some(until) = self.kept_until(now) {
            jobs.extend(self.outlived_jobs(now).map(|(key, _)| (key, until)));
        }
        jobs
    }

    fn outlived_jobs(&self, now: Timestamp) -> impl Iterator<Item = (&JobKey, &Job)> {
        let unfinished = self.jobs.iter().filter(|(_, job)| self.stopped_at.is_none() && job.finished_at.is_none());
        unfinished.filter(move |(_, job)| job.until().is_some_and(|until| until <= now)).map(|(key, job)| (key, &**job))
    }

    fn kept(&self, now: Timestamp) -> impl Iterator<Item = OwnProtection> {
        let outlived = self.outlived_jobs(now).filter_map(|(_, job)| job.until()).max();
        let in_its_lifetime = move |own: &OwnProtection| outlived.is_some_and(|until| own.asked_at < until);
        self.protection.may_have_set().filter(move |own| in_its_lifetime(own) && own.latest > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::agent_protection::AgentProtection;
    use crate::task::fixture::at;
    use crate::task::job::Reported;
    use crate::task::protection::{CallResult, ProtectionRequest};

    fn report(record: &mut TaskRecord, id: &str, job: &Job) {
        record.merge_job(&JobKey { job_id: id.to_owned(), attempt: 1 }, job);
    }

    fn until(minute: i64) -> Job {
        Job { declared_until: Some(at(minute)), ..Job::default() }
    }

    fn grant(record: &mut TaskRecord, minute: i64, until: i64) {
        let call = record.protection.begin(ProtectionRequest::ProtectUntil(at(until)), at(minute)).unwrap();
        record.protection.settle(call, CallResult::Granted(at(until)));
    }

    #[test]
    fn a_job_that_outlived_its_time_keeps_what_was_granted_in_its_lifetime_until_it_expires() {
        let mut record = TaskRecord::default();
        report(&mut record, "j", &until(60));
        grant(&mut record, 0, 63);
        assert_eq!([59, 60, 62, 63].map(|minute| record.is_busy(at(minute))), [true, true, true, false]);
        assert_eq!([59, 62, 63].map(|minute| record.kept_until(at(minute))), [None, Some(at(63)), None]);
        report(&mut record, "j", &Job { finished_at: Some(at(61)), ..Job::default() });
        assert!(!record.is_busy(at(62)), "it has finished");
    }

    #[test]
    fn a_job_keeps_nothing_that_was_requested_after_its_time() {
        let mut record = TaskRecord::default();
        report(&mut record, "j", &until(60));
        grant(&mut record, 0, 60);
        report(&mut record, "later", &until(300));
        grant(&mut record, 61, 300);
        assert!(record.is_busy(at(62)));
        report(&mut record, "later", &Job { finished_at: Some(at(63)), ..Job::default() });
        assert!(!record.is_busy(at(64)));
    }

    #[test]
    fn a_later_and_longer_grant_does_not_end_what_an_outlived_job_keeps() {
        let mut record = TaskRecord::default();
        report(&mut record, "outlives", &until(60));
        report(&mut record, "beside", &until(300));
        grant(&mut record, 0, 300);
        let finish = |record: &mut TaskRecord, id, minute| {
            report(record, id, &Job { finished_at: Some(at(minute)), ..Job::default() });
        };
        finish(&mut record, "beside", 61);
        for (id, minute) in [("first", 70), ("second", 75)] {
            report(&mut record, id, &until(400 + minute));
            record.remember_kept(at(minute));
            grant(&mut record, minute, 400 + minute);
            finish(&mut record, id, minute + 1);
        }
        assert_eq!([80, 299, 300].map(|minute| record.is_busy(at(minute))), [true, true, false]);
        assert_eq!(record.kept_until(at(80)), Some(at(300)), "and not until the end of a later grant");
        finish(&mut record, "outlives", 81);
        assert!(!record.is_busy(at(82)));
    }

    #[test]
    fn a_start_that_arrives_last_and_declares_a_past_end_does_not_end_what_its_heartbeat_was_granted() {
        let mut record = TaskRecord::default();
        report(&mut record, "j", &Job { presumed_until: Some(at(125)), ..Job::default() });
        grant(&mut record, 5, 125);
        record.remember_kept(at(8));
        grant(&mut record, 8, 126);
        report(&mut record, "j", &until(7));
        assert_eq!([9, 124, 125].map(|minute| record.is_busy(at(minute))), [true, true, false]);
    }

    #[test]
    fn a_stopped_task_is_not_busy() {
        let mut record = TaskRecord::default();
        report(&mut record, "j", &until(60));
        grant(&mut record, 0, 63);
        record.stop(at(61));
        assert!(!record.is_busy(at(62)));
    }
    fn by_agent(until_minute: i64, protection: AgentProtection) -> Job {
        Job { protection: Some(Reported { at: at(0), value: protection }), ..until(until_minute) }
    }

    #[test]
    fn the_function_wants_no_protection_for_a_job_whose_task_protects_itself() {
        let mut record = TaskRecord::default();
        report(&mut record, "agent", &by_agent(60, AgentProtection::Until(at(70))));
        assert_eq!((record.wanted_until(at(1)), record.is_busy(at(1))), (None, true));
        assert_eq!([60, 70].map(|minute| record.is_busy(at(minute))), [true, false], "its own protection lasts longer");
        report(&mut record, "own", &until(30));
        assert_eq!((record.wanted_until(at(1)), record.covered_until(at(1))), (Some(at(30)), Some(at(70))));
    }

    #[test]
    fn a_refusal_that_the_worker_reports_counts_until_it_reports_protection_or_the_end() {
        let refused = AgentProtection::Refused { reason: "DEPLOYMENT_BLOCKED".to_owned() };
        let mut record = TaskRecord::default();
        report(&mut record, "j", &by_agent(60, refused));
        assert_eq!([1, 60].map(|minute| record.refused_since(at(minute))), [Some(at(0)), None]);
        let granted = Reported { at: at(5), value: AgentProtection::Until(at(60)) };
        report(&mut record, "j", &Job { protection: Some(granted), ..Job::default() });
        assert_eq!(record.refused_since(at(6)), None);
    }
}
