//! The conditions that must hold in every state.

use super::configuration::RecordSpace;
use super::harm::Harm;
use super::protocol::ModelProtocol;
use super::scene::{JobWriter, Moment, TaskNo, WorkerMessage, only};
use super::state::{ModelState, ModelTask};
use std::sync::atomic::Ordering;
use taskhold::lambda::job_message::JobMessageType;
use taskhold::task::minutes::GRANT_TOLERANCE;

pub(crate) const BUSY_IS_PROTECTED: &str = "a busy task whose start was acknowledged is protected";
pub(crate) const NOTHING_IS_LOST: &str = "every acknowledged message is in the state store";
pub(crate) const IDLE_IS_UNPROTECTED: &str = "when all is quiet a task whose jobs have finished is unprotected";

pub(crate) const FOREIGN_STAYS: &str = "protection that another writer had set before the read stays";
pub(crate) const ONLY_AN_END_RELEASES: &str = "a job without an end keeps the protection of its lifetime";
pub(crate) const AGENT_IS_ONLY_WRITER: &str = "no call is made for a job for which the task protects itself";
pub(crate) const NEVER_SHORTER_THAN_AGENT: &str = "no call asks for less time than a worker has reported";
pub(crate) const AGENT_JOBS_KEEP: &str = "nothing is released while a job lives for which the task protects itself";
pub(crate) const REJECTED_IS_REMEMBERED: &str = "a rejected start is remembered until its job ends";
pub(crate) const SWEEP_REPAIRS: &str = "after a sweep every busy task is protected or its refusal is recorded";
pub(crate) const LINGER_ENDS: &str = "a recheck after the linger releases a task without a job";
pub(crate) const LINGERS: &str = "a task keeps its protection for the linger";

/// A condition that must hold in every state.
pub(crate) struct ModelPromise {
    pub(crate) name: &'static str,
    holds: fn(&ModelProtocol, &ModelState) -> bool,
}

const fn promise(name: &'static str, holds: fn(&ModelProtocol, &ModelState) -> bool) -> ModelPromise {
    ModelPromise { name, holds }
}

const PROMISES: [ModelPromise; 15] = [
    promise(BUSY_IS_PROTECTED, busy_tasks_are_protected),
    promise(NOTHING_IS_LOST, nothing_is_lost),
    promise(IDLE_IS_UNPROTECTED, idle_tasks_end_unprotected),
    promise("nothing is dead-lettered except starts without room", nothing_else_is_dead_lettered),
    promise("every message ends in time", everything_ends),
    promise(FOREIGN_STAYS, |_, state| is_free_of(state, Harm::ForeignCleared)),
    promise(ONLY_AN_END_RELEASES, |_, state| is_free_of(state, Harm::ReleasedWithoutAnEnd)),
    promise(AGENT_IS_ONLY_WRITER, |_, state| is_free_of(state, Harm::CalledForAgent)),
    promise(NEVER_SHORTER_THAN_AGENT, |_, state| is_free_of(state, Harm::ShorterThanAgent)),
    promise(AGENT_JOBS_KEEP, |_, state| is_free_of(state, Harm::ReleasedBesideAgent)),
    promise(REJECTED_IS_REMEMBERED, rejected_starts_are_remembered),
    promise(SWEEP_REPAIRS, |_, state| is_free_of(state, Harm::LeftUnprotected)),
    promise(LINGER_ENDS, |_, state| is_free_of(state, Harm::LeftLingering)),
    promise(LINGERS, |_, state| is_free_of(state, Harm::ReleasedEarly)),
    promise("no task is protected longer than its jobs asked", nothing_is_protected_too_long),
];

/// The promises with these names, or all of them.
pub(crate) fn promises(of: Option<&str>) -> Vec<ModelPromise> {
    PROMISES.into_iter().filter(|promise| of.is_none_or(|name| promise.name == name)).collect()
}

/// One property for all promises, because the checker spends time on each property in every state.
pub(crate) const EVERY_PROMISE_IS_KEPT: &str = "every promise is kept";

/// Whether a state keeps every promise that is checked. Returns false only once, for the first violating state: the
/// checker keeps the last path that it finds, and in a breadth-first walk the first path is the shortest.
pub(crate) fn every_promise_is_kept(protocol: &ModelProtocol, state: &ModelState) -> bool {
    if protocol.broken.get().is_none() {
        protocol.states_visited.fetch_add(1, Ordering::Relaxed);
    }
    let mut promises = protocol.promises.iter();
    match promises.find(|promise| !(promise.holds)(protocol, state)) {
        None => true,
        Some(broken) => protocol.broken.set(broken.name).is_err(),
    }
}

/// This also proves that no run continues forever: time passes whenever no invocation is running, and every
/// invocation ends. Scheduled sweeps continue while a task is protected without a job, so that ends too.
fn everything_ends(protocol: &ModelProtocol, state: &ModelState) -> bool {
    state.now <= protocol.configuration.ends_within_s()
}

pub(crate) fn tolerance_s() -> Moment {
    Moment::try_from(GRANT_TOLERANCE.as_secs()).expect("seconds")
}

fn is_free_of(state: &ModelState, harm: Harm) -> bool {
    state.tasks.iter().all(|task| task.harm != harm)
}

/// Which messages count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CountedMessages {
    /// All that were acknowledged.
    AtAnyTime,
    /// Those that were acknowledged before the end of their job. A job of which the function hears later has no claim
    /// to protection, and a release for another job may be under way.
    InTime,
}

impl ModelProtocol {
    pub(crate) fn messages(&self) -> impl Iterator<Item = (usize, &WorkerMessage)> {
        self.configuration.messages.iter().enumerate()
    }

    pub(crate) fn is_finish_sent(&self, state: &ModelState, job: &str) -> bool {
        self.messages().any(|(number, message)| {
            message.job == job && message.message_type == JobMessageType::Finished && state.queue[number].is_sent
        })
    }

    /// The latest end of the task's jobs that the function protects, that are acknowledged and whose finish has not been
    /// sent.
    pub(crate) fn promised_until(&self, state: &ModelState, task: TaskNo) -> Option<Moment> {
        self.unfinished_ends(state, task, CountedMessages::AtAnyTime).max()
    }

    /// The ends of these jobs.
    pub(crate) fn unfinished_ends(
        &self,
        state: &ModelState,
        task: TaskNo,
        when: CountedMessages,
    ) -> impl Iterator<Item = Moment> {
        let of_task = self.messages().filter(move |(_, message)| message.task == task);
        let of_task = of_task.filter(|(_, message)| message.writer == JobWriter::Function);
        let acknowledged = of_task.filter(|(number, _)| {
            let message = &state.queue[*number];
            let counts = when == CountedMessages::AtAnyTime || !message.is_late;
            message.is_deleted && !message.is_dead_lettered && counts
        });
        let ends = acknowledged.filter_map(|(_, message)| Some((message.job, message.end()?)));
        let ends: Vec<Moment> = ends.filter(|(job, _)| !self.is_finish_sent(state, job)).map(|(_, end)| end).collect();
        ends.into_iter()
    }

    pub(crate) fn numbered_tasks<'a>(&self, state: &'a ModelState) -> impl Iterator<Item = (TaskNo, &'a ModelTask)> {
        (0..self.configuration.tasks).zip(&state.tasks)
    }
}

/// Once a message that starts a job is acknowledged as done, ECS protects the task until the job's finish is sent
/// or its end passes. This holds at every moment, not only when the model is quiet. If the worker takes the protection
/// away, the next sweep repairs it ([`SWEEP_REPAIRS`]).
fn busy_tasks_are_protected(protocol: &ModelProtocol, state: &ModelState) -> bool {
    protocol.numbered_tasks(state).all(|(number, task)| {
        let needed = protocol.promised_until(state, number).map(|until| until - tolerance_s());
        needed.is_none_or(|needed| state.now >= needed || task.protected_until >= needed || task.is_taken_away)
    })
}

fn nothing_is_lost(protocol: &ModelProtocol, state: &ModelState) -> bool {
    protocol.messages().all(|(number, message)| {
        let message_state = &state.queue[number];
        let is_stored = || {
            let record = state.tasks[usize::from(message.task)].record.map(|record| protocol.function.record(record));
            record.is_some_and(|known| known.merged & only(number) != 0)
        };
        !message_state.is_deleted || message_state.is_dead_lettered || is_stored()
    })
}

/// No message of the model is malformed or received too often.
fn nothing_else_is_dead_lettered(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let may_lack_room = |message: &WorkerMessage| {
        protocol.configuration.records == RecordSpace::OneLiveJob && message.message_type != JobMessageType::Finished
    };
    protocol.messages().all(|(number, message)| !state.queue[number].is_dead_lettered || may_lack_room(message))
}

fn rejected_starts_are_remembered(protocol: &ModelProtocol, state: &ModelState) -> bool {
    protocol.messages().all(|(number, message)| {
        let is_remembered = || {
            let record = state.tasks[usize::from(message.task)].record.map(|record| protocol.function.record(record));
            record.is_some_and(|known| (known.known | known.rejected) & only(number) != 0)
        };
        let lives = message.end().is_some_and(|end| end > state.now);
        !state.queue[number].is_dead_lettered || !lives || is_remembered()
    })
}

/// Jobs without a finish are left to the sweep, and so are lingering tasks whose recheck is lost: [`LINGER_ENDS`] is about
/// the others. `everything_ends` checks that their protection ends.
fn idle_tasks_end_unprotected(protocol: &ModelProtocol, state: &ModelState) -> bool {
    let is_finish = |message: &WorkerMessage| message.message_type == JobMessageType::Finished;
    let has_finish = |job: &str| protocol.messages().any(|(_, message)| message.job == job && is_finish(message));
    let all_finish = |task: TaskNo| {
        let mut of_task = protocol.messages().filter(|(_, message)| message.task == task);
        of_task.all(|(_, message)| has_finish(message.job))
    };
    let mut tasks = protocol.numbered_tasks(state);
    let waits_for_sweep = protocol.configuration.linger_s > 0 && protocol.is_left_to_sweep(state);
    !state.is_quiet()
        || waits_for_sweep
        || tasks.all(|(number, task)| task.protected_until == 0 || task.is_protected_by_agent() || !all_finish(number))
}

/// Rounding may add a minute, sharing a call may add 5% or a minute, and time passes between a decision and its
/// effect.
fn nothing_is_protected_too_long(protocol: &ModelProtocol, state: &ModelState) -> bool {
    protocol.numbered_tasks(state).all(|(number, task)| {
        let of_task = protocol.messages().filter(|(_, message)| message.task == number);
        let longest = of_task.filter_map(|(_, message)| message.end()).max().unwrap_or(0);
        task.is_protected_by_agent() || task.protected_until <= longest + (longest / 20).max(60) + 60 + 120
    })
}
