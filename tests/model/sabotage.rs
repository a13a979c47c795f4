//! Deliberate breaks, and their effects on records.

use super::function::RecordNo;
use super::protocol::ModelProtocol;
use super::scene::{Moment, Set, members, timestamp};
use super::state::{ModelState, ModelTask};
use jiff::Timestamp;
use std::sync::Arc;
use taskhold::task::job::Job;
use taskhold::task::own_protection::OwnProtection;
use taskhold::task::protection::{Call, LATE_EFFECT_MAX, ProtectionRequest};
use taskhold::task::record::TaskRecord;

/// SEMANTICS.md, "A release never leaves a live job unprotected": two minutes from storing the call, of which
/// sending may take 30 s.
const EFFECT_WITHIN_S: Moment = 90;

/// A deliberate break, to show that the checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelSabotage {
    /// None: the unchanged protocol.
    None,
    /// The stored record does not name the releases that are about to be sent.
    ReleasesAreNotWrittenDown,
    /// The stored record drops the unfinished jobs that the batch does not mention.
    UnfinishedJobsAreDropped,
    /// In a full record, finished jobs leave no fingerprint.
    NoFingerprints,
    /// A full record has no room for a finish, and drops it.
    FinishesFindNoRoom,
    /// A put succeeds whatever the stored version.
    StoresAreNotCompared,
    /// The response does not report the failed messages of a batch.
    FailuresAreAcknowledged,
    /// A call without an answer counts as a call without effect.
    NoAnswerMeansNoEffect,
    /// Calls take effect later than assumed.
    EffectsAreTooLate,
    /// The function does not notice the time that it waits for a store, or for the read before a release.
    SlowAnswersAreNotNoticed,
    /// A read before a release reports the function's own protection, whatever another writer has set.
    ForeignProtectionIsNotSeen,
    /// A job whose declared time is over counts as finished.
    DeclaredEndsRelease,
    /// The stored record drops the reports that a task protects itself for a job.
    AgentJobsAreCalledFor,
    /// A job for which the task protects itself counts as finished.
    AgentJobsKeepNothing,
    /// A call without an answer is forgotten together with the expiry that it may have set.
    StaleCallsAreNotRemembered,
    /// A call that was forgotten without an answer may have set any expiry.
    StaleCallsFitEveryExpiry,
    /// The stored record does not name the starts for which it had no room.
    RejectedStartsAreForgotten,
    /// A sweep reads the protection that the record names, although another writer has taken it away.
    LossesAreNotSeen,
    /// The stored record does not name refusals.
    RefusalsAreNotWrittenDown,
    /// The stored record does not say that the task lingers.
    LingersAreNotWrittenDown,
    /// A recheck does not see the jobs that have started since the last finish.
    RechecksSeeNoJobs,
    /// A recheck finds that the task lingers for another day.
    RechecksDoNothing,
}

impl ModelProtocol {
    /// The period after sending in which a call takes effect, or never.
    pub(crate) fn takes_effect_within(&self) -> Moment {
        match self.configuration.sabotage {
            ModelSabotage::EffectsAreTooLate => EFFECT_WITHIN_S * 3,
            _ => EFFECT_WITHIN_S,
        }
    }

    /// A record as the state store keeps it.
    pub(crate) fn stored(&self, number: RecordNo, batch: Set) -> RecordNo {
        let known = self.function.record(number);
        let mut record: TaskRecord = known.record.clone();
        match self.configuration.sabotage {
            ModelSabotage::ReleasesAreNotWrittenDown => {
                record.protection.in_flight.retain(|call| call.request != ProtectionRequest::Clear);
            }
            ModelSabotage::UnfinishedJobsAreDropped => {
                let of_batch = |job: &str| members(batch).any(|number| self.message(number).job == job);
                let jobs = Arc::make_mut(&mut record.jobs);
                jobs.retain(|key, job| job.finished_at.is_some() || of_batch(&key.job_id));
            }
            ModelSabotage::AgentJobsAreCalledFor => {
                Arc::make_mut(&mut record.jobs).values_mut().for_each(|job| job.protection = None);
            }
            ModelSabotage::RejectedStartsAreForgotten => record.rejected = None,
            ModelSabotage::RefusalsAreNotWrittenDown => {
                (record.protection.refusal, record.protection.refused_since) = (None, None);
            }
            ModelSabotage::LingersAreNotWrittenDown => record.lingers_until = None,
            _ => return number,
        }
        self.function.number_of(&record)
    }

    /// A record as the state store hands it out.
    pub(crate) fn loaded(&self, state: &ModelState, number: RecordNo) -> RecordNo {
        if self.configuration.sabotage == ModelSabotage::None {
            return number;
        }
        let mut record: TaskRecord = self.function.record(number).record.clone();
        let now = timestamp(state.now);
        let finish = |job: &mut Job, is_one: &dyn Fn(&Job) -> bool| {
            job.finished_at = job.finished_at.or_else(|| is_one(job).then_some(now));
        };
        match self.configuration.sabotage {
            ModelSabotage::DeclaredEndsRelease => {
                let is_over = |job: &Job| job.until().is_some_and(|until| until <= now);
                Arc::make_mut(&mut record.jobs).values_mut().for_each(|job| finish(job, &is_over));
            }
            ModelSabotage::AgentJobsKeepNothing => {
                Arc::make_mut(&mut record.jobs).values_mut().for_each(|job| finish(job, &Job::is_protected_by_agent));
            }
            ModelSabotage::StaleCallsAreNotRemembered => drop(take_stale(&mut record, now)),
            ModelSabotage::StaleCallsFitEveryExpiry => {
                let any = |call: Call| OwnProtection {
                    asked_at: call.started_at,
                    earliest: Timestamp::MIN,
                    latest: Timestamp::MAX,
                };
                let stale = take_stale(&mut record, now);
                record.protection.own.extend(stale.into_iter().map(any));
            }
            _ => return number,
        }
        self.function.number_of(&record)
    }

    /// The end that ECS reports for a task's protection.
    pub(crate) fn reported(&self, task: &ModelTask) -> Moment {
        let is_lied_about = match self.configuration.sabotage {
            ModelSabotage::ForeignProtectionIsNotSeen => task.is_protected_by_agent(),
            ModelSabotage::LossesAreNotSeen => task.is_taken_away,
            _ => false,
        };
        let own = task.record.filter(|_| is_lied_about).and_then(|record| {
            let record = self.function.record(record);
            let latest = record.record.protection.own.last()?.latest;
            Moment::try_from(latest.duration_since(timestamp(0)).as_secs()).ok()
        });
        own.unwrap_or(task.protected_until)
    }
}

/// Removes the calls that can no longer take effect.
fn take_stale(record: &mut TaskRecord, now: Timestamp) -> Vec<Call> {
    let is_stale = |call: &Call| now.duration_since(call.started_at) >= LATE_EFFECT_MAX;
    let (stale, in_flight) = std::mem::take(&mut record.protection.in_flight).into_iter().partition(is_stale);
    record.protection.in_flight = in_flight;
    stale
}
