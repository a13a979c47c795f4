//! Times, names and jobs for the tests of this folder.

use crate::task::job::{Job, JobKey};
use jiff::Timestamp;

/// This many minutes after the moment at which the tests begin.
pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
}

/// The first attempt of a job.
pub(crate) fn key(id: &str) -> JobKey {
    JobKey { job_id: id.to_owned(), attempt: 1 }
}

/// A job that started at minute `from` and may last until minute `until`.
pub(crate) fn live(from: i64, until: i64) -> Job {
    Job { started_at: Some(at(from)), declared_until: Some(at(until)), reported_at: Some(at(from)), ..Job::default() }
}
