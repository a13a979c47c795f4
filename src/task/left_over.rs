//! Protection that a worker set for its task and left behind when its jobs had ended.
//!
//! A worker that protects its task itself clears that protection after the last job. If it dies before, the protection stays
//! until it expires, and blocks deployments. Only the task record distinguishes it from protection that another writer has
//! set: its expiry is the one that the worker reported last.

use crate::task::agent_protection::AgentProtection;
use crate::task::change::EcsProtection;
use crate::task::job::{Job, Reported};
use crate::task::own_protection::OwnProtection;
use crate::task::record::TaskRecord;
use jiff::Timestamp;

impl TaskRecord {
    /// Notes the protection that a message reports, unless a later message reports another.
    pub(crate) fn note_agent_protection(&mut self, job: &Job, now: Timestamp) {
        let Some(Reported { at, value: AgentProtection::Until(until) }) = job.protection else { return };
        let reported = Reported { at, value: until };
        if until > now && self.agent_protection.as_deref().is_none_or(|known| *known < reported) {
            self.agent_protection = Some(Box::new(reported));
        }
    }

    /// Forgets a reported protection that has expired, or that ECS does not report for the idle task. While a job lives, its
    /// worker sets the protection again.
    pub(crate) fn forget_agent_protection(&mut self, reported: EcsProtection, now: Timestamp) {
        let Some(known) = &self.agent_protection else { return };
        let is_over = known.value <= now;
        let is_gone = || match reported {
            EcsProtection::NotAsked => false,
            EcsProtection::Unprotected => !self.is_busy(now),
            EcsProtection::Until(until) => !self.is_busy(now) && !self.is_left_protected(Some(until), now),
        };
        if is_over || is_gone() {
            self.agent_protection = None;
        }
    }

    /// Whether the worker of an idle task may have left the protection that it last reported.
    pub fn may_be_left_protected(&self, now: Timestamp) -> bool {
        let is_over = self.agent_protection.as_ref().is_none_or(|known| known.value <= now);
        !is_over && self.stopped_at.is_none() && !self.is_busy(now)
    }

    /// Whether the protection that ECS reports is the one that the worker left. Any other was set since, such as by a
    /// worker that is about to start its next job.
    pub fn is_left_protected(&self, reported: Option<Timestamp>, now: Timestamp) -> bool {
        let known = self.agent_protection.as_deref().filter(|_| self.may_be_left_protected(now));
        let is_known = |reported| known.is_some_and(|it| OwnProtection::granted(it.at, it.value).fits(reported));
        reported.is_some_and(is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixture::{at, key};
    use crate::task::job::JobReport;

    fn started(minute: i64, until: i64) -> Job {
        let protection = Some(Reported { at: at(minute), value: AgentProtection::Until(at(until)) });
        let (declared_until, reported_at) = (Some(at(until)), Some(at(minute)));
        Job { started_at: reported_at, declared_until, reported_at, protection, ..Job::default() }
    }

    fn finished(minute: i64) -> Job {
        Job { finished_at: Some(at(minute)), reported_at: Some(at(minute)), ..Job::default() }
    }

    fn record_of(reports: &[(&str, Job)]) -> TaskRecord {
        let mut record = TaskRecord::default();
        for (id, job) in reports {
            record.add_reports(&[JobReport { key: key(id), job: job.clone() }], at(20));
        }
        record
    }

    #[test]
    fn protection_that_outlasts_the_last_job_is_left_whichever_message_comes_first() {
        let reports = [("a", started(0, 60)), ("a", finished(10)), ("b", started(1, 90)), ("b", finished(15))];
        for order in [[0, 1, 2, 3], [1, 0, 3, 2], [3, 2, 1, 0], [2, 3, 0, 1]] {
            let record = record_of(&order.map(|number: usize| reports[number].clone()));
            let left = |until| record.is_left_protected(Some(at(until)), at(20));
            assert_eq!([60, 89, 90, 91].map(left), [false, false, true, false], "{order:?}");
            assert!(!record.is_left_protected(None, at(20)));
            assert!(!record.is_left_protected(Some(at(90)), at(90)), "it has expired");
        }
    }

    #[test]
    fn protection_that_a_job_needs_is_not_left() {
        let record = record_of(&[("a", started(0, 60)), ("b", started(1, 90)), ("b", finished(15))]);
        assert!(!record.is_left_protected(Some(at(90)), at(20)));
        let outlived = record_of(&[("a", Job { declared_until: Some(at(19)), ..started(0, 60) })]);
        assert!(!outlived.is_left_protected(Some(at(60)), at(20)), "its worker has not reported the end");
        let mut stopped = record_of(&[("a", started(0, 60)), ("a", finished(10))]);
        assert!(stopped.is_left_protected(Some(at(60)), at(20)));
        stopped.stop(at(20));
        assert!(!stopped.is_left_protected(Some(at(60)), at(20)));
    }

    #[test]
    fn a_record_is_open_until_the_protection_of_its_idle_task_is_gone() {
        let idle = record_of(&[("a", started(0, 60)), ("a", finished(10))]);
        assert!(idle.is_open());
        let after = |record: &TaskRecord, reported, minute| {
            let mut record = record.clone();
            record.forget_agent_protection(reported, at(minute));
            record.is_open()
        };
        assert!(after(&idle, EcsProtection::NotAsked, 59));
        assert!(after(&idle, EcsProtection::Until(at(60)), 59));
        assert!(!after(&idle, EcsProtection::Unprotected, 20));
        assert!(!after(&idle, EcsProtection::Until(at(70)), 20), "another writer has set that");
        assert!(!after(&idle, EcsProtection::NotAsked, 60));
        let busy = record_of(&[("a", started(0, 60))]);
        let mut cleared_meanwhile = busy.clone();
        cleared_meanwhile.forget_agent_protection(EcsProtection::Unprotected, at(20));
        assert_eq!(cleared_meanwhile, busy, "its worker sets it again");
    }
}
