//! A run of the real function, told by what it asked and what it was answered.
//!
//! A future cannot be copied, and a model checker wants to go on from one state in many ways. So an invocation is kept as the
//! list of answers that it got; whoever wants to go on runs it again from its beginning, hands it the same answers, and finds it
//! waiting where it was. Between two answers the function is deterministic: it knows no time and no chance but what is handed in.

use super::scene::{Moment, Set, TaskNo};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use taskhold::store::Version;
use taskhold::task::record::TaskRecord;

/// What tells the requests of one invocation apart that wait at one time: the task that they are about, or what else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// A load or store of this task's record, or the call to ECS of which this is the first task.
    Task(TaskNo),
    /// The list of what is open in the state store.
    Page,
    /// A read of protections.
    Protections,
    /// A pause after a throttled call.
    Pause,
}

/// What the function asks of the world; `E` is a record, or what stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Request<E> {
    Load(TaskNo),
    Store(TaskNo, E),
    Page,
    /// `UpdateTaskProtection`: for so many minutes, or off.
    Protect(Option<u32>, Vec<TaskNo>),
    /// `GetTaskProtection`
    Protections(Vec<TaskNo>),
    Pause,
}

/// What the world answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer<E> {
    Loaded(Option<E>),
    Stored,
    Conflict,
    /// Whether it was stored nobody says.
    StoreFails,
    Page(Vec<(TaskNo, E)>),
    Protected(Vec<(TaskNo, Told)>),
    EcsFails(EcsFault),
    Protections(Vec<(TaskNo, Option<Moment>)>),
    Paused,
}

/// What ECS says of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Told {
    ProtectedUntil(Moment),
    Cleared,
    /// `DEPLOYMENT_BLOCKED`
    Refused,
}

/// How a whole call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EcsFault {
    /// It may have had an effect, or may yet.
    NoAnswer,
    /// It had none, and is worth another try in a moment.
    Throttled,
    /// It had none.
    Denied,
    /// It had none, and a task of several may be to blame.
    Rejected,
}

impl<E> Request<E> {
    /// The same with another name for the record in it.
    pub(crate) fn map<F>(self, name: impl Fn(E) -> F) -> Request<F> {
        match self {
            Self::Load(task) => Request::Load(task),
            Self::Store(task, record) => Request::Store(task, name(record)),
            Self::Page => Request::Page,
            Self::Protect(minutes, tasks) => Request::Protect(minutes, tasks),
            Self::Protections(tasks) => Request::Protections(tasks),
            Self::Pause => Request::Pause,
        }
    }
}

impl<E> Answer<E> {
    /// The same with other names for the records in it.
    pub(crate) fn map<F>(self, name: impl Fn(E) -> F) -> Answer<F> {
        match self {
            Self::Loaded(record) => Answer::Loaded(record.map(name)),
            Self::Stored => Answer::Stored,
            Self::Conflict => Answer::Conflict,
            Self::StoreFails => Answer::StoreFails,
            Self::Page(page) => Answer::Page(page.into_iter().map(|(task, record)| (task, name(record))).collect()),
            Self::Protected(told) => Answer::Protected(told),
            Self::EcsFails(fault) => Answer::EcsFails(fault),
            Self::Protections(seen) => Answer::Protections(seen),
            Self::Paused => Answer::Paused,
        }
    }
}

/// An answer on its way, as the function's future gets it.
type Slot = Arc<Mutex<Waiting>>;

#[derive(Debug)]
struct Waiting {
    answer: Option<Answer<TaskRecord>>,
    waker: Option<Waker>,
}

/// The world as one invocation sees it: the time, and what it waits for.
#[derive(Debug, Default)]
pub(crate) struct Script {
    now: Moment,
    waiting: Vec<(Subject, Request<TaskRecord>, Slot)>,
    dead_lettered: Set,
    /// The version that each task's record was given with last.
    versions: Vec<(TaskNo, Version)>,
    versions_given: Version,
}

/// Shared by the function's clients and whoever answers them.
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

    /// The function asks, and waits.
    pub(crate) fn ask(&self, subject: Subject, request: Request<TaskRecord>) -> Answered {
        let slot = Arc::new(Mutex::new(Waiting { answer: None, waker: None }));
        let mut script = locked(&self.0);
        let is_alone = script.waiting.iter().all(|(waiting, ..)| *waiting != subject);
        assert!(is_alone, "two requests about {subject:?} at once cannot be told apart: {request:?}");
        script.waiting.push((subject, request, slot.clone()));
        Answered(slot)
    }

    /// Hands an answer to the one request about `subject`.
    pub(crate) fn answer(&self, subject: Subject, answer: Answer<TaskRecord>, now: Moment) {
        let mut script = locked(&self.0);
        script.now = now;
        let at = script.waiting.iter().position(|(waiting, ..)| *waiting == subject);
        let (.., slot) = script.waiting.remove(at.expect("what is answered was asked"));
        let mut slot = locked(&slot);
        slot.answer = Some(answer);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }

    /// What the function waits for now.
    pub(crate) fn waiting(&self) -> Vec<(Subject, Request<TaskRecord>)> {
        let script = locked(&self.0);
        script.waiting.iter().map(|(subject, request, _)| (*subject, request.clone())).collect()
    }

    pub(crate) fn send_dead_letters(&self, messages: Set) {
        locked(&self.0).dead_lettered |= messages;
    }

    pub(crate) fn dead_lettered(&self) -> Set {
        locked(&self.0).dead_lettered
    }

    /// A version for a record that is handed to the function, such as no other answer of this run has.
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

    /// The model knows one version for each task of an invocation: the one that was handed out last. So a store must name it.
    pub(crate) fn check_version(&self, task: TaskNo, version: Version) {
        let script = locked(&self.0);
        let known = script.versions.iter().find(|(known, _)| *known == task);
        assert_eq!(known, Some(&(task, version)), "a store names a version that is not the newest it was given");
    }
}

/// Ready once the request is answered.
pub(crate) struct Answered(Slot);

impl Future for Answered {
    type Output = Answer<TaskRecord>;

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
