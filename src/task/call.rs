//! Sends one protection call and returns the result for each of its tasks.
//!
//! Only a call that certainly had no effect is retried here. A call without an answer may still take effect,
//! so it stays in the task record as a call in flight, and the message is retried. A call that waited too
//! long is not sent at all.

use crate::clock::Clock;
use crate::ecs::arn::{ClusterArn, Task, TaskId};
use crate::ecs::error::{EcsError, Effect};
use crate::ecs::{FailureReason, ProtectionAnswer, ProtectionFailure, ProtectionSetting};
use crate::task::batching::{ProtectionCall, TaskRequest};
use crate::task::outcome::Unsettled;
use crate::task::protection::{CallResult, Refusal};
use crate::task::reconcile::Reconcile;
use crate::task::stage::{BoxedStage, CallOutcome, CalledStage};
use crate::text::{listed, shown_time};
use jiff::Timestamp;
use std::time::Duration;
use tracing::{debug, error, info, warn};

/// How often a throttled call is sent again. All pauses together take 0.75 to 1.5 s, in which the bucket
/// refills by at least 60 calls. If the bucket is still empty then, the message is better retried through the
/// queue.
pub(crate) const THROTTLED_RETRIES_MAX: u32 = 4;
/// The pause after the first throttled attempt; doubled for each further one.
pub(crate) const THROTTLED_PAUSE: Duration = Duration::from_millis(50);

impl Reconcile<'_> {
    pub(crate) async fn make_call(&self, call: ProtectionCall<BoxedStage>) -> Vec<CalledStage> {
        self.rate_limit.keep(self.clock).await;
        if !self.may_be_sent(&call) {
            let not_sent = || CallOutcome { result: CallResult::WithoutEffect, unsettled: Some(Unsettled::OutOfTime) };
            let requests = call.requests.into_iter();
            return requests.map(|request| CalledStage { stage: request.tag, outcome: not_sent() }).collect();
        }
        let ids: Vec<TaskId> = call.requests.iter().map(|request| request.task.id.clone()).collect();
        log_request(&call, self.clock);
        let answer = self.send(&call, &ids).await;
        if let Err(error) = &answer {
            if error.may_be_of_one_task() && ids.len() > 1 {
                return self.one_by_one(call).await;
            }
            log_failure(&call.cluster, call.setting, &ids, error);
        }
        let now = self.clock.now();
        let outcome = |request: TaskRequest<BoxedStage>| {
            let outcome = outcome_of(&answer, call.setting, &request.task.id, now);
            self.budget.counts.refused.add(usize::from(matches!(outcome.result, CallResult::Refused(_))));
            log_result(&request.task, &outcome.result);
            CalledStage { stage: request.tag, outcome }
        };
        call.requests.into_iter().map(outcome).collect()
    }

    /// Sends one call per task. ECS rejects a whole call because of one invalid task; separate calls succeed for
    /// the valid ones.
    async fn one_by_one(&self, call: ProtectionCall<BoxedStage>) -> Vec<CalledStage> {
        let mut all = Vec::with_capacity(call.requests.len());
        for request in call.requests {
            let single =
                ProtectionCall { cluster: call.cluster.clone(), setting: call.setting, requests: vec![request] };
            all.extend(Box::pin(self.make_call(single)).await);
        }
        all
    }

    async fn send(&self, call: &ProtectionCall<BoxedStage>, ids: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        let mut pause = THROTTLED_PAUSE;
        for _ in 0..THROTTLED_RETRIES_MAX {
            self.budget.counts.protection_calls.add(1);
            match self.ecs.update_task_protection(&call.cluster, call.setting, ids).await {
                Err(EcsError::Throttled) => self.budget.counts.throttled_calls.add(1),
                answer => return answer,
            }
            let turn = self.rate_limit.throttled(self.clock.now());
            self.clock.sleep(turn.max(pause + jitter(pause, &ids[0]))).await;
            if !self.may_be_sent(call) {
                return Err(EcsError::Throttled);
            }
            pause *= 2;
        }
        self.budget.counts.protection_calls.add(1);
        self.ecs.update_task_protection(&call.cluster, call.setting, ids).await
    }

    /// Whether the call may still be sent, checked directly before each attempt. Other instances rely on a call
    /// being sent in time; a later one could undo their changes.
    fn may_be_sent(&self, call: &ProtectionCall<BoxedStage>) -> bool {
        let now = self.clock.now();
        !self.time_is_short() && call.requests.iter().all(|request| request.tag.may_be_sent(now))
    }
}

/// An additional delay of at most one pause, derived from the task's id, so that calls that were throttled
/// together are not retried together.
pub(crate) fn jitter(pause: Duration, id: &TaskId) -> Duration {
    let byte = id.as_str().bytes().fold(0_u8, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(byte));
    pause * u32::from(byte) / 256
}

fn outcome_of(
    answer: &Result<ProtectionAnswer, EcsError>,
    setting: ProtectionSetting,
    id: &TaskId,
    now: Timestamp,
) -> CallOutcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let result = match error.effect() {
                Effect::None => CallResult::WithoutEffect,
                Effect::Unknown => CallResult::Unknown,
            };
            return CallOutcome { result, unsettled: Some(Unsettled::Ecs(error.clone())) };
        }
    };
    if let Some(failure) = answer.failures.iter().find(|failure| failure.task_id == *id) {
        if setting == ProtectionSetting::Disabled && failure.reason == FailureReason::Missing {
            // ECS no longer knows the task, so there is no protection to clear.
            return CallOutcome { result: CallResult::Cleared, unsettled: None };
        }
        let refusal = Refusal { reason: failure.reason.clone(), detail: detail_of(failure), at: now };
        return CallOutcome {
            result: CallResult::Refused(refusal.clone()),
            unsettled: Some(Unsettled::Refused(refusal)),
        };
    }
    let protected = answer.protected_tasks.iter().find(|task| task.task_id == *id);
    match (setting, protected.map(|task| (task.protection_enabled, task.expiration_date))) {
        (ProtectionSetting::Disabled, Some((false, _))) => CallOutcome { result: CallResult::Cleared, unsettled: None },
        (ProtectionSetting::Enabled { .. }, Some((true, Some(until)))) => {
            CallOutcome { result: CallResult::Granted(until), unsettled: None }
        }
        // A task counts as protected only if the answer says so and names the expiry.
        _ => CallOutcome { result: CallResult::Unknown, unsettled: Some(Unsettled::Unanswered) },
    }
}

/// Most characters kept of ECS's explanation, so that the record stays small.
const DETAIL_CHARS_MAX: usize = 500;

fn detail_of(failure: &ProtectionFailure) -> Option<String> {
    failure.detail.as_ref().map(|detail| detail.chars().take(DETAIL_CHARS_MAX).collect())
}

/// Why a task is in a call: the live job with the latest end, or that it has no live job.
fn why(request: &TaskRequest<BoxedStage>, now: Timestamp) -> String {
    let longest = request.tag.versioned.record.live_jobs(now).max_by_key(|(_, until)| *until);
    match longest {
        Some((job, until)) => format!("job {job} may last until {}", shown_time(until)),
        None => "no live job".to_owned(),
    }
}

fn shown_setting(setting: ProtectionSetting) -> String {
    match setting {
        ProtectionSetting::Disabled => "clear".to_owned(),
        ProtectionSetting::Enabled { expires_in_minutes } => format!("protect for {expires_in_minutes} minutes"),
    }
}

/// The fields are formatted only if INFO is enabled.
fn log_request(call: &ProtectionCall<BoxedStage>, clock: &dyn Clock) {
    if tracing::enabled!(tracing::Level::INFO) {
        let now = clock.now();
        let tasks = listed(call.requests.iter().map(|request| request.task.id.as_str()));
        let why = listed(call.requests.iter().map(|request| why(request, now)));
        let (cluster, setting) = (&call.cluster.name, shown_setting(call.setting));
        info!(%cluster, setting, tasks, why, "requesting task protection");
    }
}

/// Logs an error for a failure that no retry repairs (a missing permission or cluster), a warning for any
/// other.
fn log_failure(cluster: &ClusterArn, setting: ProtectionSetting, tasks: &[TaskId], failure: &EcsError) {
    let setting = shown_setting(setting);
    let tasks = listed(tasks.iter().map(TaskId::as_str));
    match failure {
        EcsError::AccessDenied(_) | EcsError::ClusterNotFound(_) => {
            error!(cluster = %cluster.name, setting, tasks, %failure, "could not request task protection; its messages will be retried");
        }
        _ => warn!(cluster = %cluster.name, setting, tasks, %failure, "could not request task protection"),
    }
}

fn log_result(task: &Task, result: &CallResult) {
    match result {
        CallResult::Granted(until) => debug!(%task, until = shown_time(*until), "task protected"),
        CallResult::Cleared => debug!(%task, "task protection cleared"),
        CallResult::Refused(refusal) => {
            let detail = refusal.detail.as_deref().unwrap_or_default();
            warn!(%task, reason = refusal.reason.as_str(), detail, "protection refused");
        }
        CallResult::Foreign(_) | CallResult::WithoutEffect | CallResult::Unknown => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::clusters::Clusters;
    use crate::store::Versioned;
    use crate::task::change::ReleaseRule;
    use crate::task::job::{Job, JobKey};
    use crate::task::protection::ProtectionRequest;
    use crate::task::record::TaskRecord;
    use crate::task::stage::{Next, Stage};

    #[test]
    fn a_task_is_in_a_call_for_its_longest_job_or_for_none() {
        let minute = |minute: i64| Timestamp::from_second(1_700_000_000 + minute * 60).unwrap();
        let clusters =
            Clusters::new(vec!["arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap()]).unwrap();
        let why_of = |jobs: &[(&str, i64)]| {
            let task = clusters.task_in("video", &format!("{:032x}", 1)).unwrap();
            let mut record = TaskRecord::default();
            for (id, until) in jobs {
                let job = Job { started_at: Some(minute(0)), declared_until: Some(minute(*until)), ..Job::default() };
                record.merge_job(&JobKey { job_id: (*id).to_owned(), attempt: 1 }, &job);
            }
            let versioned = Versioned { record, version: 0 };
            let release = ReleaseRule::ByJobs;
            let stage = Stage { at: 0, task: task.clone(), versioned, release, next: Next::End(None) };
            why(&TaskRequest { task, protection: ProtectionRequest::Clear, tag: Box::new(stage) }, minute(10))
        };
        assert_eq!(why_of(&[("over", 5)]), "no live job");
        let longest = format!("job long may last until {}", shown_time(minute(90)));
        assert_eq!(why_of(&[("short", 30), ("long", 90)]), longest);
    }

    #[test]
    fn what_an_answer_says_of_a_task_counts_for_this_task_and_for_what_was_asked_alone() {
        use crate::ecs::{ProtectedTask, ProtectionFailure};
        let [id, another] = [1, 2].map(|number| format!("{number:032x}").parse::<TaskId>().unwrap());
        let (now, until) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(3600).unwrap());
        let (off, on) = (ProtectionSetting::Disabled, ProtectionSetting::Enabled { expires_in_minutes: 60 });
        let protected = |task: &TaskId, protection_enabled, expiration_date| ProtectionAnswer {
            protected_tasks: vec![ProtectedTask { task_id: task.clone(), protection_enabled, expiration_date }],
            failures: Vec::new(),
        };
        let failed = |task: &TaskId, reason: FailureReason| ProtectionAnswer {
            protected_tasks: Vec::new(),
            failures: vec![ProtectionFailure { task_id: task.clone(), reason, detail: None }],
        };
        let blocked = || FailureReason::DeploymentBlocked;
        let refused = |reason| CallResult::Refused(Refusal { reason, detail: None, at: now });
        for (setting, answer, result) in [
            (on, protected(&id, true, Some(until)), CallResult::Granted(until)),
            (on, protected(&id, true, None), CallResult::Unknown),
            (on, protected(&id, false, None), CallResult::Unknown),
            (on, protected(&another, true, Some(until)), CallResult::Unknown),
            (off, protected(&id, false, None), CallResult::Cleared),
            (off, protected(&id, true, Some(until)), CallResult::Unknown),
            (off, protected(&another, false, None), CallResult::Unknown),
            (on, failed(&id, blocked()), refused(blocked())),
            (on, failed(&another, blocked()), CallResult::Unknown),
            (on, failed(&id, FailureReason::Missing), refused(FailureReason::Missing)),
            (off, failed(&id, FailureReason::Missing), CallResult::Cleared),
            (off, failed(&id, blocked()), refused(blocked())),
        ] {
            let is_met = matches!(result, CallResult::Granted(_) | CallResult::Cleared);
            let outcome = outcome_of(&Ok(answer.clone()), setting, &id, now);
            assert_eq!((&outcome.result, outcome.unsettled.is_none()), (&result, is_met), "{setting:?} {answer:?}");
        }
    }
}
