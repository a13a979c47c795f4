//! The possible next steps.

use super::agent::ModelAgentCall;
use super::configuration::Schedule;
use super::protocol::ModelProtocol;
use super::scene::{InvocationWork, Moment, Set, TaskNo, only};
use super::script::{EcsFault, ModelRequest, Subject};
use super::state::{ModelInvocation, ModelState, ModelTask, OpenRequest};

/// A step. Invocations and late calls are identified by their positions in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ModelAction {
    /// The queue delivers a batch.
    Deliver(Set),
    /// A sweep starts, an operator's release, or a recheck.
    Command(InvocationWork),
    /// A request of an invocation progresses.
    Request(usize, Subject, RequestProgress),
    /// An invocation's answer reaches the queue.
    Respond(usize),
    /// An invocation ends without an answer.
    Crash(usize),
    /// The worker of a task calls the agent.
    Agent(TaskNo, ModelAgentCall),
    /// A call whose caller no longer waits takes effect.
    LateEffect(usize),
    /// Time passes while an invocation may be running.
    Tick,
    /// Time passes up to this moment, because nothing can happen before it.
    Wait(Moment),
    /// Nothing can happen except the next scheduled sweep.
    SweepOnSchedule,
}

/// How a request progresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RequestProgress {
    /// The answer arrives.
    Answered,
    /// A put reaches the state store.
    Lands,
    /// A put reaches the state store, and its answer is lost.
    LandsUnanswered,
    /// A load fails, or a put fails without effect.
    StoreFails,
    /// A call takes effect for a task.
    TakesEffect(TaskNo),
    /// ECS refuses a task of a call.
    Refused(TaskNo),
    /// The answer omits a task for which the call took effect.
    AnsweredInPart,
    /// The call fails as a whole.
    EcsFails(EcsFault),
    /// The call can no longer take effect, so it fails without an answer.
    NothingComesOfIt,
}

impl RequestProgress {
    /// Whether the request fails, or its answer says less than what happened. A refusal is no failure.
    pub(crate) fn is_fault(self) -> bool {
        match self {
            Self::Answered | Self::Lands | Self::TakesEffect(_) | Self::Refused(_) => false,
            Self::LandsUnanswered
            | Self::StoreFails
            | Self::AnsweredInPart
            | Self::EcsFails(_)
            | Self::NothingComesOfIt => true,
        }
    }
}

impl ModelProtocol {
    /// Everything that can happen in a state.
    pub(crate) fn possible(&self, state: &ModelState, actions: &mut Vec<ModelAction>) {
        let has_room = state.running.len() < self.configuration.at_once;
        if has_room {
            self.deliveries(state, actions);
        }
        if has_room && state.left.sweeps > 0 {
            actions.push(ModelAction::Command(InvocationWork::Sweep));
        }
        if has_room && state.left.releases > 0 {
            actions.push(ModelAction::Command(InvocationWork::Release));
        }
        if has_room && state.left.rechecks > 0 {
            actions.push(ModelAction::Command(InvocationWork::Recheck));
        }
        for (at, invocation) in state.running.iter().enumerate() {
            // Of two identical invocations, one is enough.
            if at > 0 && state.running[at - 1] == *invocation {
                continue;
            }
            self.requests(state, (at, invocation), actions);
            if state.left.crashes > 0 {
                actions.push(ModelAction::Crash(at));
            }
        }
        for (at, call) in state.late.iter().enumerate() {
            if at == 0 || state.late[at - 1] != *call {
                actions.push(ModelAction::LateEffect(at));
            }
        }
        if state.left.agents > 0 {
            for task in 0..self.configuration.tasks {
                let calls = self.configuration.agent_calls.iter();
                let calls = calls.filter(|call| self.may_call_agent(state, task, **call));
                actions.extend(calls.map(|call| ModelAction::Agent(task, *call)));
            }
        }
        if state.left.ticks > 0 {
            actions.push(ModelAction::Tick);
        }
        // An undelivered message may not have been sent yet: it may arrive now, or later.
        let mut sent = state.queue.iter().filter(|message| message.is_sent && !message.is_deleted);
        let nobody_acts = state.running.is_empty() && sent.all(|message| message.visible_from > 0);
        if let Some(moment) = self.next_moment(state).filter(|_| nobody_acts) {
            actions.push(ModelAction::Wait(moment));
        }
        if state.is_quiet() && self.is_left_to_sweep(state) {
            actions.push(ModelAction::SweepOnSchedule);
        }
    }

    /// When a new step becomes possible: a message becomes visible, a late call expires, a job ends.
    fn next_moment(&self, state: &ModelState) -> Option<Moment> {
        let messages = state.queue.iter().map(|message| message.visible_from).filter(|from| *from > 0);
        let calls = state.late.iter().map(|call| call.until);
        let jobs = self.numbered_tasks(state).filter_map(|(number, _)| self.busy_until(state, number));
        let jobs = jobs.filter(|until| self.configuration.schedule == Schedule::Sweeps && *until > state.now);
        messages.min().or_else(|| calls.min()).or_else(|| jobs.min().filter(|_| state.is_quiet()))
    }

    /// Jobs that end without a finish leave their tasks protected, and no message will report the end. Nor does a message
    /// report that a busy task is unprotected.
    pub(crate) fn is_left_to_sweep(&self, state: &ModelState) -> bool {
        let is_over = |number| self.busy_until(state, number).is_none_or(|until| until <= state.now);
        let is_left = |(number, task): (_, &ModelTask)| {
            let by_function = task.protected_until > 0 && !task.is_protected_by_agent();
            by_function && is_over(number) || self.is_bare(state, number)
        };
        self.configuration.schedule == Schedule::Sweeps && self.numbered_tasks(state).any(is_left)
    }

    /// The visible messages.
    pub(crate) fn visible(&self, state: &ModelState) -> Set {
        let queue = state.queue.iter().enumerate();
        let visible = queue.filter(|(_, message)| !message.is_deleted && message.visible_from == 0);
        visible.fold(0, |set, (number, _)| set | only(number))
    }

    fn deliveries(&self, state: &ModelState, actions: &mut Vec<ModelAction>) {
        let visible = self.visible(state);
        let sent = state.queue.iter().enumerate().filter(|(_, message)| message.is_sent);
        let again = sent.fold(0, |set, (number, _)| set | only(number)) & !visible;
        for batch in 1..only(state.queue.len()) {
            let is_possible = batch & !(visible | again) == 0
                && batch.count_ones() <= self.configuration.batch_max
                && (batch & again).count_ones() <= u32::from(state.left.duplicates);
            if is_possible {
                actions.push(ModelAction::Deliver(batch));
            }
        }
    }

    fn requests(&self, state: &ModelState, of: (usize, &ModelInvocation), actions: &mut Vec<ModelAction>) {
        let (at, invocation) = of;
        let run = self.function.run(invocation.run);
        if run.ended.is_some() {
            actions.push(ModelAction::Respond(at));
        }
        for (subject, request) in &run.waiting {
            let mut push = |happens| actions.push(ModelAction::Request(at, *subject, happens));
            let sent = invocation.sent.iter().find(|sent| sent.subject() == *subject);
            match (request, sent) {
                (ModelRequest::Store(..), None) => {
                    push(RequestProgress::Lands);
                    if state.left.store_faults > 0 {
                        push(RequestProgress::StoreFails);
                        push(RequestProgress::LandsUnanswered);
                    }
                }
                (ModelRequest::Protect(minutes, tasks), Some(OpenRequest::Call { until, effects, .. })) => {
                    let pending = tasks.iter().filter(|task| effects.iter().all(|(affected, _)| affected != *task));
                    for task in pending.filter(|_| *until > 0) {
                        push(RequestProgress::TakesEffect(*task));
                        if minutes.is_some() && state.left.refusals > 0 {
                            push(RequestProgress::Refused(*task));
                        }
                    }
                    if effects.len() == tasks.len() {
                        push(RequestProgress::Answered);
                        if state.left.ecs_faults > 0 {
                            push(RequestProgress::AnsweredInPart);
                        }
                    }
                    let faults = self.configuration.ecs_faults.iter().filter(|_| state.left.ecs_faults > 0);
                    let may_fail = |fault: &&EcsFault| match fault {
                        EcsFault::NoAnswer => true,
                        EcsFault::Throttled | EcsFault::Denied => effects.is_empty(),
                        EcsFault::Rejected => effects.is_empty() && tasks.len() > 1,
                    };
                    faults.filter(may_fail).for_each(|fault| push(RequestProgress::EcsFails(*fault)));
                    if *until == 0 && effects.len() < tasks.len() {
                        push(RequestProgress::NothingComesOfIt);
                    }
                }
                (ModelRequest::Load(_) | ModelRequest::Page, _) => {
                    push(RequestProgress::Answered);
                    if state.left.store_faults > 0 {
                        push(RequestProgress::StoreFails);
                    }
                }
                (ModelRequest::Protections(_), _) => {
                    push(RequestProgress::Answered);
                    if state.left.ecs_faults > 0 {
                        push(RequestProgress::EcsFails(EcsFault::NoAnswer));
                    }
                }
                _ => push(RequestProgress::Answered),
            }
        }
    }
}
