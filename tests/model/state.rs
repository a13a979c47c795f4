//! A state of the model: what the state store, ECS, the queue and every invocation hold, and what is on its way between them.

use super::configuration::Left;
use super::function::{EntryNo, RunNo};
use super::scene::{Moment, Set, TaskNo};
use super::script::{Subject, Told};

/// One state. Whatever cannot be told apart by anybody in the model is written alike, so that it counts once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) now: Moment,
    pub(crate) tasks: Vec<TaskState>,
    pub(crate) queue: Vec<MessageState>,
    /// Sorted: invocations have no names.
    pub(crate) running: Vec<Invocation>,
    /// What those have sent that run no more. Sorted.
    pub(crate) late: Vec<LateCall>,
    pub(crate) left: Left,
}

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TaskState {
    /// What the state store holds.
    pub(crate) record: Option<EntryNo>,
    /// What ECS grants; 0 if it does not protect the task.
    pub(crate) protected_until: Moment,
}

/// A message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct MessageState {
    /// 0 if it is visible now.
    pub(crate) visible_from: Moment,
    /// Whether it was ever delivered. A worker has sent it then, at the latest.
    pub(crate) is_sent: bool,
    /// Acknowledged and deleted.
    pub(crate) is_deleted: bool,
    /// Dead-lettered, and then acknowledged.
    pub(crate) is_dead_lettered: bool,
}

/// An invocation of the function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Invocation {
    pub(crate) run: RunNo,
    pub(crate) deadline: Moment,
    /// Tasks of which the state store holds another version than this invocation was given last.
    pub(crate) outrun: Set,
    pub(crate) sent: Vec<Sent>,
}

/// What an invocation has sent and not heard of yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Sent {
    /// A call to ECS, and what ECS has done of it so far.
    Call {
        subject: Subject,
        /// It takes effect until then, or never; 0 once it is over.
        until: Moment,
        told: Vec<(TaskNo, Told)>,
    },
    /// A store that the state store has taken, or not.
    Store { subject: Subject, is_stored: bool },
}

impl Sent {
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Call { subject, .. } | Self::Store { subject, .. } => *subject,
        }
    }
}

/// A part of a call that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LateCall {
    pub(crate) task: TaskNo,
    /// For so many minutes, or off.
    pub(crate) minutes: Option<u32>,
    /// It takes effect before then, or never.
    pub(crate) until: Moment,
}

impl State {
    /// Nobody is at work, nothing is on its way, and no message is left.
    pub(crate) fn is_quiet(&self) -> bool {
        self.running.is_empty() && self.late.is_empty() && self.queue.iter().all(|message| message.is_deleted)
    }
}
