//! How a message ends: done, retried or dead-lettered with a reason. Nothing disappears, nothing loops.

use crate::config::Config;
use crate::ecs::{Disposition, EcsError, FailureReason};
use crate::event::{JobMessageType, Received};
use crate::store::{JobKey, Refusal, StoreError, TaskRecord};
use jiff::Timestamp;

/// The end of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageOutcome {
    /// Carried out, or nothing was left to do: it is acknowledged.
    Done,
    /// Reported as failed: the queue delivers it again.
    Retry(RetryReason),
    /// Sent to the dead-letter queue with this reason, then acknowledged.
    DeadLetter(String),
}

/// Why a message comes again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryReason {
    /// A call for the task failed, or was not answered.
    #[error("{0}")]
    Ecs(#[from] EcsError),
    /// ECS answered without naming the task.
    #[error("ecs answered without a word on the task")]
    Unanswered,
    /// ECS refused the task for now.
    #[error("ecs refused: {}{}", .0.reason.as_str(), .0.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Refused(Refusal),
    /// Another call for the task may still take effect, so that what ECS answered is not certain.
    #[error("another call for the task may still take effect")]
    AnotherCallInFlight,
    /// The state store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Too little of the invocation's time is left, or too much has passed since a call was written down.
    #[error("the invocation's time ran short")]
    OutOfTime,
    /// A message of its group has to be retried, and a FIFO queue keeps the order.
    #[error("an earlier message of its group is retried")]
    GroupHeld,
    /// The recheck that goes on with it could not be sent.
    #[error("its recheck could not be sent: {0}")]
    RecheckNotSent(String),
    /// What it says of interrupted jobs could not be told.
    #[error("interrupted jobs could not be told: {0}")]
    InterruptionNotTold(String),
    /// It could not be sent to the dead-letter queue.
    #[error("it could not be dead-lettered: {0}")]
    NotDeadLettered(String),
}

/// What is known of a task after everything possible was done for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every one is of the larger kind: a box would only be one more allocation"
)]
pub enum TaskState {
    /// The record as it was stored last, and what kept its wish from being met, if anything did.
    Known(TaskRecord, Option<RetryReason>),
    /// The state store failed before anything was stored.
    NotStored(RetryReason),
}

/// How a job message ends, given what is known of its task now.
///
/// A message is done when the part that it told is stored and nothing that it asked for is open: for a live job that is
/// certain protection, for a finished one on an idle task the certain release. So whatever has to be asked again has a
/// message that comes again.
pub fn message_outcome(
    told: (JobMessageType, &JobKey),
    received: &Received,
    state: &TaskState,
    when: (&Config, Timestamp),
) -> MessageOutcome {
    let (config, now) = when;
    let (message_type, key) = told;
    let (record, unsettled) = match state {
        TaskState::NotStored(reason) if disposition(reason) == Disposition::DeadLetter => {
            return MessageOutcome::DeadLetter(reason.to_string());
        }
        TaskState::NotStored(reason) => return retry_or_park(reason.clone(), received, config),
        TaskState::Known(_, None) => return MessageOutcome::Done,
        TaskState::Known(record, Some(unsettled)) => (record, unsettled),
    };
    let job_lives = record.live_jobs(now).any(|(live, _)| live == key);
    let release_is_open = record.wanted_until(now).is_none() && record.protection.is_set && record.stopped_at.is_none();
    let concerned = match message_type {
        JobMessageType::Started | JobMessageType::Heartbeat => job_lives,
        JobMessageType::Finished => release_is_open,
    };
    if !concerned {
        return MessageOutcome::Done;
    }
    match disposition(unsettled) {
        Disposition::DeadLetter => MessageOutcome::DeadLetter(unsettled.to_string()),
        Disposition::RetryWhileYoung if now.duration_since(received.sent_at) > config.unknown_task_grace => {
            MessageOutcome::DeadLetter(format!(
                "{unsettled}, and not for {} minutes",
                config.unknown_task_grace.as_mins()
            ))
        }
        Disposition::RetryWhileYoung | Disposition::Retry => retry_or_park(unsettled.clone(), received, config),
    }
}

/// A message is not retried for ever: when it has been received too often, it is dead-lettered with the reason of the last time.
pub fn retry_or_park(reason: RetryReason, received: &Received, config: &Config) -> MessageOutcome {
    if received.receives < config.receives_max {
        return MessageOutcome::Retry(reason);
    }
    MessageOutcome::DeadLetter(format!(
        "received {} times without success, the last time because {reason}",
        received.receives
    ))
}

fn disposition(reason: &RetryReason) -> Disposition {
    match reason {
        RetryReason::Ecs(error) => error.disposition(),
        RetryReason::Store(error) => error.disposition(),
        RetryReason::Refused(refusal) => match refusal.reason {
            FailureReason::DeploymentBlocked | FailureReason::Other(_) => Disposition::Retry,
            FailureReason::Missing => Disposition::RetryWhileYoung,
            FailureReason::TaskNotValid => Disposition::DeadLetter,
        },
        RetryReason::Unanswered
        | RetryReason::AnotherCallInFlight
        | RetryReason::OutOfTime
        | RetryReason::GroupHeld
        | RetryReason::RecheckNotSent(_)
        | RetryReason::InterruptionNotTold(_)
        | RetryReason::NotDeadLettered(_) => Disposition::Retry,
    }
}

#[cfg(test)]
mod tests;
