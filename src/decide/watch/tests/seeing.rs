//! What a look means for what is remembered, and for what is told.

use super::*;
use crate::alert::incident::{Told, told};

/// Looks, and tells with success: what was told, in short.
fn tell(entry: &mut ServiceEntry, observed: &Observed) -> Vec<String> {
    let seen = look(entry, observed, Reason::Routine);
    for (key, _, event) in &seen.to_tell {
        told(&mut entry.incidents, key, (*event, Told::Sent, observed.at));
    }
    seen.to_tell.iter().map(|(_, incident, event)| format!("{} {}", incident.kind.as_str(), event.as_str())).collect()
}

/// Blocked since 0, and told of at 300.
fn told_of() -> ServiceEntry {
    let mut entry = ServiceEntry::default();
    assert!(tell(&mut entry, &blocked(0)).is_empty());
    assert_eq!(tell(&mut entry, &blocked(300)), ["deployment-blocked opened"]);
    entry
}

#[test]
fn since_when_a_service_is_blocked_is_remembered_from_look_to_look() {
    let mut entry = ServiceEntry::default();
    look(&mut entry, &blocked(40), Reason::Routine);
    let seen = look(&mut entry, &blocked(400), Reason::Routine);
    assert_eq!(seen.diagnosis.blocked_since, Some(at(40)));
}

#[test]
fn who_moves_on_and_is_blocked_again_begins_anew() {
    for between in [moving(100), will_block(100), steady(100)] {
        let mut entry = ServiceEntry::default();
        look(&mut entry, &blocked(0), Reason::Routine);
        look(&mut entry, &between, Reason::Routine);
        assert!(tell(&mut entry, &blocked(300)).is_empty(), "{between:?}");
        assert_eq!(entry.blocked.map(|blocked| blocked.since), Some(at(300)));
    }
}

#[test]
fn another_movement_that_is_blocked_begins_anew() {
    let mut entry = ServiceEntry::default();
    look(&mut entry, &blocked(0), Reason::Routine);
    let mut second = blocked(200);
    second.service.deployments[0].id = "ecs-svc/3".to_owned();
    second.tasks[2..].iter_mut().for_each(|task| task.deployment = Some("ecs-svc/3".to_owned()));
    let seen = look(&mut entry, &second, Reason::Routine);
    assert_eq!(seen.diagnosis.blocked_since, Some(at(200)));
}

#[test]
fn an_incident_stays_open_while_a_task_that_is_free_is_on_its_way_out_beside_protected_ones() {
    let mut entry = told_of();
    // One of the two was released, and ECS is about to stop it.
    assert!(tell(&mut entry, &will_block(310)).is_empty());
    assert!(tell(&mut entry, &blocked(330)).is_empty(), "neither called off nor opened again");
    assert_eq!(tell(&mut entry, &steady(400)), ["deployment-blocked resolved"]);
}

#[test]
fn an_incident_that_goes_on_through_that_keeps_its_time() {
    let mut entry = told_of();
    tell(&mut entry, &will_block(310));
    let seen = look(&mut entry, &blocked(330), Reason::Routine);
    assert_eq!(seen.diagnosis.blocked_since, Some(at(0)));
    assert!(entry.incidents.values().all(|incident| incident.since == at(0)));
}

#[test]
fn what_will_block_and_was_not_told_of_is_not_an_incident() {
    let mut entry = ServiceEntry::default();
    for second in [0, 300, 600, 3600] {
        assert!(tell(&mut entry, &will_block(second)).is_empty());
    }
    assert!(entry.incidents.is_empty() && entry.blocked.is_none());
}

#[test]
fn a_look_with_gaps_ends_no_watch() {
    for observed in [unread(steady(1000)), unread(moving(1000))] {
        let mut entry = watched(Some(NEW), 4, Some(1000));
        look(&mut entry, &observed, Reason::FollowUp(at(1000)));
        let watch = entry.watch.clone().expect("it goes on");
        assert_eq!((watch.movement.as_deref(), watch.checks), (Some(NEW), 5));
        assert_eq!(due(&entry), Some(1900));
    }
}

#[test]
fn a_sweep_that_cannot_see_begins_no_watch() {
    let mut entry = ServiceEntry::default();
    look(&mut entry, &unread(steady(0)), Reason::Routine);
    assert_eq!(entry.watch, None);
    // That a deployment is under way needs no list of tasks.
    look(&mut entry, &unread(moving(0)), Reason::Routine);
    assert_eq!(due(&entry), Some(30));
}

#[test]
fn a_look_with_gaps_forgets_nothing_and_calls_nothing_off() {
    let mut entry = told_of();
    let before = entry.clone();
    assert!(tell(&mut entry, &unread(steady(310))).is_empty());
    assert_eq!((&entry.blocked, &entry.incidents), (&before.blocked, &before.incidents));
    assert!(tell(&mut entry, &blocked(320)).is_empty(), "it is still the same");
    assert_eq!(tell(&mut entry, &steady(330)), ["deployment-blocked resolved"]);
}

#[test]
fn gaps_do_not_stop_the_clock_of_what_was_seen_blocked() {
    let mut entry = ServiceEntry::default();
    look(&mut entry, &blocked(0), Reason::Routine);
    look(&mut entry, &unread(steady(150)), Reason::Routine);
    assert_eq!(tell(&mut entry, &blocked(300)), ["deployment-blocked opened"]);
}
