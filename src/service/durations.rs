//! The durations of a service's finished jobs, by kind, and the forecast end of a live job. Pure.
//!
//! The task records that a reconcile reads anyway still name their finished jobs, and the service record keeps the
//! durations of the last of them. The same job may be gathered again and again, by several instances at once, so the
//! durations are a set: gathering is commutative and idempotent, and a job counts once.

use crate::ecs::arn::TaskId;
use crate::task::job::{Job, JobKey};
use crate::task::record::TaskRecord;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Jobs kept of each kind. Enough for a 90th percentile, and few enough to follow when the jobs change.
const JOBS_OF_A_KIND_MAX: usize = 50;
/// Kinds kept. With the longest names and all their jobs they take 40 KB of a service record.
const KINDS_MAX: usize = 20;
/// Minimum number of finished jobs of a kind for a forecast.
const JOBS_OF_A_KIND_MIN: usize = 5;

/// The durations of finished jobs by their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedDurations(BTreeMap<String, Vec<FinishedJob>>);

/// A finished job. Stored as a list of three numbers, because a record has up to a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "[i64; 3]", into = "[i64; 3]")]
struct FinishedJob {
    /// When it finished, as a Unix timestamp in seconds. Compared first.
    finished_at: i64,
    /// How long it ran, in seconds.
    seconds: i64,
    /// Distinguishes it from other jobs.
    identity: i64,
}

/// The forecast end of a live job, from finished jobs of its kind that ran longer than it has run so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnedEnd {
    /// By their median.
    pub expected: Timestamp,
    /// By their 90th percentile: one job in ten lasts longer.
    pub unlikely_after: Timestamp,
}

/// What finished jobs of its kind say about a live job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Learned {
    /// Nothing: it has no kind, or too few jobs of the kind have finished.
    #[default]
    Nothing,
    /// When it ends.
    End(LearnedEnd),
    /// It has run longer than all of them. Holds the time at which it passed the longest.
    Overran(Timestamp),
}

impl Learned {
    /// The forecast end, if there is one.
    pub fn end(self) -> Option<LearnedEnd> {
        match self {
            Self::End(end) => Some(end),
            Self::Nothing | Self::Overran(_) => None,
        }
    }

    /// Since when it has run longer than all jobs of its kind, if it has.
    pub fn overran_at(self) -> Option<Timestamp> {
        match self {
            Self::Overran(at) => Some(at),
            Self::Nothing | Self::End(_) => None,
        }
    }
}

impl LearnedDurations {
    /// Whether nothing was learned.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the finished jobs of a task.
    pub fn gather(&mut self, task: &TaskId, record: &TaskRecord) {
        for (key, job) in record.jobs.iter() {
            if let Some((kind, finished)) = finished_job(task, key, job) {
                add(self.0.entry(kind.to_owned()).or_default(), finished);
            }
        }
    }

    /// Adds what another reconcile gathered. Of more than `KINDS_MAX` kinds, those are dropped whose last job finished
    /// first.
    pub fn merge(&mut self, other: &Self) {
        for (kind, jobs) in &other.0 {
            let known = self.0.entry(kind.clone()).or_default();
            jobs.iter().for_each(|job| add(known, *job));
        }
        if self.0.len() > KINDS_MAX {
            let mut newest: Vec<_> = self.0.iter().map(|(kind, jobs)| (Reverse(jobs.last().copied()), kind)).collect();
            newest.sort();
            let dropped: Vec<String> = newest[KINDS_MAX..].iter().map(|(_, kind)| (*kind).clone()).collect();
            self.0.retain(|kind, _| !dropped.contains(kind));
        }
    }

    /// The forecast end of a running job, or since when it has run longer than every finished job of its kind.
    pub fn of(&self, job: &Job, now: Timestamp) -> Learned {
        let Some((jobs, started_at)) = self.of_kind(job).zip(job.started_at) else { return Learned::Nothing };
        let longest = jobs.iter().map(|job| job.seconds).max().unwrap_or_default();
        let overran_at = started_at.saturating_add(SignedDuration::from_secs(longest)).unwrap_or(Timestamp::MAX);
        end_of(jobs, started_at, now).map_or(Learned::Overran(overran_at), Learned::End)
    }

    /// The finished jobs of the same kind, if they are enough for a forecast.
    fn of_kind(&self, job: &Job) -> Option<&Vec<FinishedJob>> {
        self.0.get(job.kind.as_ref()?).filter(|jobs| jobs.len() >= JOBS_OF_A_KIND_MIN)
    }
}

/// The forecast end of a job of the kind. `None` if it has already run longer than all of `jobs`.
fn end_of(jobs: &[FinishedJob], started_at: Timestamp, now: Timestamp) -> Option<LearnedEnd> {
    let so_far = now.duration_since(started_at).as_secs();
    let mut longer: Vec<i64> = jobs.iter().map(|job| job.seconds).filter(|seconds| *seconds > so_far).collect();
    longer.sort_unstable();
    // The nearest rank: the smallest duration that at least this share of the jobs does not exceed.
    let percentile = |percent: usize| {
        let rank = (longer.len() * percent).div_ceil(100).checked_sub(1)?;
        Some(started_at.saturating_add(SignedDuration::from_secs(longer[rank])).unwrap_or(Timestamp::MAX))
    };
    Some(LearnedEnd { expected: percentile(50)?, unlikely_after: percentile(90)? })
}

fn finished_job<'a>(task: &TaskId, key: &JobKey, job: &'a Job) -> Option<(&'a str, FinishedJob)> {
    let (kind, duration, finished_at) = (job.kind.as_deref()?, job.duration()?, job.finished_at?);
    let identity = identity(task, key);
    Some((kind, FinishedJob { finished_at: finished_at.as_second(), seconds: duration.as_secs(), identity }))
}

/// Adds a job to those of its kind, which are sorted, and drops the earliest if there are too many.
fn add(jobs: &mut Vec<FinishedJob>, job: FinishedJob) {
    // A second report of the finish may be later than the first.
    match jobs.iter().position(|known| known.identity == job.identity) {
        Some(at) if jobs[at] >= job => return,
        Some(at) => drop(jobs.remove(at)),
        None => {}
    }
    let at = jobs.partition_point(|known| *known < job);
    jobs.insert(at, job);
    if jobs.len() > JOBS_OF_A_KIND_MAX {
        jobs.remove(0);
    }
}

/// A hash (FNV-1a) of the task and the job, which never changes because stored records hold it. Two of fifty jobs share
/// one with a probability of one in three million; then one of them is not counted.
fn identity(task: &TaskId, key: &JobKey) -> i64 {
    let attempt = key.attempt.to_be_bytes();
    let bytes = task.as_str().bytes().chain(attempt).chain(key.job_id.bytes());
    bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)).into()
}

impl From<[i64; 3]> for FinishedJob {
    fn from([finished_at, seconds, identity]: [i64; 3]) -> Self {
        Self { finished_at, seconds, identity }
    }
}

impl From<FinishedJob> for [i64; 3] {
    fn from(job: FinishedJob) -> Self {
        [job.finished_at, job.seconds, job.identity]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
    }

    fn task(number: u32) -> TaskId {
        format!("{number:032x}").parse().unwrap()
    }

    fn finished(kind: &str, start: i64, minutes: i64) -> Job {
        Job {
            started_at: Some(at(start)),
            finished_at: Some(at(start + minutes)),
            reported_at: Some(at(start + minutes)),
            kind: Some(kind.to_owned()),
            ..Job::default()
        }
    }

    /// A task on which jobs of these lengths ran one after the other.
    fn of_task(number: u32, kind: &str, minutes: impl IntoIterator<Item = i64>) -> LearnedDurations {
        let mut record = TaskRecord::default();
        let mut start = 0;
        for (job, minutes) in minutes.into_iter().enumerate() {
            record.merge_job(&JobKey { job_id: job.to_string(), attempt: 1 }, &finished(kind, start, minutes));
            start += minutes;
        }
        let mut learned = LearnedDurations::default();
        learned.gather(&task(number), &record);
        learned
    }

    fn merged(parts: &[&LearnedDurations]) -> LearnedDurations {
        parts.iter().fold(LearnedDurations::default(), |mut all, part| {
            all.merge(part);
            all
        })
    }

    /// The expected end and the unlikely one of a job that started at minute 0, in minutes.
    fn end(learned: &LearnedDurations, kind: &str, now: i64) -> Option<[i64; 2]> {
        let live = Job { started_at: Some(at(0)), kind: Some(kind.to_owned()), ..Job::default() };
        let minutes = |end: Timestamp| end.duration_since(at(0)).as_mins();
        learned.of(&live, at(now)).end().map(|end| [minutes(end.expected), minutes(end.unlikely_after)])
    }

    #[test]
    fn from_five_jobs_on_the_median_is_expected_and_the_90th_percentile_is_the_risk() {
        assert_eq!(end(&of_task(1, "encode", [10, 20, 30, 40]), "encode", 0), None);
        let learned = of_task(1, "encode", [10, 20, 30, 40, 50]);
        assert_eq!(end(&learned, "encode", 0), Some([30, 50]));
        assert_eq!(end(&learned, "mux", 0), None);
        assert_eq!(end(&of_task(1, "encode", 1..=40), "encode", 0), Some([20, 36]));
    }

    #[test]
    fn a_job_is_compared_with_those_that_ran_longer_than_it_has_run() {
        let learned = of_task(1, "encode", [10, 20, 30, 40, 50]);
        assert_eq!(
            [25, 39, 49].map(|now| end(&learned, "encode", now)),
            [Some([40, 50]), Some([40, 50]), Some([50, 50])]
        );
        assert_eq!(end(&learned, "encode", 50), None, "it has run longer than all of them");
        let running = Job { kind: Some("encode".to_owned()), started_at: Some(at(0)), ..Job::default() };
        assert_eq!(
            [49, 50, 60].map(|now| learned.of(&running, at(now)).overran_at()),
            [None, Some(at(50)), Some(at(50))]
        );
    }

    #[test]
    fn a_job_counts_once_however_often_and_in_whatever_order_it_is_gathered() {
        let (one, other) = (of_task(1, "encode", [10, 20, 30]), of_task(2, "encode", [10, 20, 30]));
        let both = merged(&[&one, &other]);
        assert_eq!(both.0["encode"].len(), 6, "jobs of two tasks are different jobs");
        assert_eq!(both, merged(&[&other, &one, &both, &one]));
    }

    #[test]
    fn a_second_report_of_a_finish_replaces_the_first() {
        let mut record = TaskRecord::default();
        let key = JobKey { job_id: "j".to_owned(), attempt: 1 };
        let mut learned = LearnedDurations::default();
        for minutes in [10, 12, 12] {
            record.merge_job(&key, &finished("encode", 0, minutes));
            learned.gather(&task(1), &record);
        }
        assert_eq!(learned.0["encode"].iter().map(|job| job.seconds).collect::<Vec<_>>(), [720]);
    }

    #[test]
    fn the_last_fifty_jobs_and_the_twenty_kinds_that_finished_last_are_kept_in_forty_kilobytes() {
        let kind = |number: usize| format!("{number:02}{}", "\u{1}".repeat(62));
        let mut learned = LearnedDurations::default();
        // Kind n consists of 60 jobs, the last of which finishes after that of kind n - 1.
        for number in 0..21 {
            let minutes = (0..60).map(|job| if job == 0 { 1 + i64::try_from(number).unwrap() } else { 2000 });
            learned.merge(&of_task(u32::try_from(number).unwrap(), &kind(number), minutes));
        }
        assert_eq!(learned.0.len(), KINDS_MAX);
        assert!(!learned.0.contains_key(&kind(0)), "it finished first");
        assert!(learned.0.values().all(|jobs| jobs.len() == JOBS_OF_A_KIND_MAX && jobs[0].seconds == 2000 * 60));
        let json = serde_json::to_string(&learned).unwrap();
        assert!(json.len() < 40_000, "{} bytes", json.len());
        assert_eq!(serde_json::from_str::<LearnedDurations>(&json).unwrap(), learned);
    }

    #[test]
    fn the_identity_of_a_job_never_changes_because_stored_records_hold_it() {
        let key = |job_id: &str, attempt| JobKey { job_id: job_id.to_owned(), attempt };
        let of = |number, job_id, attempt| identity(&task(number), &key(job_id, attempt));
        assert_eq!(of(1, "j", 1), IDENTITY);
        assert!(![of(2, "j", 1), of(1, "k", 1), of(1, "j", 2)].contains(&IDENTITY));
    }

    const IDENTITY: i64 = 0x1722_7e9d;
}
