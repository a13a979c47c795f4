//! What a redrive makes of a job message: it revives a job once ECS protects its task, and counts from the time at which
//! the message was first sent.

use crate::stage::{RedrivenBy, StagedRegion};
use ecs_sim::control_plane::ServiceSpec;
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{CLUSTER, Fault, JOB_QUEUE};
use serde_json::{Value, json};

const BOTH: [RedrivenBy; 2] = [RedrivenBy::Command, RedrivenBy::Sqs];
/// The visibility timeout of the job queue, after which a message is delivered again.
const VISIBLE_AGAIN_S: i64 = 180;

/// Creates a service in addition to `web`, and returns its task.
fn later_task(stage: &StagedRegion) -> String {
    stage.region.lock().ecs.create_service(ServiceSpec::new(CLUSTER, "later", 1)).unwrap().remove(0)
}

/// How many minutes from now ECS protects a task for, rounded down.
fn minutes_left(stage: &StagedRegion, task: usize) -> Option<i64> {
    let region = stage.region.lock();
    let until = region.ecs.task(&stage.tasks[task]).unwrap().protected_until;
    until.map(|until| (until - region.now()) / 60_000)
}

/// ECS answers as if it did not know a task, or as if the task were standalone.
fn refuse(stage: &StagedRegion, task: usize, reason: &str) {
    let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{}", stage.tasks[task]);
    let failures = json!([{"arn": arn, "reason": reason}]);
    let answers = &mut stage.region.lock().answers_of;
    answers.insert("UpdateTaskProtection".to_owned(), json!({"protectedTasks": [], "failures": failures}));
    if reason == "MISSING" {
        answers.insert("DescribeTasks".to_owned(), json!({"tasks": [], "failures": failures}));
    }
}

fn know(stage: &StagedRegion) {
    stage.region.lock().answers_of.clear();
}

/// Delivers the message that waits until it is dead-lettered, and returns how often that took.
fn deliver_until_dead_lettered(stage: &mut StagedRegion) -> usize {
    (1..10)
        .find(|_| {
            let is_over = stage.deliver(30_000) == 0;
            stage.advance(VISIBLE_AGAIN_S);
            is_over
        })
        .unwrap()
}

#[test]
fn a_job_whose_task_ecs_did_not_know_is_protected_by_a_redrive_once_the_service_exists() {
    for by in BOTH {
        let mut stage = StagedRegion::new();
        // The id of a task follows from the resources created before it, so another Region gives the id in advance.
        let id = later_task(&StagedRegion::new());
        stage.tasks.push(id.clone());
        stage.send(&stage.message(2, json!({"maxDurationMinutes": 600})));
        assert_eq!(deliver_until_dead_lettered(&mut stage), 3);
        assert!(stage.dead_lettered()[0].contains("MISSING, and not for 5 minutes"), "{:?}", stage.dead_lettered());
        // Too early: the message is old, so it is not retried.
        stage.redrive(by);
        assert_eq!(stage.dead_lettered().len(), 1, "{by:?}");
        stage.advance(VISIBLE_AGAIN_S);
        assert_eq!(later_task(&stage), id);
        stage.redrive(by);
        assert!(stage.dead_lettered().is_empty(), "{by:?}");
        // It was dead-lettered after six minutes; nine and three have passed since it was first sent.
        let left = minutes_left(&stage, 2).unwrap();
        assert!((588..=618).contains(&left), "{left} minutes, {by:?}");
    }
}

#[test]
fn a_job_that_ecs_called_standalone_is_protected_by_a_redrive_once_ecs_protects_its_task() {
    for by in BOTH {
        let mut stage = StagedRegion::new();
        refuse(&stage, 0, "TASK_NOT_VALID");
        stage.send(&stage.message(0, json!({"maxDurationMinutes": 600})));
        assert_eq!(deliver_until_dead_lettered(&mut stage), 1);
        assert!(stage.dead_lettered()[0].contains("TASK_NOT_VALID"), "{:?}", stage.dead_lettered());
        stage.redrive(by);
        assert_eq!((stage.dead_lettered().len(), stage.protected(0)), (1, false), "{by:?}");
        stage.advance(VISIBLE_AGAIN_S);
        know(&stage);
        stage.redrive(by);
        assert!(stage.dead_lettered().is_empty() && stage.protected(0), "{by:?}");
        // And its finish releases the task, as that of any other job does.
        stage.send(&stage.message(0, json!({"type": "job.finished"})));
        assert_eq!((stage.deliver(30_000), stage.protected(0)), (0, false), "{by:?}");
    }
}

/// A start of 90 minutes that was dead-lettered before the record had its job, the finish of that job ten minutes after
/// the start, and a record that has forgotten the finish. Returns the stage this many seconds after the declared end.
fn forgotten_job(seconds_after_its_end: i64) -> StagedRegion {
    let mut stage = StagedRegion::with(&[("TASKHOLD_FINISHED_JOB_RETENTION_HOURS", "1")]);
    let sent = stage.region.lock().now();
    refuse(&stage, 0, "MISSING");
    stage.send(&stage.message(0, json!({"maxDurationMinutes": 90})));
    assert_eq!(deliver_until_dead_lettered(&mut stage), 3);
    know(&stage);
    stage.send(&stage.message(0, json!({"type": "job.finished"})));
    assert_eq!(stage.deliver(30_000), 0);
    assert_eq!(stage.dead_lettered().len(), 1, "only the start");
    let now = stage.region.lock().now();
    stage.advance((sent - now) / 1000 + 90 * 60 + seconds_after_its_end);
    stage
}

/// The last minute is the price of a record that forgets: within it, a redrive protects the task of a job that has
/// finished, until the end that the job declared.
#[test]
fn a_redriven_start_of_a_forgotten_job_counts_until_the_last_second_of_the_time_that_it_declared_first() {
    for by in BOTH {
        let mut stage = forgotten_job(-1);
        stage.redrive(by);
        assert_eq!((minutes_left(&stage, 0), stage.dead_lettered().len()), (Some(1), 0), "{by:?}");
        for seconds_after in [0, 1, 3600] {
            let mut stage = forgotten_job(seconds_after);
            stage.region.lock().calls.clear();
            stage.redrive(by);
            assert_eq!((minutes_left(&stage, 0), stage.dead_lettered().len()), (None, 0), "{by:?}");
            let calls =
                stage.region.lock().calls.iter().filter(|call| call.operation == "UpdateTaskProtection").count();
            assert_eq!(calls, 0, "{seconds_after} s after its end, {by:?}");
        }
    }
}

#[test]
fn a_later_time_in_the_attribute_of_a_message_than_that_of_sqs_is_ignored() {
    let with_sent_at = |stage: &StagedRegion, later_s: i64, changes: Value| {
        let at = jiff::Timestamp::from_millisecond(stage.region.lock().now() + later_s * 1000).unwrap();
        let message = SendMessage::new(stage.message(0, changes)).with_attribute("taskhold.sentAt", at.to_string());
        stage.region.lock().queues.send(JOB_QUEUE, message).unwrap();
    };
    for later_s in [1, 1800, 365 * 24 * 3600] {
        let mut stage = StagedRegion::new();
        with_sent_at(&stage, later_s, json!({"maxDurationMinutes": 60}));
        stage.advance(3600);
        assert_eq!((stage.deliver(30_000), stage.protected(0)), (0, false), "its time is over");
        with_sent_at(&stage, later_s, json!({"jobId": "next", "maxDurationMinutes": 60}));
        stage.deliver(30_000);
        assert_eq!(minutes_left(&stage, 0), Some(60), "{later_s} s later than SQS says");
    }
    // An earlier one shortens.
    let mut stage = StagedRegion::new();
    with_sent_at(&stage, -1800, json!({"maxDurationMinutes": 60}));
    stage.deliver(30_000);
    assert_eq!(minutes_left(&stage, 0), Some(30));
}

#[test]
fn a_redrive_of_a_job_that_has_finished_meanwhile_protects_nothing_while_the_record_remembers_it() {
    for by in BOTH {
        let mut stage = StagedRegion::with(&[("TASKHOLD_RECEIVES_MAX", "1")]);
        stage.region.lock().faults.extend([Fault::AccessDenied; 6]);
        stage.send(&stage.message(0, json!({"maxDurationMinutes": 600})));
        stage.deliver(30_000);
        stage.region.lock().faults.clear();
        assert_eq!(stage.dead_lettered().len(), 1);
        stage.send(&stage.message(0, json!({"type": "job.finished"})));
        stage.deliver(30_000);
        stage.advance(VISIBLE_AGAIN_S);
        stage.redrive(by);
        assert_eq!((stage.dead_lettered().len(), stage.protected(0)), (0, false), "{by:?}");
    }
}
