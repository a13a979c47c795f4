//! The result of a task's reconcile, and why a task or a service is not settled.

use crate::budget::OutOfTime;
use crate::ecs::FailureReason;
use crate::ecs::arn::Task;
use crate::ecs::error::{Disposition, EcsError};
use crate::outbox::DeliveryError;
use crate::sqs::SqsError;
use crate::store::error::StoreError;
use crate::task::protection::Refusal;
use crate::task::record::TaskRecord;

/// Why a task, a service or a message is not settled: the error of a reconcile. Some of these errors are not worth a retry of
/// the message that caused the reconcile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// A call for the task failed, or was not answered.
    #[error("{0}")]
    Ecs(#[from] EcsError),
    /// The answer of ECS did not contain the task.
    #[error("the answer of ECS does not contain the task")]
    Unanswered,
    /// ECS refused the task for now.
    #[error("ECS refused: {}{}", .0.reason.as_str(), .0.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Refused(Refusal),
    /// Another call for the task may still take effect, so the answer to this one proves nothing.
    #[error("another call for the task may still take effect")]
    AnotherCallInFlight,
    /// The state store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Too little of the invocation's time is left, or too much has passed since a call was recorded.
    #[error("{OutOfTime}")]
    OutOfTime,
    /// An earlier message of its group is retried, and a FIFO queue keeps the order.
    #[error("an earlier message of its group is retried")]
    GroupHeld,
    /// The recheck that continues it could not be sent.
    #[error("its recheck could not be sent: {0}")]
    RecheckNotSent(SqsError),
    /// The interruption could not be reported.
    #[error("interrupted jobs could not be reported: {}", joined(.0))]
    InterruptionNotReported(Vec<DeliveryError>),
    /// The interruption waits for the next attempt to report it.
    #[error("interrupted jobs could not be reported: earlier attempts failed; taskhold retries later")]
    InterruptionBacksOff,
    /// The message could not be sent to the dead-letter queue.
    #[error("it could not be dead-lettered: {0}")]
    NotDeadLettered(SqsError),
    /// No dead-letter queue is configured.
    #[error("it could not be dead-lettered: TASKHOLD_DEAD_LETTER_QUEUE_URL is not set")]
    NoDeadLetterQueue,
}

/// The failures of one report, in one line.
pub(crate) fn joined(failures: &[DeliveryError]) -> String {
    failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<OutOfTime> for Unsettled {
    fn from(OutOfTime: OutOfTime) -> Self {
        Self::OutOfTime
    }
}

/// The state of a task after its reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every one is of the larger kind: a box would only be one more allocation"
)]
pub enum TaskState {
    /// The record as stored last, and why the requested protection was not reached, if it was not.
    Known(TaskRecord, Option<Unsettled>),
    /// The state store failed before the change was stored.
    NotStored(Unsettled),
}

/// A task with its state after its reconcile.
#[derive(Clone, Copy)]
pub(crate) struct ReconciledTask<'a> {
    pub(crate) task: &'a Task,
    pub(crate) state: &'a TaskState,
}

impl<'a> ReconciledTask<'a> {
    /// Tasks with their states, which have the same order.
    pub(crate) fn all(tasks: &'a [Task], states: &'a [TaskState]) -> impl Iterator<Item = Self> {
        tasks.iter().zip(states).map(|(task, state)| Self { task, state })
    }
}

pub(crate) fn disposition(reason: &Unsettled) -> Disposition {
    match reason {
        Unsettled::Ecs(error) => error.disposition(),
        Unsettled::Store(error) => error.disposition(),
        Unsettled::Refused(refusal) => match refusal.reason {
            FailureReason::DeploymentBlocked | FailureReason::Other(_) => Disposition::Retry,
            FailureReason::Missing => Disposition::RetryWhileYoung,
            FailureReason::TaskNotValid => Disposition::DeadLetter,
        },
        Unsettled::Unanswered
        | Unsettled::AnotherCallInFlight
        | Unsettled::OutOfTime
        | Unsettled::GroupHeld
        | Unsettled::RecheckNotSent(_)
        | Unsettled::InterruptionNotReported(_)
        | Unsettled::InterruptionBacksOff
        | Unsettled::NotDeadLettered(_)
        | Unsettled::NoDeadLetterQueue => Disposition::Retry,
    }
}
