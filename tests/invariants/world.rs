//! The simulated world: its clock, its random numbers, the gates at which invocations wait, and the trace of a run.
//!
//! All random numbers come from one seed, so a seed determines a run.

use super::ecs::ControlPlane;
use super::promise::Promise;
use super::queue::Queue;
use super::store::Shelf;
use ecs_sim::doubles::interleave::{Gates, InvocationNo};
use jiff::{SignedDuration, Timestamp};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use taskhold::clock::Clock;

/// The world, shared by the fakes. Never locked across an await.
#[derive(Clone, Debug)]
pub(crate) struct Sim(Arc<Mutex<World>>);

/// A deliberate fault in the protocol, to show that the checks can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// No sabotage.
    None,
    /// The state store keeps only the newest of the calls in a record.
    ForgetsOtherCalls,
    /// The state store's compare-and-set ignores the version.
    StoresWithoutComparing,
    /// The state store drops records before they expire.
    ForgetsEntriesEarly,
    /// The state store restarts a record's versions at 1 after it has dropped the record.
    CountsVersionsAnew,
    /// The ECS client reports "throttled", which means "no effect", although it received no answer.
    DeniesEffects,
    /// Calls take effect later than taskhold assumes.
    StrikesTooLate,
}

/// The parameters of a run, drawn from its seed.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) sabotage: Sabotage,
    /// Percentage of calls to ECS that fail in some way.
    pub(crate) ecs_fault_percent: u32,
    /// Percentage of loads, stores and dead-letter sends that fail in some way.
    pub(crate) other_fault_percent: u32,
    /// Weight of the move that crashes an invocation; the move that lets one continue has weight 60.
    pub(crate) crash_weight: u32,
    /// Maximum of most clock steps: the shorter it is, the more invocations overlap.
    pub(crate) step_millis_max: u32,
    pub(crate) function_timeout: SignedDuration,
    pub(crate) finished_job_retention_hours: u32,
    pub(crate) receives_max: u32,
    /// Percentage of jobs whose workers crash and never send the finish.
    pub(crate) abandoned_percent: u32,
    /// Approximate number of jobs of a task that are alive at once.
    pub(crate) jobs_at_once: usize,
    /// Length of the storm in moves.
    pub(crate) moves: u32,
    /// Weight of the move that starts a sweep, as for `crash_weight`. Half of the runs have no sweeps.
    pub(crate) sweep_weight: u32,
    /// Whether taskhold stores a job's start without reading the record first, as if the task were new.
    pub(crate) is_guessing: bool,
}

/// The promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Safety,
    Loss,
    Convergence,
}

/// Counts of what happened, so that a test can assert that the runs exercised it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) invocations: u64,
    pub(crate) at_once_max: usize,
    pub(crate) crashes: u64,
    pub(crate) conflicts: u64,
    pub(crate) late_effects: u64,
    pub(crate) forgotten: u64,
    pub(crate) releases: u64,
    pub(crate) done: u64,
    pub(crate) retried: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) sweeps: u64,
    pub(crate) deliveries_after_storm_max: u32,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rng: fastrand::Rng,
    pub(crate) now: Timestamp,
    pub(crate) rules: Rules,
    /// The storm is over: no new faults.
    pub(crate) calm: bool,
    /// The invocation that is being polled.
    pub(crate) polled: InvocationNo,
    pub(crate) gates: Gates<Timestamp>,
    pub(crate) ecs: ControlPlane,
    pub(crate) shelf: Shelf,
    pub(crate) queue: Queue,
    pub(crate) promise: Promise,
    pub(crate) trace: Vec<String>,
    pub(crate) broken: Option<(Broken, String)>,
    pub(crate) stats: Stats,
    started_at: Timestamp,
}

impl Stats {
    pub(crate) fn add(&mut self, other: &Self) {
        self.invocations += other.invocations;
        self.at_once_max = self.at_once_max.max(other.at_once_max);
        self.crashes += other.crashes;
        self.conflicts += other.conflicts;
        self.late_effects += other.late_effects;
        self.forgotten += other.forgotten;
        self.releases += other.releases;
        self.done += other.done;
        self.retried += other.retried;
        self.dead_lettered += other.dead_lettered;
        self.sweeps += other.sweeps;
        self.deliveries_after_storm_max = self.deliveries_after_storm_max.max(other.deliveries_after_storm_max);
    }
}

impl Rules {
    fn drawn(rng: &mut fastrand::Rng, sabotage: Sabotage) -> Self {
        let one_of = |rng: &mut fastrand::Rng, values: &[u32]| values[rng.usize(..values.len())];
        let mut rules = Self {
            sabotage,
            ecs_fault_percent: one_of(rng, &[0, 30, 60]),
            other_fault_percent: one_of(rng, &[0, 0, 0, 2, 8]),
            crash_weight: one_of(rng, &[0, 0, 1, 3]),
            step_millis_max: one_of(rng, &[300, 3_000, 3_000, 40_000]),
            function_timeout: SignedDuration::from_secs(i64::from(one_of(rng, &[30, 170, 900]))),
            finished_job_retention_hours: one_of(rng, &[336, 1]),
            receives_max: one_of(rng, &[50, 50, 50, 50, 4]),
            abandoned_percent: one_of(rng, &[0, 0, 0, 20]),
            jobs_at_once: [1, 1, 2, 3][rng.usize(..4)],
            moves: rng.u32(100..350),
            sweep_weight: 0,
            is_guessing: false,
        };
        if sabotage == Sabotage::CountsVersionsAnew {
            // This matters only if records are dropped while invocations still run.
            rules.finished_job_retention_hours = 1;
            rules.function_timeout = SignedDuration::from_secs(900);
            rules.crash_weight = 0;
        }
        rules
    }
}

impl World {
    pub(crate) fn new(seed: u64, sabotage: Sabotage) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let started_at = Timestamp::from_second(1_700_000_000).unwrap();
        let mut rules = Rules::drawn(&mut rng, sabotage);
        // Not drawn, so that seeds without sweeps keep their runs.
        rules.sweep_weight = if seed % 4 >= 2 { 3 } else { 0 };
        rules.is_guessing = seed % 8 >= 4;
        let tasks = [1, 1, 2, 3][rng.usize(..4)];
        let promise = Promise::new(tasks, &rules, &mut rng);
        Self {
            now: started_at,
            rules,
            calm: false,
            polled: 0,
            gates: Gates::default(),
            ecs: ControlPlane::new(tasks),
            shelf: Shelf::default(),
            queue: Queue::default(),
            promise,
            trace: Vec::new(),
            broken: None,
            stats: Stats::default(),
            started_at,
            rng,
        }
    }

    /// Whether the next operation other than a call to ECS fails.
    pub(crate) fn fault(&mut self) -> bool {
        !self.calm && self.percent(self.rules.other_fault_percent)
    }

    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    /// A random number below a count.
    pub(crate) fn below_count(&mut self, count: impl Fn(&Self) -> usize) -> usize {
        let count = count(self);
        self.rng.usize(..count)
    }

    pub(crate) fn record(&mut self, what: String) {
        let line = format!("{:>10} {what}", self.shown(self.now));
        self.trace.push(line);
    }

    /// Records a broken promise. The first one counts: it is the cause to investigate.
    pub(crate) fn break_off(&mut self, broken: Broken, why: String) {
        self.record(format!("BROKEN {broken:?}: {why}"));
        self.broken.get_or_insert((broken, why));
    }

    /// `at` in seconds since the start of the run.
    pub(crate) fn shown(&self, at: Timestamp) -> String {
        let millis = at.duration_since(self.started_at).as_millis();
        format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
    }
}

impl Sim {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the scheduler lets the invocation continue.
    pub(crate) fn gate(&self) -> Pass {
        self.gate_until(Timestamp::MIN)
    }

    fn gate_until(&self, not_before: Timestamp) -> Pass {
        let mut world = self.world();
        let owner = world.polled;
        let id = world.gates.make(owner, not_before);
        Pass { sim: self.clone(), id }
    }
}

/// Ready once its gate is open.
pub(crate) struct Pass {
    sim: Sim,
    id: u64,
}

impl Future for Pass {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.sim.world().gates.poll(self.id, context)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.sim.world().gates.remove(self.id);
    }
}

impl Clock for Sim {
    fn now(&self) -> Timestamp {
        self.world().now
    }

    async fn sleep(&self, duration: Duration) {
        // The run's clock advances by whole milliseconds, as SQS's timestamps do.
        let millis = duration.as_micros().div_ceil(1000);
        let until = self.now() + SignedDuration::from_millis(i64::try_from(millis).unwrap());
        self.gate_until(until).await;
    }
}
