//! The variants: switches for the points on which AWS's documents disagree or are silent. Code that relies on one side
//! fails under the other.
//!
//! aws-facts: "Open questions".

use std::fmt;
use std::str::FromStr;

use super::service::HOLD_REPEAT_MS;
use super::time::Millis;

/// How long the scheduler of [`StopDelay::Late`] waits before it stops a task that it may stop: long enough for a job
/// to start on the task meanwhile. An assumption.
pub const LATE_STOP_DELAY_MS: Millis = 3 * 60 * 1000;

/// When ECS answers `DEPLOYMENT_BLOCKED`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefusalRule {
    /// When the protected tasks, including the requested one, would outnumber the desired count while a deployment or a
    /// scale-in waits, as the guide on task scale-in protection says.
    #[default]
    Outnumbered,
    /// Whenever protected tasks of an old deployment, or of a scale-in, keep the service from reaching steady state, as
    /// the page on API failure reasons says.
    Blocked,
}

/// The answer to a renewal for a protected task at a time when ECS refuses new protection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Renewal {
    /// Refused like any other request: the renewal trap. The present protection stays until it expires.
    Refused,
    /// Granted.
    #[default]
    Granted,
}

/// Whether EventBridge receives an event when protection blocks a scale-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtectionEvent {
    /// `TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION` accompanies each round of service event messages.
    #[default]
    Sent,
    /// Only the service event messages report it.
    Silent,
}

/// The form of task ARNs in answers of the protection API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArnForm {
    /// `task/CLUSTER/ID`.
    #[default]
    Long,
    /// `task/ID`, as in the old format.
    Short,
}

/// When the scheduler stops a task that it may stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopDelay {
    /// Immediately.
    #[default]
    AtOnce,
    /// [`LATE_STOP_DELAY_MS`] later, if it still may.
    Late,
}

impl StopDelay {
    pub(super) fn millis(self) -> Millis {
        match self {
            Self::AtOnce => 0,
            Self::Late => LATE_STOP_DELAY_MS,
        }
    }
}

/// Whether rolling deployments run lifecycle hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RollingPauses {
    /// They do, before the scale-up and when all new tasks run.
    #[default]
    Yes,
    /// Only deployments that shift traffic do.
    No,
}

/// What ECS answers to a request for protection while a deployment of the service is paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtectionWhilePaused {
    /// The same as otherwise ([`RefusalRule`]).
    #[default]
    AsOtherwise,
    /// It grants every protection.
    Granted,
}

/// What `deployments[]` shows of the old deployments after early success with DEFERRED cleanup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeferredRevisions {
    /// They are ACTIVE, and count towards the five.
    #[default]
    Listed,
    /// They are not listed, and do not count.
    Gone,
}

/// How often ECS repeats a service event message about protection, and the event with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageRepeats {
    /// Every [`HOLD_REPEAT_MS`].
    #[default]
    TenMinutes,
    /// Every six hours, as the page on service event messages says.
    SixHours,
}

impl MessageRepeats {
    pub(super) fn millis(self) -> Millis {
        match self {
            Self::TenMinutes => HOLD_REPEAT_MS,
            Self::SixHours => 6 * 60 * 60 * 1000,
        }
    }
}

/// One choice for every ambiguous point.
///
/// Written as `refusal=outnumbered renewal=granted event=sent arn=long stop=at-once rolling-pauses=yes
/// paused=as-otherwise deferred=listed repeats=ten-minutes`; an omitted point has its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variants {
    /// When protection is refused.
    pub refusal: RefusalRule,
    /// Whether a renewal is refused at such times too.
    pub renewal: Renewal,
    /// Whether EventBridge receives an event.
    pub protection_event: ProtectionEvent,
    /// The form of task ARNs in the protection API's answers.
    pub arns: ArnForm,
    /// When the scheduler stops a task that it may stop.
    pub stop: StopDelay,
    /// Whether rolling deployments run lifecycle hooks.
    pub rolling_pauses: RollingPauses,
    /// Whether protection is refused while a deployment is paused.
    pub paused: ProtectionWhilePaused,
    /// What `deployments[]` shows of old deployments after early success.
    pub deferred: DeferredRevisions,
    /// How often messages are repeated. No combination varies it: a scenario asks for it.
    pub repeats: MessageRepeats,
}

impl Variants {
    /// Every combination of the points that concern every deployment, 32 of them, the default first. The others have
    /// their defaults: they concern only hooks and early success.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::with_capacity(32);
        for refusal in [RefusalRule::Outnumbered, RefusalRule::Blocked] {
            for renewal in [Renewal::Granted, Renewal::Refused] {
                for protection_event in [ProtectionEvent::Sent, ProtectionEvent::Silent] {
                    for arns in [ArnForm::Long, ArnForm::Short] {
                        for stop in [StopDelay::AtOnce, StopDelay::Late] {
                            all.push(Self { refusal, renewal, protection_event, arns, stop, ..Self::default() });
                        }
                    }
                }
            }
        }
        all
    }

    /// Every combination of all points, 256 of them, the default first.
    pub fn with_hooks() -> Vec<Self> {
        let mut all = Vec::with_capacity(256);
        for rolling_pauses in [RollingPauses::Yes, RollingPauses::No] {
            for paused in [ProtectionWhilePaused::AsOtherwise, ProtectionWhilePaused::Granted] {
                for deferred in [DeferredRevisions::Listed, DeferredRevisions::Gone] {
                    all.extend(Self::all().into_iter().map(|it| Self { rolling_pauses, paused, deferred, ..it }));
                }
            }
        }
        all
    }

    /// In how many switches these differ from others.
    #[must_use]
    pub fn switches_apart(self, other: Self) -> usize {
        let apart = [
            self.refusal != other.refusal,
            self.renewal != other.renewal,
            self.protection_event != other.protection_event,
            self.arns != other.arns,
            self.stop != other.stop,
            self.rolling_pauses != other.rolling_pauses,
            self.paused != other.paused,
            self.deferred != other.deferred,
            self.repeats != other.repeats,
        ];
        apart.into_iter().filter(|differ| *differ).count()
    }

    fn with(mut self, pair: &str) -> Option<Self> {
        match pair {
            "refusal=outnumbered" => self.refusal = RefusalRule::Outnumbered,
            "refusal=blocked" => self.refusal = RefusalRule::Blocked,
            "renewal=granted" => self.renewal = Renewal::Granted,
            "renewal=refused" => self.renewal = Renewal::Refused,
            "event=sent" => self.protection_event = ProtectionEvent::Sent,
            "event=silent" => self.protection_event = ProtectionEvent::Silent,
            "arn=long" => self.arns = ArnForm::Long,
            "arn=short" => self.arns = ArnForm::Short,
            "stop=at-once" => self.stop = StopDelay::AtOnce,
            "stop=late" => self.stop = StopDelay::Late,
            "rolling-pauses=yes" => self.rolling_pauses = RollingPauses::Yes,
            "rolling-pauses=no" => self.rolling_pauses = RollingPauses::No,
            "paused=as-otherwise" => self.paused = ProtectionWhilePaused::AsOtherwise,
            "paused=granted" => self.paused = ProtectionWhilePaused::Granted,
            "deferred=listed" => self.deferred = DeferredRevisions::Listed,
            "deferred=gone" => self.deferred = DeferredRevisions::Gone,
            "repeats=ten-minutes" => self.repeats = MessageRepeats::TenMinutes,
            "repeats=six-hours" => self.repeats = MessageRepeats::SixHours,
            _ => return None,
        }
        Some(self)
    }
}

impl fmt::Display for Variants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refusal = match self.refusal {
            RefusalRule::Outnumbered => "outnumbered",
            RefusalRule::Blocked => "blocked",
        };
        let renewal = match self.renewal {
            Renewal::Granted => "granted",
            Renewal::Refused => "refused",
        };
        let event = match self.protection_event {
            ProtectionEvent::Sent => "sent",
            ProtectionEvent::Silent => "silent",
        };
        let arn = match self.arns {
            ArnForm::Long => "long",
            ArnForm::Short => "short",
        };
        let stop = match self.stop {
            StopDelay::AtOnce => "at-once",
            StopDelay::Late => "late",
        };
        let rolling_pauses = match self.rolling_pauses {
            RollingPauses::Yes => "yes",
            RollingPauses::No => "no",
        };
        let paused = match self.paused {
            ProtectionWhilePaused::AsOtherwise => "as-otherwise",
            ProtectionWhilePaused::Granted => "granted",
        };
        let deferred = match self.deferred {
            DeferredRevisions::Listed => "listed",
            DeferredRevisions::Gone => "gone",
        };
        write!(f, "refusal={refusal} renewal={renewal} event={event} arn={arn} stop={stop} ")?;
        let repeats = match self.repeats {
            MessageRepeats::TenMinutes => "ten-minutes",
            MessageRepeats::SixHours => "six-hours",
        };
        write!(f, "rolling-pauses={rolling_pauses} paused={paused} deferred={deferred} repeats={repeats}")
    }
}

/// A word that names no variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a variant; write refusal=outnumbered|blocked renewal=granted|refused event=sent|silent arn=long|short stop=at-once|late rolling-pauses=yes|no paused=as-otherwise|granted deferred=listed|gone repeats=ten-minutes|six-hours"
)]
pub struct UnknownVariant(String);

impl FromStr for Variants {
    type Err = UnknownVariant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_whitespace().try_fold(Self::default(), |variants, pair| {
            variants.with(pair).ok_or_else(|| UnknownVariant(pair.to_owned()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_256_different_variants_and_each_reads_back_as_it_is_written() {
        let all = Variants::with_hooks();
        assert_eq!(all[..32], Variants::all());
        let mut written: Vec<String> = all.iter().map(Variants::to_string).collect();
        for (variants, text) in all.iter().zip(&written) {
            assert_eq!(text.parse(), Ok(*variants));
        }
        written.sort();
        written.dedup();
        assert_eq!(written.len(), 256);
    }

    #[test]
    fn the_default_is_written_as_documented() {
        let text = "refusal=outnumbered renewal=granted event=sent arn=long stop=at-once rolling-pauses=yes \
                    paused=as-otherwise deferred=listed repeats=ten-minutes";
        assert_eq!(Variants::default().to_string(), text);
        assert_eq!(Variants::all()[0], Variants::default());
    }

    #[test]
    fn an_omitted_variant_has_its_default_and_an_unknown_one_is_refused() {
        assert_eq!("stop=late".parse(), Ok(Variants { stop: StopDelay::Late, ..Variants::default() }));
        assert_eq!("stop=never".parse::<Variants>(), Err(UnknownVariant("stop=never".to_owned())));
    }
}
