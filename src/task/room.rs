//! The room in a task record: what it keeps when it gets large, and which start it has no room for. Pure.
//!
//! A record must never be too large to store, because a finish or a forced release that cannot be stored leaves an
//! idle task protected for days. So every live job reserves the bytes of its finish and of its interruption, and a
//! start that finds no room is rejected ([`RejectedStarts`]). Live jobs compete for room only with each other: the
//! finished jobs get the rest. They shrink to fingerprints, the oldest first, and the oldest fingerprints go when
//! even those do not fit.

mod bytes;

use crate::store::RECORD_BYTES_MAX;
use crate::task::job::{Job, JobKey, JobReport};
use crate::task::record::TaskRecord;
use crate::task::rejected::{RejectedJob, RejectedStarts};
use crate::task::room::bytes::{interruptions_bytes, job_bytes, kind_bytes, live_bytes, shown_bytes};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Room for everything but jobs: calls in flight, protection of taskhold and of others, a refusal, rejected starts, and
/// what ECS reports about an interruption.
const REST_BYTES: usize = 40_000;
/// Room for the labels of live jobs and for the agent's reasons, which only people read. Without this limit, sixteen
/// jobs with the longest labels would fill a record; beyond it, jobs are recorded without them.
const LABEL_BYTES_MAX: usize = 40_000;
/// Room for finished jobs that are more than a fingerprint: about fifty with UUIDs as ids. DynamoDB bills a write by
/// the size of the record, so this is far less than what fits.
const FINISHED_BYTES_MAX: usize = 32_000;

impl TaskRecord {
    /// Merges what messages report about jobs. Each live job that is new to the record needs room; without room it is
    /// noted in [`TaskRecord::rejected`] instead, and recorded as soon as there is room. Every other report has room.
    pub fn add_reports(&mut self, reports: &[JobReport], now: Timestamp) {
        let mut room = None;
        for JobReport { key, job } in reports {
            self.note_agent_protection(job, now);
            if !self.jobs.contains_key(key) && self.fingerprints.contains(key) {
                continue;
            }
            let known = self.jobs.get(key);
            let was_live = known.is_some_and(|known| self.is_live(known, now));
            let has_new_kind = known.is_none_or(|known| job.kind > known.kind);
            if was_live && !has_new_kind && job.labels.is_none() && job.protection.is_none() {
                self.merge_job(key, job);
                continue;
            }
            let mut merged = known.map_or_else(Job::default, |known| known.as_ref().clone());
            merged.merge(job);
            if self.is_live(&merged, now) {
                let room = room.get_or_insert_with(|| RecordRoom::of(self, now));
                let has_room = match known.filter(|_| was_live) {
                    Some(known) => room.relabel(known, &mut merged),
                    None => room.admit(key, &mut merged),
                };
                if !has_room {
                    self.reject(key, &merged, now);
                    continue;
                }
            }
            Arc::make_mut(&mut self.jobs).insert(key.clone(), Box::new(merged));
            if let Some(rejected) = &mut self.rejected {
                rejected.remove(key);
            }
        }
        self.forget_rejected(now);
        self.admit_rejected(now);
    }

    /// Records rejected jobs that still live, if there is room for them now.
    fn admit_rejected(&mut self, now: Timestamp) {
        let Some(mut rejected) = self.rejected.take().filter(|_| self.stopped_at.is_none()) else { return };
        let mut room = RecordRoom::of(self, now);
        for RejectedJob { key, until, protection } in rejected.jobs.clone() {
            let (declared_until, reported_at) = (Some(until), Some(rejected.since));
            let mut job = Job { declared_until, reported_at, protection, ..Job::default() };
            if room.admit(&key, &mut job) {
                Arc::make_mut(&mut self.jobs).insert(key.clone(), Box::new(job));
                rejected.remove(&key);
            }
        }
        self.rejected = (!rejected.is_over()).then_some(rejected);
    }

    /// Whether the record has the job, or remembers that it has finished.
    pub fn knows(&self, key: &JobKey) -> bool {
        self.jobs.contains_key(key) || self.fingerprints.contains(key)
    }

    /// Since when starts have been rejected whose jobs may still run; `None` if there are none.
    pub fn rejected_since(&self, now: Timestamp) -> Option<Timestamp> {
        let rejected = self.rejected.as_ref().filter(|_| self.stopped_at.is_none())?;
        let is_live =
            rejected.others_until.is_some_and(|until| until > now) || self.rejected_jobs(now).next().is_some();
        is_live.then_some(rejected.since)
    }

    /// The named jobs whose starts were rejected and that may still run.
    pub fn rejected_jobs(&self, now: Timestamp) -> impl Iterator<Item = &RejectedJob> {
        let rejected = self.rejected.as_ref().filter(|_| self.stopped_at.is_none());
        rejected.into_iter().flat_map(|rejected| &rejected.jobs).filter(move |job| job.until > now)
    }

    fn reject(&mut self, key: &JobKey, job: &Job, now: Timestamp) {
        let rejected = self.rejected.get_or_insert_with(|| Box::new(RejectedStarts::since(now)));
        rejected.add(key, job, job.until().unwrap_or(now));
    }

    /// Shrinks what has ended until the record can be stored: finished jobs to fingerprints, the oldest first. Only if
    /// that does not suffice, jobs go whose declared end has passed, and then the oldest fingerprints.
    pub fn shrink(&mut self, now: Timestamp, finished_job_retention: SignedDuration) {
        let RecordRoom { live, finished, outlived, rest, .. } = RecordRoom::of(self, now);
        let (mut finished, mut outlived) = (finished, outlived);
        let ended_max = RECORD_BYTES_MAX.saturating_sub(live + rest);
        if finished > FINISHED_BYTES_MAX.min(ended_max) {
            let finished_max = FINISHED_BYTES_MAX.min(ended_max);
            for (key, until) in self.ended(now, Ended::Finished, finished_job_retention) {
                if finished <= finished_max {
                    break;
                }
                finished -= self.remove_job(&key);
                self.fingerprints.insert(&key, until);
            }
        }
        if finished + outlived + self.fingerprints.bytes() <= ended_max {
            return;
        }
        for (key, _) in self.ended(now, Ended::Outlived, finished_job_retention) {
            if finished + outlived <= ended_max {
                break;
            }
            outlived -= self.remove_job(&key);
        }
        while finished + outlived + self.fingerprints.bytes() > ended_max && self.fingerprints.drop_oldest() {}
    }

    /// The ended jobs of this kind, the earliest first: finished ones with the moment from which they can be forgotten,
    /// outlived ones with their end.
    fn ended(&self, now: Timestamp, kind: Ended, finished_job_retention: SignedDuration) -> Vec<(JobKey, Timestamp)> {
        let is_of_kind = |job: &Job| match kind {
            Ended::Finished => job.finished_at.is_some(),
            Ended::Outlived => job.finished_at.is_none() && !self.is_live(job, now),
        };
        let moment = |job: &Job| match kind {
            Ended::Finished => job.forgettable_from(finished_job_retention),
            // The last of them may keep the protection of the task.
            Ended::Outlived => job.until().max(job.agent_until()).unwrap_or(now),
        };
        let ended = self.jobs.iter().filter(|(_, job)| is_of_kind(job));
        let mut ended: Vec<_> = ended.map(|(key, job)| (key.clone(), moment(job))).collect();
        ended.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
        ended
    }

    fn is_live(&self, job: &Job, now: Timestamp) -> bool {
        self.stopped_at.is_none() && job.lives_until(now).is_some()
    }

    /// Removes a job and returns the bytes that it took.
    fn remove_job(&mut self, key: &JobKey) -> usize {
        Arc::make_mut(&mut self.jobs).remove(key).map_or(0, |job| job_bytes(key, &job))
    }
}

/// A kind of job that no longer lives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It has finished.
    Finished,
    /// Its declared end has passed, and it has not finished.
    Outlived,
}

/// The bytes of JSON that the parts of a record take, at most.
#[derive(Debug)]
struct RecordRoom {
    /// Live jobs, with the reserves for their finish and their interruption.
    live: usize,
    /// The part of it that is labels and reasons.
    labels: usize,
    finished: usize,
    outlived: usize,
    /// Everything but jobs and fingerprints, with room to grow.
    rest: usize,
}

impl RecordRoom {
    fn of(record: &TaskRecord, now: Timestamp) -> Self {
        let rest = REST_BYTES + interruptions_bytes(&record.interruptions);
        let mut room = Self { live: 0, labels: 0, finished: 0, outlived: 0, rest };
        let named = record.interruptions.iter().flat_map(|known| &known.what.jobs);
        let interrupted: BTreeSet<&JobKey> = named.map(|job| &job.key).collect();
        for (key, job) in record.jobs.iter() {
            if job.finished_at.is_some() {
                room.finished += job_bytes(key, job);
            } else if !record.is_live(job, now) {
                room.outlived += job_bytes(key, job);
            } else {
                // The interruption of an interrupted job is in the rest.
                room.live += if interrupted.contains(key) { job_bytes(key, job) } else { live_bytes(key, job) };
                room.labels += shown_bytes(job);
            }
        }
        room
    }

    /// The room for live jobs: what the rest leaves.
    fn live_max(&self) -> usize {
        RECORD_BYTES_MAX.saturating_sub(self.rest)
    }

    /// Reserves the room of a live job that is new, without its texts if those do not fit. Returns whether it fits.
    fn admit(&mut self, key: &JobKey, job: &mut Job) -> bool {
        let (mut needed, mut labels) = (live_bytes(key, job), shown_bytes(job));
        if self.labels + labels > LABEL_BYTES_MAX || self.live + needed > self.live_max() {
            job.labels = None;
            drop_reason(job);
            (needed, labels) = (live_bytes(key, job), shown_bytes(job));
        }
        if self.live + needed > self.live_max() {
            job.kind = None;
            needed = live_bytes(key, job);
        }
        if self.live + needed > self.live_max() {
            return false;
        }
        self.live += needed;
        self.labels += labels;
        true
    }

    /// Reserves the room of new texts of a live job, or keeps its known labels and kind and drops the agent's reason.
    /// All its moments have their room already, so it always fits.
    fn relabel(&mut self, known: &Job, job: &mut Job) -> bool {
        let more = shown_bytes(job).saturating_sub(shown_bytes(known));
        let needed = 2 * more + kind_bytes(job).saturating_sub(kind_bytes(known));
        if self.labels + more > LABEL_BYTES_MAX || self.live + needed > self.live_max() {
            job.labels.clone_from(&known.labels);
            job.kind.clone_from(&known.kind);
            drop_reason(job);
        } else {
            self.labels += more;
            self.live += needed;
        }
        true
    }
}

/// Drops the reason for which the agent was refused, and keeps the refusal.
fn drop_reason(job: &mut Job) {
    if let Some(report) = &mut job.protection {
        report.value.drop_reason();
    }
}

#[cfg(test)]
mod tests;
