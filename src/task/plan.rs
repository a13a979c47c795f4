//! Decides which protection to request for one task. Pure.

use crate::ecs::{FailureReason, PROTECTION_MINUTES_MAX};
use crate::task::change::{EcsProtection, ReleaseRule, TaskChange};
use crate::task::minutes::GRANT_TOLERANCE;
use crate::task::protection::ProtectionRequest;
use crate::task::record::TaskRecord;
use jiff::{SignedDuration, Timestamp};

/// How long no protection is requested for a task after `DEPLOYMENT_BLOCKED`, however many heartbeats arrive:
/// ECS would refuse those requests too.
/// [`Protection::may_retry_now`](crate::task::protection::Protection::may_retry_now) overrides the pause.
pub const REFUSED_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// The longest protection that one call can request.
const PROTECTION_MAX: SignedDuration = SignedDuration::from_mins(PROTECTION_MINUTES_MAX as i64);

/// What to do about a task's protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send this request.
    Request(ProtectionRequest),
    /// Send nothing.
    Keep(KeepReason),
}

/// Why no request is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepReason {
    /// The task is protected long enough.
    Confirmed {
        /// The confirmed end of the protection.
        until: Timestamp,
    },
    /// The task has no live job and no protection to clear.
    Idle,
    /// The task has stopped.
    Stopped,
    /// ECS has just refused protection because a deployment is blocked.
    RefusedJustNow,
    /// The task protects itself for all of its live jobs.
    ByAgent,
    /// A job outlived its declared time and reported no end, so the protection stays until it expires.
    Outlived {
        /// When the protection expires.
        until: Timestamp,
    },
    /// The last job has just finished, and the protection stays for the linger.
    Lingers {
        /// When the task is released, or when the protection expires if that is earlier.
        until: Timestamp,
    },
}

/// Decides for one task.
///
/// A task with live jobs for which it protects itself has another writer: the function may lengthen the protection for
/// its own jobs and clears nothing.
///
/// If the task has live jobs and no confirmed protection until the latest of their ends, request all of that
/// time at once. A short protection that needs renewals would expire when it matters most, because ECS can
/// refuse a renewal while a deployment is blocked (aws-facts "ECS: the protection API": the renewal trap). If
/// the task has no live job and taskhold set its protection, clear it once the linger has passed, unless a job outlived
/// its declared time: it reported no end. No request shortens a confirmed protection, because requests are sent only
/// when the confirmed protection is too short.
pub fn decide_protection(record: &TaskRecord, now: Timestamp) -> Decision {
    let protection = &record.protection;
    if record.stopped_at.is_some() {
        return Decision::Keep(KeepReason::Stopped);
    }
    // One call cannot grant more; later messages request the rest.
    let grantable = now.saturating_add(PROTECTION_MAX).unwrap_or(Timestamp::MAX);
    let Some(until) = record.wanted_until(now).map(|until| until.min(grantable)) else {
        if record.live_jobs(now).next().is_some() {
            return Decision::Keep(KeepReason::ByAgent);
        }
        return match (record.kept_until(now), record.lingering_until(now), protection.is_set()) {
            (Some(until), ..) => Decision::Keep(KeepReason::Outlived { until }),
            (None, Some(until), _) => Decision::Keep(KeepReason::Lingers { until }),
            (None, None, true) => Decision::Request(ProtectionRequest::Clear),
            (None, None, false) => Decision::Keep(KeepReason::Idle),
        };
    };
    if let Some(confirmed) = protection.confirmed_until
        && is_enough(confirmed, until)
    {
        return Decision::Keep(KeepReason::Confirmed { until: confirmed });
    }
    match &protection.refusal {
        Some(refusal)
            if refusal.reason == FailureReason::DeploymentBlocked
                && now < earliest_retry(refusal.at)
                && !protection.may_retry_now =>
        {
            Decision::Keep(KeepReason::RefusedJustNow)
        }
        _ => {
            let covered = record.covered_until(now).map(|covered| covered.min(grantable));
            Decision::Request(ProtectionRequest::ProtectUntil(covered.map_or(until, |covered| covered.max(until))))
        }
    }
}

fn is_enough(confirmed: Timestamp, until: Timestamp) -> bool {
    until.duration_since(confirmed) <= GRANT_TOLERANCE
}

fn earliest_retry(refused_at: Timestamp) -> Timestamp {
    refused_at.saturating_add(REFUSED_PAUSE).unwrap_or(Timestamp::MAX)
}

/// Decides for a record into which a change was merged.
pub(crate) fn decide_change(record: &TaskRecord, change: &TaskChange, now: Timestamp) -> Decision {
    match decide_protection(record, now) {
        // The record may be wrong, or the protection another writer's: ECS says what there is to clear.
        Decision::Keep(KeepReason::Idle) if change.release != ReleaseRule::ByJobs => {
            Decision::Request(ProtectionRequest::Clear)
        }
        // ECS is stopping it, and what the record lacks it can no longer get.
        Decision::Request(_) if change.end.is_some() && change.protection != EcsProtection::NotAsked => {
            Decision::Keep(KeepReason::Stopped)
        }
        decision => decision,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::fixture::at;
    use crate::task::job::{Job, JobKey};
    use crate::task::protection::{CallResult, Refusal};

    fn with_job(record: &mut TaskRecord, id: &str, job: &Job) {
        record.merge_job(&JobKey { job_id: id.to_owned(), attempt: 1 }, job);
    }

    fn live_until(minute: i64) -> Job {
        Job { declared_until: Some(at(minute)), ..Job::default() }
    }

    fn finished() -> Job {
        Job { finished_at: Some(at(0)), ..Job::default() }
    }

    fn granted(record: &mut TaskRecord, until: i64) {
        let call = record.protection.begin(ProtectionRequest::ProtectUntil(at(until)), at(0)).unwrap();
        record.protection.settle(call, CallResult::Granted(at(until)));
    }

    #[test]
    fn a_live_job_on_an_unprotected_task_asks_for_its_whole_time_at_once() {
        let mut record = TaskRecord::default();
        with_job(&mut record, "j", &live_until(480));
        assert_eq!(decide_protection(&record, at(1)), Decision::Request(ProtectionRequest::ProtectUntil(at(480))));
    }

    #[test]
    fn more_than_ecs_can_grant_is_asked_for_as_far_as_it_can() {
        let mut record = TaskRecord::default();
        with_job(&mut record, "j", &live_until(3000));
        assert_eq!(decide_protection(&record, at(0)), Decision::Request(ProtectionRequest::ProtectUntil(at(2880))));
        granted(&mut record, 2880);
        assert!(matches!(decide_protection(&record, at(0)), Decision::Keep(KeepReason::Confirmed { .. })));
    }

    #[test]
    fn a_heartbeat_inside_the_protection_asks_for_nothing() {
        let mut record = TaskRecord::default();
        with_job(&mut record, "j", &live_until(60));
        granted(&mut record, 63);
        with_job(&mut record, "j", &Job { reported_at: Some(at(5)), declared_until: Some(at(62)), ..Job::default() });
        assert_eq!(decide_protection(&record, at(5)), Decision::Keep(KeepReason::Confirmed { until: at(63) }));
    }

    #[test]
    fn a_grant_that_is_short_by_a_clock_s_difference_is_enough_and_by_a_minute_is_not() {
        let mut record = TaskRecord::default();
        with_job(&mut record, "j", &live_until(61));
        granted(&mut record, 60);
        assert_eq!(decide_protection(&record, at(1)), Decision::Request(ProtectionRequest::ProtectUntil(at(61))));
        with_job(&mut record, "j", &live_until(61));
        record.protection.confirmed_until = Some(at(61) - SignedDuration::from_secs(29));
        assert!(matches!(decide_protection(&record, at(1)), Decision::Keep(KeepReason::Confirmed { .. })));
    }

    #[test]
    fn a_short_job_beside_a_long_one_never_shortens_the_protection() {
        let mut record = TaskRecord::default();
        with_job(&mut record, "long", &live_until(120));
        granted(&mut record, 120);
        with_job(&mut record, "short", &live_until(10));
        with_job(&mut record, "long", &finished());
        assert_eq!(decide_protection(&record, at(1)), Decision::Keep(KeepReason::Confirmed { until: at(120) }));
    }

    #[test]
    fn the_last_job_s_end_releases_the_task() {
        let mut record = TaskRecord::default();
        with_job(&mut record, "j", &live_until(60));
        granted(&mut record, 60);
        with_job(&mut record, "j", &finished());
        assert_eq!(decide_protection(&record, at(1)), Decision::Request(ProtectionRequest::Clear));
    }

    #[test]
    fn a_job_that_finished_before_it_started_clears_nothing_that_others_may_have_set() {
        let mut record = TaskRecord::default();
        with_job(&mut record, "j", &finished());
        with_job(&mut record, "j", &live_until(60));
        assert_eq!(decide_protection(&record, at(1)), Decision::Keep(KeepReason::Idle));
    }

    #[test]
    fn a_stopped_task_is_left_alone() {
        let mut record = TaskRecord::default();
        with_job(&mut record, "j", &live_until(60));
        granted(&mut record, 60);
        record.stop(at(1));
        assert_eq!(decide_protection(&record, at(2)), Decision::Keep(KeepReason::Stopped));
    }

    #[test]
    fn a_task_that_a_blocked_deployment_refused_is_asked_for_again_after_a_pause() {
        let mut record = TaskRecord::default();
        with_job(&mut record, "j", &live_until(60));
        let refusal = Refusal { reason: FailureReason::DeploymentBlocked, detail: None, at: at(1) };
        record.protection.refusal = Some(refusal);
        assert_eq!(decide_protection(&record, at(1)), Decision::Keep(KeepReason::RefusedJustNow));
        assert_eq!(decide_protection(&record, at(2)), Decision::Request(ProtectionRequest::ProtectUntil(at(60))));
    }
}
