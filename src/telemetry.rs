//! Every log line and every metric: their words, fields and names stand here and nowhere else.
//!
//! A line reads alone; identifiers are also fields; message bodies never appear. What a worker chose (job ids, labels)
//! appears only as a field of a JSON line, where it is escaped.

mod counts;

pub use counts::{Count, Counts, METRIC_NAMESPACE};

use crate::alert::Alert;
use crate::decide::{KeepReason, MessageOutcome, RetryReason};
use crate::ecs::{ClusterArn, EcsError, ProtectionSetting, ServiceArn, Task, TaskId};
use crate::event::TaskStopEvent;
use crate::handler::HandlerError;
use crate::store::{CallResult, Interruption, JobKey, ProtectionRequest, StopStage, StoreError, TaskRecord, TaskStop};
use aws_lambda_events::sqs::SqsMessage;
use jiff::Timestamp;
use serde::Serialize;
use tracing::{debug, error, info, warn};

/// A line of the log names this many tasks at most; the alert itself names more.
const TASKS_LOGGED_MAX: usize = 20;

/// A moment as people and machines read it: RFC 3339, to the second.
pub fn shown(at: Timestamp) -> String {
    let second = Timestamp::from_second(at.as_second()).unwrap_or(at);
    second.to_string()
}

/// A list as a field of a line has it: JSON, in a text.
fn listed<T: Serialize>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<T> = texts.into_iter().collect();
    serde_json::to_string(&texts).expect("texts can be written as JSON")
}

fn shown_setting(setting: ProtectionSetting) -> String {
    match setting {
        ProtectionSetting::Disabled => "release".to_owned(),
        ProtectionSetting::Enabled { expires_in_minutes } => format!("protect for {expires_in_minutes} minutes"),
    }
}

/// A call is about to be made. `why` is asked for only if the line is wanted.
pub(crate) fn asking<W: Iterator<Item = (String, String)>>(
    cluster: &ClusterArn,
    setting: ProtectionSetting,
    why: impl FnOnce() -> W,
) {
    if tracing::enabled!(tracing::Level::INFO) {
        let (tasks, why): (Vec<String>, Vec<String>) = why().unzip();
        let (tasks, why) = (listed(tasks), listed(why));
        info!(cluster = %cluster.name, setting = shown_setting(setting), tasks, why, "ask ecs to set task protection");
    }
}

/// A whole call failed.
pub(crate) fn call_failed(cluster: &ClusterArn, setting: ProtectionSetting, what: (&[TaskId], &EcsError)) {
    let (tasks, failure) = what;
    let setting = shown_setting(setting);
    let tasks = listed(tasks.iter().map(TaskId::as_str));
    match failure {
        EcsError::AccessDenied(_) | EcsError::ClusterNotFound(_) => {
            error!(cluster = %cluster.name, setting, tasks, %failure, "a protection call failed; its messages come again");
        }
        _ => warn!(cluster = %cluster.name, setting, tasks, %failure, "a protection call failed"),
    }
}

/// What became of one task of a call.
pub(crate) fn told(task: &Task, result: &CallResult) {
    match result {
        CallResult::Granted(until) => debug!(%task, until = shown(*until), "ecs protects the task"),
        CallResult::Cleared => debug!(%task, "the task is no longer protected"),
        CallResult::Refused(refusal) => {
            let detail = refusal.detail.as_deref().unwrap_or_default();
            warn!(%task, reason = refusal.reason.as_str(), detail, "ecs refused the task");
        }
        CallResult::WithoutEffect | CallResult::Unknown => {}
    }
}

/// Nothing is asked of ECS for a task, and why.
pub(crate) fn kept(task: &Task, reason: &KeepReason) {
    let why = match reason {
        KeepReason::Confirmed { until } => format!("protected until {} already", shown(*until)),
        KeepReason::Idle => "no live job, and nothing to clear".to_owned(),
        KeepReason::Stopped => "the task has stopped".to_owned(),
        KeepReason::RefusedJustNow => "ecs refused less than a minute ago".to_owned(),
    };
    debug!(%task, why, "nothing to ask");
}

/// What would be asked, were it not a dry run.
pub(crate) fn would_ask(task: &Task, ask: ProtectionRequest) {
    let ask = match ask {
        ProtectionRequest::Clear => "release".to_owned(),
        ProtectionRequest::ProtectUntil(until) => format!("protect until {}", shown(until)),
    };
    info!(%task, ask, "dry run: nothing is asked of ecs");
}

/// The state store failed for one task.
pub(crate) fn store_failed(task: &Task, failure: &StoreError) {
    warn!(%task, %failure, "the state store failed; the task's messages come again");
}

/// Something came in that is of no known shape.
pub(crate) fn unrecognized(what: &str) {
    info!(what, "not recognized, acknowledged");
}

/// An event came in that this function does not act on.
pub(crate) fn ignored(what: &str) {
    debug!(what, "nothing to do for this event, acknowledged");
}

/// An event could not be carried out.
pub(crate) fn event_failed(failure: &HandlerError) {
    warn!(%failure, "an event could not be carried out; lambda invokes again");
}

/// A job's time was over before its message was carried out.
pub(crate) fn too_late(job: &JobKey, until: Timestamp) {
    info!(%job, until = shown(until), "the job's declared time is over; nothing is protected for it");
}

/// A task with live jobs is said to stop, and ECS was asked.
pub(crate) fn stop_observed(stop: &TaskStopEvent, stage: Option<StopStage>, seen: (&TaskRecord, Timestamp)) {
    let (TaskStopEvent { task, .. }, (record, now)) = (stop, seen);
    let jobs = listed(record.live_jobs(now).map(|(job, _)| job.to_string()));
    match stage {
        None => warn!(%task, "an event says that the task stops, but it runs; nothing is closed"),
        Some(StopStage::Stopping) => warn!(%task, jobs, "the task is about to stop with live jobs"),
        Some(StopStage::Stopped) => warn!(%task, jobs, "the task stopped with live jobs; they are closed"),
    }
}

/// A task ends in the middle of jobs. The line is written whether or not somebody else is told.
pub(crate) fn interruption(task: &Task, what: &Interruption) {
    let jobs = listed(what.jobs.iter().map(|job| job.key.to_string()));
    let (code, reason) =
        (what.stop_code.as_deref().unwrap_or_default(), what.stopped_reason.as_deref().unwrap_or_default());
    let service = what.service.as_deref().unwrap_or_default();
    warn!(%task, service, jobs, code, reason, "jobs are interrupted");
}

/// Something was done about a service, or could not be.
pub(crate) fn remediation(service: &ServiceArn, what: &str) {
    warn!(%service, what, "a remediation");
}

/// An operator releases tasks, whether they are busy or not.
pub(crate) fn forced_release(cluster: &ClusterArn, tasks: &[TaskId], by: &str) {
    let tasks = listed(tasks.iter().map(TaskId::as_str));
    warn!(cluster = %cluster.name, tasks, by, "an operator releases tasks by force; their jobs count as finished");
}

/// An interruption could not be told.
pub(crate) fn interruption_not_told(task: &Task, failure: &RetryReason) {
    error!(%task, %failure, "an interruption could not be told; the next sweep tells it");
}

/// A message comes again.
pub(crate) fn retried(message: &SqsMessage, reason: &RetryReason) {
    let id = message.message_id.as_deref().unwrap_or_default();
    info!(id, %reason, "a message comes again");
}

/// A message was dead-lettered, or could not be.
pub(crate) fn dead_letters(message: &SqsMessage, message_outcome: &MessageOutcome, kept: &Result<(), String>) {
    let id = message.message_id.as_deref().unwrap_or_default();
    let MessageOutcome::DeadLetter(reason) = message_outcome else { return };
    match kept {
        Ok(()) => warn!(id, reason, "a message is dead-lettered"),
        Err(failure) => error!(id, reason, failure, "a message could not be dead-lettered and comes again"),
    }
}

/// The state store counts a task as protected, and ECS says otherwise.
pub(crate) fn protection_lost(task: &Task, until: Timestamp, end: Option<&TaskStop>) {
    let until = shown(until);
    match end {
        None => warn!(%task, until, "a busy task has lost its protection; it is asked for again"),
        Some(_) => info!(%task, until, "a busy task is gone or goes; its jobs are seen to"),
    }
}

/// A sweep goes on without a record that somebody should look at.
#[cfg(feature = "aws")]
pub(crate) fn record_passed_over(failure: &StoreError) {
    warn!(%failure, "a sweep passes over a record of the state store");
}

/// The task records could not be swept.
pub(crate) fn tasks_not_listed(failure: &StoreError) {
    warn!(%failure, "the task records could not be listed");
}

/// Some of the task records could not be compared with ECS.
pub(crate) fn tasks_not_compared(failure: &EcsError) {
    warn!(%failure, "the protection of busy tasks could not be compared with the state store");
}

/// A sweep has gone on for too long.
pub(crate) fn sweep_given_up(started_at: Timestamp) {
    warn!(begun = shown(started_at), "a sweep has taken too long and is left to those that began later");
}

/// What a sweep has left could not be arranged.
pub(crate) fn sweep_not_continued(failure: &str) {
    warn!(failure, "the rest of the sweep could not be arranged; the next one begins elsewhere");
}

/// The service of refused tasks could not be told.
pub(crate) fn refusals_not_heard(failure: &RetryReason) {
    warn!(%failure, "whose the refused tasks are could not be noted; their messages come again");
}

/// A cluster could not be swept.
pub(crate) fn sweep_failed(cluster: &ClusterArn, failure: &RetryReason) {
    warn!(cluster = %cluster.name, %failure, "the services of the cluster could not be listed");
}

/// A service could not be looked at.
pub(crate) fn look_failed(service: &ServiceArn, failure: &str) {
    warn!(%service, failure, "the service could not be looked at");
}

/// A recheck could not be sent.
pub(crate) fn recheck_not_sent(service: &ServiceArn, failure: &str) {
    warn!(%service, failure, "the next look at the service could not be arranged; the sweep looks at it");
}

/// Something is told of an incident. The line is written whether or not somebody else is told.
pub(crate) fn alert(alert: &Alert) {
    let Alert { incident, kind, event, service, since, .. } = alert;
    let (kind, event, since) = (kind.as_str(), event.as_str(), shown(*since));
    let blocking_tasks = alert.diagnosis.blocking_tasks.iter().map(|blocking_task| blocking_task.task.as_str());
    let tasks = listed(blocking_tasks.take(TASKS_LOGGED_MAX));
    warn!(incident, kind, event, %service, since, tasks, "alert");
}

/// An alert could not be sent.
pub(crate) fn alert_not_sent(alert: &Alert, failure: &str) {
    let incident = &alert.incident;
    error!(incident, failure, "the alert could not be sent; the next look sends it");
}
