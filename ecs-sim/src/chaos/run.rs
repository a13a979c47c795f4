//! The scheduler of a run of the real handler. It alone decides which invocation continues, which is cut off and how
//! time passes.

use super::broken::Broken;
use super::choices::Choices;
use super::counts::RunCounts;
use super::events::Event;
use super::plan::{Move, Narration, Plan, Step};
use super::rules::{Focus, Sabotage};
use super::stage::SETTINGS;
use super::store::ChaoticStore;
use super::world::{Chaotic, Recording, Sim, VisibleMessages, World};
use crate::control_plane::Millis;
use crate::doubles::alerts::SimulatedAlerts;
use crate::doubles::autoscaling::SimulatedAutoscaling;
use crate::doubles::ecs::SimulatedEcs;
use crate::doubles::interleave::{InvocationNo, Poller, SeedOfPanic};
use crate::doubles::parts::parts;
use crate::doubles::queues::{SimulatedDeadLetterQueue, SimulatedInterruptedJobQueue, SimulatedRecheckQueue};
use crate::doubles::settings::config;
use crate::event_source::Batch;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use taskhold::lambda::function::{Function, FunctionError, Parts, Response};

/// Maximum number of concurrent invocations: two pollers for each queue have as many (template.yaml).
pub(super) const INVOCATIONS_AT_ONCE: usize = 4;

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response, FunctionError>> + 'a>>;

/// The result of a run.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The plan that replays it.
    pub plan: Plan,
    /// The events of the run, if they were recorded.
    pub narration: Narration,
    /// The promise that it broke, and how.
    pub broken: Option<(Broken, String)>,
    /// How often each event happened.
    pub counts: RunCounts,
}

/// The input of an invocation.
pub(super) enum Work {
    /// Messages of this queue.
    Batch(&'static str, Batch),
    /// An event of ECS.
    Event(Event),
    /// The scheduled sweep.
    Sweep,
}

pub(super) struct RunningInvocation<'a> {
    pub(super) number: InvocationNo,
    pub(super) work: Work,
    pub(super) deadline: Millis,
    pub(super) answering: Answering<'a>,
}

pub(super) struct Run<'a> {
    pub(super) sim: &'a Sim,
    pub(super) function: &'a Function,
    pub(super) running: Vec<RunningInvocation<'a>>,
    pub(super) begun: usize,
    poller: Poller,
}

/// Runs a seed, with or without a deliberate defect. Events are not recorded: replay the plan to see them.
#[must_use]
pub fn of_seed(seed: u64, sabotage: Sabotage) -> RunOutcome {
    let _seed = SeedOfPanic(seed);
    let plan = Plan { sabotage, focus: Focus::of_seed(seed), ..Plan::default() };
    run(Choices::of_seed(seed), &plan, Recording::Silent)
}

/// Replays a plan and records its events.
#[must_use]
pub fn replay(plan: &Plan) -> RunOutcome {
    run(Choices::replayed(), plan, Recording::Narrated)
}

/// One run: a storm of faults, then calm. Uses the moves of the plan if it has any, and draws them otherwise.
pub(super) fn run(mut choices: Choices, given: &Plan, recording: Recording) -> RunOutcome {
    let moves = choices.moves();
    choices.begin(&given.setup);
    let mut world = World::new(choices, given.sabotage, given.focus, recording);
    world.set_the_stage();
    let mut plan = Plan { sabotage: given.sabotage, focus: given.focus, setup: world.choices.end(), ..Plan::default() };
    let mut narration = Narration { setup: world.take_narration(), ..Narration::default() };
    let sim = Sim::new(world);
    let function = function(&sim);
    let mut run = Run { sim: &sim, function: &function, running: Vec::new(), begun: 0, poller: Poller::default() };
    for at in 0..moves.max(given.storm.len()) {
        let (made, drawn) = match given.storm.get(at) {
            Some(step) => (step.made, step.drawn.as_slice()),
            None => (run.choose(), &[][..]),
        };
        sim.world().choices.begin(drawn);
        run.make(made);
        let drawn = sim.world().choices.end();
        plan.storm.push(Step { made, drawn });
        narration.steps.push(sim.world().take_narration());
        if run.is_broken() {
            break;
        }
    }
    sim.world().choices.begin(&given.calm);
    run.come_to_rest();
    plan.calm = sim.world().choices.end();
    narration.calm = sim.world().take_narration();
    drop(run);
    let mut world = sim.world();
    let (broken, counts) = (world.broken.take(), std::mem::take(&mut world.counts));
    let mut counts = counts;
    counts.add("runs");
    plan.breaks = broken.as_ref().map(|(broken, _)| *broken);
    RunOutcome { plan, narration, broken, counts }
}

fn function(sim: &Sim) -> Function {
    let world = sim.world();
    let rules = &world.rules;
    let (finished_job_retention, receives) =
        (rules.finished_job_retention_hours.to_string(), rules.receives_max.to_string());
    let linger = rules.linger_seconds.to_string();
    let drawn = [
        ("TASKHOLD_FINISHED_JOB_RETENTION_HOURS", finished_job_retention.as_str()),
        ("TASKHOLD_RECEIVES_MAX", receives.as_str()),
        ("TASKHOLD_LINGER_SECONDS", linger.as_str()),
    ];
    let config = config(&world.region.lock(), drawn.into_iter().chain(SETTINGS));
    drop(world);
    let config = config.expect("the settings are valid");
    let store = Arc::new(ChaoticStore(sim.clone()));
    Function::new(Parts {
        autoscaling: Arc::new(Chaotic::new(sim, SimulatedAutoscaling)),
        task_records: store.clone(),
        service_records: store,
        alerts: Arc::new(Chaotic::new(sim, SimulatedAlerts)),
        dead_letters: Some(Arc::new(Chaotic::new(sim, SimulatedDeadLetterQueue))),
        rechecks: Some(Arc::new(Chaotic::new(sim, SimulatedRecheckQueue))),
        interrupted: Some(Arc::new(Chaotic::new(sim, SimulatedInterruptedJobQueue))),
        ..parts(Arc::new(Chaotic::new(sim, SimulatedEcs)), Arc::new(sim.clone()), config)
    })
}

impl<'a> Run<'a> {
    pub(super) fn is_broken(&self) -> bool {
        self.sim.world().broken.is_some()
    }

    fn choose(&self) -> Move {
        let mut world = self.sim.world();
        let room = self.running.len() < INVOCATIONS_AT_ONCE;
        let any = |is_possible: bool, weight: u32| if is_possible { weight } else { 0 };
        let VisibleMessages { jobs, rechecks } = world.visible();
        let now = world.now();
        let is_on_protection = world.rules.focus == Focus::Protection;
        let weights = Move::ALL.map(|made| match made {
            Move::Pass => any(!world.gates.waiting().is_empty(), 60),
            Move::Wait => 11,
            Move::Jobs => any(room && jobs, 18),
            Move::Rechecks => any(room && rechecks, 12),
            Move::Event => any(room && world.events.next().is_some_and(|at| at <= now), 14),
            Move::Sweep if world.rules.is_sweeping_any_time => any(room, 3),
            Move::Sweep => any(room && world.sweep_at <= now, 10),
            Move::Work => 9,
            Move::Operate if is_on_protection => 1,
            Move::Operate => 3,
            Move::Again => 1,
            Move::Crash => any(!self.running.is_empty(), world.rules.crash_weight),
            Move::Strike => any(is_on_protection && world.may_strike(), 12),
        });
        let at = world.choices.next_move(&weights).expect("a replay makes only recorded moves");
        Move::ALL[at]
    }

    /// Makes a move if it is possible.
    fn make(&mut self, made: Move) {
        let room = self.running.len() < INVOCATIONS_AT_ONCE;
        match made {
            Move::Pass => self.pass(),
            Move::Wait => {
                let to = self.a_while();
                self.advance(to);
            }
            Move::Jobs if room => self.deliver_jobs(),
            Move::Rechecks if room => self.deliver_rechecks(),
            Move::Event if room => self.deliver_event(),
            Move::Sweep if room => self.sweep(),
            Move::Jobs | Move::Rechecks | Move::Event | Move::Sweep => {}
            Move::Work => self.sim.world().work(),
            Move::Operate => self.sim.world().operate(),
            Move::Again => self.sim.world().deliver_again(),
            Move::Crash => self.crash_some(),
            Move::Strike => self.sim.world().strike_any(),
        }
        let mut world = self.sim.world();
        world.observe_ecs();
        world.check_moment();
    }

    /// Usually a moment; now and then minutes or an hour.
    fn a_while(&self) -> Millis {
        let mut world = self.sim.world();
        let step = world.rules.step_ms_max;
        // A long step cuts off every running invocation.
        let weights = if self.running.is_empty() { [50, 15, 22, 13] } else { [85, 12, 2, 1] };
        let (least, most) = match world.choices.weighted(&weights) {
            0 => (1, step),
            1 => (1_000, 30_000),
            2 => (60_000, 400_000),
            _ => (600_000, 3_600_000),
        };
        let more = world.choices.below(usize::try_from(most - least).expect("the maximum is larger"));
        world.now() + least + Millis::try_from(more).expect("at most an hour")
    }

    /// Lets a waiting invocation continue.
    pub(super) fn pass(&mut self) {
        let (id, owner, not_before) = {
            let mut world = self.sim.world();
            let count = world.gates.waiting().len();
            if count == 0 {
                return;
            }
            let at = world.choices.below(count);
            let gate = &world.gates.waiting()[at];
            (gate.id, gate.owner, gate.not_before)
        };
        self.advance(not_before);
        // It may have been cut off at its deadline.
        if self.running.iter().any(|invocation| invocation.number == owner) {
            self.sim.world().gates.open(id);
            self.poll(owner);
        }
    }

    pub(super) fn poll(&mut self, number: InvocationNo) {
        let at =
            self.running.iter().position(|invocation| invocation.number == number).expect("the invocation is running");
        self.sim.world().polled = number;
        if let Some(answer) = self.poller.poll(self.running[at].answering.as_mut()) {
            let done = self.running.remove(at);
            return self.answered(done, answer);
        }
        let waits = self.sim.world().gates.is_waited_at_by(number);
        assert!(waits, "invocation #{number} waits at no gate and can never continue");
    }

    fn answered(&mut self, done: RunningInvocation<'_>, answer: Result<Response, FunctionError>) {
        let RunningInvocation { number, work, .. } = done;
        let mut world = self.sim.world();
        let is_lost = world.rules.crash_weight > 0 && world.fault(3);
        if is_lost {
            world.narrate(|_| format!("#{number}'s answer is lost"));
            world.counts.strike("answers of the function lost");
            world.return_work(work);
        } else {
            world.answered(number, work, answer);
        }
    }
}
