//! Records filled to their last bytes.

use super::{ARN, AttackedService};
use crate::watch::world::{MINUTE, SECOND};
use ecs_sim::region::CLUSTER;
use serde_json::json;
use taskhold::store::RECORD_BYTES_MAX;

#[test]
fn a_job_of_ten_hours_is_protected_after_1150_short_ones_within_the_finished_job_retention() {
    let mut place = AttackedService::new();
    for number in 0..1150 {
        place.job(&format!("short-{number}"), "job.started", 2);
        place.job(&format!("short-{number}"), "job.finished", 2);
        if number % 10 == 9 {
            place.world.advance(10 * SECOND);
        }
    }
    place.world.advance(MINUTE);
    assert!(!place.is_protected());
    place.job("long", "job.started", 600);
    place.world.advance(SECOND);
    assert!(place.is_protected());
    assert_eq!(place.world.dead_lettered().len(), 0);
    assert!(place.largest_record() < 64_000, "{} bytes", place.largest_record());
    place.job("short-0", "job.started", 2880);
    place.job("long", "job.finished", 600);
    place.world.advance(MINUTE);
    assert!(!place.is_protected(), "a start delivered late has revived its job");
}

/// A task with as many live jobs as its record has room for, and one more.
fn full() -> (AttackedService, usize) {
    let mut place = AttackedService::new();
    let id = |number: usize| format!("{number:0250}");
    let mut live = 0;
    while place.world.dead_lettered().is_empty() {
        for _ in 0..20 {
            place.job(&id(live), "job.started", 100);
            live += 1;
        }
        place.world.advance(SECOND);
    }
    (place, live)
}

#[test]
fn in_a_record_filled_to_its_last_bytes_every_finish_and_a_forced_release_succeed() {
    for by_force in [false, true] {
        let (mut place, live) = full();
        let dead_lettered = place.world.dead_lettered().len();
        assert!(place.is_protected() && place.largest_record() <= RECORD_BYTES_MAX);
        if by_force {
            let tasks = [format!("{ARN}:task/{CLUSTER}/{}", place.tasks[0])];
            place.ask(&json!({"release": {"tasks": tasks, "force": true, "by": "a test"}}));
        } else {
            for number in 0..live {
                place.job(&format!("{number:0250}"), "job.finished", 100);
            }
            place.world.advance(MINUTE);
        }
        assert!(!place.is_protected(), "by force: {by_force}");
        assert!(place.largest_record() <= RECORD_BYTES_MAX, "{} bytes", place.largest_record());
        assert_eq!(place.world.dead_lettered().len(), dead_lettered, "a finish was dead-lettered");
    }
}

#[test]
fn a_start_without_room_is_reported_by_an_alert_by_status_and_by_preflight() {
    let (mut place, live) = full();
    place.world.advance(MINUTE);
    assert!(place.alerts().contains(&"protection-refused opened".to_owned()), "{:?}", place.alerts());
    let status = place.ask(&json!({"status": {"service": "web"}}));
    assert_eq!(status["status"]["services"][0]["refusedTasks"][0]["cause"], "record-full", "{status}");
    let preflight = place.ask(&json!({"preflight": {"service": "web"}}));
    assert_eq!(preflight["preflight"]["verdict"], "interrupts", "{preflight}");
    assert_eq!(preflight["preflight"]["refusedTasks"][0]["cause"], "record-full");
    for number in 0..live {
        place.job(&format!("{number:0250}"), "job.finished", 100);
    }
    place.world.advance(20 * MINUTE);
    assert!(place.alerts().contains(&"protection-refused resolved".to_owned()), "{:?}", place.alerts());
}
