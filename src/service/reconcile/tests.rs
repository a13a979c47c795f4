//! Rules of a watch, on snapshots built by hand.

mod accepting;
mod incidents;
mod pauses;

use super::*;
use crate::ecs::deployment::{Deployment, DeploymentStatus, RolloutState};
use crate::ecs::error::EcsError;
use crate::service::incident::scope::IncidentScope;
use crate::service::incident::{AlertPolicy, Incident, IncidentState};
use crate::service::record::Watch;
use crate::service::remediation::RemediationPolicy;
use crate::service::rollout_status::RolloutStatus;
use crate::service::schedule::{OnTrigger, is_awaited, on_trigger, put_off};
use crate::service::snapshot::fixture;
use crate::service::snapshot::{Gap, Jobs, TaskSnapshot};
use crate::service::trigger::Trigger;
use jiff::{SignedDuration, Timestamp};

const OLD: &str = "ecs-svc/1";
const NEW: &str = "ecs-svc/2";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn policy() -> ServicePolicy {
    ServicePolicy {
        diagnosis: fixture::policy(),
        alerts: AlertPolicy {
            blocked_after: SignedDuration::from_mins(5),
            scale_in_blocked_after: SignedDuration::from_mins(60),
            repeat_after: SignedDuration::from_mins(60),
        },
        remediations: RemediationPolicy {
            policy: crate::config::policy::Policy::Notify,
            allowed: crate::config::policy::Remediations::default(),
            release_grace: SignedDuration::from_mins(5),
            raise_cool_down: SignedDuration::from_mins(15),
        },
        has_recheck_queue: true,
    }
}

fn deployment(id: &str, status: DeploymentStatus, rollout_state: RolloutState) -> Deployment {
    fixture::deployment(id, status, rollout_state, at(0))
}

fn task(number: usize, deployment: &str, protected_until: Option<Timestamp>) -> TaskSnapshot {
    TaskSnapshot { protected_until, jobs: Jobs::Unknown, ..fixture::task(number, deployment) }
}

/// Two tasks of one finished deployment.
fn steady(second: i64) -> ServiceSnapshot {
    let mut snapshot = fixture::service(at(second));
    snapshot.service.deployments = vec![deployment(OLD, DeploymentStatus::Primary, RolloutState::Completed)];
    snapshot.tasks = vec![task(1, OLD, None), task(2, OLD, None)];
    snapshot
}

/// A deployment that began at 0: both new tasks run, and the first `protected` old tasks are protected for two hours.
fn deploying(second: i64, protected: usize) -> ServiceSnapshot {
    let mut snapshot = steady(second);
    snapshot.service.running_count = 4;
    snapshot.service.deployments = vec![
        deployment(NEW, DeploymentStatus::Primary, RolloutState::InProgress),
        deployment(OLD, DeploymentStatus::Active, RolloutState::Completed),
    ];
    let until = |number| (number <= protected).then(|| at(7200));
    snapshot.tasks = vec![task(1, OLD, until(1)), task(2, OLD, until(2)), task(3, NEW, None), task(4, NEW, None)];
    snapshot
}

fn in_progress(second: i64) -> ServiceSnapshot {
    deploying(second, 0)
}

fn will_block(second: i64) -> ServiceSnapshot {
    deploying(second, 1)
}

fn blocked(second: i64) -> ServiceSnapshot {
    deploying(second, 2)
}

/// The same snapshot, with the list of tasks unread.
fn unread(snapshot: ServiceSnapshot) -> ServiceSnapshot {
    ServiceSnapshot { tasks: Vec::new(), gaps: vec![Gap::Tasks(EcsError::Throttled)], ..snapshot }
}

fn reconciled(record: &mut ServiceRecord, snapshot: &ServiceSnapshot, reason: Reason) -> Findings {
    reconcile_snapshot(record, snapshot, reason, &policy())
}

/// The second at which the next recheck is due.
fn due(record: &ServiceRecord) -> Option<i64> {
    record.watch.as_ref().and_then(|watch| watch.due).map(|due| due.duration_since(at(0)).as_secs())
}

/// Delivers the awaited recheck at its moment.
fn recheck(record: &mut ServiceRecord, drawn: fn(i64) -> ServiceSnapshot) -> Option<i64> {
    let second = due(record).expect("a recheck is on its way");
    reconciled(record, &drawn(second), Reason::Recheck(at(second)));
    due(record)
}

fn triggered(record: &mut ServiceRecord, trigger: Trigger, second: i64) -> OnTrigger {
    on_trigger(record, trigger, at(second), &policy())
}

fn watched(rollout: Option<&str>, checks: u32, due: Option<i64>) -> ServiceRecord {
    let watch = Watch { rollout: rollout.map(str::to_owned), started_at: at(0), checks, due: due.map(at) };
    ServiceRecord { watch: Some(watch), ..ServiceRecord::default() }
}

#[test]
fn the_hand_drawn_services_stand_as_they_are_called() {
    let status_of =
        |snapshot| reconciled(&mut ServiceRecord::default(), &snapshot, Reason::Routine).diagnosis.rollout_status;
    assert_eq!(status_of(steady(0)), RolloutStatus::Steady);
    assert_eq!(status_of(in_progress(0)), RolloutStatus::InProgress);
    assert_eq!(status_of(will_block(0)), RolloutStatus::WillBlock);
    assert_eq!(status_of(blocked(0)), RolloutStatus::Blocked);
    assert_eq!(status_of(unread(steady(0))), RolloutStatus::Unknown);
}

#[test]
fn checks_come_after_30_seconds_1_2_5_10_and_then_15_minutes() {
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &in_progress(0), Reason::Routine);
    let mut dues = vec![0, due(&record).unwrap()];
    dues.extend((0..7).map(|_| recheck(&mut record, in_progress).unwrap()));
    let steps: Vec<i64> = dues.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps, [30, 60, 120, 300, 600, 900, 900, 900]);
    assert_eq!(record.watch.map(|watch| watch.checks), Some(7));
}

#[test]
fn a_late_recheck_counts_its_step_from_when_it_came() {
    let mut record = watched(Some(NEW), 0, Some(30));
    reconciled(&mut record, &in_progress(50), Reason::Recheck(at(30)));
    assert_eq!(due(&record), Some(50 + 60));
}

#[test]
fn a_check_comes_when_an_alert_is_due_and_at_half_and_four_fifths_of_the_time() {
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &blocked(10), Reason::Begun);
    let mut dues = vec![due(&record).unwrap()];
    dues.extend((0..16).map(|_| recheck(&mut record, blocked).unwrap()));
    for moment in [10 + 300, 90 * 60, 144 * 60] {
        assert!(dues.contains(&moment), "{moment} is not among {dues:?}");
    }
    assert!(dues.windows(2).all(|pair| pair[1] - pair[0] <= 900), "{dues:?}");
}

#[test]
fn a_deployment_of_a_service_that_is_not_blocked_has_no_marks() {
    let mut record = watched(Some(NEW), 6, Some(5000));
    reconciled(&mut record, &in_progress(5000), Reason::Recheck(at(5000)));
    assert_eq!(due(&record), Some(5900), "half of its time is at 5400");
}

#[test]
fn a_new_rollout_begins_a_new_watch() {
    let mut record = watched(Some("ecs-svc/0"), 6, Some(1000));
    reconciled(&mut record, &in_progress(990), Reason::Routine);
    let watch = record.watch.clone().unwrap();
    assert_eq!((watch.rollout.as_deref(), watch.started_at, watch.checks), (Some(NEW), at(990), 0));
    assert_eq!(due(&record), Some(1020));
    assert!(!is_awaited(&record, at(1000), at(1000)), "the old one's recheck is out of date");
}

#[test]
fn a_steady_service_is_watched_no_more() {
    for reason in [Reason::Routine, Reason::Recheck(at(30))] {
        let mut record = watched(Some(NEW), 0, Some(30));
        reconciled(&mut record, &steady(30), reason);
        assert_eq!(record.watch, None, "{reason:?}");
    }
}

#[test]
fn a_rollout_that_ecs_does_not_show_yet_is_reconciled_once_more() {
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &steady(0), Reason::Begun);
    assert_eq!((record.watch.as_ref().unwrap().rollout.as_deref(), due(&record)), (None, Some(30)));
    let mut shows = record.clone();
    reconciled(&mut shows, &in_progress(30), Reason::Recheck(at(30)));
    let watch = shows.watch.unwrap();
    assert_eq!(
        (watch.rollout.as_deref(), watch.started_at, watch.checks),
        (Some(NEW), at(0), 1),
        "the same watch goes on"
    );
    reconciled(&mut record, &steady(30), Reason::Recheck(at(30)));
    assert_eq!(record.watch, None);
}

#[test]
fn a_sweep_begins_a_watch_over_what_moves_and_over_nothing_else() {
    for (snapshot, is_watched) in
        [(steady(0), false), (in_progress(0), true), (will_block(0), true), (blocked(0), true)]
    {
        let mut record = ServiceRecord::default();
        reconciled(&mut record, &snapshot, Reason::Routine);
        assert_eq!(record.watch.is_some(), is_watched, "{snapshot:?}");
    }
}

#[test]
fn a_concurrent_reconcile_leaves_the_chain_as_it_is() {
    let mut record = watched(Some(NEW), 3, Some(1000));
    let before = record.clone();
    for reason in [Reason::Routine, Reason::Begun, Reason::Recheck(at(700))] {
        reconciled(&mut record, &in_progress(800), reason);
        assert_eq!(record, before, "{reason:?}");
    }
}

#[test]
fn a_concurrent_reconcile_with_an_earlier_due_time_moves_the_recheck_forward() {
    let mut record = watched(Some(NEW), 5, Some(1000));
    reconciled(&mut record, &blocked(500), Reason::Routine);
    assert_eq!((due(&record), record.watch.as_ref().unwrap().checks), (Some(800), 5), "blocked since 500");
    assert!(is_awaited(&record, at(800), at(800)) && !is_awaited(&record, at(1000), at(800)));
}

#[test]
fn a_broken_chain_is_continued_by_the_first_reconcile_a_minute_after_its_due_time() {
    let mut record = watched(Some(NEW), 2, Some(1000));
    reconciled(&mut record, &in_progress(1059), Reason::Routine);
    assert_eq!(due(&record), Some(1000), "its recheck may yet come");
    reconciled(&mut record, &in_progress(1060), Reason::Routine);
    assert_eq!((due(&record), record.watch.as_ref().unwrap().checks), (Some(1360), 3));
    assert!(!is_awaited(&record, at(1000), at(1061)), "should it come after all");
}

#[test]
fn after_50_hours_only_the_sweep_reconciles() {
    const GIVEN_UP: i64 = 50 * 3600;
    let mut record = watched(Some(NEW), 200, Some(GIVEN_UP - 1));
    reconciled(&mut record, &in_progress(GIVEN_UP - 1), Reason::Recheck(at(GIVEN_UP - 1)));
    assert_eq!(due(&record), Some(GIVEN_UP - 1 + 900));
    reconciled(&mut record, &in_progress(GIVEN_UP + 899), Reason::Recheck(at(GIVEN_UP + 899)));
    assert!(record.watch.is_some() && due(&record).is_none());
    for reason in [Reason::Routine, Reason::Begun, Reason::Recheck(at(GIVEN_UP + 899))] {
        reconciled(&mut record, &in_progress(GIVEN_UP + 9000), reason);
        assert!(record.watch.is_some() && due(&record).is_none(), "{reason:?} does not begin it anew");
    }
    assert!(!is_awaited(&record, at(GIVEN_UP), at(GIVEN_UP + 9000)));
    reconciled(&mut record, &steady(GIVEN_UP + 9001), Reason::Routine);
    assert_eq!(record.watch, None, "and a steady service is none that was given up");
}

#[test]
fn without_a_queue_nothing_is_watched() {
    let policy = ServicePolicy { has_recheck_queue: false, ..policy() };
    let mut record = ServiceRecord::default();
    reconcile_snapshot(&mut record, &blocked(0), Reason::Begun, &policy);
    assert_eq!(record.watch, None);
    assert_eq!(on_trigger(&mut record, Trigger::Reconcile, at(1), &policy), OnTrigger::Reconcile);
    assert_eq!(on_trigger(&mut record, Trigger::Reconcile, at(2), &policy), OnTrigger::Nothing);
    assert_eq!(record.watch, None);
}

/// A task with a live job that ECS has refused to protect.
fn refused_task(number: usize) -> TaskSnapshot {
    let job = fixture::job(&format!("j-{number}"), at(7200));
    TaskSnapshot { refused_since: Some(at(0)), jobs: Jobs::Known(vec![job]), ..task(number, NEW, None) }
}

#[test]
fn a_task_that_is_refused_no_more_is_forgotten_when_a_complete_snapshot_shows_it() {
    let [first, second, third] = [1, 2, 3].map(|number| task(number, NEW, None).id);
    let remembered = |refused: &[&TaskId], snapshot: &ServiceSnapshot| {
        let refused = refused.iter().map(|task| (*task).clone()).collect();
        let mut record = ServiceRecord { refused, ..ServiceRecord::default() };
        reconciled(&mut record, snapshot, Reason::Routine);
        record.refused.into_iter().collect::<Vec<_>>()
    };
    let mut snapshot = blocked(60);
    snapshot.tasks[2] = refused_task(3);
    assert_eq!(remembered(&[&third], &snapshot), std::slice::from_ref(&third));
    assert_eq!(remembered(&[&first, &second, &third], &snapshot), std::slice::from_ref(&third));
    assert_eq!(remembered(&[], &snapshot), std::slice::from_ref(&third), "it may be the worker that reported it");
    assert_eq!(remembered(&[&first], &snapshot), std::slice::from_ref(&third), "the snapshot is complete");
    assert_eq!(remembered(&[&first], &unread(snapshot)), std::slice::from_ref(&first));
}

#[test]
fn a_rollout_that_is_blocked_again_is_so_since_the_incident_as_long_as_that_is_not_resolved() {
    let since = |is_resolved: bool, kind: AlertKind| {
        let mut record = ServiceRecord::default();
        reconciled(&mut record, &blocked(60), Reason::Routine);
        assert!(record.incidents.is_empty());
        let incident = Incident {
            kind,
            since: at(60),
            notified_at: at(60),
            state: if is_resolved { IncidentState::Resolved { at: at(61), marks: 0 } } else { IncidentState::Open },
            attempted: true,
            pending: None,
            scope: IncidentScope::default(),
        };
        record.incidents.insert("key".to_owned(), incident);
        remember(&mut record, &diagnose(&will_block(70), Remembered::default(), &policy().diagnosis));
        record.blocked.map(|blocked| blocked.since.duration_since(at(0)).as_secs())
    };
    assert_eq!(since(false, AlertKind::DeploymentBlocked), Some(60));
    assert_eq!(since(true, AlertKind::DeploymentBlocked), None);
    assert_eq!(since(false, AlertKind::OrphanedProtection), None);
}

#[test]
fn a_refused_task_or_a_raise_is_watched_even_where_nothing_moves() {
    let mut snapshot = steady(60);
    snapshot.tasks[1] = TaskSnapshot { deployment: Some(OLD.to_owned()), ..refused_task(2) };
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &snapshot, Reason::Routine);
    assert!(record.watch.is_some());
    reconciled(&mut record, &steady(61), Reason::Routine);
    assert_eq!(record.watch, None);
    let raised = crate::service::remediation::Raised {
        from: 1,
        to: 2,
        before: 1,
        at: at(61),
        stage: crate::service::remediation::RaiseStage::Raising,
    };
    record.remediation.raised = Some(raised);
    reconciled(&mut record, &steady(62), Reason::Routine);
    assert!(record.watch.is_some());
}

#[test]
fn what_has_just_begun_is_waited_for_as_long_as_a_prompt_waits_and_no_longer() {
    for (second, awaited) in [(99, false), (100, false), (101, true), (130, true), (131, false)] {
        let mut record = watched(None, 0, Some(second));
        reconciled(&mut record, &steady(100), Reason::Begun);
        assert_eq!(due(&record), Some(if awaited { second } else { 130 }), "a recheck is due at {second}");
    }
}

#[test]
fn a_recheck_is_due_after_a_protection_that_blocks_a_refused_task_and_before_its_own_ends() {
    let due_after = |refused: Option<TaskSnapshot>, blocked_until: i64| {
        let mut snapshot = blocked(60);
        snapshot.tasks[..2].iter_mut().for_each(|task| task.protected_until = Some(at(blocked_until)));
        snapshot.tasks[2] = refused.unwrap_or_else(|| task(3, NEW, None));
        let mut record = watched(Some(NEW), 5, Some(60));
        record.blocked = Some(crate::service::record::BlockedSince { rollout: NEW.to_owned(), since: at(-7200) });
        reconciled(&mut record, &snapshot, Reason::Recheck(at(60)));
        due(&record)
    };
    assert_eq!(due_after(None, 200), Some(960), "no refused task waits for it");
    assert_eq!(due_after(Some(refused_task(3)), 200), Some(201));
    let unrenewed = TaskSnapshot { protected_until: Some(at(900)), ..refused_task(3) };
    assert_eq!(due_after(Some(unrenewed), 7200), Some(600));
}

#[test]
fn since_when_protected_tasks_are_idle_is_remembered_and_forgotten_when_they_work_again() {
    let mut record = ServiceRecord::default();
    let mut idle = blocked(60);
    idle.tasks[..2].iter_mut().for_each(|task| {
        (task.jobs, task.idle_since) = (Jobs::Known(Vec::new()), Some(at(0)));
    });
    reconciled(&mut record, &idle, Reason::Routine);
    let [first, second] = [1, 2].map(|number| task(number, OLD, None).id);
    let since = |second: i64| at(second);
    assert_eq!(record.idle_since, [(first.clone(), since(60)), (second, since(60))].into());
    let mut later = ServiceSnapshot { at: at(120), ..idle };
    later.tasks[1] =
        TaskSnapshot { deployment: Some(OLD.to_owned()), protected_until: Some(at(7200)), ..refused_task(2) };
    reconciled(&mut record, &unread(later.clone()), Reason::Routine);
    assert_eq!(record.idle_since.len(), 2, "tasks outside the snapshot are kept");
    reconciled(&mut record, &later, Reason::Routine);
    assert_eq!(record.idle_since, [(first, since(60))].into());
}
