//! A task on its way through a reconcile: planned, called, ended.

use crate::ecs::FailureReason;
use crate::ecs::arn::Task;
use crate::store::Versioned;
use crate::task::change::{ReleaseRule, TaskChange};
use crate::task::outcome::{TaskState, Unsettled};
use crate::task::protection::{CallId, CallResult, ProtectionRequest};
use crate::task::record::TaskRecord;
use jiff::Timestamp;

/// A task between two rounds.
pub(crate) struct Stage {
    pub(crate) at: usize,
    pub(crate) task: Task,
    pub(crate) versioned: Versioned<TaskRecord>,
    /// Whose protection a release may clear.
    pub(crate) release: ReleaseRule,
    pub(crate) next: Next,
}

impl Stage {
    /// Whether its call may be sent only after ECS has reported protection that taskhold set.
    pub(crate) fn is_to_check(&self) -> bool {
        matches!(self.next, Next::Call(ProtectionRequest::Clear, _)) && self.release.clears_own_only()
    }

    /// Whether ECS must say first that it knows the task.
    pub(crate) fn is_unproved(&self) -> bool {
        matches!(self.next, Next::Prove(_))
    }

    pub(crate) fn may_be_sent(&self, now: Timestamp) -> bool {
        match self.next {
            Next::Call(_, call) => self.versioned.record.protection.may_be_sent(call, now),
            Next::End(_) | Next::Prove(_) => false,
        }
    }
}

/// Boxed, because a stage has some hundred bytes and moves from list to list.
pub(crate) type BoxedStage = Box<Stage>;

/// A task whose reconcile ended because the state store failed or the time ran out.
pub(crate) struct EndedStage {
    pub(crate) at: usize,
    pub(crate) state: TaskState,
}

/// The next step of a task.
pub(crate) enum Next {
    /// A call that is recorded and not sent yet.
    Call(ProtectionRequest, CallId),
    /// No call follows, and no answer has yet proved that ECS knows the task. The change counts only after ECS has
    /// confirmed the task.
    Prove(Box<TaskChange>),
    /// The reconcile of the task is over, for this reason if the requested protection was not reached.
    End(Option<Unsettled>),
}

/// The result of a call for one of its tasks.
pub(crate) struct CallOutcome {
    /// The result to store in the task record.
    pub(crate) result: CallResult,
    /// Why the request was not fulfilled, if it was not.
    pub(crate) unsettled: Option<Unsettled>,
}

/// A stage whose call was made.
pub(crate) struct CalledStage {
    pub(crate) stage: BoxedStage,
    pub(crate) outcome: CallOutcome,
}

/// Whether ECS knows a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existence {
    /// Nothing is proved: ECS was not asked, or did not answer.
    Unproved,
    /// ECS describes it, running or stopped.
    Known,
    /// ECS does not describe it.
    Unknown,
}

/// A record as it was loaded, and what ECS has since said of its task.
pub(crate) struct FoundRecord {
    pub(crate) versioned: Versioned<TaskRecord>,
    pub(crate) existence: Existence,
}

impl CallOutcome {
    /// Whether ECS will never protect the task, because it belongs to no service.
    pub(crate) fn is_standalone(&self) -> bool {
        matches!(&self.result, CallResult::Refused(refusal) if refusal.reason == FailureReason::TaskNotValid)
    }
}

/// Releases after the read.
#[derive(Default)]
pub(crate) struct CheckedReleases {
    /// Those to send.
    pub(crate) to_send: Vec<BoxedStage>,
    /// Those not to send, with the outcome.
    pub(crate) decided: Vec<CalledStage>,
}
