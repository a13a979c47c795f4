//! What a run is like: how much goes wrong, how fast time passes, and what is broken on purpose.

use super::choices::Choices;
use crate::control_plane::{Millis, Variants};

/// What is broken on purpose, to show that the checks can fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing: the function and its parts as they are.
    #[default]
    None,
    /// The state store does not keep releases that are about to be sent.
    ReleasesNotWrittenDown,
    /// The state store's compare-and-set succeeds whatever version is there.
    StoresWithoutComparing,
    /// Of the messages that a batch's answer reports as failed, the first is taken for done.
    FailedMessageTakenForDone,
    /// The topic swallows what calls an incident off, and says that it was taken.
    ResolutionsSwallowed,
    /// The recheck queue swallows everything, and says that it was taken.
    RechecksSwallowed,
    /// ECS's client says "throttled", which means "no effect", where it got no answer.
    EffectsDenied,
    /// Calls take effect later than taskhold assumes.
    StrikesTooLate,
    /// A desired count that is put back is not, and ECS is said to have taken it.
    CountsNotPutBack,
    /// The queue of interrupted jobs swallows everything, and says that it was taken.
    InterruptionsSwallowed,
}

impl Sabotage {
    /// All of them, but none.
    pub const ALL: [Self; 9] = [
        Self::ReleasesNotWrittenDown,
        Self::StoresWithoutComparing,
        Self::FailedMessageTakenForDone,
        Self::ResolutionsSwallowed,
        Self::RechecksSwallowed,
        Self::EffectsDenied,
        Self::StrikesTooLate,
        Self::CountsNotPutBack,
        Self::InterruptionsSwallowed,
    ];

    /// Its name on the command line and in plans.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ReleasesNotWrittenDown => "releases-not-written-down",
            Self::StoresWithoutComparing => "stores-without-comparing",
            Self::FailedMessageTakenForDone => "failed-message-taken-for-done",
            Self::ResolutionsSwallowed => "resolutions-swallowed",
            Self::RechecksSwallowed => "rechecks-swallowed",
            Self::EffectsDenied => "effects-denied",
            Self::StrikesTooLate => "strikes-too-late",
            Self::CountsNotPutBack => "counts-not-put-back",
            Self::InterruptionsSwallowed => "interruptions-swallowed",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::None].into_iter().chain(Self::ALL).find(|sabotage| sabotage.as_str() == name)
    }
}

/// What a run is like.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) sabotage: Sabotage,
    /// Of a hundred calls that change something in ECS, so many fail in some way.
    pub(super) call_fault_percent: u32,
    /// Of a hundred reads of ECS, so many fail.
    pub(super) read_fault_percent: u32,
    /// Of a hundred loads and stores, so many fail.
    pub(super) store_fault_percent: u32,
    /// Of a hundred sends to topic and queues, so many fail.
    pub(super) send_fault_percent: u32,
    /// How often an invocation is cut off, against 60 times that one goes on.
    pub(super) crash_weight: u32,
    /// Of a hundred events of ECS, so many are lost.
    pub(super) events_lost_percent: u32,
    /// The longest of most steps of the clock: the shorter, the more happens at once.
    pub(super) step_ms_max: Millis,
    /// Of a hundred jobs, so many workers crash and never tell their end.
    pub(super) abandoned_percent: u32,
    /// Whether invocations are interleaved after the storm too.
    pub(super) is_calm_interleaved: bool,
    pub(super) finished_job_retention_hours: u32,
    pub(super) receives_max: u32,
    pub(super) variants: Variants,
}

impl Rules {
    pub(super) fn drawn(choices: &mut Choices, sabotage: Sabotage) -> Self {
        Self {
            sabotage,
            call_fault_percent: choices.one_of(&[0, 20, 45]),
            read_fault_percent: choices.one_of(&[0, 0, 5]),
            store_fault_percent: choices.one_of(&[0, 0, 2, 6]),
            send_fault_percent: choices.one_of(&[0, 0, 10, 30]),
            crash_weight: choices.one_of(&[0, 0, 1, 2]),
            events_lost_percent: choices.one_of(&[0, 0, 20, 100]),
            step_ms_max: choices.one_of(&[3_000, 300, 20_000, 60_000]),
            abandoned_percent: choices.one_of(&[0, 0, 20]),
            is_calm_interleaved: choices.chance(30),
            finished_job_retention_hours: choices.one_of(&[336, 336, 1]),
            receives_max: choices.one_of(&[50, 50, 50, 4]),
            variants: Variants::all()[choices.below(32)],
        }
    }
}
