//! The possible next steps.

use super::agent::AgentCall;
use super::configuration::Schedule;
use super::protocol::Protocol;
use super::scene::{Moment, Set, TaskNo, Work, only};
use super::script::{EcsFault, Request, Subject};
use super::state::{Invocation, Sent, State, TaskState};

/// A step. Invocations and late calls are identified by their positions in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// The queue delivers a batch.
    Deliver(Set),
    /// A sweep starts, an operator's release, or a recheck.
    Command(Work),
    /// A request of an invocation progresses.
    Request(usize, Subject, Happens),
    /// An invocation's answer reaches the queue.
    Respond(usize),
    /// An invocation ends without an answer.
    Crash(usize),
    /// The worker of a task calls the agent.
    Agent(TaskNo, AgentCall),
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
pub(crate) enum Happens {
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

impl Happens {
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

impl Protocol {
    /// Everything that can happen in a state.
    pub(crate) fn possible(&self, state: &State, actions: &mut Vec<Action>) {
        let has_room = state.running.len() < self.configuration.at_once;
        if has_room {
            self.deliveries(state, actions);
        }
        if has_room && state.left.sweeps > 0 {
            actions.push(Action::Command(Work::Sweep));
        }
        if has_room && state.left.releases > 0 {
            actions.push(Action::Command(Work::Release));
        }
        if has_room && state.left.rechecks > 0 {
            actions.push(Action::Command(Work::Recheck));
        }
        for (at, invocation) in state.running.iter().enumerate() {
            // Of two identical invocations, one is enough.
            if at > 0 && state.running[at - 1] == *invocation {
                continue;
            }
            self.requests(state, (at, invocation), actions);
            if state.left.crashes > 0 {
                actions.push(Action::Crash(at));
            }
        }
        for (at, call) in state.late.iter().enumerate() {
            if at == 0 || state.late[at - 1] != *call {
                actions.push(Action::LateEffect(at));
            }
        }
        if state.left.agents > 0 {
            for task in 0..self.configuration.tasks {
                let calls = self.configuration.agent_calls.iter();
                let calls = calls.filter(|call| self.may_call_agent(state, task, **call));
                actions.extend(calls.map(|call| Action::Agent(task, *call)));
            }
        }
        if state.left.ticks > 0 {
            actions.push(Action::Tick);
        }
        // An undelivered message may not have been sent yet: it may arrive now, or later.
        let mut sent = state.queue.iter().filter(|message| message.is_sent && !message.is_deleted);
        let nobody_acts = state.running.is_empty() && sent.all(|message| message.visible_from > 0);
        if let Some(moment) = self.next_moment(state).filter(|_| nobody_acts) {
            actions.push(Action::Wait(moment));
        }
        if state.is_quiet() && self.is_left_to_sweep(state) {
            actions.push(Action::SweepOnSchedule);
        }
    }

    /// When a new step becomes possible: a message becomes visible, a late call expires, a job ends.
    fn next_moment(&self, state: &State) -> Option<Moment> {
        let messages = state.queue.iter().map(|message| message.visible_from).filter(|from| *from > 0);
        let calls = state.late.iter().map(|call| call.until);
        let jobs = self.numbered_tasks(state).filter_map(|(number, _)| self.busy_until(state, number));
        let jobs = jobs.filter(|until| self.configuration.schedule == Schedule::Sweeps && *until > state.now);
        messages.min().or_else(|| calls.min()).or_else(|| jobs.min().filter(|_| state.is_quiet()))
    }

    /// Jobs that end without a finish leave their tasks protected, and no message will report the end. Nor does a message
    /// report that a busy task is unprotected.
    pub(crate) fn is_left_to_sweep(&self, state: &State) -> bool {
        let is_over = |number| self.busy_until(state, number).is_none_or(|until| until <= state.now);
        let is_left = |(number, task): (_, &TaskState)| {
            let by_function = task.protected_until > 0 && !task.is_protected_by_agent();
            by_function && is_over(number) || self.is_bare(state, number)
        };
        self.configuration.schedule == Schedule::Sweeps && self.numbered_tasks(state).any(is_left)
    }

    /// The visible messages.
    pub(crate) fn visible(&self, state: &State) -> Set {
        let queue = state.queue.iter().enumerate();
        let visible = queue.filter(|(_, message)| !message.is_deleted && message.visible_from == 0);
        visible.fold(0, |set, (number, _)| set | only(number))
    }

    fn deliveries(&self, state: &State, actions: &mut Vec<Action>) {
        let visible = self.visible(state);
        let sent = state.queue.iter().enumerate().filter(|(_, message)| message.is_sent);
        let again = sent.fold(0, |set, (number, _)| set | only(number)) & !visible;
        for batch in 1..only(state.queue.len()) {
            let is_possible = batch & !(visible | again) == 0
                && batch.count_ones() <= self.configuration.batch_max
                && (batch & again).count_ones() <= u32::from(state.left.duplicates);
            if is_possible {
                actions.push(Action::Deliver(batch));
            }
        }
    }

    fn requests(&self, state: &State, of: (usize, &Invocation), actions: &mut Vec<Action>) {
        let (at, invocation) = of;
        let run = self.function.run(invocation.run);
        if run.ended.is_some() {
            actions.push(Action::Respond(at));
        }
        for (subject, request) in &run.waiting {
            let mut push = |happens| actions.push(Action::Request(at, *subject, happens));
            let sent = invocation.sent.iter().find(|sent| sent.subject() == *subject);
            match (request, sent) {
                (Request::Store(..), None) => {
                    push(Happens::Lands);
                    if state.left.store_faults > 0 {
                        push(Happens::StoreFails);
                        push(Happens::LandsUnanswered);
                    }
                }
                (Request::Protect(minutes, tasks), Some(Sent::Call { until, effects, .. })) => {
                    let pending = tasks.iter().filter(|task| effects.iter().all(|(affected, _)| affected != *task));
                    for task in pending.filter(|_| *until > 0) {
                        push(Happens::TakesEffect(*task));
                        if minutes.is_some() && state.left.refusals > 0 {
                            push(Happens::Refused(*task));
                        }
                    }
                    if effects.len() == tasks.len() {
                        push(Happens::Answered);
                        if state.left.ecs_faults > 0 {
                            push(Happens::AnsweredInPart);
                        }
                    }
                    let faults = self.configuration.ecs_faults.iter().filter(|_| state.left.ecs_faults > 0);
                    let may_fail = |fault: &&EcsFault| match fault {
                        EcsFault::NoAnswer => true,
                        EcsFault::Throttled | EcsFault::Denied => effects.is_empty(),
                        EcsFault::Rejected => effects.is_empty() && tasks.len() > 1,
                    };
                    faults.filter(may_fail).for_each(|fault| push(Happens::EcsFails(*fault)));
                    if *until == 0 && effects.len() < tasks.len() {
                        push(Happens::NothingComesOfIt);
                    }
                }
                (Request::Load(_) | Request::Page, _) => {
                    push(Happens::Answered);
                    if state.left.store_faults > 0 {
                        push(Happens::StoreFails);
                    }
                }
                (Request::Protections(_), _) => {
                    push(Happens::Answered);
                    if state.left.ecs_faults > 0 {
                        push(Happens::EcsFails(EcsFault::NoAnswer));
                    }
                }
                _ => push(Happens::Answered),
            }
        }
    }
}
