//! The parameters of a run: how much goes wrong, how fast time passes, and which deliberate defect it has.

use super::choices::Choices;
use crate::control_plane::{Millis, Variants};

/// Deliberate defects, to show that the checks can fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// None: the function and its parts are unchanged.
    #[default]
    None,
    /// The state store drops releases that are about to be sent.
    ReleasesNotWrittenDown,
    /// The state store's compare-and-set succeeds regardless of the version.
    StoresWithoutComparing,
    /// The first message that a batch's answer reports as failed is treated as done.
    FailedMessageTakenForDone,
    /// The topic drops RESOLVED notifications but reports success.
    ResolutionsSwallowed,
    /// The recheck queue drops every message but reports success.
    RechecksSwallowed,
    /// The ECS client reports "throttled", which means "no effect", where it got no answer.
    EffectsDenied,
    /// Calls take effect later than taskhold assumes.
    StrikesTooLate,
    /// Resetting a desired count has no effect, but ECS reports success.
    CountsNotPutBack,
    /// The queue of interrupted jobs drops every message but reports success.
    InterruptionsSwallowed,
}

impl Sabotage {
    /// All defects, without `None`.
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

    /// The defect of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::None].into_iter().chain(Self::ALL).find(|sabotage| sabotage.as_str() == name)
    }
}

/// The parameters of a run.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) sabotage: Sabotage,
    /// Percentage of mutating ECS calls that fail in some way.
    pub(super) call_fault_percent: u32,
    /// Percentage of ECS reads that fail.
    pub(super) read_fault_percent: u32,
    /// Percentage of loads and stores that fail.
    pub(super) store_fault_percent: u32,
    /// Percentage of sends to topic and queues that fail.
    pub(super) send_fault_percent: u32,
    /// Weight of cutting off an invocation; that of continuing one is 60.
    pub(super) crash_weight: u32,
    /// Percentage of ECS events that are lost.
    pub(super) events_lost_percent: u32,
    /// The maximum length of most clock steps; the shorter, the more happens concurrently.
    pub(super) step_ms_max: Millis,
    /// Percentage of jobs whose worker crashes without reporting an end.
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
