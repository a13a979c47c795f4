//! Blocks that will most likely be over in time, so that there is nothing to do.
//!
//! If alerts ask for nothing, or often report problems that are already over, engineers ignore the next one. So the
//! alert waits for the jobs if their workers or the durations of earlier jobs say that they end before the deadline, and
//! for some minutes if their declared time ends soon.

use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::diagnosis::Diagnosis;
use crate::service::durations::Learned;
use crate::service::snapshot::JobSnapshot;
use jiff::{SignedDuration, Timestamp};

/// How much longer a block may last before it is reported, if its end is not estimated.
const LATER_MAX: SignedDuration = SignedDuration::from_mins(10);
/// How much longer than its worker expects, or than all earlier jobs of its kind, a job may run: an expectation is no
/// promise.
const OVERRUN: SignedDuration = SignedDuration::from_mins(5);
/// How long before the deadline a person must learn of a block at the latest.
const TIME_TO_ACT: SignedDuration = SignedDuration::from_mins(15);

/// When a job has probably ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LikelyEnd {
    at: Timestamp,
    basis: Basis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Basis {
    /// What its worker expects, or the durations of earlier jobs.
    Estimate,
    /// The declared end.
    Maximum,
}

/// The time at which the alert about a block opens. It opens at `soonest`, or after the likely end of the jobs if that
/// leaves time before the deadline. It waits at most ten minutes if that end is not estimated.
pub(crate) fn blocked_opens_at(diagnosis: &Diagnosis, soonest: Timestamp) -> Timestamp {
    let deadline = diagnosis.deadline.map(|deadline| deadline.at);
    let end = end_of_block(diagnosis, soonest).filter(|end| end.at <= latest(end.basis, soonest, deadline));
    end.map_or(soonest, |end| end.at.max(soonest))
}

/// The time until which an open incident stays quiet: the estimated end of its jobs, or 15 minutes before the deadline if
/// that is earlier. `None` if the end is not estimated, or not before the deadline.
pub(crate) fn quiet_until(diagnosis: &Diagnosis, now: Timestamp) -> Option<Timestamp> {
    let end = end_of_block(diagnosis, now).filter(|end| end.basis == Basis::Estimate)?;
    let deadline = diagnosis.deadline.map(|deadline| deadline.at);
    let is_in_time = deadline.is_none_or(|deadline| end.at < deadline);
    is_in_time.then(|| end.at.min(latest(end.basis, now, deadline)))
}

/// When all jobs of the blocking tasks have probably ended, as seen at `from`. If their workers take new jobs, an estimate
/// counts as a maximum.
fn end_of_block(diagnosis: &Diagnosis, from: Timestamp) -> Option<LikelyEnd> {
    let of_task = |task: &BlockingTask| match &task.protected_for {
        ProtectedFor::Jobs(jobs) => likely_end(jobs, from),
        ProtectedFor::NoJob | ProtectedFor::Foreign | ProtectedFor::Unknown => None,
    };
    let ends: Option<Vec<LikelyEnd>> = diagnosis.blocking_tasks.iter().map(of_task).collect();
    let end = ends?.into_iter().max()?;
    let ends_for_good = diagnosis.forecast.as_ref().is_none_or(|forecast| !forecast.is_open_ended());
    Some(LikelyEnd { basis: if ends_for_good { end.basis } else { Basis::Maximum }, ..end })
}

/// How long the alert may wait for the jobs.
fn latest(basis: Basis, soonest: Timestamp, deadline: Option<Timestamp>) -> Timestamp {
    let deadline = deadline.unwrap_or(Timestamp::MAX);
    match basis {
        Basis::Estimate => deadline.saturating_sub(TIME_TO_ACT).unwrap_or(Timestamp::MIN),
        Basis::Maximum => soonest.saturating_add(LATER_MAX).unwrap_or(Timestamp::MAX).min(deadline),
    }
}

/// When all of these jobs have probably ended, and never later than their declared ends; `None` without jobs. An
/// estimate that has passed at `from` says nothing, nor does one about a job whose worker is silent.
fn likely_end(jobs: &[JobSnapshot], from: Timestamp) -> Option<LikelyEnd> {
    let of_job = |job: &JobSnapshot| {
        let overrun = |end: Timestamp| end.checked_add(OVERRUN).ok();
        let learned = match job.learned {
            Learned::End(end) => Some(end.unlikely_after),
            Learned::Overran(at) => overrun(at),
            Learned::Nothing => None,
        };
        let current = |end: Option<Timestamp>| end.filter(|end| *end > from);
        let estimate = current(job.expected_until.and_then(overrun)).or(current(learned));
        match estimate.filter(|_| job.silent_since.is_none()) {
            Some(end) => LikelyEnd { at: end.min(job.until), basis: Basis::Estimate },
            None => LikelyEnd { at: job.until, basis: Basis::Maximum },
        }
    };
    jobs.iter().map(of_job).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::snapshot::fixture;

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn a_report_waits_for_estimates_until_shortly_before_the_deadline_and_for_declared_ends_only_minutes() {
        let latest = |basis, deadline: Option<i64>| latest(basis, minute(5), deadline.map(minute));
        assert_eq!(latest(Basis::Estimate, Some(180)), minute(165));
        assert_eq!(latest(Basis::Estimate, None), Timestamp::MAX - TIME_TO_ACT);
        assert_eq!([180, 14].map(|deadline| latest(Basis::Maximum, Some(deadline))), [15, 14].map(minute));
    }

    #[test]
    fn a_job_that_has_passed_its_estimates_counts_until_its_declared_end() {
        let job = |expected: Option<i64>, overran: Option<i64>| JobSnapshot {
            expected_until: expected.map(minute),
            learned: overran.map(minute).map_or(Learned::Nothing, Learned::Overran),
            ..fixture::job("j", minute(12))
        };
        for (expected, overran, end, basis) in [
            (None, None, 12, Basis::Maximum),
            (Some(3), None, 8, Basis::Estimate),
            (Some(-10), None, 12, Basis::Maximum),
            (None, Some(2), 7, Basis::Estimate),
            (None, Some(-1), 12, Basis::Maximum),
        ] {
            let likely = likely_end(&[job(expected, overran)], minute(5));
            assert_eq!(likely, Some(LikelyEnd { at: minute(end), basis }), "{expected:?} {overran:?}");
        }
    }
}
