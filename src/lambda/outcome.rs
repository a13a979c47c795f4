//! Decides the outcome of a message: done, retried, or dead-lettered with a reason. No message is lost or retried
//! forever.

use crate::config::settings::Config;
use crate::ecs::FailureReason;
use crate::ecs::error::Disposition;
use crate::lambda::job_message::JobMessageType;
use crate::lambda::received::Received;
use crate::task::job::JobKey;
use crate::task::outcome::{TaskState, Unsettled, disposition};
use crate::task::record::TaskRecord;
use jiff::Timestamp;

/// The outcome of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageOutcome {
    /// Carried out, or nothing was left to do: the message is acknowledged.
    Done,
    /// Reported as failed: the queue redelivers the message.
    Retry(Unsettled),
    /// Sent to the dead-letter queue with this reason, then acknowledged.
    DeadLetter(String),
}

/// The outcome of a job message, given the known state of its task.
///
/// A message is done when its content is stored and nothing that it requested is pending: for a live job confirmed
/// protection, for a finished one on an idle task the confirmed release. So every pending request has a message whose
/// redelivery retries it.
pub fn message_outcome(
    message_type: JobMessageType,
    job: &JobKey,
    received: &Received,
    state: &TaskState,
    config: &Config,
    now: Timestamp,
) -> MessageOutcome {
    let (record, unsettled) = match state {
        TaskState::NotStored(reason) if disposition(reason) == Disposition::DeadLetter => {
            return MessageOutcome::DeadLetter(reason.to_string());
        }
        TaskState::NotStored(reason) => return retry_or_dead_letter(reason.clone(), received, config),
        TaskState::Known(record, _) if is_rejected(message_type, job, record, now) => {
            return MessageOutcome::DeadLetter(NO_ROOM.to_owned());
        }
        TaskState::Known(_, None) => return MessageOutcome::Done,
        TaskState::Known(record, Some(unsettled)) => (record, unsettled),
    };
    // A job for which the task protects itself waits for nothing but the first proof that ECS knows the task: without
    // one, a task that stops unseen would not be found again.
    let by_function = record.jobs.get(job).is_some_and(|job| !job.is_protected_by_agent());
    let waits = by_function || !record.protection.is_known;
    let job_lives = waits && record.live_jobs(now).any(|(live, _)| live == job);
    // ECS does not know the task, or never protects it: its record was not created, or has given up its jobs.
    let is_given_up = is_of_no_task(unsettled) && !record.knows(job);
    let concerned = match message_type {
        JobMessageType::Started | JobMessageType::Heartbeat => job_lives || is_given_up,
        JobMessageType::Finished => release_is_open(record, now) || is_given_up && is_young(received, config, now),
    };
    if !concerned {
        return MessageOutcome::Done;
    }
    match disposition(unsettled) {
        Disposition::DeadLetter => MessageOutcome::DeadLetter(unsettled.to_string()),
        Disposition::RetryWhileYoung if !is_young(received, config, now) => MessageOutcome::DeadLetter(format!(
            "{unsettled}, and not for {} minutes",
            config.unknown_task_grace.as_mins()
        )),
        Disposition::RetryWhileYoung | Disposition::Retry => retry_or_dead_letter(unsettled.clone(), received, config),
    }
}

/// Whether an idle task still has protection that taskhold may have set.
pub(crate) fn release_is_open(record: &TaskRecord, now: Timestamp) -> bool {
    !record.is_busy(now) && record.protection.is_set() && record.stopped_at.is_none()
}

/// Why a start is dead-lettered for which the record of its task has no room.
const NO_ROOM: &str =
    "the record of its task has no room for another live job; the function does not protect the task for this job";

/// Whether the record has rejected the job of this message.
fn is_rejected(message_type: JobMessageType, job: &JobKey, record: &TaskRecord, now: Timestamp) -> bool {
    message_type != JobMessageType::Finished && record.rejected_since(now).is_some() && !record.knows(job)
}

/// Whether ECS refuses the task itself, and not only for now.
fn is_of_no_task(reason: &Unsettled) -> bool {
    let of_no_task = [FailureReason::Missing, FailureReason::TaskNotValid];
    matches!(reason, Unsettled::Refused(refusal) if of_no_task.contains(&refusal.reason))
}

fn is_young(received: &Received, config: &Config, now: Timestamp) -> bool {
    now.duration_since(received.sent_at) <= config.unknown_task_grace
}

/// Bounds retries: a message that was received too often is dead-lettered with the reason of its last failure.
pub fn retry_or_dead_letter(reason: Unsettled, received: &Received, config: &Config) -> MessageOutcome {
    if received.receives < config.receives_max {
        return MessageOutcome::Retry(reason);
    }
    MessageOutcome::DeadLetter(format!(
        "received {} times without success, the last time because {reason}",
        received.receives
    ))
}

#[cfg(test)]
mod tests;
