//! The simulated world: its Region and its random choices, the gates at which invocations wait, pending effects, and the record
//! of what happened.

use super::broken::Broken;
use super::choices::Choices;
use super::counts::RunCounts;
use super::events::OnTheirWay;
use super::model::Model;
use super::rules::{Focus, Rules, Sabotage};
use super::shelves::Shelves;
use crate::control_plane::Millis;
use crate::doubles::clock::timestamp;
use crate::doubles::interleave::{Gates, InvocationNo};
use crate::region::{Region, SharedRegion};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use taskhold::clock::Clock;
use taskhold::ecs::ProtectionAnswer;
use taskhold::ecs::error::EcsError;
use taskhold::task::protection::{LATE_EFFECT_MAX, SENT_WITHIN};

/// The maximum time from sending a call to its effect: all that taskhold assumes for calls to ECS, less the time within
/// which it sends a recorded call, less one millisecond.
pub(super) const STRIKES_WITHIN_MS: Millis = (LATE_EFFECT_MAX.as_secs() - SENT_WITHIN.as_secs()) * 1000 - 1;

/// The time between two scheduled sweeps, as in template.yaml.
pub(super) const SWEEP_EVERY_MS: Millis = 5 * 60_000;

/// What an invocation could receive.
#[derive(Clone, Copy)]
pub(super) struct VisibleMessages {
    /// Whether there are job messages.
    pub(super) jobs: bool,
    /// Whether there are rechecks.
    pub(super) rechecks: bool,
}

/// What a call or a store does.
pub(super) type WorldChange = Box<dyn FnOnce(&mut World) + Send>;

/// An effect on its way.
pub(super) struct PendingEffect {
    /// The latest moment at which it takes place.
    pub(super) at: Millis,
    /// Whether it takes place at that moment and no earlier, unless its call is answered.
    pub(super) is_slow: bool,
    /// The call that waits for it, if its caller has not given up.
    pub(super) call: Option<usize>,
    pub(super) effect: WorldChange,
}

/// Whether events are recorded or only counted; the events of most runs are never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recording {
    Narrated,
    Silent,
}

pub(super) struct World {
    pub(super) choices: Choices,
    pub(super) rules: Rules,
    pub(super) region: SharedRegion,
    /// No new faults.
    pub(super) is_calm: bool,
    /// Since when.
    pub(super) calm_at: Millis,
    /// The invocation that is being polled.
    pub(super) polled: InvocationNo,
    pub(super) gates: Gates<Millis>,
    pub(super) pending: Vec<PendingEffect>,
    pub(super) shelves: Shelves,
    pub(super) events: OnTheirWay,
    /// When the next scheduled sweep is due.
    pub(super) sweep_at: Millis,
    /// When each invocation last read each service.
    pub(super) last_reads: BTreeMap<(InvocationNo, String), Millis>,
    /// For each invocation and each task whose protection it has read, how many changes by other writers it may have seen.
    pub(super) protection_reads: BTreeMap<(InvocationNo, usize), u64>,
    /// The answers of ECS to calls that take effect on each task by itself, as far as they are known.
    pub(super) answers: Vec<Result<ProtectionAnswer, EcsError>>,
    /// For a deliberate defect: the time at which an invocation's clock stands still.
    pub(super) stopped_clocks: BTreeMap<InvocationNo, Millis>,
    pub(super) model: Model,
    pub(super) counts: RunCounts,
    pub(super) broken: Option<(Broken, String)>,
    recording: Recording,
    narration: Vec<String>,
    started_at: Millis,
}

impl World {
    /// The world of this plan, or of this seed, before its services exist.
    pub(super) fn new(mut choices: Choices, sabotage: Sabotage, focus: Focus, recording: Recording) -> Self {
        let rules = Rules::drawn(&mut choices, sabotage, focus);
        let region = Region::for_scenario(rules.variants);
        let started_at = region.now();
        Self {
            choices,
            rules,
            region: SharedRegion::new(region),
            is_calm: false,
            calm_at: 0,
            polled: 0,
            gates: Gates::default(),
            pending: Vec::new(),
            shelves: Shelves::default(),
            events: OnTheirWay::default(),
            sweep_at: started_at + SWEEP_EVERY_MS,
            last_reads: BTreeMap::new(),
            protection_reads: BTreeMap::new(),
            answers: Vec::new(),
            stopped_clocks: BTreeMap::new(),
            model: Model::default(),
            counts: RunCounts::default(),
            broken: None,
            recording,
            narration: Vec::new(),
            started_at,
        }
    }

    pub(super) fn now(&self) -> Millis {
        self.region.lock().now()
    }

    /// Records an event, if the run records any.
    pub(super) fn narrate(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.recording == Recording::Narrated {
            let line = format!("{:>10} {}", self.shown(self.now()), self.model.named(&what(self)));
            self.narration.push(line);
        }
    }

    /// The events since the last call.
    pub(super) fn take_narration(&mut self) -> Vec<String> {
        std::mem::take(&mut self.narration)
    }

    /// Keeps the first broken promise, which is the one to investigate.
    pub(super) fn break_off(&mut self, broken: Broken, why: String) {
        let why = self.model.named(&why);
        self.narrate(|_| format!("BROKEN {}: {why}", broken.as_str()));
        self.broken.get_or_insert((broken, why));
    }

    /// A time on the run's clock, which begins at 0:00:00.
    pub(super) fn shown(&self, at: Millis) -> String {
        let millis = at - self.started_at;
        let (seconds, sign) = (millis.abs() / 1000, if millis < 0 { "-" } else { "" });
        let mut text = String::new();
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        write!(text, "{sign}{hours}:{minutes:02}:{:02}.{:03}", seconds % 60, millis.abs() % 1000)
            .expect("writing to a string does not fail");
        text
    }

    /// Draws whether a fault strikes, with a probability of `percent`; none do in calm.
    pub(super) fn fault(&mut self, percent: u32) -> bool {
        !self.is_calm && self.choices.chance(percent)
    }
}

/// The world, shared by everything that simulates a part of it. Never locked across an await.
#[derive(Clone)]
pub(super) struct Sim(Arc<Mutex<World>>);

/// A part of the Region as the function sees it: calls fail, or take effect without an answer or late.
pub(super) struct Chaotic<P> {
    pub(super) sim: Sim,
    pub(super) inner: P,
}

impl<P> Chaotic<P> {
    pub(super) fn new(sim: &Sim, part: fn(SharedRegion) -> P) -> Self {
        let region = sim.world().region.clone();
        Self { sim: sim.clone(), inner: part(region) }
    }
}

impl Sim {
    pub(super) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the scheduler lets the invocation continue.
    pub(super) fn gate(&self) -> Pass {
        self.gate_until(Millis::MIN)
    }

    fn gate_until(&self, not_before: Millis) -> Pass {
        let mut world = self.world();
        let goes_through = world.is_calm && !world.rules.is_calm_interleaved && not_before == Millis::MIN;
        if goes_through {
            return Pass { sim: self.clone(), id: None };
        }
        let owner = world.polled;
        let id = world.gates.make(owner, not_before);
        Pass { sim: self.clone(), id: Some(id) }
    }

    /// Sends an effect. If its caller is cut off meanwhile, it may still take place.
    pub(super) async fn send<T: Send>(&self, effect: impl FnOnce(&mut World) -> T + Send + 'static) -> T {
        let mut underway = Underway { sim: self.clone(), effect: Some(effect), left: leave::<_, T> };
        self.gate().await;
        let effect = underway.effect.take().expect("only this call takes it");
        effect(&mut self.world())
    }
}

/// Ready once its gate is open.
pub(super) struct Pass {
    sim: Sim,
    /// `None` where there is no gate.
    id: Option<u64>,
}

impl Future for Pass {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(id) = self.id else { return Poll::Ready(()) };
        self.sim.world().gates.poll(id, context)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.sim.world().gates.remove(id);
        }
    }
}

/// An effect that its caller still waits for.
struct Underway<E> {
    sim: Sim,
    effect: Option<E>,
    left: fn(&mut World, E),
}

fn leave<E: FnOnce(&mut World) -> T + Send + 'static, T>(world: &mut World, effect: E) {
    let within = match world.rules.focus {
        Focus::Services => STRIKES_WITHIN_MS / 3,
        Focus::Protection => STRIKES_WITHIN_MS,
    };
    world.leave_behind(within, Box::new(move |world| drop(effect(world))));
}

impl<E> Drop for Underway<E> {
    fn drop(&mut self) {
        let Some(effect) = self.effect.take() else { return };
        let mut world = self.sim.world();
        if world.broken.is_none() && world.choices.chance(50) {
            (self.left)(&mut world, effect);
        }
    }
}

#[async_trait]
impl Clock for Sim {
    fn now(&self) -> Timestamp {
        let world = self.world();
        timestamp(world.stopped_clocks.get(&world.polled).copied().unwrap_or_else(|| world.now()))
    }

    async fn sleep(&self, duration: Duration) {
        // The run's clock goes by whole milliseconds, as SQS's timestamps do.
        let millis = Millis::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(Millis::MAX);
        let until = self.world().now() + millis;
        self.gate_until(until).await;
    }
}
