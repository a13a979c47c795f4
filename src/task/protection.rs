//! What was asked of ECS for one task, what may still take effect, and what is therefore certain.
//!
//! Two invocations may work on one task at once, and a call may take effect after its caller gave up. So every call is
//! written down before it is made ([`Protection::begin`]) and struck out when its effect is known ([`Protection::settle`]).
//! What ECS answered is trusted only as far as the calls that overlapped it allow: the certain end of the protection is the
//! least of what the answer granted and what those calls asked for. A release counts as the least of all. See
//! SEMANTICS.md, "A release never leaves a live job unprotected".

use crate::ecs::FailureReason;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A call whose outcome nobody wrote down is held to be able to take effect for this long. A function's call times out
/// after seconds, a function itself after 15 minutes at most; ECS needs no minute for a call that it has taken.
/// An assumption about the network: a request that was sent does not arrive later than this.
pub const LATE_EFFECT_MAX: SignedDuration = SignedDuration::from_mins(2);

/// A call that is written down is sent within this time, or not at all: others count [`LATE_EFFECT_MAX`] from the writing
/// down, and a state store that hangs or a queue of throttled calls may come between the two. The rest is for the call's way.
pub const SENT_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// So many calls are written down at once for one task. More mean a storm of failures; each is forgotten after
/// [`LATE_EFFECT_MAX`], so waiting helps and a record stays small.
pub const CALLS_IN_FLIGHT_MAX: usize = 16;

/// What a call asks for one task, without the rounding up that lets tasks share a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProtectionRequest {
    /// Clear the protection. The least of all asks.
    Clear,
    /// Protect at least until then.
    ProtectUntil(Timestamp),
}

/// Numbers the calls of one task.
pub type CallId = u64;

/// A call that may take effect at any time from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Unique within the record.
    pub id: CallId,
    /// What it asks.
    pub ask: ProtectionRequest,
    /// When it was written down, by the clock of the caller.
    pub started_at: Timestamp,
    /// Whether the task was held before this call was written down.
    #[serde(default)]
    pub was_set: bool,
    /// The least and the greatest ask among the calls that were in flight while this one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlaps: Option<(ProtectionRequest, ProtectionRequest)>,
}

impl Call {
    fn overlap(&mut self, ask: ProtectionRequest) {
        self.overlaps = Some(match self.overlaps {
            None => (ask, ask),
            Some((least, greatest)) => (least.min(ask), greatest.max(ask)),
        });
    }
}

/// What is known of a call once its caller has an answer, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// ECS protects the task until then.
    Granted(Timestamp),
    /// ECS has cleared the protection, or knows the task no more.
    Cleared,
    /// ECS refused this task; nothing changed.
    Refused(Refusal),
    /// The call did certainly nothing: not sent, throttled, denied.
    WithoutEffect,
    /// Nobody knows: it stays written down.
    Unknown,
}

impl CallResult {
    /// Whether it shows that there is, or was, such a task.
    fn proves_task(&self) -> bool {
        match self {
            Self::Granted(_) => true,
            Self::Refused(refusal) => refusal.reason != FailureReason::Missing,
            Self::Cleared | Self::WithoutEffect | Self::Unknown => false,
        }
    }
}

/// ECS's last refusal for a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// ECS's word.
    pub reason: FailureReason,
    /// ECS's sentence, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it was answered.
    pub at: Timestamp,
}

/// The protection of a task as far as taskhold asked for it. Protection that others set is not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    next_call: CallId,
    /// Calls that may yet take effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<Call>,
    /// Whether taskhold has asked for protection since it last saw it cleared for certain.
    #[serde(default)]
    pub is_set: bool,
    /// Whether ECS has shown that it knows the task. From then on `MISSING` means that it has ended.
    #[serde(default)]
    pub is_known: bool,
    /// ECS protects the task at least until then, whatever is in flight. `None` if nothing is certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_until: Option<Timestamp>,
    /// The last refusal, until ECS grants or clears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Since when ECS has refused without granting in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_since: Option<Timestamp>,
    /// Whether there is reason to ask again although the last refusal is young.
    #[serde(default)]
    pub may_retry_now: bool,
}

impl Protection {
    /// Forgets calls that can take effect no more.
    pub fn forget_stale(&mut self, now: Timestamp) {
        self.in_flight.retain(|call| now.duration_since(call.started_at) < LATE_EFFECT_MAX);
    }

    /// Until when this has to be remembered: what is certain, and calls that may take effect.
    pub(crate) fn keep_until(&self) -> Option<Timestamp> {
        let calls = self.in_flight.iter().map(|call| call.started_at).max();
        let over = calls.map(|started_at| started_at.saturating_add(LATE_EFFECT_MAX).unwrap_or(Timestamp::MAX));
        over.max(self.confirmed_until)
    }

    /// Writes down a call that is about to be made. `None` if too many are in flight already.
    pub fn begin(&mut self, ask: ProtectionRequest, now: Timestamp) -> Option<CallId> {
        if self.in_flight.len() >= CALLS_IN_FLIGHT_MAX {
            return None;
        }
        let id = self.next_call;
        self.next_call += 1;
        let mut call = Call { id, ask, started_at: now, was_set: self.is_set, overlaps: None };
        for other in &mut self.in_flight {
            other.overlap(ask);
            call.overlap(other.ask);
        }
        self.in_flight.push(call);
        self.lower_to(ask);
        self.is_set |= ask != ProtectionRequest::Clear;
        Some(id)
    }

    /// Whether a call that was written down may still be sent.
    pub fn may_be_sent(&self, id: CallId, now: Timestamp) -> bool {
        self.in_flight.iter().any(|call| call.id == id && now.duration_since(call.started_at) <= SENT_WITHIN)
    }

    /// Strikes out a call whose outcome is known.
    pub fn settle(&mut self, id: CallId, result: CallResult) {
        if result == CallResult::Unknown {
            return;
        }
        self.is_known |= result.proves_task();
        let Some(at) = self.in_flight.iter().position(|call| call.id == id) else {
            // Too late to be trusted: others have acted on the belief that it is over, and may be wrong about what is certain.
            self.confirmed_until = None;
            return;
        };
        let call = self.in_flight.remove(at);
        match result {
            CallResult::Granted(until) => {
                // Not the later of this and what was certain before: ECS may grant less than it was asked for.
                self.forget_refusal();
                let granted = ProtectionRequest::ProtectUntil(until);
                self.confirmed_until = match call.overlaps.map_or(granted, |(least, _)| least.min(granted)) {
                    ProtectionRequest::Clear => None,
                    ProtectionRequest::ProtectUntil(certain) => Some(certain),
                };
            }
            CallResult::Cleared => {
                self.forget_refusal();
                let all_releases = call.overlaps.is_none_or(|(_, greatest)| greatest == ProtectionRequest::Clear);
                if all_releases {
                    self.is_set = false;
                }
            }
            CallResult::Refused(refusal) => {
                self.refused_since = self.refused_since.or(Some(refusal.at));
                self.may_retry_now = false;
                self.refusal = Some(refusal);
                self.undo_set(&call);
            }
            CallResult::WithoutEffect => self.undo_set(&call),
            CallResult::Unknown => {}
        }
    }

    /// What was in the way of a refused task may be gone.
    pub fn allow_retry(&mut self) {
        self.may_retry_now = self.refusal.is_some();
    }

    fn forget_refusal(&mut self) {
        (self.refusal, self.refused_since, self.may_retry_now) = (None, None, false);
    }

    /// ECS was asked until when the task is protected. What it says can only lower what is certain: a grant that it does not
    /// know of yet may be on its way, and whoever has asked for it will learn of it.
    pub fn see(&mut self, protected_until: Option<Timestamp>) {
        self.confirmed_until = self.confirmed_until.min(protected_until);
    }

    /// A call that certainly did nothing holds nothing, unless another one that overlapped it does: what others set is not
    /// to be cleared for it.
    fn undo_set(&mut self, call: &Call) {
        let others_protect = call.overlaps.is_some_and(|(_, greatest)| greatest != ProtectionRequest::Clear);
        if !call.was_set && !others_protect {
            self.is_set = false;
        }
    }

    fn lower_to(&mut self, ask: ProtectionRequest) {
        self.confirmed_until = match ask {
            ProtectionRequest::Clear => None,
            ProtectionRequest::ProtectUntil(until) => self.confirmed_until.map(|confirmed| confirmed.min(until)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
    }

    fn protect(minute: i64) -> ProtectionRequest {
        ProtectionRequest::ProtectUntil(at(minute))
    }

    #[test]
    fn a_grant_that_nothing_overlapped_is_certain() {
        let mut protection = Protection::default();
        let call = protection.begin(protect(60), at(0)).unwrap();
        assert_eq!(protection.confirmed_until, None, "asked is not confirmed");
        protection.settle(call, CallResult::Granted(at(63)));
        assert_eq!(protection.confirmed_until, Some(at(63)));
    }

    #[test]
    fn a_grant_during_which_a_release_was_in_flight_proves_nothing() {
        let mut protection = Protection::default();
        let release = protection.begin(ProtectionRequest::Clear, at(0)).unwrap();
        let call = protection.begin(protect(60), at(0)).unwrap();
        protection.settle(release, CallResult::Cleared);
        protection.settle(call, CallResult::Granted(at(60)));
        assert_eq!(protection.confirmed_until, None);
        assert!(protection.is_set);
    }

    #[test]
    fn a_release_that_began_later_makes_an_earlier_grant_worthless() {
        let mut protection = Protection::default();
        let call = protection.begin(protect(60), at(0)).unwrap();
        let _release = protection.begin(ProtectionRequest::Clear, at(0)).unwrap();
        protection.settle(call, CallResult::Granted(at(60)));
        assert_eq!(protection.confirmed_until, None);
    }

    #[test]
    fn of_two_overlapping_protections_the_shorter_is_certain() {
        let mut protection = Protection::default();
        let longer = protection.begin(protect(120), at(0)).unwrap();
        let shorter = protection.begin(protect(60), at(0)).unwrap();
        protection.settle(longer, CallResult::Granted(at(120)));
        protection.settle(shorter, CallResult::Granted(at(60)));
        assert_eq!(protection.confirmed_until, Some(at(60)));
    }

    #[test]
    fn what_ecs_is_seen_to_protect_lowers_what_is_certain_and_never_raises_it() {
        let mut protection = Protection::default();
        let call = protection.begin(protect(60), at(0)).unwrap();
        protection.settle(call, CallResult::Granted(at(60)));
        for (seen, certain) in [(Some(90), Some(60)), (Some(30), Some(30)), (None, None), (Some(90), None)] {
            protection.see(seen.map(at));
            assert_eq!(protection.confirmed_until, certain.map(at), "after {seen:?}");
        }
    }

    #[test]
    fn a_grant_shorter_than_what_was_certain_replaces_it() {
        let mut protection = Protection::default();
        let first = protection.begin(protect(60), at(0)).unwrap();
        protection.settle(first, CallResult::Granted(at(60)));
        let second = protection.begin(protect(90), at(1)).unwrap();
        protection.settle(second, CallResult::Granted(at(30)));
        assert_eq!(protection.confirmed_until, Some(at(30)));
    }

    #[test]
    fn a_release_beside_a_protection_in_flight_does_not_count_as_cleared() {
        let mut protection = Protection::default();
        let _protect = protection.begin(protect(60), at(0)).unwrap();
        let release = protection.begin(ProtectionRequest::Clear, at(0)).unwrap();
        protection.settle(release, CallResult::Cleared);
        assert!(protection.is_set);
        protection.forget_stale(at(3));
        let again = protection.begin(ProtectionRequest::Clear, at(3)).unwrap();
        protection.settle(again, CallResult::Cleared);
        assert!(!protection.is_set);
    }

    #[test]
    fn a_release_makes_what_was_confirmed_uncertain_before_it_is_sent() {
        let mut protection = Protection::default();
        let call = protection.begin(protect(60), at(0)).unwrap();
        protection.settle(call, CallResult::Granted(at(60)));
        protection.begin(ProtectionRequest::Clear, at(1)).unwrap();
        assert_eq!(protection.confirmed_until, None);
    }

    #[test]
    fn a_refused_renewal_leaves_what_was_confirmed() {
        let mut protection = Protection::default();
        let call = protection.begin(protect(60), at(0)).unwrap();
        protection.settle(call, CallResult::Granted(at(60)));
        let renewal = protection.begin(protect(120), at(30)).unwrap();
        let refusal = Refusal { reason: FailureReason::DeploymentBlocked, detail: None, at: at(30) };
        protection.settle(renewal, CallResult::Refused(refusal.clone()));
        assert_eq!((protection.confirmed_until, protection.refusal), (Some(at(60)), Some(refusal)));
    }

    #[test]
    fn an_answer_that_comes_after_its_call_was_forgotten_is_not_trusted() {
        let mut protection = Protection::default();
        let call = protection.begin(protect(60), at(0)).unwrap();
        protection.forget_stale(at(2));
        protection.settle(call, CallResult::Granted(at(60)));
        assert_eq!(protection.confirmed_until, None);
    }

    #[test]
    fn a_task_is_known_for_good_once_ecs_grants_it_anything_or_refuses_it_for_another_reason_than_missing() {
        let refused = |reason| CallResult::Refused(Refusal { reason, detail: None, at: at(0) });
        for (result, is_known) in [
            (CallResult::Granted(at(60)), true),
            (refused(FailureReason::DeploymentBlocked), true),
            (refused(FailureReason::Missing), false),
            (CallResult::Cleared, false),
            (CallResult::WithoutEffect, false),
            (CallResult::Unknown, false),
        ] {
            let mut protection = Protection::default();
            let call = protection.begin(protect(60), at(0)).unwrap();
            protection.settle(call, result.clone());
            assert_eq!(protection.is_known, is_known, "{result:?}");
            let release = protection.begin(ProtectionRequest::Clear, at(1)).unwrap();
            protection.settle(release, CallResult::Cleared);
            protection.see(None);
            assert_eq!(protection.is_known, is_known, "{result:?}, and its end");
        }
    }

    #[test]
    fn a_call_that_waited_too_long_to_be_sent_is_not_sent() {
        let mut protection = Protection::default();
        let call = protection.begin(ProtectionRequest::Clear, at(0)).unwrap();
        assert!(protection.may_be_sent(call, at(0) + SENT_WITHIN));
        assert!(!protection.may_be_sent(call, at(0) + SENT_WITHIN + SignedDuration::from_millis(1)));
    }

    #[test]
    fn a_protection_that_was_certainly_not_granted_holds_nothing() {
        let mut protection = Protection::default();
        let call = protection.begin(protect(60), at(0)).unwrap();
        protection.settle(call, CallResult::WithoutEffect);
        assert!(!protection.is_set, "others may have protected the task; that is not ours to clear");
        let first = protection.begin(protect(60), at(1)).unwrap();
        let second = protection.begin(protect(60), at(1)).unwrap();
        protection.settle(second, CallResult::Granted(at(61)));
        protection.settle(first, CallResult::WithoutEffect);
        assert!(protection.is_set, "the other one was granted");
    }

    #[test]
    fn calls_of_unknown_outcome_stay_until_they_are_stale_and_are_bounded() {
        let mut protection = Protection::default();
        for _ in 0..CALLS_IN_FLIGHT_MAX {
            let call = protection.begin(protect(60), at(0)).unwrap();
            protection.settle(call, CallResult::Unknown);
        }
        assert_eq!(protection.begin(protect(60), at(1)), None);
        protection.forget_stale(at(2));
        assert!(protection.begin(protect(60), at(2)).is_some());
    }

    #[test]
    fn there_is_hope_only_after_a_refusal_and_until_the_next_answer() {
        let mut protection = Protection::default();
        protection.allow_retry();
        assert!(!protection.may_retry_now);
        for granted in [false, true] {
            let call = protection.begin(protect(60), at(0)).unwrap();
            let refusal = Refusal { reason: FailureReason::DeploymentBlocked, detail: None, at: at(0) };
            protection.settle(call, CallResult::Refused(refusal.clone()));
            protection.allow_retry();
            assert!(protection.may_retry_now);
            let again = protection.begin(protect(60), at(1)).unwrap();
            let answer = if granted { CallResult::Granted(at(60)) } else { CallResult::Refused(refusal) };
            protection.settle(again, answer);
            assert!(!protection.may_retry_now);
            let since = (!granted).then(|| at(0));
            assert_eq!((protection.refusal.is_some(), protection.refused_since), (!granted, since));
        }
    }
}
