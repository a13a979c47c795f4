//! When a blocked scale-in becomes a problem.
//!
//! ECS waits for busy tasks at every routine scale-in, so a block alone is no problem. It becomes one when it outlasts
//! the jobs for which it began to wait, or when no job needs the protection.

use crate::clock::after;
use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::diagnosis::{Assessment, Diagnosis};
use crate::service::forecast::expected_end;
use crate::service::incident::AlertPolicy;
use crate::service::rollout_status::RolloutStatus;
use crate::service::waiting_scale_in::WaitingScaleIn;
use jiff::Timestamp;

/// The scale-in of this diagnosis, given the one of the last snapshot.
pub(crate) fn waiting(before: Option<WaitingScaleIn>, diagnosis: &Diagnosis, now: Timestamp) -> Option<WaitingScaleIn> {
    let is_blocked = matches!(diagnosis.rollout_status, RolloutStatus::Blocked | RolloutStatus::WillBlock);
    if diagnosis.rollout_status == RolloutStatus::Unknown {
        return before;
    }
    if !is_blocked || !diagnosis.rollout.is_scale_in() {
        return None;
    }
    let desired = diagnosis.task_counts.desired;
    let of_jobs = |task: &&BlockingTask| matches!(task.protected_for, ProtectedFor::Jobs(_));
    let expected = diagnosis.blocking_tasks.iter().filter(of_jobs).map(|task| expected_end(task, now)).max();
    let first = || Some(WaitingScaleIn { desired, jobs_expected_until: expected?.max(now) });
    before.filter(|before| before.desired == desired).or_else(first)
}

/// When the incident opens if nothing changes; `None` if no scale-in is blocked.
pub(crate) fn opens_at(assessment: Assessment<'_>, policy: &AlertPolicy) -> Option<Timestamp> {
    let Assessment { diagnosis, idle_since, waiting_scale_in, .. } = assessment;
    let since = diagnosis.blocked_since.filter(|_| diagnosis.rollout.is_scale_in())?;
    let outlasts_jobs = waiting_scale_in.map(|it| after(it.jobs_expected_until, policy.scale_in_blocked_after));
    let of_task = |task: &BlockingTask| match task.protected_for {
        ProtectedFor::Jobs(_) => None,
        ProtectedFor::NoJob => Some(after(since.max(*idle_since.get(&task.task)?), policy.blocked_after)),
        // No forecast is known.
        ProtectedFor::Foreign | ProtectedFor::Unknown => Some(after(since, policy.scale_in_blocked_after)),
    };
    diagnosis.blocking_tasks.iter().filter_map(of_task).chain(outlasts_jobs).min()
}
