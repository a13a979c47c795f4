//! The linger: how long a task keeps its protection after its last job, so that the start of its next job may arrive
//! after that finish. A standard SQS queue does not preserve the order of messages.
//!
//! The linger never lengthens a protection: it only delays the release. Pure.

use crate::task::change::ReleaseRule;
use crate::task::job::{JobKey, JobReport};
use crate::task::record::TaskRecord;
use jiff::{SignedDuration, Timestamp};

impl TaskRecord {
    /// Records that the task lingers after the jobs that these reports end. A finish that the record knows already
    /// changes nothing, so that a redelivery does not undo the release that a person asked for. Call it before the
    /// reports are merged.
    pub(crate) fn linger_after(&mut self, reports: &[JobReport], linger: SignedDuration) {
        if linger.is_zero() {
            return;
        }
        let is_new = |key: &JobKey| {
            let has_finished = self.jobs.get(key).is_some_and(|job| job.finished_at.is_some());
            !has_finished && !self.fingerprints.contains(key)
        };
        let ends = reports.iter().filter(|report| is_new(&report.key)).filter_map(|report| report.job.finished_at);
        let until = ends.max().map(|end| end.saturating_add(linger).unwrap_or(Timestamp::MAX));
        if self.lingers_until.as_deref() < until.as_ref() {
            self.lingers_until = until.map(Box::new);
        }
    }

    /// Ends the linger if a person asks for the release.
    pub(crate) fn end_linger(&mut self, release: ReleaseRule) {
        match release {
            ReleaseRule::IfIdle | ReleaseRule::ByForce => self.lingers_until = None,
            ReleaseRule::ByJobs | ReleaseRule::IfIdleByAnyWriter => {}
        }
    }

    /// Until when the task keeps its protection although it is idle: the end of the linger, or the expiry of the
    /// protection if that is earlier. `None` if it is busy, or if nothing delays its release.
    pub fn lingering_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.end_of_linger().filter(|until| *until > now)?;
        let expiry = self.protection.may_have_set().map(|own| own.latest).max().filter(|expiry| *expiry > now)?;
        (!self.is_busy(now)).then(|| until.min(expiry))
    }

    /// When to release the lingering task; may be in the past. `None` if the task is busy, or if its protection expires
    /// first or is already gone.
    pub fn release_due_at(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self.end_of_linger().filter(|_| !self.is_busy(now))?;
        let expiry = self.protection.may_have_set().map(|own| own.latest).max()?;
        (due < expiry).then_some(due)
    }

    /// The end of the linger. `None` if refused tasks wait for the release of this task, because their jobs run
    /// unprotected until then.
    fn end_of_linger(&self) -> Option<Timestamp> {
        let is_awaited = self.membership.as_ref().is_some_and(|membership| membership.is_awaited);
        self.lingers_until.as_deref().copied().filter(|_| !is_awaited && self.stopped_at.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::attention::{Attention, attention};
    use crate::task::fixture::key;
    use crate::task::job::Job;
    use crate::task::plan::{Decision, KeepReason, decide_protection};
    use crate::task::protection::{CallResult, ProtectionRequest};
    use crate::task::record::Membership;

    const LINGER: SignedDuration = SignedDuration::from_secs(15);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn report(record: &mut TaskRecord, id: &str, job: Job, now: i64) {
        let reports = [JobReport { key: key(id), job }];
        record.linger_after(&reports, LINGER);
        record.add_reports(&reports, at(now));
    }

    fn until(second: i64) -> Job {
        Job { declared_until: Some(at(second)), ..Job::default() }
    }

    fn finished(second: i64) -> Job {
        Job { finished_at: Some(at(second)), reported_at: Some(at(second)), ..Job::default() }
    }

    /// A task that ECS protects until `second` for a job that has finished at 100.
    fn idle_and_protected_until(second: i64) -> TaskRecord {
        let mut record = TaskRecord::default();
        report(&mut record, "j", until(second), 0);
        let call = record.protection.begin(ProtectionRequest::ProtectUntil(at(second)), at(0)).unwrap();
        record.protection.settle(call, CallResult::Granted(at(second)));
        report(&mut record, "j", finished(100), 101);
        record
    }

    #[test]
    fn an_idle_task_keeps_its_protection_until_the_linger_has_passed_and_is_then_released() {
        let record = idle_and_protected_until(3600);
        let lingers = Decision::Keep(KeepReason::Lingers { until: at(115) });
        assert_eq!([101, 114].map(|now| decide_protection(&record, at(now))), [lingers.clone(), lingers]);
        assert_eq!(decide_protection(&record, at(115)), Decision::Request(ProtectionRequest::Clear));
        assert_eq!([101, 115].map(|now| record.release_due_at(at(now))), [Some(at(115)), Some(at(115))]);
        let mut released = record;
        released.protection.own.clear();
        assert_eq!(released.release_due_at(at(115)), None);
    }

    #[test]
    fn a_protection_that_expires_within_the_linger_is_neither_lengthened_nor_released() {
        let mut record = idle_and_protected_until(110);
        assert_eq!(decide_protection(&record, at(101)), Decision::Keep(KeepReason::Lingers { until: at(110) }));
        assert_eq!(record.release_due_at(at(101)), None);
        assert!(record.is_open());
        assert_eq!([109, 110].map(|now| attention(&record, at(now))), [Attention::None, Attention::Open]);
        record.forget(at(110), SignedDuration::from_hours(1));
        assert_eq!(decide_protection(&record, at(110)), Decision::Keep(KeepReason::Idle));
        assert!(!record.is_open(), "stored again, it leaves the index");
    }

    #[test]
    fn a_sweep_leaves_a_lingering_task_alone_and_releases_it_afterwards() {
        let record = idle_and_protected_until(3600);
        assert_eq!([114, 115].map(|now| attention(&record, at(now))), [Attention::None, Attention::Open]);
    }

    #[test]
    fn the_last_finish_counts_whatever_the_order_of_the_messages() {
        let finishes = [("one", 100), ("two", 107), ("three", 103)];
        for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1], [1, 0, 2]] {
            let mut record = TaskRecord::default();
            order.map(|at| finishes[at]).into_iter().for_each(|(id, end)| report(&mut record, id, finished(end), 110));
            assert_eq!(record.lingers_until.as_deref(), Some(&at(122)), "{order:?}");
        }
    }

    #[test]
    fn a_task_whose_release_refused_tasks_wait_for_does_not_linger() {
        let mut record = idle_and_protected_until(3600);
        record.membership = Some(Box::new(Membership { service: "web".to_owned(), is_awaited: true }));
        assert_eq!((record.lingering_until(at(102)), record.release_due_at(at(102))), (None, None));
        assert_eq!(decide_protection(&record, at(102)), Decision::Request(ProtectionRequest::Clear));
    }

    #[test]
    fn a_job_that_starts_within_the_linger_ends_it() {
        let mut record = idle_and_protected_until(3600);
        report(&mut record, "next", until(1800), 110);
        assert_eq!((record.lingering_until(at(111)), record.release_due_at(at(111))), (None, None));
        assert_eq!(decide_protection(&record, at(116)), Decision::Keep(KeepReason::Confirmed { until: at(3600) }));
    }

    #[test]
    fn a_finish_that_is_delivered_again_does_not_undo_a_release_that_a_person_asked_for() {
        for release in [ReleaseRule::IfIdle, ReleaseRule::ByForce] {
            let mut record = idle_and_protected_until(3600);
            record.end_linger(release);
            report(&mut record, "j", finished(100), 102);
            assert_eq!(decide_protection(&record, at(102)), Decision::Request(ProtectionRequest::Clear), "{release:?}");
        }
        for release in [ReleaseRule::ByJobs, ReleaseRule::IfIdleByAnyWriter] {
            let mut record = idle_and_protected_until(3600);
            record.end_linger(release);
            assert_eq!(record.lingering_until(at(102)), Some(at(115)), "{release:?}");
        }
    }

    #[test]
    fn a_fingerprint_remembers_a_finish_as_well_as_the_job_itself() {
        let mut record = TaskRecord::default();
        record.fingerprints.insert(&key("j"), at(9000));
        report(&mut record, "j", finished(100), 101);
        assert_eq!(record.lingers_until, None);
    }

    #[test]
    fn a_stopped_task_and_a_task_that_taskhold_has_not_protected_do_not_linger() {
        let mut record = idle_and_protected_until(3600);
        record.stop(at(102));
        assert_eq!(record.lingering_until(at(103)), None);
        let mut record = TaskRecord::default();
        report(&mut record, "j", finished(100), 101);
        assert_eq!(record.lingering_until(at(102)), None);
    }

    #[test]
    fn a_linger_that_has_passed_is_forgotten() {
        let mut record = idle_and_protected_until(3600);
        for (now, kept) in [(114, Some(at(115))), (115, None)] {
            record.forget(at(now), SignedDuration::from_hours(1));
            assert_eq!(record.lingers_until.as_deref(), kept.as_ref());
        }
    }
}
