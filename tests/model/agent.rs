//! The worker of a task as another writer of its protection, through the container agent.

use super::function::RecordNo;
use super::protocol::ModelProtocol;
use super::scene::{JobWriter, Moment, TaskNo};
use super::script::ModelRequest;
use super::state::{ModelInvocation, ModelState, ModelTask, ProtectionWriter};

/// A call of the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ModelAgentCall {
    /// Protects the task for a time that is not the one of any job of the model.
    Protect,
    /// Sets an expiry that is earlier than the present one.
    Shorten,
    /// Clears the protection.
    Clear,
}

impl ModelAgentCall {
    fn minutes(self) -> Moment {
        match self {
            Self::Protect => 90,
            // Longer than the time between two sweeps, so that a sweep finds some of it.
            Self::Shorten => 10,
            Self::Clear => 0,
        }
    }
}

impl ModelProtocol {
    /// Whether the call would change what it is for.
    pub(crate) fn may_call_agent(&self, state: &ModelState, number: TaskNo, call: ModelAgentCall) -> bool {
        let task = &state.tasks[usize::from(number)];
        match call {
            ModelAgentCall::Protect => true,
            ModelAgentCall::Shorten | ModelAgentCall::Clear => task.protected_until > state.now + call.minutes() * 60,
        }
    }

    /// The worker of a task calls the agent. A release that the function has checked may be on its way.
    pub(crate) fn call_agent(&self, state: &mut ModelState, number: TaskNo, call: ModelAgentCall) {
        let is_release = |request: &ModelRequest<RecordNo>| match request {
            ModelRequest::Protect(None, tasks) => tasks.contains(&number),
            _ => false,
        };
        let is_checked = |invocation: &ModelInvocation| {
            let run = self.function.run(invocation.run);
            run.waiting.iter().any(|(_, request)| is_release(request))
        };
        let is_late = state.late.iter().any(|call| call.task == number && call.minutes.is_none());
        let is_too_late = is_late || state.running.iter().any(is_checked);
        let now = state.now;
        let task = &mut state.tasks[usize::from(number)];
        if call == ModelAgentCall::Clear {
            *task = ModelTask {
                protected_until: 0,
                set_at: 0,
                writer: ProtectionWriter::Function,
                is_taken_away: true,
                ..*task
            };
            return;
        }
        (task.protected_until, task.set_at) = (now + call.minutes() * 60, now);
        task.writer = if is_too_late { ProtectionWriter::AgentTooLate } else { ProtectionWriter::Agent };
        task.is_taken_away |= call == ModelAgentCall::Shorten;
    }

    /// The worker of a task has protected it for its jobs before it reports them.
    pub(crate) fn protected_by_agent(&self, number: TaskNo, untouched: ModelTask) -> ModelTask {
        let by_agent = |writer: JobWriter| writer == JobWriter::Agent;
        let of_task = self.messages().filter(|(_, message)| message.task == number && by_agent(message.writer));
        match of_task.filter_map(|(_, message)| message.end()).max() {
            None => untouched,
            Some(protected_until) => ModelTask { protected_until, writer: ProtectionWriter::Agent, ..untouched },
        }
    }
}
