//! The effect of each step.

use super::actions::{ModelAction, RequestProgress};
use super::configuration::Stores;
use super::effects::late_calls;
use super::function::{FunctionRun, ReceivedAnswer, RecordNo, Start};
use super::protocol::ModelProtocol;
use super::sabotage::ModelSabotage;
use super::scene::{InvocationWork, SWEEP_EVERY_S, Set, TaskNo, VISIBILITY_TIMEOUT_S, members, only};
use super::script::{EcsFault, ModelAnswer, ModelRequest, Subject, TaskEffect};
use super::state::{Alone, Landing, LateCall, ModelInvocation, ModelState, OpenRequest};

impl ModelProtocol {
    /// The state after one of the actions that it allows.
    pub(crate) fn after(&self, before: &ModelState, action: ModelAction) -> ModelState {
        let mut state = before.clone();
        state.alone = state.alone.filter(|_| match action {
            ModelAction::Request(.., happens) => !happens.is_fault(),
            ModelAction::Respond(_) => true,
            _ => false,
        });
        match action {
            ModelAction::Deliver(batch) => self.deliver(&mut state, batch),
            ModelAction::Command(work) => {
                match work {
                    InvocationWork::Release => state.left.releases -= 1,
                    InvocationWork::Recheck => state.left.rechecks -= 1,
                    _ => state.left.sweeps -= 1,
                }
                let lingered = work == InvocationWork::Recheck && state.is_quiet() && !self.lingers(&state);
                state.alone = lingered.then_some(Alone::RecheckAfterLinger);
                self.begin(&mut state, work);
            }
            ModelAction::Request(at, subject, happens) => self.request(&mut state, (at, subject), happens),
            ModelAction::Respond(at) => self.respond(&mut state, at),
            ModelAction::Crash(at) => {
                state.left.crashes -= 1;
                self.crash(&mut state, at);
            }
            ModelAction::Agent(task, call) => {
                state.left.agents -= 1;
                self.call_agent(&mut state, task, call);
            }
            ModelAction::LateEffect(at) => {
                let LateCall { task, minutes, .. } = state.late.remove(at);
                self.take_effect(&mut state, task, minutes);
            }
            ModelAction::Tick => {
                state.left.ticks -= 1;
                let to = state.now + self.configuration.tick_s;
                self.pass(&mut state, to);
            }
            ModelAction::Wait(to) => self.pass(&mut state, to),
            ModelAction::SweepOnSchedule => {
                let to = state.now + SWEEP_EVERY_S;
                self.pass(&mut state, to);
                self.begin(&mut state, InvocationWork::Sweep);
                state.alone = Some(Alone::Sweep);
            }
        }
        state.running.sort_unstable();
        state.late.sort_unstable();
        state
    }

    fn deliver(&self, state: &mut ModelState, batch: Set) {
        let visible_from = state.now + VISIBILITY_TIMEOUT_S;
        for number in members(batch) {
            let message = &mut state.queue[usize::from(number)];
            if message.is_deleted || message.visible_from > 0 {
                state.left.duplicates -= 1;
            }
            message.is_sent = true;
            message.visible_from = if message.is_deleted { 0 } else { visible_from };
        }
        self.begin(state, InvocationWork::Batch(batch));
    }

    fn begin(&self, state: &mut ModelState, work: InvocationWork) {
        let run = self.function.begin(Start { work, at: state.now });
        let deadline = state.now + self.configuration.timeout_s;
        state.running.push(ModelInvocation { run, deadline, outrun: 0, sent: Vec::new() });
    }

    fn request(&self, state: &mut ModelState, of: (usize, Subject), happens: RequestProgress) {
        let (at, subject) = of;
        let run = self.function.run(state.running[at].run);
        let request = run.request(subject);
        match (happens, request) {
            (RequestProgress::Answered, _) => {
                let answer = self.answer(state, of, request);
                self.go_on(state, of, answer);
            }
            (RequestProgress::Lands, ModelRequest::Store(task, record)) => {
                let landing = self.land(state, at, (*task, *record));
                match self.configuration.stores {
                    Stores::AnsweredLater => state.running[at].sent.push(OpenRequest::Store { subject, landing }),
                    Stores::AnsweredAtOnce => self.go_on(state, of, landing.answer()),
                }
            }
            (RequestProgress::StoreFails, _) => {
                state.left.store_faults -= 1;
                self.go_on(state, of, ModelAnswer::StoreFails);
            }
            (RequestProgress::LandsUnanswered, ModelRequest::Store(task, record)) => {
                state.left.store_faults -= 1;
                self.land(state, at, (*task, *record));
                // The invocation does not know the version that its put created.
                state.running[at].outrun |= only(usize::from(*task));
                self.go_on(state, of, ModelAnswer::StoreFails);
            }
            (RequestProgress::TakesEffect(task), ModelRequest::Protect(minutes, _)) => {
                let effect = self.take_effect(state, task, *minutes);
                state.running[at].add_effect(subject, (task, effect));
            }
            (RequestProgress::Refused(task), ModelRequest::Protect(..)) => {
                state.left.refusals -= 1;
                state.running[at].add_effect(subject, (task, TaskEffect::Refused));
            }
            (RequestProgress::AnsweredInPart, ModelRequest::Protect(..)) => {
                state.left.ecs_faults -= 1;
                let mut effects = state.running[at].effects(subject).to_vec();
                effects.pop();
                self.go_on(state, of, ModelAnswer::Protected(effects));
            }
            (RequestProgress::EcsFails(fault), _) => {
                state.left.ecs_faults -= 1;
                if fault == EcsFault::NoAnswer {
                    let late = late_calls(&state.running[at], &run, Some(subject));
                    state.late.extend(late);
                }
                let answered = match (fault, self.configuration.sabotage) {
                    (EcsFault::NoAnswer, ModelSabotage::NoAnswerMeansNoEffect) => EcsFault::Denied,
                    _ => fault,
                };
                self.go_on(state, of, ModelAnswer::EcsFails(answered));
            }
            (RequestProgress::NothingComesOfIt, ModelRequest::Protect(..)) => {
                self.go_on(state, of, ModelAnswer::EcsFails(EcsFault::NoAnswer));
            }
            (happens, request) => unreachable!("{happens:?} does not happen to {request:?}"),
        }
    }

    fn answer(
        &self,
        state: &ModelState,
        of: (usize, Subject),
        request: &ModelRequest<RecordNo>,
    ) -> ModelAnswer<RecordNo> {
        let (at, subject) = of;
        let invocation = &state.running[at];
        match request {
            ModelRequest::Load(task) => {
                let record = state.tasks[usize::from(*task)].record;
                let work = self.function.run(invocation.run).work;
                ModelAnswer::Loaded(record.map(|record| self.seen_by(work, self.loaded(state, record))))
            }
            ModelRequest::Store(..) => {
                let sent = invocation.sent.iter().find(|sent| sent.subject() == subject);
                let Some(OpenRequest::Store { landing, .. }) = sent else { unreachable!("it has landed") };
                landing.answer()
            }
            ModelRequest::Page => ModelAnswer::Page(self.open_records(state)),
            ModelRequest::Protect(..) => ModelAnswer::Protected(invocation.effects(subject).to_vec()),
            ModelRequest::Protections(tasks) => {
                let seen = |task: &TaskNo| {
                    let until = self.reported(&state.tasks[usize::from(*task)]);
                    (*task, (until > 0).then_some(until))
                };
                ModelAnswer::Protections(tasks.iter().map(seen).collect())
            }
            ModelRequest::Pause => ModelAnswer::Paused,
        }
    }

    fn open_records(&self, state: &ModelState) -> Vec<(TaskNo, RecordNo)> {
        let tasks = (0..self.configuration.tasks).zip(&state.tasks);
        let kept = tasks.filter_map(|(number, task)| Some((number, task.record?)));
        let open = kept.filter(|(_, record)| self.function.record(*record).record.is_open());
        open.map(|(number, record)| (number, self.loaded(state, record))).collect()
    }

    /// The function receives an answer and runs until it waits again.
    fn go_on(&self, state: &mut ModelState, of: (usize, Subject), answer: ModelAnswer<RecordNo>) {
        let (at, subject) = of;
        let now = state.now;
        let is_noticed = !matches!(answer, ModelAnswer::Stored | ModelAnswer::Protections(_));
        let notices = is_noticed || self.configuration.sabotage != ModelSabotage::SlowAnswersAreNotNoticed;
        let invocation = &mut state.running[at];
        let reported_at = if notices { now } else { invocation.deadline - self.configuration.timeout_s };
        match (&answer, subject) {
            (ModelAnswer::Loaded(_), Subject::Task(task)) => invocation.outrun &= !only(usize::from(task)),
            (ModelAnswer::Page(_), _) => invocation.outrun = 0,
            _ => {}
        }
        invocation.sent.retain(|sent| sent.subject() != subject);
        invocation.run = self.function.step(invocation.run, ReceivedAnswer { subject, answer, now: reported_at });
        let run = self.function.run(invocation.run);
        for (subject, request) in &run.waiting {
            let is_new = invocation.sent.iter().all(|sent| sent.subject() != *subject);
            if is_new && matches!(request, ModelRequest::Protect(..)) {
                let until = now + self.takes_effect_within();
                invocation.sent.push(OpenRequest::Call { subject: *subject, until, effects: Vec::new() });
            }
        }
        invocation.sent.sort_unstable();
        invocation.outrun &= run.holds();
    }
}

impl Landing {
    fn answer(self) -> ModelAnswer<RecordNo> {
        match self {
            Self::Conflict => ModelAnswer::Conflict,
            Self::Stored => ModelAnswer::Stored,
        }
    }
}

impl ModelInvocation {
    fn effects(&self, subject: Subject) -> &[(TaskNo, TaskEffect)] {
        let sent = self.sent.iter().find(|sent| sent.subject() == subject);
        let Some(OpenRequest::Call { effects, .. }) = sent else { unreachable!("it was sent") };
        effects
    }

    fn add_effect(&mut self, subject: Subject, effect: (TaskNo, TaskEffect)) {
        let sent = self.sent.iter_mut().find(|sent| sent.subject() == subject);
        let Some(OpenRequest::Call { effects, .. }) = sent else { unreachable!("it was sent") };
        effects.push(effect);
        effects.sort_unstable();
    }
}

impl FunctionRun {
    /// The pending request about `subject`.
    pub(crate) fn request(&self, subject: Subject) -> &ModelRequest<RecordNo> {
        let request = self.waiting.iter().find(|(waiting, _)| *waiting == subject);
        &request.expect("it waits for this").1
    }

    /// Tasks whose last received version it may still put: all except those that it is about to load.
    pub(crate) fn holds(&self) -> Set {
        if self.ended.is_some() {
            return 0;
        }
        let loads = |request: &ModelRequest<RecordNo>| match request {
            ModelRequest::Load(task) => only(usize::from(*task)),
            _ => 0,
        };
        self.waiting.iter().fold(Set::MAX, |set, (_, request)| set & !loads(request))
    }
}
