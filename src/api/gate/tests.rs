//! Rules of the gate, each on a state built by hand.

use super::*;
use crate::ecs::deployment::{DeploymentStatus, RolloutState};
use crate::ecs::error::EcsError;
use crate::ecs::service_deployment::{HookAction, HookStatus, LifecycleHook, LifecycleStage, ServiceDeploymentStatus};
use crate::service::snapshot::fixture;
use crate::service::snapshot::{Gap, TaskSnapshot};
use crate::store::error::StoreError;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
}

fn details(block: Value) -> HookDetails {
    HookDetails::from_iter([(MEMBER.to_owned(), block), ("other".to_owned(), json!(7))])
}

fn gate(block: Value) -> DeploymentGate {
    DeploymentGate::of(&details(block), at(0)).unwrap().unwrap()
}

fn waits() -> GateState {
    GateState { finding: GateFinding::Waits("it waits".to_owned()), deadline: GateDeadline::Read(None) }
}

fn unreadable() -> GateState {
    GateState { finding: GateFinding::Unreadable("a gap".to_owned()), deadline: GateDeadline::Partly(None) }
}

/// The status of an answer, and the seconds until the next one.
fn decided(block: &Value, state: &GateState, now: Timestamp) -> (&'static str, u32) {
    let details = details(block.clone());
    let gate = DeploymentGate::of(&details, now).unwrap().unwrap();
    let answer = decide_gate(&gate, &details, state, now).answer;
    let delay = if let HookAnswer::InProgress { call_back_delay, .. } = &answer { *call_back_delay } else { 0 };
    (answer.status(), delay)
}

#[test]
fn a_gate_has_defaults_and_a_wait_of_at_most_a_day() {
    let until = "no-live-jobs";
    let plain = gate(json!({"until": until}));
    assert_eq!((plain.at_most, plain.then), (SignedDuration::from_mins(120), GateEnd::Continue));
    for (minutes, at_most) in [(0, 0), (7, 7), (1440, 1440), (1_000_000, 1440), (u64::MAX, 1440)] {
        let gate = gate(json!({"until": until, "atMostMinutes": minutes, "then": "rollback"}));
        assert_eq!((gate.at_most, gate.then), (SignedDuration::from_mins(at_most), GateEnd::RollBack));
    }
}

#[test]
fn a_member_that_the_function_ignores_is_found() {
    assert_eq!(unknown_member(&details(json!({"until": "x", "atMostMinute": 5}))), Some("atMostMinute".to_owned()));
    assert_eq!(unknown_member(&details(json!({"until": "x", "waitingSince": 5}))), None);
}

#[test]
fn it_keeps_the_last_known_deadline_while_reads_fail() {
    let block = json!({"until": "no-live-jobs", "atMostMinutes": 60, "then": "rollback"});
    let known = GateState { deadline: GateDeadline::Read(Some(at(30))), ..waits() };
    let verdict = decide_gate(&gate(block.clone()), &details(block), &known, at(0));
    let HookAnswer::InProgress { hook_details, .. } = verdict.answer else { panic!("{verdict:?}") };
    let status = |state: &GateState, minute| decided(&hook_details[MEMBER], state, at(minute)).0;
    assert_eq!([status(&unreadable(), 28), status(&unreadable(), 30)], ["IN_PROGRESS", "SUCCEEDED"]);
    // The jobs were read, and the deadline only in part.
    let later = GateState { deadline: GateDeadline::Partly(Some(at(50))), ..waits() };
    assert_eq!([status(&later, 28), status(&later, 30)], ["IN_PROGRESS", "FAILED"]);
    // The deadline was raised.
    let raised = GateState { deadline: GateDeadline::Read(Some(at(50))), ..waits() };
    assert_eq!([status(&raised, 30), status(&raised, 50)], ["IN_PROGRESS", "FAILED"]);
}

const OLD: &str = "ecs-svc/1";
const NEW: &str = "ecs-svc/2";

/// A service whose deployment began at minute 0, with one old task.
fn deploying(task: TaskSnapshot) -> ServiceSnapshot {
    let mut snapshot = fixture::service(at(10));
    snapshot.service.deployments = vec![
        fixture::deployment(NEW, DeploymentStatus::Primary, RolloutState::InProgress, at(0)),
        fixture::deployment(OLD, DeploymentStatus::Active, RolloutState::Completed, at(-600)),
    ];
    snapshot.tasks = vec![task];
    snapshot
}

/// An old task whose job may take until this minute, and which is protected as long if it is at all.
fn task(until: i64, is_protected: fn(Timestamp) -> Option<Timestamp>) -> TaskSnapshot {
    let jobs = Jobs::Known(vec![fixture::job("j", at(until))]);
    TaskSnapshot { protected_until: is_protected(at(until)), jobs, ..fixture::task(1, OLD) }
}

fn found(until: GateCondition, snapshot: &ServiceSnapshot) -> GateState {
    gate_state(until, snapshot, &fixture::policy())
}

#[test]
fn a_gate_ends_before_the_time_of_its_hook() {
    let hook = |function: Option<&str>, status, minute| LifecycleHook {
        id: "hook".to_owned(),
        target: function.map(|name| format!("arn:aws:lambda:eu-west-1:111122223333:function:{name}")),
        status,
        expires_at: Some(at(minute)),
        timeout_action: HookAction::Rollback,
    };
    let mut snapshot = deploying(task(179, Some));
    let hooks = vec![hook(None, HookStatus::Succeeded, 20), hook(None, HookStatus::InProgress, 60)];
    snapshot.service_deployment =
        Some(ServiceDeployment { hooks, ..fixture::service_deployment(LifecycleStage::PreScaleUp) });
    assert_eq!(found(GateCondition::NoLiveJobs, &snapshot).deadline, GateDeadline::Read(Some(at(60))));
    for (hooks, end) in [
        // It may be that of another function.
        ([(None, 10), (None, 60)], 180),
        ([(Some("another"), 10), (Some("taskhold"), 60)], 60),
        ([(Some("taskhold:live"), 70), (Some("taskhold"), 60)], 60),
        ([(Some("another"), 10), (Some("taskhold-2"), 60)], 180),
    ] {
        let running = hooks.map(|(function, minute)| hook(function, HookStatus::InProgress, minute));
        snapshot.service_deployment.as_mut().unwrap().hooks = running.to_vec();
        let found = found(GateCondition::NoLiveJobs, &snapshot).deadline;
        assert_eq!(found, GateDeadline::Read(Some(at(end))), "{hooks:?}");
    }
}

#[test]
fn the_time_out_of_a_hook_is_remembered_when_the_service_deployment_cannot_be_read() {
    let snapshot = ServiceSnapshot { deployment_failure: Some(EcsError::Throttled), ..deploying(task(60, Some)) };
    let found = found(GateCondition::NoLiveJobs, &snapshot).deadline;
    assert!(matches!(found, GateDeadline::Partly(Some(_))), "{found:?}");
}

#[test]
fn a_deployment_is_not_late_because_jobs_could_not_be_read() {
    let unread = TaskSnapshot { jobs: Jobs::Unread, ..task(900, Some) };
    let gaps = vec![Gap::Jobs(StoreError::Unexpected("no answer".to_owned()))];
    let found = found(GateCondition::DeadlineMet, &ServiceSnapshot { gaps, ..deploying(unread) });
    assert!(matches!(found.finding, GateFinding::Unreadable(_)), "{found:?}");
}

#[test]
fn a_gap_that_says_nothing_of_jobs_does_not_hold_an_idle_service() {
    let gaps = [Gap::Protection(EcsError::Throttled), Gap::LifecycleStage("NEW_STAGE".to_owned())];
    for gap in gaps.into_iter().map(Some).chain([None]) {
        for jobs in [Jobs::Known(Vec::new()), Jobs::Unknown] {
            let idle = deploying(TaskSnapshot { jobs, ..task(60, Some) });
            let snapshot = ServiceSnapshot { gaps: gap.clone().into_iter().collect(), ..idle };
            assert_eq!(found(GateCondition::NoLiveJobs, &snapshot).finding, GateFinding::Holds);
        }
    }
}

#[test]
fn a_gap_about_the_service_deployment_holds_no_deployment_that_meets_its_deadline() {
    let in_time = || deploying(task(100, Some));
    let holds = |gap| found(GateCondition::DeadlineMet, &ServiceSnapshot { gaps: vec![gap], ..in_time() }).finding;
    assert_eq!(holds(Gap::ServiceDeployment(EcsError::AccessDenied("no".to_owned()))), GateFinding::Holds);
    assert_eq!(holds(Gap::LifecycleStage("NEW_STAGE".to_owned())), GateFinding::Holds);
    assert!(matches!(holds(Gap::Protection(EcsError::Throttled)), GateFinding::Unreadable(_)));
}

#[test]
fn a_rollback_is_not_held_whatever_its_payload_says() {
    let mut snapshot = deploying(task(900, Some));
    let deployment = fixture::service_deployment(LifecycleStage::ProductionTrafficShift);
    let status = ServiceDeploymentStatus::RollbackInProgress;
    snapshot.service_deployment = Some(ServiceDeployment { status, ..deployment });
    assert_eq!(found(GateCondition::DeadlineMet, &snapshot).finding, GateFinding::Holds);
    let deployment = snapshot.service_deployment.as_mut().unwrap();
    (deployment.status, deployment.rollback_started_at) = (ServiceDeploymentStatus::InProgress, Some(at(1)));
    assert_eq!(found(GateCondition::DeadlineMet, &snapshot).finding, GateFinding::Holds);
    snapshot.service_deployment.as_mut().unwrap().rollback_started_at = None;
    assert!(matches!(found(GateCondition::DeadlineMet, &snapshot).finding, GateFinding::Waits(_)));
}

#[test]
fn before_ecs_shows_the_deployment_every_task_counts_as_old_and_the_deadline_as_unknown() {
    let snapshot = |until| {
        let mut snapshot = deploying(task(until, Some));
        snapshot.service.deployments.remove(0);
        snapshot.service.deployments[0].status = DeploymentStatus::Primary;
        snapshot
    };
    let missed = found(GateCondition::DeadlineMet, &snapshot(200));
    assert!(matches!(&missed.finding, GateFinding::Waits(why) if why.contains("10 min after")), "{missed:?}");
    assert_eq!(missed.deadline, GateDeadline::Read(None));
    assert_eq!(found(GateCondition::DeadlineMet, &snapshot(180)).finding, GateFinding::Holds);
}

#[test]
fn a_gap_leaves_a_condition_open_unless_it_certainly_does_not_hold() {
    for until in [GateCondition::DeadlineMet, GateCondition::NoLiveJobs] {
        let with_gap = |task| {
            let gaps = vec![Gap::Tasks(EcsError::Throttled)];
            ServiceSnapshot { gaps, ..deploying(task) }
        };
        let idle = TaskSnapshot { jobs: Jobs::Known(Vec::new()), ..task(60, |_| None) };
        assert!(matches!(found(until, &with_gap(idle)).finding, GateFinding::Unreadable(_)));
        assert!(matches!(found(until, &with_gap(task(900, Some))).finding, GateFinding::Waits(_)));
    }
}
