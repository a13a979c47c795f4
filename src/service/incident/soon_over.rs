//! Blocks that will most likely be over before a person can act.
//!
//! If alerts are often over when they are read, their readers ignore the next one. So the alert waits some minutes for the
//! jobs, if their workers or the durations of earlier jobs say that they end soon, or if their declared time ends soon.

use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::diagnosis::Diagnosis;
use crate::service::snapshot::JobSnapshot;
use jiff::{SignedDuration, Timestamp};

/// How much longer a block may last before it is reported.
const LATER_MAX: SignedDuration = SignedDuration::from_mins(10);
/// How much longer than its worker expects, or than all earlier jobs of its kind, a job may run: an expectation is no
/// promise.
const OVERRUN: SignedDuration = SignedDuration::from_mins(5);

/// When a block is reported that could be reported at `soonest`: once its jobs should have ended. Not later if they keep it
/// from meeting its deadline.
pub(crate) fn blocked_opens_at(diagnosis: &Diagnosis, soonest: Timestamp) -> Timestamp {
    let of_task = |task: &BlockingTask| match &task.protected_for {
        ProtectedFor::Jobs(jobs) => likely_end(jobs, soonest),
        ProtectedFor::NoJob | ProtectedFor::Foreign | ProtectedFor::Unknown => None,
    };
    let ends: Option<Vec<Timestamp>> = diagnosis.blocking_tasks.iter().map(of_task).collect();
    let end = ends.and_then(|ends| ends.into_iter().max());
    let in_time = end.filter(|end| diagnosis.deadline.is_none_or(|deadline| *end < deadline.at));
    later(soonest, in_time)
}

/// When all of these jobs have probably ended, and never later than their declared ends; `None` without jobs. An
/// estimate that has passed by `soonest` says nothing.
fn likely_end(jobs: &[JobSnapshot], soonest: Timestamp) -> Option<Timestamp> {
    let of_job = |job: &JobSnapshot| {
        let overrun = |end: Timestamp| end.checked_add(OVERRUN).ok();
        let learned = job.learned.map(|learned| learned.unlikely_after);
        let likely = job.expected_until.and_then(overrun).or(learned).or(job.overran_at.and_then(overrun));
        likely.filter(|end| *end > soonest).map_or(job.until, |end| end.min(job.until))
    };
    jobs.iter().map(of_job).max()
}

fn later(soonest: Timestamp, end: Option<Timestamp>) -> Timestamp {
    let latest = soonest.saturating_add(LATER_MAX).unwrap_or(Timestamp::MAX);
    end.filter(|end| *end <= latest).map_or(soonest, |end| end.max(soonest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::job::{JobKey, Labels};

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn a_report_waits_for_an_end_that_comes_soon_and_for_no_other() {
        for (end, reported) in [(None, 5), (Some(3), 5), (Some(7), 7), (Some(15), 15), (Some(16), 5)] {
            assert_eq!(later(minute(5), end.map(minute)), minute(reported), "{end:?}");
        }
    }

    #[test]
    fn a_job_that_has_passed_its_estimates_counts_until_its_declared_end() {
        let job = |expected: Option<i64>, overran: Option<i64>| JobSnapshot {
            key: JobKey { job_id: "j".to_owned(), attempt: 1 },
            until: minute(12),
            expected_until: expected.map(minute),
            learned: None,
            overran_at: overran.map(minute),
            labels: Labels::default(),
        };
        for (expected, overran, end) in
            [(None, None, 12), (Some(3), None, 8), (Some(-10), None, 12), (None, Some(2), 7), (None, Some(-1), 12)]
        {
            assert_eq!(likely_end(&[job(expected, overran)], minute(5)), Some(minute(end)), "{expected:?} {overran:?}");
        }
    }
}
