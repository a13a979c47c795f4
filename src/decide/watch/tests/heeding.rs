//! What an event, or a follow-up that comes, is a reason for.

use super::*;

#[test]
fn an_event_about_nothing_is_not_even_remembered() {
    let mut entry = watched(Some(NEW), 0, Some(30));
    let before = entry.clone();
    assert_eq!(prompted(&mut entry, Prompt::Nothing, 5), Heed::Nothing);
    assert_eq!(entry, before);
}

#[test]
fn an_event_that_something_may_be_over_is_a_reason_only_where_something_is_watched() {
    let mut entry = ServiceEntry::default();
    assert_eq!(prompted(&mut entry, Prompt::LookIfWatched, 5), Heed::Nothing);
    assert_eq!(entry, ServiceEntry::default());
    let mut entry = watched(Some(NEW), 0, Some(30));
    assert_eq!(prompted(&mut entry, Prompt::LookIfWatched, 5), Heed::Look);
    assert_eq!(entry.prompted_at, Some(at(5)));
}

#[test]
fn of_many_events_the_first_is_a_look_the_second_one_at_the_end_of_the_pause_and_the_rest_nothing() {
    for prompt in [Prompt::Look, Prompt::LookIfWatched] {
        let mut entry = watched(None, 0, None);
        assert_eq!(prompted(&mut entry, prompt, 0), Heed::Look);
        assert_eq!(prompted(&mut entry, prompt, 1), Heed::At(at(30)));
        for second in 1..30 {
            assert_eq!(prompted(&mut entry, prompt, second), Heed::Nothing, "{prompt:?} {second}");
        }
        assert_eq!(prompted(&mut entry, prompt, 30), Heed::Look, "the pause is over");
    }
}

#[test]
fn an_event_in_the_pause_waits_for_a_check_that_comes_by_its_end() {
    let mut entry = ServiceEntry { prompted_at: Some(at(0)), ..watched(Some(NEW), 4, Some(20)) };
    assert_eq!(prompted(&mut entry, Prompt::Look, 10), Heed::Nothing);
    assert_eq!(due(&entry), Some(20));
}

#[test]
fn an_event_in_the_pause_brings_a_later_check_forward_and_keeps_the_rest_of_the_watch() {
    let mut entry = ServiceEntry { prompted_at: Some(at(0)), ..watched(Some(NEW), 4, Some(900)) };
    assert_eq!(prompted(&mut entry, Prompt::Look, 10), Heed::At(at(30)));
    let watch = entry.watch.clone().unwrap();
    assert_eq!((watch.movement.as_deref(), watch.begun_at, watch.checks), (Some(NEW), at(0), 4));
    assert!(is_awaited(&entry, at(30), at(30)) && !is_awaited(&entry, at(900), at(30)));
}

#[test]
fn an_event_in_the_pause_does_not_wait_for_a_check_that_has_not_come_for_a_minute() {
    for (overdue, heeded) in [(59, Heed::Nothing), (60, Heed::At(at(1020)))] {
        let mut entry = ServiceEntry { prompted_at: Some(at(990)), ..watched(Some(NEW), 4, Some(1000 - overdue)) };
        assert_eq!(prompted(&mut entry, Prompt::Look, 1000), heeded, "{overdue} seconds");
    }
}

#[test]
fn a_follow_up_is_awaited_in_its_moment_alone() {
    let entry = watched(Some(NEW), 2, Some(1000));
    for now in [900, 1000, 1059, 5000] {
        assert!(is_awaited(&entry, at(1000), at(now)), "its own, {now}");
    }
    for other in [999, 1001, 2000] {
        assert!(!is_awaited(&entry, at(other), at(1059)), "{other}");
        assert!(is_awaited(&entry, at(other), at(1060)), "{other}: the chain broke");
    }
}

#[test]
fn any_follow_up_is_as_good_as_another_where_nothing_is_watched() {
    assert!(is_awaited(&ServiceEntry::default(), at(0), at(5000)));
    assert!(is_awaited(&ServiceEntry::default(), at(5000), at(0)));
}

#[test]
fn a_look_that_failed_is_made_up_for_in_half_a_minute() {
    let mut entry = ServiceEntry::default();
    assert_eq!(put_off(&mut entry, at(100)), at(130));
    assert_eq!((due(&entry), entry.watch.as_ref().unwrap().begun_at), (Some(130), at(100)));
    let mut entry = watched(Some(NEW), 4, Some(900));
    assert_eq!(put_off(&mut entry, at(100)), at(130));
    let watch = entry.watch.unwrap();
    assert_eq!((watch.movement.as_deref(), watch.checks, watch.due), (Some(NEW), 4, Some(at(130))));
}
