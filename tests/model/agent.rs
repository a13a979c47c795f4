//! The worker of a task as another writer of its protection, through the container agent.

use super::function::RecordNo;
use super::protocol::Protocol;
use super::scene::{JobWriter, Moment, TaskNo};
use super::script::Request;
use super::state::{Invocation, State, TaskState, Writer};

/// A call of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AgentCall {
    /// Protects the task for a time that is not the one of any job of the model.
    Protect,
    /// Sets an expiry that is earlier than the present one.
    Shorten,
    /// Clears the protection.
    Clear,
}

impl AgentCall {
    fn minutes(self) -> Moment {
        match self {
            Self::Protect => 90,
            // Longer than the time between two sweeps, so that a sweep finds some of it.
            Self::Shorten => 10,
            Self::Clear => 0,
        }
    }
}

impl Protocol {
    /// Whether the call would change what it is for.
    pub(crate) fn may_call_agent(&self, state: &State, number: TaskNo, call: AgentCall) -> bool {
        let task = &state.tasks[usize::from(number)];
        match call {
            AgentCall::Protect => true,
            AgentCall::Shorten | AgentCall::Clear => task.protected_until > state.now + call.minutes() * 60,
        }
    }

    /// The worker of a task calls the agent. A release that the function has checked may be on its way.
    pub(crate) fn call_agent(&self, state: &mut State, number: TaskNo, call: AgentCall) {
        let is_release = |request: &Request<RecordNo>| match request {
            Request::Protect(None, tasks) => tasks.contains(&number),
            _ => false,
        };
        let is_checked = |invocation: &Invocation| {
            let run = self.function.run(invocation.run);
            run.waiting.iter().any(|(_, request)| is_release(request))
        };
        let is_late = state.late.iter().any(|call| call.task == number && call.minutes.is_none());
        let is_too_late = is_late || state.running.iter().any(is_checked);
        let now = state.now;
        let task = &mut state.tasks[usize::from(number)];
        if call == AgentCall::Clear {
            *task = TaskState { protected_until: 0, set_at: 0, writer: Writer::Function, is_taken_away: true, ..*task };
            return;
        }
        (task.protected_until, task.set_at) = (now + call.minutes() * 60, now);
        task.writer = if is_too_late { Writer::AgentTooLate } else { Writer::Agent };
        task.is_taken_away |= call == AgentCall::Shorten;
    }

    /// The worker of a task has protected it for its jobs before it reports them.
    pub(crate) fn protected_by_agent(&self, number: TaskNo, untouched: TaskState) -> TaskState {
        let by_agent = |writer: JobWriter| writer == JobWriter::Agent;
        let of_task = self.messages().filter(|(_, message)| message.task == number && by_agent(message.writer));
        match of_task.filter_map(|(_, message)| message.end()).max() {
            None => untouched,
            Some(protected_until) => TaskState { protected_until, writer: Writer::Agent, ..untouched },
        }
    }
}
