//! What a snapshot changes in the record, and which notifications it causes.

use super::*;
use crate::outbox::DeliveryOutcome;
use crate::service::incident::delivery::{ClaimedNotification, settle};

/// Reconciles and delivers: a short form of the notifications sent.
fn notified(record: &mut ServiceRecord, snapshot: &ServiceSnapshot) -> Vec<String> {
    let seen = reconciled(record, snapshot, Reason::Routine);
    for claimed in &seen.to_notify {
        settle(&mut record.incidents, &claimed.key, claimed.event, DeliveryOutcome::Acknowledged, snapshot.at);
    }
    let shown =
        |claimed: &ClaimedNotification| format!("{} {}", claimed.incident.kind.as_str(), claimed.event.as_str());
    seen.to_notify.iter().map(shown).collect()
}

/// Blocked since 0, reported at 300.
fn reported_block() -> ServiceRecord {
    let mut record = ServiceRecord::default();
    assert!(notified(&mut record, &blocked(0)).is_empty());
    assert_eq!(notified(&mut record, &blocked(300)), ["deployment-blocked opened"]);
    record
}

#[test]
fn since_when_a_service_is_blocked_is_remembered_from_reconcile_to_reconcile() {
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &blocked(40), Reason::Routine);
    let seen = reconciled(&mut record, &blocked(400), Reason::Routine);
    assert_eq!(seen.diagnosis.blocked_since, Some(at(40)));
}

#[test]
fn who_moves_on_and_is_blocked_again_begins_anew() {
    for between in [in_progress(100), will_block(100), steady(100)] {
        let mut record = ServiceRecord::default();
        reconciled(&mut record, &blocked(0), Reason::Routine);
        reconciled(&mut record, &between, Reason::Routine);
        assert!(notified(&mut record, &blocked(300)).is_empty(), "{between:?}");
        assert_eq!(record.blocked.map(|blocked| blocked.since), Some(at(300)));
    }
}

#[test]
fn another_rollout_that_is_blocked_begins_anew() {
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &blocked(0), Reason::Routine);
    let mut second = blocked(200);
    second.service.deployments[0].id = "ecs-svc/3".to_owned();
    second.tasks[2..].iter_mut().for_each(|task| task.deployment = Some("ecs-svc/3".to_owned()));
    let seen = reconciled(&mut record, &second, Reason::Routine);
    assert_eq!(seen.diagnosis.blocked_since, Some(at(200)));
}

#[test]
fn an_incident_stays_open_while_a_task_that_is_free_is_on_its_suggested_action_beside_protected_ones() {
    let mut record = reported_block();
    // One of the two was released, and ECS is about to stop it.
    assert!(notified(&mut record, &will_block(310)).is_empty());
    assert!(notified(&mut record, &blocked(330)).is_empty(), "neither resolved nor opened again");
    assert_eq!(notified(&mut record, &steady(400)), ["deployment-blocked resolved"]);
}

#[test]
fn an_incident_that_goes_on_through_that_keeps_its_time() {
    let mut record = reported_block();
    notified(&mut record, &will_block(310));
    let seen = reconciled(&mut record, &blocked(330), Reason::Routine);
    assert_eq!(seen.diagnosis.blocked_since, Some(at(0)));
    assert!(record.incidents.values().all(|incident| incident.since == at(0)));
}

#[test]
fn a_rollout_that_will_block_and_was_not_notified_is_not_an_incident() {
    let mut record = ServiceRecord::default();
    for second in [0, 300, 600, 3600] {
        assert!(notified(&mut record, &will_block(second)).is_empty());
    }
    assert!(record.incidents.is_empty() && record.blocked.is_none());
}

#[test]
fn a_snapshot_with_gaps_ends_no_watch() {
    for snapshot in [unread(steady(1000)), unread(in_progress(1000))] {
        let mut record = watched(Some(NEW), 4, Some(1000));
        reconciled(&mut record, &snapshot, Reason::Recheck(at(1000)));
        let watch = record.watch.clone().expect("it goes on");
        assert_eq!((watch.rollout.as_deref(), watch.checks), (Some(NEW), 5));
        assert_eq!(due(&record), Some(1900));
    }
}

#[test]
fn a_sweep_that_cannot_see_begins_no_watch() {
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &unread(steady(0)), Reason::Routine);
    assert_eq!(record.watch, None);
    // A deployment in progress shows without the list of tasks.
    reconciled(&mut record, &unread(in_progress(0)), Reason::Routine);
    assert_eq!(due(&record), Some(30));
}

#[test]
fn a_snapshot_with_gaps_forgets_nothing_and_cancels_nothing() {
    let mut record = reported_block();
    let before = record.clone();
    assert!(notified(&mut record, &unread(steady(310))).is_empty());
    assert_eq!((&record.blocked, &record.incidents), (&before.blocked, &before.incidents));
    assert!(notified(&mut record, &blocked(320)).is_empty(), "it is still the same");
    assert_eq!(notified(&mut record, &steady(330)), ["deployment-blocked resolved"]);
}

#[test]
fn gaps_do_not_stop_the_clock_of_what_was_seen_blocked() {
    let mut record = ServiceRecord::default();
    reconciled(&mut record, &blocked(0), Reason::Routine);
    reconciled(&mut record, &unread(steady(150)), Reason::Routine);
    assert_eq!(notified(&mut record, &blocked(300)), ["deployment-blocked opened"]);
}
