//! Which task records a sweep must act on.

use crate::task::change::EcsProtection;
use crate::task::minutes::GRANT_TOLERANCE;
use crate::task::plan::{Decision, KeepReason, decide_protection};
use crate::task::record::TaskRecord;
use jiff::Timestamp;

/// What a sweep does about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Nothing: the task is idle or has stopped, or another instance is working on it.
    None,
    /// Reconcile it: ECS refused protection, clearing protection failed, an interruption was not reported, or the only
    /// reason to visit the record is a call that can no longer take effect, or protection that has expired.
    Open,
    /// The task protects itself for its jobs: ask ECS whether it still runs, because the event of its stop may be lost.
    Verify,
    /// The task is idle, and its worker has reported protection that it may have left: ask ECS whether it is gone.
    LeftOver,
    /// The record says that the task is protected: ask ECS whether it is.
    Compare {
        /// Until when the record says so.
        until: Timestamp,
    },
}

/// Decides what to do about a task. A call that may still take effect is left to the instance that sent it,
/// or to the next sweep.
pub fn attention(record: &TaskRecord, now: Timestamp) -> Attention {
    let was_open = record.is_open();
    let mut record = record.clone();
    record.protection.forget_stale(now);
    record.forget_agent_protection(EcsProtection::NotAsked, now);
    record.forget_durations(now);
    match decide_protection(&record, now) {
        _ if record.has_due_interruption(now) => Attention::Open,
        _ if !record.protection.in_flight.is_empty() => Attention::None,
        // Stored again, the record leaves the index of open records.
        _ if was_open && !record.is_open() => Attention::Open,
        Decision::Request(_) => Attention::Open,
        Decision::Keep(KeepReason::Confirmed { until }) => Attention::Compare { until },
        Decision::Keep(KeepReason::ByAgent) => Attention::Verify,
        Decision::Keep(KeepReason::Idle) if record.may_be_left_protected(now) => Attention::LeftOver,
        Decision::Keep(
            KeepReason::Idle
            | KeepReason::Stopped
            | KeepReason::RefusedJustNow
            | KeepReason::Outlived { .. }
            | KeepReason::Lingers { .. },
        ) => Attention::None,
    }
}

/// Returns what ECS reports if it protects the task for less time than `until`, the end in the record. `None`
/// if the protection is long enough.
pub fn is_lost(until: Timestamp, seen: Option<Timestamp>) -> Option<EcsProtection> {
    match seen {
        None => Some(EcsProtection::Unprotected),
        Some(seen) => (until.duration_since(seen) > GRANT_TOLERANCE).then_some(EcsProtection::Until(seen)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::task::StopCause;
    use crate::task::agent_protection::AgentProtection;
    use crate::task::fixture::at;
    use crate::task::interruption::{StopStage, TaskStop};
    use crate::task::job::{Job, JobKey, JobReport, Reported};
    use crate::task::protection::{CallResult, ProtectionRequest};

    fn with_job(job: &Job) -> TaskRecord {
        let mut record = TaskRecord::default();
        record.merge_job(&JobKey { job_id: "j".to_owned(), attempt: 1 }, job);
        record
    }

    fn busy() -> TaskRecord {
        with_job(&Job { declared_until: Some(at(60)), ..Job::default() })
    }

    fn granted(mut record: TaskRecord) -> TaskRecord {
        let call = record.protection.begin(ProtectionRequest::ProtectUntil(at(60)), at(0)).unwrap();
        record.protection.settle(call, CallResult::Granted(at(60)));
        record
    }

    #[test]
    fn a_busy_task_that_counts_as_protected_is_compared_and_one_that_does_not_is_open() {
        assert_eq!(attention(&granted(busy()), at(1)), Attention::Compare { until: at(60) });
        assert_eq!(attention(&busy(), at(1)), Attention::Open);
    }

    #[test]
    fn a_task_that_protects_itself_for_its_jobs_is_verified() {
        let protection = Some(Reported { at: at(0), value: AgentProtection::Until(at(60)) });
        let record = with_job(&Job { declared_until: Some(at(60)), protection, ..Job::default() });
        assert_eq!(attention(&record, at(1)), Attention::Verify);
    }

    #[test]
    fn an_idle_task_whose_worker_reported_protection_is_asked_about_until_that_is_over() {
        let protection = Some(Reported { at: at(0), value: AgentProtection::Until(at(60)) });
        let mut record = TaskRecord::default();
        let key = JobKey { job_id: "j".to_owned(), attempt: 1 };
        let started = Job { declared_until: Some(at(60)), protection, ..Job::default() };
        record.add_reports(&[JobReport { key: key.clone(), job: started }], at(0));
        let finished = Job { finished_at: Some(at(5)), ..Job::default() };
        record.add_reports(&[JobReport { key, job: finished }], at(5));
        let open = [5, 59, 60].map(|minute| attention(&record, at(minute)));
        assert_eq!(open, [Attention::LeftOver, Attention::LeftOver, Attention::Open]);
        record.forget_agent_protection(EcsProtection::Unprotected, at(6));
        assert_eq!(attention(&record, at(6)), Attention::None);
    }

    #[test]
    fn an_idle_task_that_was_not_released_is_open_and_one_that_was_is_left_alone() {
        let mut record = granted(busy());
        record.merge_job(
            &JobKey { job_id: "j".to_owned(), attempt: 1 },
            &Job { finished_at: Some(at(5)), ..Job::default() },
        );
        assert_eq!(attention(&record, at(6)), Attention::Open);
        let call = record.protection.begin(ProtectionRequest::Clear, at(6)).unwrap();
        record.protection.settle(call, CallResult::Cleared);
        assert_eq!(attention(&record, at(7)), Attention::None);
    }

    #[test]
    fn a_task_that_somebody_is_at_work_on_is_left_alone_until_his_call_can_take_effect_no_more() {
        let mut record = busy();
        assert!(record.protection.begin(ProtectionRequest::ProtectUntil(at(60)), at(0)).is_some());
        assert_eq!(attention(&record, at(1)), Attention::None);
        assert_eq!(attention(&record, at(3)), Attention::Open);
    }

    #[test]
    fn less_than_what_counts_is_a_loss_and_a_second_less_is_none() {
        assert_eq!(is_lost(at(60), None), Some(EcsProtection::Unprotected));
        assert_eq!(is_lost(at(60), Some(at(30))), Some(EcsProtection::Until(at(30))));
        assert_eq!(is_lost(at(60), Some(at(60) - jiff::SignedDuration::from_secs(1))), None);
        assert_eq!(is_lost(at(60), Some(at(90))), None);
    }

    #[test]
    fn of_what_counts_as_protection_half_a_minute_may_be_missing() {
        let short_by = |seconds| is_lost(at(60), Some(at(60) - jiff::SignedDuration::from_secs(seconds))).is_some();
        assert_eq!([short_by(30), short_by(31)], [false, true]);
    }

    #[test]
    fn an_interruption_that_was_not_notified_is_open_with_any_call_in_flight() {
        let mut record = busy();
        record.protection.begin(ProtectionRequest::ProtectUntil(at(60)), at(0));
        let end = TaskStop { stage: StopStage::Stopping, service: None, cause: StopCause::default() };
        record.interrupt(&end, EcsProtection::NotAsked, at(1));
        assert_eq!(attention(&record, at(1)), Attention::Open);
    }

    #[test]
    fn a_record_whose_only_call_can_no_longer_take_effect_is_stored_again_so_that_it_leaves_the_index() {
        let mut record = TaskRecord::default();
        let call = record.protection.begin(ProtectionRequest::Clear, at(0)).unwrap();
        record.protection.settle(call, CallResult::Unknown);
        assert!(record.is_open());
        assert_eq!([1, 2].map(|minute| attention(&record, at(minute))), [Attention::None, Attention::Open]);
        record.forget(at(2), jiff::SignedDuration::from_hours(1));
        assert!(!record.is_open());
        assert_eq!(attention(&record, at(2)), Attention::None);
    }
}
