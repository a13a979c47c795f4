//! The faults of a soak test, drawn from a seed: each lasts ten minutes, sometimes several at once.

use crate::watch::counted::InvocationCause;
use crate::watch::parts::locked;
use crate::watch::world::WatchedWorld;
use ecs_sim::region::Fault;
use std::collections::BTreeMap;

/// Faults of the calls to ECS.
const FAULTS: [(Fault, &str); 4] = [
    (Fault::Throttled, "calls to ecs that are throttled"),
    (Fault::ServerError, "calls to ecs that are answered 5xx"),
    (Fault::CallLost, "calls to ecs that get lost"),
    (Fault::AnswerLost, "answers of ecs that get lost"),
];
const CAUSES: [InvocationCause; 4] =
    [InvocationCause::Event, InvocationCause::Recheck, InvocationCause::Sweep, InvocationCause::Job];

/// Number of copies of a recheck in a bad hour, and the maximum delay of a recheck, in seconds, at any time.
const COPIES_MAX: usize = 2;
const LATE_SECONDS_MAX: u32 = 20;

pub(crate) struct Weather {
    random: fastrand::Rng,
    /// The injected faults, with their counts.
    pub(crate) done: BTreeMap<&'static str, u64>,
}

impl Weather {
    pub(crate) fn begin(world: &mut WatchedWorld, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut disorder = locked(&world.rechecks().inner.disorder);
        (disorder.random, disorder.late_max) = (random.fork(), LATE_SECONDS_MAX);
        drop(disorder);
        Self { random, done: BTreeMap::new() }
    }

    /// Draws the faults of the next ten minutes.
    pub(crate) fn change(&mut self, world: &mut WatchedWorld) {
        self.clear(world);
        world.delivers.events = !self.is(3, "ten minutes whose events get lost");
        if self.is(2, "ten minutes in which rechecks cannot be sent") {
            world.rechecks().failing.fail_all();
        }
        let copies = if self.is(2, "ten minutes in which rechecks come twice") { COPIES_MAX } else { 1 };
        locked(&world.rechecks().inner.disorder).copies = 1..=copies;
        if self.is(2, "ten minutes in which alerts cannot be sent") {
            world.parts.alerts.failing.fail_all();
        }
        if self.is(5, "times that calls to the state store fail") {
            world.parts.store.failing.set(self.random.u32(1..=30));
        }
        if self.is(10, "times that an invocation is to die") {
            let cause = CAUSES[self.random.usize(..CAUSES.len())];
            world.dies_at = Some((cause, self.random.usize(1..40)));
        }
        if self.random.u32(..100) < 20 {
            for _ in 0..self.random.u32(1..=20) {
                let (fault, what) = FAULTS[self.random.usize(..FAULTS.len())];
                world.region.lock().faults.push_back(fault);
                *self.done.entry(what).or_default() += 1;
            }
        }
    }

    /// Removes all faults.
    pub(crate) fn clear(&mut self, world: &mut WatchedWorld) {
        world.delivers.events = true;
        world.rechecks().failing.fail_none();
        locked(&world.rechecks().inner.disorder).copies = 1..=1;
        world.parts.alerts.failing.fail_none();
        world.parts.store.failing.fail_none();
        world.region.lock().faults.clear();
        world.dies_at = None;
    }

    /// Draws whether an event with a probability of `percent` occurs.
    fn is(&mut self, percent: u32, what: &'static str) -> bool {
        let happens = self.random.u32(..100) < percent;
        *self.done.entry(what).or_default() += u64::from(happens);
        happens
    }
}
