//! What the function may break, and how the model notices it.

use super::function::RecordNo;
use super::promises::{CountedMessages, tolerance_s};
use super::protocol::ModelProtocol;
use super::scene::{JobWriter, Moment, TaskNo, only, timestamp};
use super::state::{ModelState, ProtectionWriter};
use jiff::Timestamp;
use taskhold::lambda::job_message::JobMessageType;
use taskhold::task::protection::{Call, ProtectionRequest};

/// What the function has broken for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Harm {
    None,
    /// A release cleared protection that the worker had set before the function read it.
    ForeignCleared,
    /// A release cleared protection of a job that has reported no end.
    ReleasedWithoutAnEnd,
    /// A call protects the task, and the only jobs that live are those for which the task protects itself.
    CalledForAgent,
    /// A call protects the task for less time than the worker has reported or declared.
    ShorterThanAgent,
    /// A release while a job lives for which the task protects itself.
    ReleasedBesideAgent,
    /// A sweep has left a busy task unprotected, and its record says nothing of a refusal.
    LeftUnprotected,
    /// A release cleared protection within the linger.
    ReleasedEarly,
    /// A recheck after the linger has left a task protected that has no job.
    LeftLingering,
}

impl ModelProtocol {
    /// What a release of the task would break.
    pub(crate) fn harm_of_release(&self, state: &ModelState, number: TaskNo) -> Harm {
        let task = &state.tasks[usize::from(number)];
        if task.protected_until > 0
            && task.writer == ProtectionWriter::Agent
            && !self.is_for_finished_agent_job(state, number)
        {
            return Harm::ForeignCleared;
        }
        if self.lingers(state) {
            return Harm::ReleasedEarly;
        }
        let ends = self.unfinished_ends(state, number, CountedMessages::InTime);
        let mut kept = ends.filter(|end| task.set_at < *end && *end <= state.now && state.now < task.protected_until);
        if kept.next().is_some() { Harm::ReleasedWithoutAnEnd } else { Harm::None }
    }

    /// Whether the protection has the expiry that the worker set for a job that has finished. The function has asked for
    /// the same if it protected the task for another job meanwhile, and ECS does not report who set an expiry.
    fn is_for_finished_agent_job(&self, state: &ModelState, number: TaskNo) -> bool {
        let protected_until = state.tasks[usize::from(number)].protected_until;
        self.messages().any(|(_, message)| {
            let is_by_agent = message.task == number && message.writer == JobWriter::Agent;
            is_by_agent && message.end() == Some(protected_until) && self.is_finish_sent(state, message.job)
        })
    }

    /// What the calls would break that a record has and its predecessor does not. They are about to be sent.
    pub(crate) fn harm_of_new_calls(&self, state: &ModelState, stored: (TaskNo, RecordNo)) -> Harm {
        let (number, record) = stored;
        let of = |record: Option<RecordNo>| record.map(|record| self.function.record(record));
        let (before, after) = (of(state.tasks[usize::from(number)].record), of(Some(record)));
        let is_known = |call: &Call| {
            before.as_ref().is_some_and(|known| known.record.protection.in_flight.iter().any(|old| old.id == call.id))
        };
        let new = after.iter().flat_map(|known| &known.record.protection.in_flight).filter(|call| !is_known(call));
        let harms = new.map(|call| self.harm_of_call(state, number, call));
        harms.fold(Harm::None, |all, harm| if all == Harm::None { harm } else { all })
    }

    fn harm_of_call(&self, state: &ModelState, number: TaskNo, call: &Call) -> Harm {
        let by_agent = self.ends_by_agent(state, number, call.started_at);
        match call.request {
            ProtectionRequest::Clear if by_agent.is_some() => Harm::ReleasedBesideAgent,
            ProtectionRequest::Clear => Harm::None,
            ProtectionRequest::ProtectUntil(_) if !self.may_call(state, number, call.started_at) => {
                Harm::CalledForAgent
            }
            ProtectionRequest::ProtectUntil(until) if Some(until) < by_agent => Harm::ShorterThanAgent,
            ProtectionRequest::ProtectUntil(_) => Harm::None,
        }
    }

    /// The latest end of the acknowledged jobs for which the task protects itself, if one lives at `at` and its finish
    /// has not been sent.
    fn ends_by_agent(&self, state: &ModelState, task: TaskNo, at: Timestamp) -> Option<Timestamp> {
        let of_task =
            self.messages().filter(|(_, message)| message.task == task && message.writer != JobWriter::Function);
        let acknowledged = of_task.filter(|(number, _)| {
            let message = &state.queue[*number];
            message.is_deleted && !message.is_dead_lettered
        });
        let unfinished = acknowledged.filter(|(_, message)| !self.is_finish_sent(state, message.job));
        let ends = unfinished.filter_map(|(_, message)| message.end()).map(timestamp);
        ends.filter(|end| *end > at).max()
    }

    /// Whether a job of the task may live at `at` that the function protects: its start was delivered, and its finish
    /// was not acknowledged.
    fn may_call(&self, state: &ModelState, task: TaskNo, at: Timestamp) -> bool {
        let is_over = |job: &str| {
            self.messages().any(|(number, message)| {
                message.job == job && message.message_type == JobMessageType::Finished && state.queue[number].is_deleted
            })
        };
        let mut of_task =
            self.messages().filter(|(_, message)| message.task == task && message.writer == JobWriter::Function);
        of_task.any(|(number, message)| {
            let lives = message.end().is_some_and(|end| timestamp(end) > at);
            lives && state.queue[number].is_sent && !is_over(message.job)
        })
    }

    /// A sweep that ran alone and without a fault has ended.
    pub(crate) fn note_unprotected(&self, state: &mut ModelState) {
        for number in 0..self.configuration.tasks {
            if self.is_bare(state, number) && !self.is_refused(state, number) {
                state.tasks[usize::from(number)].harm = Harm::LeftUnprotected;
            }
        }
    }

    /// Whether a job that the state store has keeps the task busy for longer than ECS protects it.
    pub(crate) fn is_bare(&self, state: &ModelState, number: TaskNo) -> bool {
        let protected_until = state.tasks[usize::from(number)].protected_until;
        let needed = self.busy_until(state, number).map(|end| end - tolerance_s());
        needed.is_some_and(|needed| needed > state.now && needed > protected_until)
    }

    fn is_refused(&self, state: &ModelState, number: TaskNo) -> bool {
        let record = state.tasks[usize::from(number)].record.map(|record| self.function.record(record));
        record.is_some_and(|known| known.record.refused_since(timestamp(state.now)).is_some())
    }

    /// The latest end of the unfinished jobs that the function must protect: those whose starts were acknowledged, and
    /// those that were rejected first and are recorded now.
    pub(crate) fn busy_until(&self, state: &ModelState, task: TaskNo) -> Option<Moment> {
        let record = state.tasks[usize::from(task)].record.map(|record| self.function.record(record));
        let recorded = record.map_or(0, |known| known.known & !known.rejected);
        let of_task = self.messages().filter(|(_, message)| message.task == task);
        let of_function = of_task.filter(|(_, message)| message.writer == JobWriter::Function);
        let admitted = of_function.filter(|(number, message)| {
            let is_recorded = recorded & only(*number) != 0;
            state.queue[*number].is_dead_lettered && is_recorded && !self.is_finish_sent(state, message.job)
        });
        let admitted = admitted.filter_map(|(_, message)| message.end());
        self.unfinished_ends(state, task, CountedMessages::AtAnyTime).chain(admitted).max()
    }
}
