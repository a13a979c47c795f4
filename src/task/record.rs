//! The record of one task in the state store: its jobs, its protection and its end.

mod jobs_as_list;

use crate::ecs::FailureReason;
use crate::ecs::arn::Task;
use crate::store::Record;
use crate::task::fingerprints::Fingerprints;
use crate::task::interruption::TrackedInterruption;
use crate::task::job::{Job, JobKey, Reported};
use crate::task::protection::{Protection, Refusal};
use crate::task::rejected::RejectedStarts;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that taskhold remembers about a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The jobs, including finished ones for as long as their messages may be redelivered. Shared, because
    /// every update copies the record and few updates change the jobs. Boxed, because a map node has space
    /// for eleven values and most tasks have one job.
    #[serde(with = "jobs_as_list")]
    pub jobs: Arc<BTreeMap<JobKey, Box<Job>>>,
    /// The calls that set and clear protection, and the protection that is certain.
    pub protection: Protection,
    /// The service of the task, known only after a read of ECS was necessary. Boxed, because most records
    /// have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<Box<Membership>>,
    /// Stops in the middle of jobs, delivered or not. A job that started after the first one causes another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interruptions: Vec<TrackedInterruption>,
    /// Finished jobs of which only a fingerprint is left.
    #[serde(default, skip_serializing_if = "Fingerprints::is_empty")]
    pub fingerprints: Fingerprints,
    /// Starts for which the record had no room. Boxed, because hardly any record has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Box<RejectedStarts>>,
    /// Until when the protection stays after the last finish. Absent if no linger is set, or if it has passed. Boxed,
    /// because a batch has thousands of records, and few linger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lingers_until: Option<Box<Timestamp>>,
    /// When ECS reported no protection although a worker had reported that of a live job. Absent if ECS reports one since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_cleared_at: Option<Box<Timestamp>>,
    /// The protection that a worker last reported to have set itself, until it has expired or ECS no longer reports it. It
    /// outlives the worker's jobs in the record, because it may outlive them in ECS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_protection: Option<Box<Reported<Timestamp>>>,
    /// The service that has yet to gather the durations of the finished jobs: an event has reported that the task stops.
    /// The next sweep hands them over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durations_for: Option<Box<str>>,
    /// When taskhold recorded that the task has stopped. It is final, because ECS never reuses task ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
}

/// The service of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The name of its service.
    pub service: String,
    /// Whether other tasks of the service wait for this task's protection to end.
    #[serde(default)]
    pub is_awaited: bool,
}

impl Record for TaskRecord {
    type Key = Task;

    fn is_open(&self) -> bool {
        Self::is_open(self)
    }
}

/// How long after the last finish the durations stay for a sweep to gather. A sweep usually gathers them within minutes,
/// unless ECS does not know the service.
const GATHERED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// A task with its record.
#[derive(Clone, Copy)]
pub(crate) struct RecordedTask<'a> {
    pub(crate) task: &'a Task,
    pub(crate) record: &'a TaskRecord,
}

impl TaskRecord {
    /// Merges the report of a message or of another instance about a job. A job of which only the fingerprint is left
    /// has finished, and stays so. It checks no room; [`TaskRecord::add_reports`] does.
    pub fn merge_job(&mut self, key: &JobKey, job: &Job) {
        if !self.jobs.contains_key(key) && self.fingerprints.contains(key) {
            return;
        }
        let jobs = Arc::make_mut(&mut self.jobs);
        match jobs.get_mut(key) {
            Some(known) => known.merge(job),
            None => {
                let mut known = Job::default();
                known.merge(job);
                jobs.insert(key.clone(), Box::new(known));
            }
        }
    }

    /// Records that the task has stopped. This ends every job, including jobs whose messages are still in
    /// transit.
    pub fn stop(&mut self, now: Timestamp) {
        self.stopped_at = self.stopped_at.or(Some(now));
    }

    /// Whether the duration of a finished job is known, with its kind.
    pub(crate) fn has_durations(&self) -> bool {
        self.jobs.values().any(|job| job.kind.is_some() && job.duration().is_some())
    }

    /// Leaves the finished jobs of a task that stops to the next sweep. `service` is what the event says; what ECS has
    /// said takes precedence.
    pub(crate) fn leave_durations_to(&mut self, service: Option<&str>) {
        let membership = self.membership.as_ref().map(|membership| membership.service.as_str());
        if let Some(service) = membership.or(service) {
            self.durations_for = Some(service.into());
        }
    }

    /// Marks every unfinished job as finished, at an operator's request, also those whose starts were rejected. Their
    /// workers have not reported it, so their durations are not learned.
    pub fn finish_jobs(&mut self, now: Timestamp) {
        let unfinished = self.jobs.iter().filter(|(_, job)| job.finished_at.is_none());
        let unfinished: Vec<JobKey> = unfinished.map(|(key, _)| key.clone()).collect();
        let finished = Job { finished_at: Some(now), ..Job::default() };
        unfinished.iter().for_each(|key| self.merge_job(key, &finished));
        self.rejected = None;
    }

    /// Drops the jobs of a task that ECS does not know. The answer to the call of another invocation may have proved
    /// the task meanwhile: ECS can answer `MISSING` for a task that has just started.
    pub(crate) fn give_up_unknown(&mut self) {
        if !self.protection.is_known {
            self.give_up_jobs();
        }
    }

    /// Drops the jobs of a task that ECS does not know or never protects: their messages are dead-lettered, and nothing
    /// is requested for them any more. A redrive of a message brings its job back. While a call may still take effect
    /// the jobs stay, because the call may be for another job of the task.
    pub(crate) fn give_up_jobs(&mut self) {
        if self.protection.in_flight.is_empty() {
            self.jobs = Arc::default();
            self.rejected = None;
            self.agent_protection = None;
        }
    }

    /// Whether the record proves nothing about the task: it has no job, and ECS has never confirmed that it knows the
    /// task.
    pub(crate) fn is_blank(&self) -> bool {
        let Protection { is_known, own, foreign, in_flight, .. } = &self.protection;
        let is_unprotected = own.is_empty() && foreign.is_none() && in_flight.is_empty();
        let is_unknown = !is_known && is_unprotected && self.stopped_at.is_none();
        is_unknown && self.jobs.is_empty() && self.fingerprints.is_empty()
    }

    /// The jobs that are live at `now`, each with its end.
    pub fn live_jobs(&self, now: Timestamp) -> impl Iterator<Item = (&JobKey, Timestamp)> {
        let running = self.stopped_at.is_none();
        self.jobs.iter().filter(move |_| running).filter_map(move |(key, job)| Some((key, job.lives_until(now)?)))
    }

    /// The end of a job whose declared time is over: it has neither finished nor stopped with its task. `None` for
    /// any other job.
    pub fn outlived(&self, key: &JobKey, now: Timestamp) -> Option<Timestamp> {
        let job = self.jobs.get(key).filter(|job| self.stopped_at.is_none() && job.finished_at.is_none())?;
        job.until().filter(|until| *until <= now)
    }

    /// When the last job ended. `None` if the task is busy, or if it had no job.
    pub fn idle_since(&self, now: Timestamp) -> Option<Timestamp> {
        let ended = self.jobs.values().map(|job| job.finished_at.or(job.until())).max().flatten();
        ended.filter(|_| !self.is_busy(now))
    }

    /// Since when ECS has refused the protection that the live jobs need: to the function, because protected tasks
    /// block a deployment, or to the worker. `None` if it does not refuse.
    pub fn refused_since(&self, now: Timestamp) -> Option<Timestamp> {
        let blocked = |refusal: &Refusal| refusal.reason == FailureReason::DeploymentBlocked;
        let is_refused = self.protection.refusal.as_ref().is_some_and(blocked) && self.wanted_until(now).is_some();
        let by_function = self.protection.refused_since.filter(|_| is_refused);
        let live = self.jobs.values().filter(|job| self.stopped_at.is_none() && job.lives_until(now).is_some());
        let by_agent = live.filter_map(|job| job.agent_refused_at()).min();
        by_function.into_iter().chain(by_agent).min()
    }

    /// Until when the function must protect the task: the latest end of those live jobs for which the task does not
    /// protect itself.
    pub fn wanted_until(&self, now: Timestamp) -> Option<Timestamp> {
        let of_function = self.jobs.values().filter(|job| self.stopped_at.is_none() && !job.is_protected_by_agent());
        of_function.filter_map(|job| job.lives_until(now)).max()
    }

    /// Whether a sweep may have to act on the task, now or later, if no instance stores the record before then:
    /// a job may be live, protection may have to be cleared or may be left by a worker, the effect of a call is unknown,
    /// an interruption is not delivered, or its service has yet to learn from its finished jobs. Always true when
    /// [`crate::task::attention`] finds something to do.
    pub fn is_open(&self) -> bool {
        self.is_pending() || self.durations_for.is_some()
    }

    /// Whether it is open for a reason other than durations that its service has yet to gather.
    pub(crate) fn is_pending(&self) -> bool {
        let may_live = || self.jobs.values().any(|job| job.finished_at.is_none());
        let may_be_protected = || self.protection.is_set() || self.agent_protection.is_some();
        // The cheapest first: each message asks twice.
        !self.protection.in_flight.is_empty()
            || self.pending_interruptions().next().is_some()
            || self.stopped_at.is_none() && (may_live() || may_be_protected())
    }

    /// Stops waiting for a sweep to gather the durations: ECS may no longer know the service.
    pub(crate) fn forget_durations(&mut self, now: Timestamp) {
        if self.durations_for.is_some() {
            let last = self.jobs.values().filter_map(|job| job.finished_at).max();
            let is_late = |at| now.duration_since(at) > GATHERED_WITHIN;
            self.durations_for.take_if(|_| last.is_none_or(is_late));
        }
    }

    /// Removes jobs that no message can make live again, and calls that can no longer take effect.
    pub fn forget(&mut self, now: Timestamp, finished_job_retention: SignedDuration) {
        self.fingerprints.forget(now);
        self.forget_rejected(now);
        self.protection.forget_stale(now);
        self.lingers_until = self.lingers_until.take().filter(|until| **until > now);
        self.forget_durations(now);
        // A job without a finish may still keep protection.
        let keeps = |job: &Job| job.finished_at.is_none() && self.protection.is_set();
        let forgotten = |job: &Job| job.forgettable_from(finished_job_retention) <= now && !keeps(job);
        if self.jobs.values().any(|job| forgotten(job)) {
            let forgotten: Vec<JobKey> =
                self.jobs.iter().filter(|(_, job)| forgotten(job)).map(|(key, _)| key.clone()).collect();
            let jobs = Arc::make_mut(&mut self.jobs);
            forgotten.iter().for_each(|key| drop(jobs.remove(key)));
        }
    }

    pub(crate) fn forget_rejected(&mut self, now: Timestamp) {
        let is_over = |rejected: &mut Box<RejectedStarts>| {
            rejected.forget(now);
            rejected.is_over()
        };
        if self.rejected.as_mut().is_some_and(is_over) {
            self.rejected = None;
        }
    }

    /// When the whole record may be forgotten.
    pub fn keep_until(&self, now: Timestamp, finished_job_retention: SignedDuration) -> Timestamp {
        let jobs = self.jobs.values().map(|job| job.forgettable_from(finished_job_retention)).max();
        let stopped = self.stopped_at.map(|at| at.saturating_add(finished_job_retention).unwrap_or(Timestamp::MAX));
        let left = self.agent_protection.as_ref().filter(|_| self.stopped_at.is_none()).map(|known| known.value);
        let protected = self.protection.keep_until().max(left);
        jobs.max(stopped).max(protected).max(self.fingerprints.keep_until()).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::task::StopCause;
    use crate::task::change::EcsProtection;
    use crate::task::fixture::{at, key, live};
    use crate::task::interruption::{StopStage, TaskStop};
    use crate::task::own_protection::OwnProtection;
    use crate::task::protection::{CallResult, ProtectionRequest};

    #[test]
    fn a_task_is_wanted_protected_until_the_latest_end_of_its_live_jobs() {
        let mut record = TaskRecord::default();
        record.merge_job(&key("short"), &live(0, 30));
        record.merge_job(&key("long"), &live(0, 90));
        assert_eq!(record.wanted_until(at(1)), Some(at(90)));
        record.merge_job(&key("long"), &Job { finished_at: Some(at(5)), ..Job::default() });
        assert_eq!(record.wanted_until(at(6)), Some(at(30)));
        assert_eq!(record.wanted_until(at(30)), None);
    }

    #[test]
    fn a_stopped_task_has_no_live_jobs_not_even_those_reported_later() {
        let mut record = TaskRecord::default();
        record.stop(at(0));
        record.merge_job(&key("late"), &live(0, 30));
        assert_eq!(record.wanted_until(at(1)), None);
    }

    #[test]
    fn a_finished_job_is_forgotten_when_its_time_is_over_and_not_before() {
        let hour = SignedDuration::from_hours(1);
        let mut record = TaskRecord::default();
        record.merge_job(&key("j"), &live(0, 30));
        record.merge_job(&key("j"), &Job { finished_at: Some(at(10)), reported_at: Some(at(10)), ..Job::default() });
        assert_eq!(record.keep_until(at(10), hour), at(70));
        record.forget(at(69), hour);
        assert_eq!(record.jobs.len(), 1);
        record.forget(at(70), hour);
        assert!(record.jobs.is_empty());
    }

    #[test]
    fn a_record_is_kept_while_a_call_may_take_effect_even_if_all_its_jobs_could_be_forgotten() {
        let hour = SignedDuration::from_hours(1);
        let mut record = TaskRecord::default();
        record.merge_job(&key("j"), &Job { finished_at: Some(at(0)), reported_at: Some(at(0)), ..Job::default() });
        assert!(record.protection.begin(crate::task::protection::ProtectionRequest::Clear, at(200)).is_some());
        assert_eq!(record.keep_until(at(200), hour), at(200) + crate::task::protection::LATE_EFFECT_MAX);
    }

    #[test]
    fn a_record_is_open_until_its_service_has_learned_from_its_finished_jobs() {
        let mut record = TaskRecord::default();
        let finished = Job { finished_at: Some(at(5)), reported_at: Some(at(5)), ..live(0, 30) };
        record.merge_job(&key("j"), &finished);
        assert!(!record.has_durations(), "it has no kind");
        record.merge_job(&key("j"), &Job { kind: Some("encode".to_owned()), ..finished });
        assert!(record.has_durations() && !record.is_open());
        record.leave_durations_to(None);
        assert!(!record.is_open(), "no service is known");
        record.leave_durations_to(Some("web"));
        assert_eq!(
            (record.is_open(), record.is_pending(), record.durations_for.as_deref()),
            (true, false, Some("web"))
        );
        record.forget_durations(at(5) + GATHERED_WITHIN);
        assert!(record.is_open());
        record.forget_durations(at(6) + GATHERED_WITHIN);
        assert!(!record.is_open(), "no sweep has found the service for a day");
        record.membership = Some(Box::new(Membership { service: "said-by-ecs".to_owned(), is_awaited: false }));
        record.leave_durations_to(Some("web"));
        assert_eq!(record.durations_for.as_deref(), Some("said-by-ecs"));
    }

    #[test]
    fn a_record_is_open_while_it_has_a_live_job_a_protection_a_call_in_flight_or_a_pending_notification() {
        let mut record = TaskRecord::default();
        assert!(!record.is_open());
        record.merge_job(&key("j"), &live(0, 30));
        assert!(record.is_open());
        let call = record.protection.begin(ProtectionRequest::ProtectUntil(at(30)), at(0)).unwrap();
        record.protection.settle(call, CallResult::Granted(at(30)));
        record.merge_job(&key("j"), &Job { finished_at: Some(at(5)), ..Job::default() });
        assert!(record.is_open(), "the protection has to be released");
        let call = record.protection.begin(ProtectionRequest::Clear, at(5)).unwrap();
        record.protection.own.clear();
        assert!(record.is_open(), "the release may have failed");
        record.protection.settle(call, CallResult::Cleared);
        assert!(!record.is_open());
    }

    #[test]
    fn a_record_of_a_task_that_stopped_is_open_until_its_interruption_was_notified() {
        let mut record = TaskRecord::default();
        record.merge_job(&key("j"), &live(0, 30));
        record.protection.own.push(OwnProtection::granted(at(0), at(30)));
        let end = TaskStop { stage: StopStage::Stopped, service: None, cause: StopCause::default() };
        record.interrupt(&end, EcsProtection::NotAsked, at(1));
        record.stop(at(1));
        assert!(record.is_open());
        assert!(record.claim_interruption(at(1)).is_some());
        assert!(record.is_open(), "the instance that claimed it may crash before it sends it");
        record.interruptions[0].delivery = None;
        assert!(!record.is_open());
    }

    #[test]
    fn a_record_is_read_back_from_json_as_it_was() {
        let mut record = TaskRecord::default();
        record.merge_job(&key("j-1"), &live(0, 30));
        record.merge_job(&JobKey { job_id: "j-1".into(), attempt: 2 }, &live(5, 45));
        let call = record.protection.begin(crate::task::protection::ProtectionRequest::ProtectUntil(at(45)), at(5));
        assert!(call.is_some());
        record.stop(at(9));
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<TaskRecord>(&json).unwrap(), record);
    }

    #[test]
    fn a_task_that_another_call_has_proved_keeps_its_jobs() {
        for is_proved in [false, true] {
            let mut record = TaskRecord::default();
            record.merge_job(&key("first"), &live(0, 30));
            let missed = record.protection.begin(ProtectionRequest::ProtectUntil(at(30)), at(0)).unwrap();
            record.merge_job(&key("second"), &live(0, 60));
            let other = record.protection.begin(ProtectionRequest::ProtectUntil(at(60)), at(0)).unwrap();
            let answer = if is_proved { CallResult::Granted(at(60)) } else { CallResult::WithoutEffect };
            record.protection.settle(other, answer);
            record.protection.settle(missed, CallResult::WithoutEffect);
            record.give_up_unknown();
            assert_eq!(record.live_jobs(at(1)).count(), if is_proved { 2 } else { 0 });
        }
    }

    #[test]
    fn jobs_that_are_given_up_count_as_finished_now_and_the_others_stay_as_they_were() {
        let mut record = TaskRecord::default();
        record.merge_job(&key("lives"), &live(0, 30));
        record.merge_job(&key("outlived"), &live(0, 3));
        record.merge_job(&key("finished"), &Job { finished_at: Some(at(4)), ..live(0, 30) });
        record.finish_jobs(at(5));
        let of = |id: &str| record.jobs[&key(id)].clone();
        assert_eq!((of("lives").finished_at, of("lives").duration()), (Some(at(5)), None));
        assert_eq!(of("outlived").finished_at, Some(at(5)), "it may keep protection");
        assert_eq!((of("finished").finished_at, of("finished").reported_at), (Some(at(4)), Some(at(0))));
    }

    #[test]
    fn a_job_is_outlived_from_its_declared_end_on_unless_it_has_finished_or_its_task_has_stopped() {
        let mut record = TaskRecord::default();
        record.merge_job(&key("j"), &live(0, 30));
        assert_eq!(
            [29, 30, 31].map(|minute| record.outlived(&key("j"), at(minute))),
            [None, Some(at(30)), Some(at(30))]
        );
        assert_eq!(record.outlived(&key("another"), at(31)), None);
        let mut finished = record.clone();
        finished.merge_job(&key("j"), &Job { finished_at: Some(at(5)), ..Job::default() });
        record.stop(at(5));
        assert_eq!([finished, record].map(|record| record.outlived(&key("j"), at(31))), [None, None]);
    }

    #[test]
    fn a_task_is_idle_since_the_last_of_its_jobs_ended() {
        let mut record = TaskRecord::default();
        assert_eq!(record.idle_since(at(0)), None, "it had no job");
        record.merge_job(&key("declared"), &live(0, 30));
        record.merge_job(&key("finished"), &Job { finished_at: Some(at(20)), ..live(0, 90) });
        assert_eq!(record.idle_since(at(29)), None);
        assert_eq!(record.idle_since(at(31)), Some(at(30)));
    }

    #[test]
    fn a_task_is_refused_while_a_live_job_wants_protection_that_other_tasks_block() {
        let refused = |reason: FailureReason| {
            let mut record = TaskRecord::default();
            record.merge_job(&key("j"), &live(0, 30));
            for minute in [1, 5] {
                let call = record.protection.begin(ProtectionRequest::ProtectUntil(at(30)), at(minute)).unwrap();
                let refusal = crate::task::protection::Refusal { reason: reason.clone(), detail: None, at: at(minute) };
                record.protection.settle(call, CallResult::Refused(refusal));
            }
            record
        };
        assert_eq!(TaskRecord::default().refused_since(at(6)), None);
        let blocked = refused(FailureReason::DeploymentBlocked);
        assert_eq!([6, 30].map(|minute| blocked.refused_since(at(minute))), [Some(at(1)), None]);
        assert_eq!(refused(FailureReason::Missing).refused_since(at(6)), None);
    }
}
