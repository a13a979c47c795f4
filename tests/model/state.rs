//! A state of the model: the contents of the state store, ECS, the queue and every invocation, and the requests in
//! flight between them.

use super::function::{RecordNo, RunNo};
use super::harm::Harm;
use super::left::Left;
use super::scene::{Moment, Set, TaskNo};
use super::script::{Subject, TaskEffect};

/// One state. Differences that no actor can observe are normalized away, so that equivalent states count once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelState {
    pub(crate) now: Moment,
    pub(crate) tasks: Vec<ModelTask>,
    pub(crate) queue: Vec<MessageState>,
    /// Sorted, because invocations have no names.
    pub(crate) running: Vec<ModelInvocation>,
    /// Calls of invocations that have ended. Sorted.
    pub(crate) late: Vec<LateCall>,
    /// The invocation that began when all was quiet, while nothing else has happened.
    pub(crate) alone: Option<Alone>,
    pub(crate) left: Left,
}

/// What an invocation must have done at its end if it began when all was quiet, and runs alone and without a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Alone {
    /// A scheduled sweep, which repairs the protection of busy tasks.
    Sweep,
    /// A recheck after the linger, which releases its task if that has no job.
    RecheckAfterLinger,
}

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelTask {
    /// The stored record.
    pub(crate) record: Option<RecordNo>,
    /// The end of the protection in ECS; 0 if ECS does not protect the task.
    pub(crate) protected_until: Moment,
    /// When that protection was set.
    pub(crate) set_at: Moment,
    /// The writer of that protection.
    pub(crate) writer: ProtectionWriter,
    /// Whether the worker has shortened or cleared the protection, and the function has not set it since.
    pub(crate) is_taken_away: bool,
    /// What the function has broken.
    pub(crate) harm: Harm,
}

/// Who set the protection of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ProtectionWriter {
    /// The function, or no writer.
    Function,
    /// The worker, while no checked release was on its way.
    Agent,
    /// The worker, between the function's read and its call.
    AgentTooLate,
}

impl ModelTask {
    pub(crate) fn is_protected_by_agent(&self) -> bool {
        self.protected_until > 0 && self.writer != ProtectionWriter::Function
    }
}

/// A message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct MessageState {
    /// 0 if it is visible now.
    pub(crate) visible_from: Moment,
    /// Whether it was ever delivered, and so certainly sent.
    pub(crate) is_sent: bool,
    /// Acknowledged and deleted.
    pub(crate) is_deleted: bool,
    /// Dead-lettered, and then acknowledged.
    pub(crate) is_dead_lettered: bool,
    /// Acknowledged after the end of its job.
    pub(crate) is_late: bool,
}

/// An invocation of the function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ModelInvocation {
    pub(crate) run: RunNo,
    pub(crate) deadline: Moment,
    /// Tasks whose stored version is newer than the one that this invocation was given last.
    pub(crate) outrun: Set,
    pub(crate) sent: Vec<OpenRequest>,
}

/// A request of an invocation without an answer yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OpenRequest {
    /// A call to ECS, and its effects so far.
    Call {
        subject: Subject,
        /// It takes effect before this time, or never; 0 once it is over.
        until: Moment,
        effects: Vec<(TaskNo, TaskEffect)>,
    },
    /// A put that the state store has accepted, or not.
    Store { subject: Subject, landing: Landing },
}

/// What the state store did with a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Landing {
    Conflict,
    Stored,
}

impl OpenRequest {
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Call { subject, .. } | Self::Store { subject, .. } => *subject,
        }
    }
}

/// A part of a call whose caller no longer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LateCall {
    pub(crate) task: TaskNo,
    /// For this many minutes, or off.
    pub(crate) minutes: Option<u32>,
    /// It takes effect before this time, or never.
    pub(crate) until: Moment,
}

impl ModelState {
    /// No invocation runs, no request is in flight, and no message is left.
    pub(crate) fn is_quiet(&self) -> bool {
        self.running.is_empty() && self.late.is_empty() && self.queue.iter().all(|message| message.is_deleted)
    }
}
