//! Records filled to their last bytes.

use super::{ARN, AttackedService};
use crate::watch::world::{MINUTE, SECOND};
use ecs_sim::region::CLUSTER;
use serde_json::json;
use taskhold::store::RECORD_BYTES_MAX;

#[test]
fn a_job_of_ten_hours_is_protected_after_1150_short_ones_within_the_finished_job_retention() {
    let mut attacked = AttackedService::new();
    for number in 0..1150 {
        attacked.job(&format!("short-{number}"), "job.started", 2);
        attacked.job(&format!("short-{number}"), "job.finished", 2);
        if number % 10 == 9 {
            attacked.world.advance(10 * SECOND);
        }
    }
    attacked.world.advance(MINUTE);
    assert!(!attacked.is_protected());
    attacked.job("long", "job.started", 600);
    attacked.world.advance(SECOND);
    assert!(attacked.is_protected());
    assert_eq!(attacked.world.dead_lettered().len(), 0);
    assert!(attacked.largest_record() < 64_000, "{} bytes", attacked.largest_record());
    attacked.job("short-0", "job.started", 2880);
    attacked.job("long", "job.finished", 600);
    attacked.world.advance(MINUTE);
    assert!(!attacked.is_protected(), "a start delivered late has revived its job");
}

/// A task with as many live jobs as its record has room for, and one more.
fn full() -> (AttackedService, usize) {
    let mut attacked = AttackedService::new();
    let id = |number: usize| format!("{number:0250}");
    let mut live = 0;
    while attacked.world.dead_lettered().is_empty() {
        for _ in 0..20 {
            attacked.job(&id(live), "job.started", 100);
            live += 1;
        }
        attacked.world.advance(SECOND);
    }
    (attacked, live)
}

#[test]
fn in_a_record_filled_to_its_last_bytes_every_finish_and_a_forced_release_succeed() {
    for by_force in [false, true] {
        let (mut attacked, live) = full();
        let dead_lettered = attacked.world.dead_lettered().len();
        assert!(attacked.is_protected() && attacked.largest_record() <= RECORD_BYTES_MAX);
        if by_force {
            let tasks = [format!("{ARN}:task/{CLUSTER}/{}", attacked.tasks[0])];
            attacked.ask(&json!({"release": {"tasks": tasks, "force": true, "by": "a test"}}));
        } else {
            for number in 0..live {
                attacked.job(&format!("{number:0250}"), "job.finished", 100);
            }
            attacked.world.advance(MINUTE);
        }
        assert!(!attacked.is_protected(), "by force: {by_force}");
        assert!(attacked.largest_record() <= RECORD_BYTES_MAX, "{} bytes", attacked.largest_record());
        assert_eq!(attacked.world.dead_lettered().len(), dead_lettered, "a finish was dead-lettered");
    }
}

#[test]
fn a_start_without_room_is_reported_by_an_alert_by_status_and_by_preflight() {
    let (mut attacked, live) = full();
    attacked.world.advance(MINUTE);
    assert!(attacked.alerts().contains(&"protection-refused opened".to_owned()), "{:?}", attacked.alerts());
    let status = attacked.ask(&json!({"status": {"service": "web"}}));
    assert_eq!(status["status"]["services"][0]["refusedTasks"][0]["cause"], "record-full", "{status}");
    let preflight = attacked.ask(&json!({"preflight": {"service": "web"}}));
    assert_eq!(preflight["preflight"]["verdict"], "interrupts", "{preflight}");
    assert_eq!(preflight["preflight"]["refusedTasks"][0]["cause"], "record-full");
    for number in 0..live {
        attacked.job(&format!("{number:0250}"), "job.finished", 100);
    }
    attacked.world.advance(20 * MINUTE);
    assert!(attacked.alerts().contains(&"protection-refused resolved".to_owned()), "{:?}", attacked.alerts());
}
