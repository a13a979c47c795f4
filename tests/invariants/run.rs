//! The scheduler: runs the real handler from one seed. It alone decides which invocation continues or crashes, which
//! call takes effect, and how the clock advances.

use super::ecs::FakeEcs;
use super::queue::{FakeParking, Work};
use super::store::FakeStore;
use super::world::{Broken, Sabotage, Sim, Stats, World};
use ecs_sim::doubles::interleave::{InvocationNo, Poller, SeedOfPanic};
use ecs_sim::doubles::no_services::NoAutoscaling;
use jiff::{SignedDuration, Timestamp};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use taskhold::config::settings::Config;
use taskhold::lambda::function::{FunctionError, FunctionPorts, Parts, Response};
use taskhold::notify::sink::LogOnly;
use taskhold::notify::sink::{JobForwarder, Notifier};
use taskhold::task::rate_limit::RateLimit;
use taskhold::{service, task};

pub(super) const INVOCATIONS_AT_ONCE: usize = 4;

/// Maximum number of trace lines printed for a failing run: enough for the last few minutes of four invocations.
const TRACE_TAIL: usize = 150;

pub(super) struct Fakes;

impl task::reconciler::TaskPorts for Fakes {
    type Ecs = FakeEcs;
    type Store = FakeStore;
    type Interrupted = JobForwarder<Infallible>;
    type Notifier = Notifier<LogOnly>;
    type Clock = Sim;
}

impl service::reconciler::ServicePorts for Fakes {
    type Autoscaling = NoAutoscaling;
    type Rechecks = Infallible;
}

impl FunctionPorts for Fakes {
    type DeadLetters = FakeParking;
}

type Function = taskhold::lambda::function::Function<Fakes>;
type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response, FunctionError>> + 'a>>;

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) broken: Option<(Broken, String)>,
    pub(crate) trace: Vec<String>,
    pub(crate) stats: Stats,
}

impl Outcome {
    /// The broken promise, the trace that led to it, and the seed that reproduces it.
    pub(crate) fn told(&self) -> String {
        let tail = self.trace.len().saturating_sub(TRACE_TAIL);
        let (broken, why) = self.broken.as_ref().expect("asked of a broken run only");
        format!("{broken:?} is broken: {why}\n{}\nseed {}: {why}", self.trace[tail..].join("\n"), self.seed)
    }
}

pub(super) struct Invocation<'a> {
    pub(super) number: InvocationNo,
    pub(super) work: Work,
    pub(super) deadline: Timestamp,
    pub(super) answering: Answering<'a>,
}

pub(super) struct Run<'a> {
    pub(super) sim: &'a Sim,
    pub(super) function: &'a Function,
    pub(super) running: Vec<Invocation<'a>>,
    poller: Poller,
}

enum Move {
    Pass,
    Strike,
    Land,
    WaitAWhile,
    Deliver,
    Sweep,
    Work,
    Crash,
    Block,
}

/// One run: a storm of faults, then calm, then the workers finish, then every message ends.
pub(crate) fn run(seed: u64, sabotage: Sabotage) -> Outcome {
    let _seed = SeedOfPanic(seed);
    let sim = Sim::new(World::new(seed, sabotage));
    let function = function(&sim);
    let mut run = Run { sim: &sim, function: &function, running: Vec::new(), poller: Poller::default() };
    run.storm();
    sim.world().calm_down();
    run.drain();
    sim.world().finish_all();
    run.drain();
    drop(run);
    let mut world = sim.world();
    let (trace, broken) = (std::mem::take(&mut world.trace), world.broken.take());
    Outcome { seed, broken, trace, stats: world.stats }
}

fn function(sim: &Sim) -> Function {
    let rules = sim.world().rules.clone();
    let config = Config::from_variables([
        ("TASKHOLD_CLUSTERS".to_owned(), super::CLUSTER.to_owned()),
        ("TASKHOLD_FINISHED_JOB_RETENTION_HOURS".to_owned(), rules.finished_job_retention_hours.to_string()),
        ("TASKHOLD_RECEIVES_MAX".to_owned(), rules.receives_max.to_string()),
    ]);
    taskhold::lambda::function::Function::new(Parts {
        ecs: FakeEcs(sim.clone()),
        autoscaling: NoAutoscaling,
        store: FakeStore(sim.clone()),
        notifier: Notifier(LogOnly),
        dead_letters: Some(FakeParking(sim.clone())),
        rechecks: None,
        interrupted: None,
        clock: sim.clone(),
        config: config.unwrap(),
        rate_limit: RateLimit::default(),
    })
}

impl Run<'_> {
    fn storm(&mut self) {
        let moves = self.sim.world().rules.moves;
        for _ in 0..moves {
            match self.choose() {
                Move::Pass => self.pass(),
                Move::Strike => self.strike(),
                Move::Land => self.land(),
                Move::WaitAWhile => {
                    let to = self.a_while();
                    self.advance(to);
                }
                Move::Deliver => self.deliver(),
                Move::Sweep => self.sweep(),
                Move::Work => self.sim.world().work(),
                Move::Crash => self.crash_any(),
                Move::Block => self.block(),
            }
            if self.is_broken() {
                return;
            }
        }
    }

    fn choose(&self) -> Move {
        let mut world = self.sim.world();
        let now = world.now;
        let running = !self.running.is_empty();
        let room = self.running.len() < INVOCATIONS_AT_ONCE;
        let any = |is_possible: bool, weight: u32| if is_possible { weight } else { 0 };
        let moves = [
            (any(!world.gates.waiting().is_empty(), 60), Move::Pass),
            (any(world.ecs.effects.iter().any(|effect| !effect.late), 12), Move::Strike),
            (any(world.shelf.requests.iter().any(|request| request.orphan), 4), Move::Land),
            (10, Move::WaitAWhile),
            (any(room && (!world.visible().is_empty() || !world.queue.events.is_empty()), 25), Move::Deliver),
            (any(room, world.rules.sweep_weight), Move::Sweep),
            (10, Move::Work),
            (any(running, world.rules.crash_weight), Move::Crash),
            (any(world.ecs.tasks.iter().all(|task| task.blocked_until < now), 1), Move::Block),
        ];
        let total: u32 = moves.iter().map(|(weight, _)| weight).sum();
        let mut drawn = world.rng.u32(..total);
        for (weight, chosen) in moves {
            match drawn.checked_sub(weight) {
                Some(rest) => drawn = rest,
                None => return chosen,
            }
        }
        unreachable!("the drawn number is less than the total")
    }

    /// The time after a random step of the clock: mostly short, now and then minutes or an hour.
    fn a_while(&self) -> Timestamp {
        let mut world = self.sim.world();
        let step = i64::from(world.rules.step_millis_max);
        let millis = match world.rng.u32(..100) {
            0..=84 => 1..=step,
            85..=92 => 1_000..=30_000,
            93..=95 => 60_000..=200_000,
            _ => 600_000..=5_400_000,
        };
        world.now + SignedDuration::from_millis(world.rng.i64(millis))
    }

    /// Lets one waiting invocation continue.
    pub(super) fn pass(&mut self) {
        let (id, owner, not_before) = {
            let mut world = self.sim.world();
            let at = world.below_count(|world| world.gates.waiting().len());
            let gate = &world.gates.waiting()[at];
            (gate.id, gate.owner, gate.not_before)
        };
        self.advance(not_before);
        // The invocation may have reached its deadline.
        if self.running.iter().any(|invocation| invocation.number == owner) {
            self.sim.world().gates.open(id);
            self.poll(owner);
        }
    }

    pub(super) fn poll(&mut self, number: InvocationNo) {
        let at = self.running.iter().position(|invocation| invocation.number == number).expect("it runs");
        self.sim.world().polled = number;
        if let Some(answer) = self.poller.poll(self.running[at].answering.as_mut()) {
            let done = self.running.remove(at);
            return self.answered(&done, &answer);
        }
        let waits = self.sim.world().gates.is_waited_at_by(number);
        assert!(waits, "invocation #{number} waits for nothing that could come");
    }

    fn answered(&mut self, done: &Invocation<'_>, answer: &Result<Response, FunctionError>) {
        let mut world = self.sim.world();
        let lost = world.rules.crash_weight > 0 && !world.calm && world.percent(3);
        if lost {
            world.record(format!("#{}'s answer is lost", done.number));
            world.crashed(&done.work);
        } else {
            world.answered(done.number, &done.work, answer);
        }
        world.check_promises();
    }

    fn strike(&mut self) {
        let mut world = self.sim.world();
        let timely: Vec<usize> = (0..world.ecs.effects.len()).filter(|at| !world.ecs.effects[*at].late).collect();
        if !timely.is_empty() {
            let at = timely[world.rng.usize(..timely.len())];
            world.strike(at);
            world.check_promises();
        }
    }

    /// Applies or loses a store whose caller no longer waits.
    fn land(&mut self) {
        let mut world = self.sim.world();
        let Some(at) = world.shelf.requests.iter().position(|request| request.orphan) else { return };
        let request = world.shelf.requests.swap_remove(at);
        if world.rng.bool() {
            world.record(format!("a store of #{} lands after all:", request.owner));
            world.land(request);
        }
    }

    /// Advances the clock: calls that are due take effect, and invocations end at their deadlines.
    pub(super) fn advance(&mut self, to: Timestamp) {
        loop {
            let mut world = self.sim.world();
            let due = world.ecs.effects.iter().enumerate().min_by_key(|(_, effect)| effect.by);
            let Some((at, by)) = due.map(|(at, effect)| (at, effect.by)).filter(|(_, by)| *by <= to) else { break };
            world.now = world.now.max(by);
            world.strike(at);
            world.check_promises();
        }
        let mut world = self.sim.world();
        world.now = world.now.max(to);
        let now = world.now;
        world.shelf.requests.retain(|request| !request.orphan || request.by > now);
        drop(world);
        let over = |invocation: &Invocation<'_>| invocation.deadline <= now;
        while let Some(at) = self.running.iter().position(over) {
            self.crash(at);
        }
        self.sim.world().check_promises();
    }

    fn crash_any(&mut self) {
        let at = self.sim.world().rng.usize(..self.running.len());
        self.crash(at);
    }

    fn crash(&mut self, at: usize) {
        let Invocation { number, work, answering, .. } = self.running.remove(at);
        drop(answering);
        let mut world = self.sim.world();
        world.record(format!("#{number} crashes"));
        world.crashed(&work);
        world.stats.crashes += 1;
        for request in world.shelf.requests.iter_mut().filter(|request| request.owner == number) {
            request.orphan = true;
        }
    }

    fn block(&mut self) {
        let mut world = self.sim.world();
        let task = world.below_count(|world| world.ecs.tasks.len());
        let minutes = world.rng.i64(1..=30);
        world.ecs.tasks[task].blocked_until = world.now + SignedDuration::from_mins(minutes);
        world.record(format!("a deployment blocks task {task} for {minutes} minutes"));
    }
}
