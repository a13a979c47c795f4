//! A run of the real function, recorded as its requests and the answers to them.
//!
//! A future cannot be cloned, but a model checker continues from one state in many ways. So an invocation is stored
//! as the list of answers that it received. To continue, the model runs it again from the start with the same
//! answers, and it waits at the same point. Between two answers the function is deterministic: time and randomness
//! come only from its inputs.

use super::scene::{Moment, Set, TaskNo};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use taskhold::store::Version;
use taskhold::task::record::TaskRecord;

/// Distinguishes the concurrent requests of one invocation: the task that they concern, or another subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// A load or put of this task's record, or the call to ECS whose first task this is.
    Task(TaskNo),
    /// The list of open records in the state store.
    Page,
    /// A read of protections.
    Protections,
    /// A pause after a throttled call.
    Pause,
}

/// A request of the function; `E` is a record or its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ModelRequest<E> {
    Load(TaskNo),
    Store(TaskNo, E),
    Page,
    /// `UpdateTaskProtection`: for this many minutes, or off.
    Protect(Option<u32>, Vec<TaskNo>),
    /// `GetTaskProtection`
    Protections(Vec<TaskNo>),
    Pause,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ModelAnswer<E> {
    Loaded(Option<E>),
    Stored,
    Conflict,
    /// The result of the put is unknown.
    StoreFails,
    Page(Vec<(TaskNo, E)>),
    Protected(Vec<(TaskNo, TaskEffect)>),
    EcsFails(EcsFault),
    Protections(Vec<(TaskNo, Option<Moment>)>),
    Paused,
}

/// The answer of ECS for one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TaskEffect {
    ProtectedUntil(Moment),
    Cleared,
    /// `DEPLOYMENT_BLOCKED`
    Refused,
}

/// How a whole call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EcsFault {
    /// The call may have had an effect, or may still have one.
    NoAnswer,
    /// No effect; a retry in a moment may succeed.
    Throttled,
    /// No effect.
    Denied,
    /// No effect; one of several tasks may be the cause.
    Rejected,
}

impl<E> ModelRequest<E> {
    /// The same with a different representation of the record.
    pub(crate) fn map<F>(self, name: impl Fn(E) -> F) -> ModelRequest<F> {
        match self {
            Self::Load(task) => ModelRequest::Load(task),
            Self::Store(task, record) => ModelRequest::Store(task, name(record)),
            Self::Page => ModelRequest::Page,
            Self::Protect(minutes, tasks) => ModelRequest::Protect(minutes, tasks),
            Self::Protections(tasks) => ModelRequest::Protections(tasks),
            Self::Pause => ModelRequest::Pause,
        }
    }
}

impl<E> ModelAnswer<E> {
    /// The same with a different representation of the records.
    pub(crate) fn map<F>(self, name: impl Fn(E) -> F) -> ModelAnswer<F> {
        match self {
            Self::Loaded(record) => ModelAnswer::Loaded(record.map(name)),
            Self::Stored => ModelAnswer::Stored,
            Self::Conflict => ModelAnswer::Conflict,
            Self::StoreFails => ModelAnswer::StoreFails,
            Self::Page(page) => {
                ModelAnswer::Page(page.into_iter().map(|(task, record)| (task, name(record))).collect())
            }
            Self::Protected(effects) => ModelAnswer::Protected(effects),
            Self::EcsFails(fault) => ModelAnswer::EcsFails(fault),
            Self::Protections(seen) => ModelAnswer::Protections(seen),
            Self::Paused => ModelAnswer::Paused,
        }
    }
}

/// A pending answer, as the function's future receives it.
type Slot = Arc<Mutex<Waiting>>;

#[derive(Debug)]
struct Waiting {
    answer: Option<ModelAnswer<TaskRecord>>,
    waker: Option<Waker>,
}

/// The world of one invocation: the time, and its pending requests.
#[derive(Debug, Default)]
pub(crate) struct Script {
    now: Moment,
    waiting: Vec<(Subject, ModelRequest<TaskRecord>, Slot)>,
    dead_lettered: Set,
    /// The version of each task's record that was last handed out.
    versions: Vec<(TaskNo, Version)>,
    versions_given: Version,
}

/// Shared by the function's clients and the driver that answers them.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedScript(Arc<Mutex<Script>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script {
    fn note_version(&mut self, task: TaskNo, version: Version) {
        self.versions.retain(|(known, _)| *known != task);
        self.versions.push((task, version));
    }
}

impl SharedScript {
    pub(crate) fn restart(&self, now: Moment) {
        *locked(&self.0) = Script { now, ..Script::default() };
    }

    pub(crate) fn now(&self) -> Moment {
        locked(&self.0).now
    }

    /// Sends a request and waits.
    pub(crate) fn ask(&self, subject: Subject, request: ModelRequest<TaskRecord>) -> AnswerFuture {
        let slot = Arc::new(Mutex::new(Waiting { answer: None, waker: None }));
        let mut script = locked(&self.0);
        let is_alone = script.waiting.iter().all(|(waiting, ..)| *waiting != subject);
        assert!(is_alone, "two requests about {subject:?} at once are indistinguishable: {request:?}");
        script.waiting.push((subject, request, slot.clone()));
        AnswerFuture(slot)
    }

    /// Answers the one request about `subject`.
    pub(crate) fn answer(&self, subject: Subject, answer: ModelAnswer<TaskRecord>, now: Moment) {
        let mut script = locked(&self.0);
        script.now = now;
        let at = script.waiting.iter().position(|(waiting, ..)| *waiting == subject);
        let (.., slot) = script.waiting.remove(at.expect("only a waiting request is answered"));
        let mut slot = locked(&slot);
        slot.answer = Some(answer);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }

    /// The pending requests of the function.
    pub(crate) fn waiting(&self) -> Vec<(Subject, ModelRequest<TaskRecord>)> {
        let script = locked(&self.0);
        script.waiting.iter().map(|(subject, request, _)| (*subject, request.clone())).collect()
    }

    pub(crate) fn send_dead_letters(&self, messages: Set) {
        locked(&self.0).dead_lettered |= messages;
    }

    pub(crate) fn dead_lettered(&self) -> Set {
        locked(&self.0).dead_lettered
    }

    /// A new version for a record handed to the function, different from all others of this run.
    pub(crate) fn give_version(&self, task: TaskNo) -> Version {
        let mut script = locked(&self.0);
        script.versions_given += 1;
        let version = script.versions_given;
        script.note_version(task, version);
        version
    }

    /// The state store has no record of the task.
    pub(crate) fn give_no_version(&self, task: TaskNo) -> Version {
        locked(&self.0).note_version(task, 0);
        0
    }

    /// The model tracks one version for each task of an invocation: the one last handed out. So a put must name it.
    pub(crate) fn check_version(&self, task: TaskNo, version: Version) {
        let script = locked(&self.0);
        let known = script.versions.iter().find(|(known, _)| *known == task);
        assert_eq!(known, Some(&(task, version)), "a store names a version that is not the newest it was given");
    }
}

/// Ready once the request is answered.
pub(crate) struct AnswerFuture(Slot);

impl Future for AnswerFuture {
    type Output = ModelAnswer<TaskRecord>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waiting = locked(&self.0);
        match waiting.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
