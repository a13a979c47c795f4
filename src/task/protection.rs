//! The protection of one task: what taskhold requested, which calls may still take effect, and which
//! protection is therefore certain.
//!
//! Two invocations may work on one task at once, and a call may take effect after its caller gave up. Every
//! call is therefore recorded before it is sent ([`Protection::begin`]) and removed when its effect is known
//! ([`Protection::settle`]). The calls that overlapped it limit what an answer proves: the certain end of the
//! protection is the minimum of the granted end and the ends that those calls requested. Clearing counts as
//! the earliest end. See SEMANTICS.md, "A release never leaves a live job unprotected".

mod calls;

use crate::task::minutes::GRANT_TOLERANCE;
use crate::task::own_protection::OwnProtection;
pub use crate::task::protection::calls::{
    Call, CallId, CallResult, LATE_EFFECT_MAX, Overlaps, ProtectionRequest, Refusal,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A recorded call is sent within this time or not at all. Other instances count [`LATE_EFFECT_MAX`] from
/// when the call was recorded, and a slow state store or throttled calls can delay the send. The difference
/// between the two constants is the time for the call itself.
pub const SENT_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// Most calls in flight for one task. More indicate a series of failures. Each call is forgotten after
/// [`LATE_EFFECT_MAX`], so waiting helps, and the limit keeps the record small.
pub const CALLS_IN_FLIGHT_MAX: usize = 16;

/// Protection that another writer set: the worker itself, another program or a person. taskhold does not clear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignProtection {
    /// Until when ECS reported it.
    pub until: Timestamp,
    /// When ECS reported it.
    pub at: Timestamp,
}

/// Protection that another writer shortened or cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostProtection {
    /// Until when ECS had confirmed it.
    pub until: Timestamp,
    /// When ECS reported less.
    pub at: Timestamp,
}

/// The protection of a task as requested by taskhold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    next_call: CallId,
    /// Calls that may still take effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<Call>,
    /// The protection that taskhold may have set and ECS may still report, the latest call last. An answer that no
    /// other call overlapped leaves one, or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<OwnProtection>,
    /// Until when jobs that outlived their declared time keep the task protected, if a later grant for other jobs has
    /// replaced theirs in `own`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept_until: Option<Timestamp>,
    /// The protection of another writer that ECS reported before a release. It ends what taskhold knew of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<ForeignProtection>,
    /// Whether an answer has proved that ECS knows the task. From then on `MISSING` means that the task has
    /// ended.
    #[serde(default)]
    pub is_known: bool,
    /// Protection that ECS had confirmed and later reported missing or shorter, although taskhold had not cleared it.
    /// Kept until ECS confirms protection again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LostProtection>,
    /// When ECS last reported that the confirmed protection is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Timestamp>,
    /// ECS protects the task at least until then, whatever the calls in flight do. `None` if no protection is
    /// certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_until: Option<Timestamp>,
    /// The last refusal, until ECS grants or clears protection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// When ECS first refused since it last granted protection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_since: Option<Timestamp>,
    /// Whether to request protection again although the last refusal is recent.
    #[serde(default)]
    pub may_retry_now: bool,
}

impl Protection {
    /// Forgets calls that can no longer take effect, and protection that has expired. What a forgotten call may have
    /// set stays until the next certain answer.
    pub fn forget_stale(&mut self, now: Timestamp) {
        let is_stale = |call: &Call| now.duration_since(call.started_at) >= LATE_EFFECT_MAX;
        for stale in self.in_flight.iter().filter(|call| is_stale(call)) {
            self.own.extend(stale.may_set());
        }
        self.in_flight.retain(|call| !is_stale(call));
        self.own.retain(|own| own.latest > now);
        let surplus = self.own.len().saturating_sub(CALLS_IN_FLIGHT_MAX);
        self.own.drain(..surplus);
        self.foreign = self.foreign.filter(|foreign| foreign.until > now);
        self.kept_until = self.kept_until.filter(|until| *until > now);
    }

    /// Whether ECS may report protection that taskhold set.
    pub fn is_set(&self) -> bool {
        self.may_have_set().next().is_some()
    }

    /// Whether taskhold set the protection that ECS reports: its expiry is the one of the last grant, or fits a call
    /// whose result is not known.
    pub fn is_own(&self, reported: Timestamp) -> bool {
        self.may_have_set().any(|own| own.fits(reported))
    }

    /// The protection of settled calls, of forgotten ones and of those in flight.
    pub(crate) fn may_have_set(&self) -> impl Iterator<Item = OwnProtection> {
        self.own.iter().copied().chain(self.in_flight.iter().filter_map(Call::may_set))
    }

    /// Until when the record must be kept: the end of the protection and of the calls in flight.
    pub(crate) fn keep_until(&self) -> Option<Timestamp> {
        let calls = self.in_flight.iter().map(|call| call.started_at).max();
        let over = calls.map(|started_at| started_at.saturating_add(LATE_EFFECT_MAX).unwrap_or(Timestamp::MAX));
        over.max(self.confirmed_until).max(self.may_have_set().map(|own| own.latest).max())
    }

    /// Records a call that is about to be sent. `None` if too many are in flight.
    pub fn begin(&mut self, request: ProtectionRequest, now: Timestamp) -> Option<CallId> {
        if self.in_flight.len() >= CALLS_IN_FLIGHT_MAX {
            return None;
        }
        let id = self.next_call;
        self.next_call += 1;
        let mut call = Call { id, request, started_at: now, overlaps: None };
        for other in &mut self.in_flight {
            other.overlap(request);
            call.overlap(other.request);
        }
        self.in_flight.push(call);
        self.lower_to(request);
        Some(id)
    }

    /// Whether a recorded call may still be sent.
    pub fn may_be_sent(&self, id: CallId, now: Timestamp) -> bool {
        self.in_flight.iter().any(|call| call.id == id && now.duration_since(call.started_at) <= SENT_WITHIN)
    }

    /// Records the result of a call and removes the call, unless the result is unknown.
    pub fn settle(&mut self, id: CallId, result: CallResult) {
        if result == CallResult::Unknown {
            return;
        }
        self.is_known |= result.proves_task();
        let Some(at) = self.in_flight.iter().position(|call| call.id == id) else {
            // Too late to be trusted: other instances assumed that this call was over, so what counts as
            // certain may be wrong.
            self.confirmed_until = None;
            return;
        };
        let call = self.in_flight.remove(at);
        match result {
            CallResult::Granted(until) => self.settle_granted(&call, until),
            CallResult::Cleared => {
                self.forget_refusal();
                if !call.overlapped_a_protection() {
                    (self.own, self.foreign) = (Vec::new(), None);
                }
            }
            CallResult::Foreign(_) if call.overlaps.is_some() => {}
            CallResult::Foreign(until) => {
                self.own = Vec::new();
                self.foreign = Some(ForeignProtection { until, at: call.started_at });
            }
            CallResult::Refused(refusal) => {
                self.refused_since = self.refused_since.or(Some(refusal.at));
                self.may_retry_now = false;
                self.refusal = Some(refusal);
            }
            CallResult::WithoutEffect | CallResult::Unknown => {}
        }
    }

    fn settle_granted(&mut self, call: &Call, until: Timestamp) {
        self.forget_refusal();
        (self.foreign, self.lost, self.reported_at) = (None, None, Some(call.started_at));
        // Not the maximum with the earlier certain end: ECS may grant less than was requested.
        let granted = ProtectionRequest::ProtectUntil(until);
        self.confirmed_until = match call.overlaps.map_or(granted, |others| others.least.min(granted)) {
            ProtectionRequest::Clear => None,
            ProtectionRequest::ProtectUntil(certain) => Some(certain),
        };
        let own = OwnProtection::granted(call.started_at, until);
        match call.overlapped_a_protection() {
            true => self.own.push(own),
            // Without room for more: a store in memory holds many records.
            false => self.own = vec![own],
        }
    }

    /// Allows a request for a refused task at once: the blocking deployment may be over.
    pub fn allow_retry(&mut self) {
        self.may_retry_now = self.refusal.is_some();
    }

    fn forget_refusal(&mut self) {
        (self.refusal, self.refused_since, self.may_retry_now) = (None, None, false);
    }

    /// Records the protection that ECS reports. A report can only lower the certain end: it may miss a grant
    /// that is on its way, whose caller will record the result.
    pub fn record_report(&mut self, protected_until: Option<Timestamp>, now: Timestamp) {
        match self.confirmed_until.filter(|confirmed| *confirmed > now) {
            Some(until) if protected_until.is_none_or(|seen| until.duration_since(seen) > GRANT_TOLERANCE) => {
                self.lost = Some(LostProtection { until, at: now });
            }
            Some(_) => self.reported_at = Some(now),
            None => {}
        }
        self.confirmed_until = self.confirmed_until.min(protected_until);
    }

    fn lower_to(&mut self, request: ProtectionRequest) {
        self.confirmed_until = match request {
            ProtectionRequest::Clear => None,
            ProtectionRequest::ProtectUntil(until) => self.confirmed_until.map(|confirmed| confirmed.min(until)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::FailureReason;
    use crate::task::fixture::at;

    fn protect(minute: i64) -> ProtectionRequest {
        ProtectionRequest::ProtectUntil(at(minute))
    }

    #[test]
    fn a_grant_that_nothing_overlapped_is_certain() {
        let mut protection = Protection::default();
        let call = protection.begin(protect(60), at(0)).unwrap();
        assert_eq!(protection.confirmed_until, None, "requested is not confirmed");
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
        assert!(protection.is_set());
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
            protection.record_report(seen.map(at), at(1));
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
        assert!(protection.is_set());
        protection.forget_stale(at(3));
        let again = protection.begin(ProtectionRequest::Clear, at(3)).unwrap();
        protection.settle(again, CallResult::Cleared);
        assert!(!protection.is_set());
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
            protection.record_report(None, at(1));
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
    fn a_protection_that_was_certainly_not_granted_protects_nothing() {
        let mut protection = Protection::default();
        let call = protection.begin(protect(60), at(0)).unwrap();
        protection.settle(call, CallResult::WithoutEffect);
        assert!(!protection.is_set(), "others may have protected the task; that is not ours to clear");
        let first = protection.begin(protect(60), at(1)).unwrap();
        let second = protection.begin(protect(60), at(1)).unwrap();
        protection.settle(second, CallResult::Granted(at(61)));
        protection.settle(first, CallResult::WithoutEffect);
        assert!(protection.is_set(), "the other one was granted");
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
