//! The parameters of a run: how much goes wrong, how fast time passes, and which deliberate defect it has.

use super::choices::Choices;
use crate::control_plane::{Millis, Variants};
use crate::scenario::FUNCTION_TIMEOUT_MS;

/// What a run exercises most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// Up to three services: their deployments, alerts and remediations.
    #[default]
    Services,
    /// The protection of up to three tasks of one service. Invocations live longer, so that more of them overlap, and
    /// the effect of a call on each task takes place by itself.
    Protection,
}

impl Focus {
    const ALL: [Self; 2] = [Self::Services, Self::Protection];

    /// The focus of a seed's run: every third one is on protection.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        if seed.is_multiple_of(3) { Self::Protection } else { Self::Services }
    }

    /// Its name in plans.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Protection => "protection",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|focus| focus.as_str() == name)
    }
}

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
    /// The state store keeps only the newest of the calls in a record.
    CallsOfOthersForgotten,
    /// The state store drops records before they expire.
    RecordsForgottenEarly,
    /// The state store restarts a record's versions at 1 after it has dropped the record.
    VersionsCountedAnew,
    /// The function's clock stands still from a store to the call that follows it.
    TimeOfStoresIgnored,
    /// ECS reports the protection of another writer with the expiry of the function's own.
    ForeignProtectionNotSeen,
    /// The state store returns jobs whose declared time is over as finished.
    DeclaredEndsRelease,
    /// The state store drops what workers report about protection that their tasks set themselves.
    AgentReportsDropped,
}

impl Sabotage {
    /// All defects, without `None`.
    pub const ALL: [Self; 16] = [
        Self::ReleasesNotWrittenDown,
        Self::StoresWithoutComparing,
        Self::FailedMessageTakenForDone,
        Self::ResolutionsSwallowed,
        Self::RechecksSwallowed,
        Self::EffectsDenied,
        Self::StrikesTooLate,
        Self::CountsNotPutBack,
        Self::InterruptionsSwallowed,
        Self::CallsOfOthersForgotten,
        Self::RecordsForgottenEarly,
        Self::VersionsCountedAnew,
        Self::TimeOfStoresIgnored,
        Self::ForeignProtectionNotSeen,
        Self::DeclaredEndsRelease,
        Self::AgentReportsDropped,
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
            Self::CallsOfOthersForgotten => "calls-of-others-forgotten",
            Self::RecordsForgottenEarly => "records-forgotten-early",
            Self::VersionsCountedAnew => "versions-counted-anew",
            Self::TimeOfStoresIgnored => "time-of-stores-ignored",
            Self::ForeignProtectionNotSeen => "foreign-protection-not-seen",
            Self::DeclaredEndsRelease => "declared-ends-release",
            Self::AgentReportsDropped => "agent-reports-dropped",
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
    pub(super) focus: Focus,
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
    /// Percentage of jobs for which the task protects itself.
    pub(super) agent_percent: u32,
    /// How long a task keeps its protection after its last job.
    pub(super) linger_seconds: u32,
    /// Whether invocations are interleaved after the storm too.
    pub(super) is_calm_interleaved: bool,
    pub(super) finished_job_retention_hours: u32,
    pub(super) receives_max: u32,
    pub(super) variants: Variants,
    pub(super) function_timeout_ms: Millis,
    /// Whether taskhold stores a job's start without reading the record first, as if the task were new.
    pub(super) is_guessing: bool,
    /// Whether sweeps begin at any time, and not only by the schedule.
    pub(super) is_sweeping_any_time: bool,
}

impl Rules {
    pub(super) fn drawn(choices: &mut Choices, sabotage: Sabotage, focus: Focus) -> Self {
        let mut rules = Self {
            sabotage,
            focus,
            call_fault_percent: choices.one_of(&[0, 20, 45]),
            read_fault_percent: choices.one_of(&[0, 0, 5]),
            store_fault_percent: choices.one_of(&[0, 0, 2, 6]),
            send_fault_percent: choices.one_of(&[0, 0, 10, 30]),
            crash_weight: choices.one_of(&[0, 0, 1, 2]),
            events_lost_percent: choices.one_of(&[0, 0, 20, 100]),
            step_ms_max: choices.one_of(&[3_000, 300, 20_000, 60_000]),
            abandoned_percent: choices.one_of(&[0, 0, 20]),
            agent_percent: 0,
            linger_seconds: 0,
            is_calm_interleaved: choices.chance(30),
            finished_job_retention_hours: choices.one_of(&[336, 336, 1]),
            receives_max: choices.one_of(&[50, 50, 50, 4]),
            variants: Variants::all()[choices.below(32)],
            function_timeout_ms: FUNCTION_TIMEOUT_MS,
            is_guessing: false,
            is_sweeping_any_time: false,
        };
        if focus == Focus::Protection {
            rules.function_timeout_ms = choices.one_of(&[170_000, FUNCTION_TIMEOUT_MS, 900_000]);
            rules.is_guessing = choices.chance(50);
            rules.is_sweeping_any_time = choices.chance(50);
        }
        if sabotage == Sabotage::VersionsCountedAnew {
            // This matters only if records are dropped while invocations still run.
            rules.finished_job_retention_hours = 1;
            rules.function_timeout_ms = 900_000;
            rules.crash_weight = 0;
        }
        rules
    }
}
