//! Rules of a watch, on services drawn by hand.

use super::*;
use crate::decide::Standing;
use crate::ecs::{Deployment, DeploymentStatus, EcsError, RolloutState};
use crate::observe::{Gap, Jobs, ObservedTask, drawn};

const OLD: &str = "ecs-svc/1";
const NEW: &str = "ecs-svc/2";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn policy() -> CheckPolicy {
    CheckPolicy {
        watch: WatchPolicy { deadline: SignedDuration::from_hours(3) },
        alerts: AlertPolicy {
            blocked_after: SignedDuration::from_mins(5),
            repeat_after: SignedDuration::from_mins(60),
        },
        remedies: RemedyPolicy {
            policy: crate::config::Policy::Notify,
            allowed: crate::config::Remedies::default(),
            release_grace: SignedDuration::from_mins(5),
            raise_cool_down: SignedDuration::from_mins(15),
        },
        follows_up: true,
    }
}

fn deployment(id: &str, status: DeploymentStatus, rollout_state: RolloutState) -> Deployment {
    Deployment {
        id: id.to_owned(),
        status,
        rollout_state,
        desired_count: 2,
        running_count: 2,
        pending_count: 0,
        created_at: at(0),
        updated_at: at(0),
    }
}

fn task(number: usize, deployment: &str, protected_until: Option<Timestamp>) -> ObservedTask {
    ObservedTask {
        id: format!("{number:032x}").parse().unwrap(),
        deployment: Some(deployment.to_owned()),
        is_running: true,
        protected_until,
        idle_since: None,
        refused_since: None,
        is_awaited: false,
        jobs: Jobs::Unknown,
    }
}

/// Two tasks of one finished deployment.
fn steady(second: i64) -> Observed {
    let mut observed = drawn::service(at(second));
    observed.service.deployments = vec![deployment(OLD, DeploymentStatus::Primary, RolloutState::Completed)];
    observed.tasks = vec![task(1, OLD, None), task(2, OLD, None)];
    observed
}

/// A deployment begun at 0: both new tasks run, and of the old ones the first `protected` are protected for two hours.
fn deploying(second: i64, protected: usize) -> Observed {
    let mut observed = steady(second);
    observed.service.running_count = 4;
    observed.service.deployments = vec![
        deployment(NEW, DeploymentStatus::Primary, RolloutState::InProgress),
        deployment(OLD, DeploymentStatus::Active, RolloutState::Completed),
    ];
    let until = |number| (number <= protected).then(|| at(7200));
    observed.tasks = vec![task(1, OLD, until(1)), task(2, OLD, until(2)), task(3, NEW, None), task(4, NEW, None)];
    observed
}

fn moving(second: i64) -> Observed {
    deploying(second, 0)
}

fn will_block(second: i64) -> Observed {
    deploying(second, 1)
}

fn blocked(second: i64) -> Observed {
    deploying(second, 2)
}

/// The same, and the list of tasks could not be read.
fn unread(observed: Observed) -> Observed {
    Observed { tasks: Vec::new(), gaps: vec![Gap::Tasks(EcsError::Throttled)], ..observed }
}

fn look(entry: &mut ServiceEntry, observed: &Observed, reason: Reason) -> Seen {
    take_in(entry, (observed, reason), &policy())
}

/// The second at which the next look is due.
fn due(entry: &ServiceEntry) -> Option<i64> {
    entry.watch.as_ref().and_then(|watch| watch.due).map(|due| due.duration_since(at(0)).as_secs())
}

/// Comes with the follow-up that is awaited, in its moment.
fn follow_up(entry: &mut ServiceEntry, drawn: fn(i64) -> Observed) -> Option<i64> {
    let second = due(entry).expect("a follow-up is on its way");
    look(entry, &drawn(second), Reason::FollowUp(at(second)));
    due(entry)
}

fn prompted(entry: &mut ServiceEntry, prompt: Prompt, second: i64) -> Heed {
    heed(entry, prompt, (at(second), &policy()))
}

fn watched(movement: Option<&str>, checks: u32, due: Option<i64>) -> ServiceEntry {
    let watch = Watch { movement: movement.map(str::to_owned), begun_at: at(0), checks, due: due.map(at) };
    ServiceEntry { watch: Some(watch), ..ServiceEntry::default() }
}

#[test]
fn the_hand_drawn_services_stand_as_they_are_called() {
    let stands = |observed| look(&mut ServiceEntry::default(), &observed, Reason::Routine).diagnosis.standing;
    assert_eq!(stands(steady(0)), Standing::Steady);
    assert_eq!(stands(moving(0)), Standing::Moving);
    assert_eq!(stands(will_block(0)), Standing::WillBlock);
    assert_eq!(stands(blocked(0)), Standing::Blocked);
    assert_eq!(stands(unread(steady(0))), Standing::Unclear);
}

#[test]
fn checks_come_after_30_seconds_1_2_5_10_and_then_15_minutes() {
    let mut entry = ServiceEntry::default();
    look(&mut entry, &moving(0), Reason::Routine);
    let mut dues = vec![0, due(&entry).unwrap()];
    dues.extend((0..7).map(|_| follow_up(&mut entry, moving).unwrap()));
    let steps: Vec<i64> = dues.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(steps, [30, 60, 120, 300, 600, 900, 900, 900]);
    assert_eq!(entry.watch.map(|watch| watch.checks), Some(7));
}

#[test]
fn a_late_follow_up_counts_its_step_from_when_it_came() {
    let mut entry = watched(Some(NEW), 0, Some(30));
    look(&mut entry, &moving(50), Reason::FollowUp(at(30)));
    assert_eq!(due(&entry), Some(50 + 60));
}

#[test]
fn a_check_comes_when_an_alert_is_due_and_at_half_and_four_fifths_of_the_time() {
    let mut entry = ServiceEntry::default();
    look(&mut entry, &blocked(10), Reason::Begun);
    let mut dues = vec![due(&entry).unwrap()];
    dues.extend((0..16).map(|_| follow_up(&mut entry, blocked).unwrap()));
    for moment in [10 + 300, 90 * 60, 144 * 60] {
        assert!(dues.contains(&moment), "{moment} is not among {dues:?}");
    }
    assert!(dues.windows(2).all(|pair| pair[1] - pair[0] <= 900), "{dues:?}");
}

#[test]
fn a_deployment_of_a_service_that_is_not_held_up_has_no_marks() {
    let mut entry = watched(Some(NEW), 6, Some(5000));
    look(&mut entry, &moving(5000), Reason::FollowUp(at(5000)));
    assert_eq!(due(&entry), Some(5900), "half of its time is at 5400");
}

#[test]
fn a_new_movement_begins_a_new_watch() {
    let mut entry = watched(Some("ecs-svc/0"), 6, Some(1000));
    look(&mut entry, &moving(990), Reason::Routine);
    let watch = entry.watch.clone().unwrap();
    assert_eq!((watch.movement.as_deref(), watch.begun_at, watch.checks), (Some(NEW), at(990), 0));
    assert_eq!(due(&entry), Some(1020));
    assert!(!is_awaited(&entry, at(1000), at(1000)), "the old one's follow-up is out of date");
}

#[test]
fn a_steady_service_is_watched_no_more() {
    for reason in [Reason::Routine, Reason::FollowUp(at(30))] {
        let mut entry = watched(Some(NEW), 0, Some(30));
        look(&mut entry, &steady(30), reason);
        assert_eq!(entry.watch, None, "{reason:?}");
    }
}

#[test]
fn what_has_begun_and_does_not_show_yet_is_looked_at_once_more() {
    let mut entry = ServiceEntry::default();
    look(&mut entry, &steady(0), Reason::Begun);
    assert_eq!((entry.watch.as_ref().unwrap().movement.as_deref(), due(&entry)), (None, Some(30)));
    let mut shows = entry.clone();
    look(&mut shows, &moving(30), Reason::FollowUp(at(30)));
    let watch = shows.watch.unwrap();
    assert_eq!(
        (watch.movement.as_deref(), watch.begun_at, watch.checks),
        (Some(NEW), at(0), 1),
        "the same watch goes on"
    );
    look(&mut entry, &steady(30), Reason::FollowUp(at(30)));
    assert_eq!(entry.watch, None);
}

#[test]
fn a_sweep_begins_a_watch_over_what_moves_and_over_nothing_else() {
    for (observed, is_watched) in [(steady(0), false), (moving(0), true), (will_block(0), true), (blocked(0), true)] {
        let mut entry = ServiceEntry::default();
        look(&mut entry, &observed, Reason::Routine);
        assert_eq!(entry.watch.is_some(), is_watched, "{observed:?}");
    }
}

#[test]
fn the_look_of_another_leaves_the_chain_as_it_is() {
    let mut entry = watched(Some(NEW), 3, Some(1000));
    let before = entry.clone();
    for reason in [Reason::Routine, Reason::Begun, Reason::FollowUp(at(700))] {
        look(&mut entry, &moving(800), reason);
        assert_eq!(entry, before, "{reason:?}");
    }
}

#[test]
fn the_look_of_another_that_finds_something_due_before_brings_the_check_forward() {
    let mut entry = watched(Some(NEW), 5, Some(1000));
    look(&mut entry, &blocked(500), Reason::Routine);
    assert_eq!((due(&entry), entry.watch.as_ref().unwrap().checks), (Some(800), 5), "blocked since 500");
    assert!(is_awaited(&entry, at(800), at(800)) && !is_awaited(&entry, at(1000), at(800)));
}

#[test]
fn a_chain_that_broke_is_taken_up_by_whoever_looks_a_minute_after_its_moment() {
    let mut entry = watched(Some(NEW), 2, Some(1000));
    look(&mut entry, &moving(1059), Reason::Routine);
    assert_eq!(due(&entry), Some(1000), "its follow-up may yet come");
    look(&mut entry, &moving(1060), Reason::Routine);
    assert_eq!((due(&entry), entry.watch.as_ref().unwrap().checks), (Some(1360), 3));
    assert!(!is_awaited(&entry, at(1000), at(1061)), "should it come after all");
}

#[test]
fn after_50_hours_the_sweep_looks_alone() {
    const GIVEN_UP: i64 = 50 * 3600;
    let mut entry = watched(Some(NEW), 200, Some(GIVEN_UP - 1));
    look(&mut entry, &moving(GIVEN_UP - 1), Reason::FollowUp(at(GIVEN_UP - 1)));
    assert_eq!(due(&entry), Some(GIVEN_UP - 1 + 900));
    look(&mut entry, &moving(GIVEN_UP + 899), Reason::FollowUp(at(GIVEN_UP + 899)));
    assert!(entry.watch.is_some() && due(&entry).is_none());
    for reason in [Reason::Routine, Reason::Begun, Reason::FollowUp(at(GIVEN_UP + 899))] {
        look(&mut entry, &moving(GIVEN_UP + 9000), reason);
        assert!(entry.watch.is_some() && due(&entry).is_none(), "{reason:?} does not begin it anew");
    }
    assert!(!is_awaited(&entry, at(GIVEN_UP), at(GIVEN_UP + 9000)));
    look(&mut entry, &steady(GIVEN_UP + 9001), Reason::Routine);
    assert_eq!(entry.watch, None, "and a steady service is none that was given up");
}

#[test]
fn without_a_queue_nothing_is_watched() {
    let policy = CheckPolicy { follows_up: false, ..policy() };
    let mut entry = ServiceEntry::default();
    take_in(&mut entry, (&blocked(0), Reason::Begun), &policy);
    assert_eq!(entry.watch, None);
    assert_eq!(heed(&mut entry, Prompt::Look, (at(1), &policy)), Heed::Look);
    assert_eq!(heed(&mut entry, Prompt::Look, (at(2), &policy)), Heed::Nothing);
    assert_eq!(entry.watch, None);
}

/// The task works, and ECS has refused it.
fn unmet(number: usize) -> ObservedTask {
    let job = crate::observe::ObservedJob {
        key: crate::ledger::JobKey { job_id: format!("j-{number}"), attempt: 1 },
        until: at(7200),
        expected_until: None,
        labels: std::collections::BTreeMap::new(),
    };
    ObservedTask { refused_since: Some(at(0)), jobs: Jobs::Known(vec![job]), ..task(number, NEW, None) }
}

#[test]
fn a_task_that_is_refused_no_more_is_forgotten_when_a_complete_look_shows_it() {
    let [first, second, third] = [1, 2, 3].map(|number| task(number, NEW, None).id);
    let remembered = |refused: &[&TaskId], observed: &Observed| {
        let refused = refused.iter().map(|task| (*task).clone()).collect();
        let mut entry = ServiceEntry { refused, ..ServiceEntry::default() };
        look(&mut entry, observed, Reason::Routine);
        entry.refused.into_iter().collect::<Vec<_>>()
    };
    let mut observed = blocked(60);
    observed.tasks[2] = unmet(3);
    assert_eq!(remembered(&[&third], &observed), std::slice::from_ref(&third));
    assert_eq!(remembered(&[&first, &second, &third], &observed), std::slice::from_ref(&third));
    assert_eq!(remembered(&[], &observed), [], "whoever was refused has it written down");
    assert_eq!(remembered(&[&first], &observed), std::slice::from_ref(&third), "the picture is complete");
    assert_eq!(remembered(&[&first], &unread(observed)), std::slice::from_ref(&first));
}

#[test]
fn what_is_blocked_again_is_so_since_it_was_told_as_long_as_that_is_not_called_off() {
    let since = |is_resolved: bool, kind: AlertKind| {
        let mut entry = ServiceEntry::default();
        look(&mut entry, &blocked(60), Reason::Routine);
        assert!(entry.incidents.is_empty());
        let told = Incident {
            kind,
            since: at(60),
            told_at: at(60),
            escalations: 0,
            resolved_at: is_resolved.then(|| at(61)),
            heard: true,
            untold: None,
        };
        entry.incidents.insert("told".to_owned(), told);
        remember(&mut entry, &diagnose(&will_block(70), None, &policy().watch));
        entry.blocked.map(|blocked| blocked.since.duration_since(at(0)).as_secs())
    };
    assert_eq!(since(false, AlertKind::DeploymentBlocked), Some(60));
    assert_eq!(since(true, AlertKind::DeploymentBlocked), None);
    assert_eq!(since(false, AlertKind::OrphanedProtection), None);
}

#[test]
fn a_refused_task_or_a_raise_is_watched_even_where_nothing_moves() {
    let mut observed = steady(60);
    observed.tasks[1] = ObservedTask { deployment: Some(OLD.to_owned()), ..unmet(2) };
    let mut entry = ServiceEntry::default();
    look(&mut entry, &observed, Reason::Routine);
    assert!(entry.watch.is_some());
    look(&mut entry, &steady(61), Reason::Routine);
    assert_eq!(entry.watch, None);
    let raised = crate::decide::remedy::Raised {
        from: 1,
        to: 2,
        before: 1,
        at: at(61),
        stage: crate::decide::remedy::RaiseStage::Raising,
    };
    entry.remedy.raised = Some(raised);
    look(&mut entry, &steady(62), Reason::Routine);
    assert!(entry.watch.is_some());
}

#[test]
fn what_has_just_begun_is_waited_for_as_long_as_a_prompt_waits_and_no_longer() {
    for (second, awaited) in [(99, false), (100, false), (101, true), (130, true), (131, false)] {
        let mut entry = watched(None, 0, Some(second));
        look(&mut entry, &steady(100), Reason::Begun);
        assert_eq!(due(&entry), Some(if awaited { second } else { 130 }), "a follow-up is due at {second}");
    }
}

#[test]
fn a_check_comes_when_a_protection_in_the_way_of_a_refused_task_has_ended_and_before_a_lease_does() {
    let due_after = |refused: Option<ObservedTask>, blocked_until: i64| {
        let mut observed = blocked(60);
        observed.tasks[..2].iter_mut().for_each(|task| task.protected_until = Some(at(blocked_until)));
        observed.tasks[2] = refused.unwrap_or_else(|| task(3, NEW, None));
        let mut entry = watched(Some(NEW), 5, Some(60));
        entry.blocked = Some(crate::ledger::service::SeenBlocked { movement: NEW.to_owned(), since: at(-7200) });
        look(&mut entry, &observed, Reason::FollowUp(at(60)));
        due(&entry)
    };
    assert_eq!(due_after(None, 200), Some(960), "nobody waits for it");
    assert_eq!(due_after(Some(unmet(3)), 200), Some(201));
    let lease = ObservedTask { protected_until: Some(at(900)), ..unmet(3) };
    assert_eq!(due_after(Some(lease), 7200), Some(600));
}

#[test]
fn a_check_comes_when_ecs_keeps_old_tasks_no_longer_if_protected_ones_are_among_them() {
    for (protected, second) in [(0, 960), (2, 500)] {
        let mut observed = deploying(60, protected);
        observed.service.old_tasks_kept = SignedDuration::from_secs(500);
        let mut entry = watched(Some(NEW), 5, Some(60));
        look(&mut entry, &observed, Reason::FollowUp(at(60)));
        assert_eq!(due(&entry), Some(second), "{protected} protected");
    }
}

#[test]
fn since_when_protected_tasks_are_idle_is_remembered_and_forgotten_when_they_work_again() {
    let mut entry = ServiceEntry::default();
    let mut idle = blocked(60);
    idle.tasks[..2].iter_mut().for_each(|task| {
        (task.jobs, task.idle_since) = (Jobs::Known(Vec::new()), Some(at(0)));
    });
    look(&mut entry, &idle, Reason::Routine);
    let [first, second] = [1, 2].map(|number| task(number, OLD, None).id);
    let since = |second: i64| at(second);
    assert_eq!(entry.idle_seen, [(first.clone(), since(60)), (second, since(60))].into());
    let mut later = Observed { at: at(120), ..idle };
    later.tasks[1] = ObservedTask { deployment: Some(OLD.to_owned()), protected_until: Some(at(7200)), ..unmet(2) };
    look(&mut entry, &unread(later.clone()), Reason::Routine);
    assert_eq!(entry.idle_seen.len(), 2, "what was not seen is not forgotten");
    look(&mut entry, &later, Reason::Routine);
    assert_eq!(entry.idle_seen, [(first, since(60))].into());
}

mod heeding;
mod seeing;
