//! The decisions for one task at every moment of a random life: SEMANTICS.md, "Protection is never shortened while
//! a job lives", "A busy task is protected until its jobs' declared end", "An idle task is released".

use super::config;
use super::drawn::at;
use super::messages::{SentMessage, live, sent};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use taskhold::ecs::FailureReason;
use taskhold::task::minutes::GRANT_TOLERANCE;
use taskhold::task::plan::{Decision, KeepReason, REFUSED_PAUSE, decide_protection};
use taskhold::task::protection::{CallId, CallResult, ProtectionRequest, Refusal};
use taskhold::task::record::TaskRecord;

/// The longest protection that ECS grants (aws-facts "ECS: the protection API").
const GRANTABLE: SignedDuration = SignedDuration::from_mins(2880);

/// An event in the life of a task.
#[derive(Clone, Debug)]
enum LifeEvent {
    /// A message is delivered.
    Message(SentMessage),
    /// This many seconds pass.
    Pass(i64),
    /// The planned call is sent to ECS.
    Request,
    /// One of the sent calls has this outcome; ECS may grant this many seconds more than requested.
    Outcome(Index, EcsOutcome),
    /// A read of ECS finds the task protected until this many seconds from now, or not at all.
    See(Option<i64>),
    /// The reason for a refusal may be gone.
    AllowRetry,
    /// Expired state is removed.
    Forget,
    /// The task stops.
    Stop,
}

#[derive(Clone, Debug)]
enum EcsOutcome {
    Granted(i64),
    Cleared,
    Refused(FailureReason),
    WithoutEffect,
    Unknown,
}

fn step() -> impl Strategy<Value = LifeEvent> {
    let refused = select(vec![FailureReason::DeploymentBlocked, FailureReason::Missing]).prop_map(EcsOutcome::Refused);
    let granted = select(vec![0, 0, 30, 180, -29, -31, -3600]).prop_map(EcsOutcome::Granted);
    let outcome = prop_oneof![4 => granted, 2 => Just(EcsOutcome::Cleared), 2 => refused, 1 => Just(EcsOutcome::WithoutEffect), 1 => Just(EcsOutcome::Unknown)];
    prop_oneof![
        6 => sent().prop_map(LifeEvent::Message),
        3 => select(vec![1, 29, 60, 121, 3600, 7200]).prop_map(LifeEvent::Pass),
        5 => Just(LifeEvent::Request),
        5 => (any::<Index>(), outcome).prop_map(|(call, outcome)| LifeEvent::Outcome(call, outcome)),
        1 => option::of(0..7200_i64).prop_map(LifeEvent::See),
        1 => Just(LifeEvent::AllowRetry),
        1 => Just(LifeEvent::Forget),
        1 => prop_oneof![9 => Just(LifeEvent::Forget), 1 => Just(LifeEvent::Stop)],
    ]
}

/// A task during its life.
struct TaskLife {
    now: Timestamp,
    record: TaskRecord,
    sent: Vec<SentMessage>,
    calls: Vec<(CallId, ProtectionRequest)>,
}

impl TaskLife {
    fn go(&mut self, step: LifeEvent) {
        match step {
            LifeEvent::Message(sent) => {
                sent.deliver(&mut self.record);
                self.sent.push(sent);
            }
            LifeEvent::Pass(seconds) => self.now += SignedDuration::from_secs(seconds),
            LifeEvent::Request => {
                if let Decision::Request(ask) = decide_protection(&self.record, self.now) {
                    self.calls.extend(self.record.protection.begin(ask, self.now).map(|id| (id, ask)));
                }
            }
            LifeEvent::Outcome(call, outcome) if !self.calls.is_empty() => {
                let (id, ask) = self.calls.swap_remove(call.index(self.calls.len()));
                self.record.protection.settle(id, self.result(ask, outcome));
            }
            LifeEvent::Outcome(..) => {}
            LifeEvent::See(seconds) => {
                let seen = seconds.map(|seconds| self.now + SignedDuration::from_secs(seconds));
                self.record.protection.record_report(seen, self.now);
            }
            LifeEvent::AllowRetry => self.record.protection.allow_retry(),
            LifeEvent::Forget => self.record.protection.forget_stale(self.now),
            LifeEvent::Stop => self.record.stop(self.now),
        }
    }

    fn result(&self, ask: ProtectionRequest, outcome: EcsOutcome) -> CallResult {
        match (ask, outcome) {
            (ProtectionRequest::ProtectUntil(until), EcsOutcome::Granted(more)) => {
                CallResult::Granted(until + SignedDuration::from_secs(more))
            }
            (ProtectionRequest::Clear, EcsOutcome::Granted(_)) | (_, EcsOutcome::Cleared) => CallResult::Cleared,
            (_, EcsOutcome::Refused(reason)) => CallResult::Refused(Refusal { reason, detail: None, at: self.now }),
            (_, EcsOutcome::WithoutEffect) => CallResult::WithoutEffect,
            (_, EcsOutcome::Unknown) => CallResult::Unknown,
        }
    }

    /// The latest end of the live jobs, from the messages alone.
    fn wanted(&self) -> Option<Timestamp> {
        live(&self.sent.iter().collect::<Vec<_>>(), self.now).into_values().max()
    }

    fn decides_well(&self) -> Result<(), TestCaseError> {
        let (protection, wanted) = (&self.record.protection, self.wanted());
        let wanted = wanted.map(|wanted| wanted.min(self.now + GRANTABLE));
        let decision = decide_protection(&self.record, self.now);
        if self.record.stopped_at.is_some() {
            prop_assert_eq!(decision, Decision::Keep(KeepReason::Stopped));
            return Ok(());
        }
        match decision {
            Decision::Request(ProtectionRequest::Clear) => {
                prop_assert!(wanted.is_none() && protection.is_set(), "{:?}", wanted);
                prop_assert_eq!(self.record.kept_until(self.now), None);
            }
            Decision::Request(ProtectionRequest::ProtectUntil(until)) => {
                let kept = self.record.kept_until(self.now).max(wanted);
                prop_assert!(wanted <= Some(until) && Some(until) <= kept, "{:?} {:?}", wanted, kept);
                prop_assert!(protection.confirmed_until.is_none_or(|certain| certain < until), "it would be shortened");
            }
            Decision::Keep(KeepReason::Idle) => prop_assert!(wanted.is_none() && !protection.is_set()),
            Decision::Keep(KeepReason::Outlived { until }) => {
                prop_assert!(wanted.is_none() && until > self.now, "{:?}", wanted);
            }
            Decision::Keep(KeepReason::Confirmed { until }) => {
                prop_assert_eq!(Some(until), protection.confirmed_until);
                prop_assert!(wanted.is_some_and(|wanted| until + GRANT_TOLERANCE >= wanted), "{:?}", wanted);
            }
            Decision::Keep(KeepReason::RefusedJustNow) => {
                let refusal = protection.refusal.as_ref().unwrap();
                prop_assert_eq!(&refusal.reason, &FailureReason::DeploymentBlocked);
                prop_assert!(wanted.is_some() && !protection.may_retry_now && self.now < refusal.at + REFUSED_PAUSE);
            }
            Decision::Keep(KeepReason::ByAgent) => prop_assert!(false, "no worker says so"),
            Decision::Keep(KeepReason::Lingers { .. }) => prop_assert!(false, "no linger is set"),
            Decision::Keep(KeepReason::Stopped) => prop_assert!(false, "it has not stopped"),
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_call_never_asks_for_less_than_the_latest_live_end_and_never_releases_a_live_job(steps in vec(step(), 1..40)) {
        let mut life = TaskLife { now: at(0), record: TaskRecord::default(), sent: Vec::new(), calls: Vec::new() };
        for step in steps {
            life.go(step);
            life.decides_well()?;
        }
    }

    #[test]
    fn certain_protection_never_exceeds_the_result_of_any_call_in_flight(steps in vec(step(), 1..40)) {
        let mut life = TaskLife { now: at(0), record: TaskRecord::default(), sent: Vec::new(), calls: Vec::new() };
        for step in steps {
            life.go(step);
            let protection = &life.record.protection;
            for call in &protection.in_flight {
                let left = match call.request {
                    ProtectionRequest::Clear => None,
                    ProtectionRequest::ProtectUntil(until) => Some(until),
                };
                prop_assert!(protection.confirmed_until <= left, "{:?} beside {:?}", protection.confirmed_until, call);
            }
        }
    }
}
