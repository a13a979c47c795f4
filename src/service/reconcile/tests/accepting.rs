//! What an event or a recheck triggers.

use super::*;

#[test]
fn an_event_about_nothing_is_not_even_remembered() {
    let mut record = watched(Some(NEW), 0, Some(30));
    let before = record.clone();
    assert_eq!(triggered(&mut record, Trigger::Nothing, 5), OnTrigger::Nothing);
    assert_eq!(record, before);
}

#[test]
fn an_event_that_something_may_be_over_is_a_reason_only_where_something_is_watched() {
    let mut record = ServiceRecord::default();
    assert_eq!(triggered(&mut record, Trigger::ReconcileIfOpen, 5), OnTrigger::Nothing);
    assert_eq!(record, ServiceRecord::default());
    let mut record = watched(Some(NEW), 0, Some(30));
    assert_eq!(triggered(&mut record, Trigger::ReconcileIfOpen, 5), OnTrigger::Reconcile);
    assert_eq!(record.triggered_at, Some(at(5)));
}

#[test]
fn of_many_events_only_the_first_and_one_after_the_pause_reconcile() {
    for trigger in [Trigger::Reconcile, Trigger::ReconcileIfOpen] {
        let mut record = watched(None, 0, None);
        assert_eq!(triggered(&mut record, trigger, 0), OnTrigger::Reconcile);
        assert_eq!(triggered(&mut record, trigger, 1), OnTrigger::RecheckAt(at(30)));
        for second in 1..30 {
            assert_eq!(triggered(&mut record, trigger, second), OnTrigger::Nothing, "{trigger:?} {second}");
        }
        assert_eq!(triggered(&mut record, trigger, 30), OnTrigger::Reconcile, "the pause is over");
    }
}

#[test]
fn an_event_in_the_pause_waits_for_a_check_that_comes_by_its_end() {
    let mut record = ServiceRecord { triggered_at: Some(at(0)), ..watched(Some(NEW), 4, Some(20)) };
    assert_eq!(triggered(&mut record, Trigger::Reconcile, 10), OnTrigger::Nothing);
    assert_eq!(due(&record), Some(20));
}

#[test]
fn an_event_in_the_pause_brings_a_later_check_forward_and_keeps_the_rest_of_the_watch() {
    let mut record = ServiceRecord { triggered_at: Some(at(0)), ..watched(Some(NEW), 4, Some(900)) };
    assert_eq!(triggered(&mut record, Trigger::Reconcile, 10), OnTrigger::RecheckAt(at(30)));
    let watch = record.watch.clone().unwrap();
    assert_eq!((watch.rollout.as_deref(), watch.started_at, watch.checks), (Some(NEW), at(0), 4));
    assert!(is_awaited(&record, at(30), at(30)) && !is_awaited(&record, at(900), at(30)));
}

#[test]
fn an_event_in_the_pause_does_not_wait_for_a_check_that_has_not_come_for_a_minute() {
    for (overdue, expected) in [(59, OnTrigger::Nothing), (60, OnTrigger::RecheckAt(at(1020)))] {
        let mut record = ServiceRecord { triggered_at: Some(at(990)), ..watched(Some(NEW), 4, Some(1000 - overdue)) };
        assert_eq!(triggered(&mut record, Trigger::Reconcile, 1000), expected, "{overdue} seconds");
    }
}

#[test]
fn a_recheck_is_awaited_in_its_moment_alone() {
    let record = watched(Some(NEW), 2, Some(1000));
    for now in [900, 1000, 1059, 5000] {
        assert!(is_awaited(&record, at(1000), at(now)), "its own, {now}");
    }
    for other in [999, 1001, 2000] {
        assert!(!is_awaited(&record, at(other), at(1059)), "{other}");
        assert!(is_awaited(&record, at(other), at(1060)), "{other}: the chain broke");
    }
}

#[test]
fn any_recheck_is_as_good_as_another_where_nothing_is_watched() {
    assert!(is_awaited(&ServiceRecord::default(), at(0), at(5000)));
    assert!(is_awaited(&ServiceRecord::default(), at(5000), at(0)));
}

#[test]
fn a_failed_reconcile_is_repeated_in_half_a_minute() {
    let mut record = ServiceRecord::default();
    assert_eq!(put_off(&mut record, at(100)), at(130));
    assert_eq!((due(&record), record.watch.as_ref().unwrap().started_at), (Some(130), at(100)));
    let mut record = watched(Some(NEW), 4, Some(900));
    assert_eq!(put_off(&mut record, at(100)), at(130));
    let watch = record.watch.unwrap();
    assert_eq!((watch.rollout.as_deref(), watch.checks, watch.due), (Some(NEW), 4, Some(at(130))));
}
