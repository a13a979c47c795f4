//! The faults and other events that may still happen.

use super::scene::Moment;
use std::collections::BTreeSet;

/// How often each of these may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Left {
    /// Invocations that end without an answer.
    pub(crate) crashes: u8,
    /// Calls to ECS that fail as a whole, or whose answer omits a task.
    pub(crate) ecs_faults: u8,
    /// Tasks that ECS refuses.
    pub(crate) refusals: u8,
    /// Loads and puts that fail, or whose answers are lost.
    pub(crate) store_faults: u8,
    /// Deliveries of messages that an invocation already has, or that were acknowledged.
    pub(crate) duplicates: u8,
    /// Sweeps.
    pub(crate) sweeps: u8,
    /// Operator commands that release the first task if it is idle.
    pub(crate) releases: u8,
    /// Ticks of the clock while an invocation is running.
    pub(crate) ticks: u8,
    /// Calls of the container agent for a worker.
    pub(crate) agents: u8,
    /// Rechecks of the first task. One may come at any moment: early, late, twice or never.
    pub(crate) rechecks: u8,
}

/// Only workers, queue and function act.
pub(crate) const NOTHING: Left = Left {
    crashes: 0,
    ecs_faults: 0,
    refusals: 0,
    store_faults: 0,
    duplicates: 0,
    sweeps: 0,
    releases: 0,
    ticks: 0,
    agents: 0,
    rechecks: 0,
};

type Kind = fn(&mut Left) -> &mut u8;

const KINDS: [Kind; 10] = [
    |left| &mut left.crashes,
    |left| &mut left.ecs_faults,
    |left| &mut left.refusals,
    |left| &mut left.store_faults,
    |left| &mut left.duplicates,
    |left| &mut left.sweeps,
    |left| &mut left.releases,
    |left| &mut left.ticks,
    |left| &mut left.agents,
    |left| &mut left.rechecks,
];
/// The number of kinds that [`Left::things`] combines. Another writer has configurations of its own.
const THINGS: usize = 8;
/// The number of kinds that are faults; they come first.
const FAULTS: usize = 5;

/// Prints what may still happen and omits the rest.
impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut left = *self;
        let names = [
            "crashes",
            "ecs_faults",
            "refusals",
            "store_faults",
            "duplicates",
            "sweeps",
            "releases",
            "ticks",
            "agents",
            "rechecks",
        ];
        let counted = KINDS.into_iter().zip(names).map(|(kind, name)| (*kind(&mut left), name));
        let parts: Vec<String> =
            counted.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{name}: {count}")).collect();
        f.write_str(if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }.as_str())
    }
}

impl Left {
    /// This many events of these kinds, in every combination.
    fn all_of(many: usize, kinds: &[Kind]) -> BTreeSet<Self> {
        let one_more = |all: BTreeSet<Self>, _| {
            let more = |left: Self| {
                kinds.iter().map(move |kind| {
                    let mut left = left;
                    *kind(&mut left) += 1;
                    left
                })
            };
            all.into_iter().flat_map(more).collect()
        };
        (0..many).fold([NOTHING].into(), one_more)
    }

    /// This many events of any kind, in every combination.
    pub(crate) fn things(many: usize) -> BTreeSet<Self> {
        Self::all_of(many, &KINDS[..THINGS])
    }

    /// This many faults, in every combination.
    pub(crate) fn faults(many: usize) -> BTreeSet<Self> {
        Self::all_of(many, &KINDS[..FAULTS])
    }

    pub(crate) fn sum(mut self) -> Moment {
        KINDS.into_iter().map(|kind| Moment::from(*kind(&mut self))).sum()
    }
}
