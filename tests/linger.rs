//! The rechecks of lingering tasks: when the function sends one, and what it does when one arrives or cannot be sent.

use crate::stage::StagedRegion;
use ecs_sim::control_plane::{Millis, ServiceSpec};
use ecs_sim::doubles::queues::SimulatedRecheckQueue;
use ecs_sim::doubles::stepped::Stepped;
use ecs_sim::doubles::steps::Steps;
use ecs_sim::region::{CLUSTER, JOB_QUEUE, RECHECK_QUEUE};
use serde_json::{Value, json};
use std::sync::Arc;
use taskhold::lambda::function::Function;

const TASKS: u32 = 100;

/// The function with this linger in seconds and without a recheck queue, and a service of [`TASKS`] tasks.
fn without_rechecks(linger: &str) -> StagedRegion<Function> {
    let service = ServiceSpec::new(CLUSTER, "web", TASKS);
    StagedRegion::of_parts(service, &[("TASKHOLD_LINGER_SECONDS", linger)], |_, parts| parts)
}

/// The function with this linger in seconds.
fn lingering(linger: &str) -> StagedRegion<Function> {
    let mut stage = without_rechecks(linger);
    stage.add_rechecks();
    stage
}

impl StagedRegion<Function> {
    /// Gives the function a recheck queue.
    fn add_rechecks(&mut self) -> Arc<Stepped<SimulatedRecheckQueue>> {
        let rechecks = Arc::new(Stepped::new(SimulatedRecheckQueue(self.region.clone()), &Steps::default()));
        self.function.services.rechecks = Some(rechecks.clone());
        rechecks
    }

    /// Delivers messages of a queue in one batch; returns the number of those to retry.
    fn deliver(&self, queue: &str, bodies: impl Iterator<Item = Value>) -> usize {
        let arn = format!("arn:aws:sqs:eu-west-1:111122223333:{queue}");
        let sent_at = self.region.lock().now().to_string();
        let record = |(number, body): (usize, Value)| {
            json!({
                "messageId": number.to_string(), "eventSource": "aws:sqs", "eventSourceARN": arn,
                "body": body.to_string(), "attributes": {"SentTimestamp": sent_at, "ApproximateReceiveCount": "1"},
            })
        };
        let records: Vec<Value> = bodies.enumerate().map(record).collect();
        self.invoke(&json!({"Records": records}))["batchItemFailures"].as_array().unwrap().len()
    }

    /// A worker on each of the first tasks reports; returns the number of messages to retry.
    fn report(&self, message_type: &str, tasks: usize) -> usize {
        let message = |task| self.job_message(task, json!({"type": message_type, "maxDurationMinutes": 60}));
        self.deliver(JOB_QUEUE, (0..tasks).map(message))
    }

    fn protected_tasks(&self) -> usize {
        self.region.lock().ecs.tasks().filter(|task| task.is_protected()).count()
    }

    /// The seconds until the first recheck can be delivered, unless one can be already.
    fn due_in(&self) -> Option<Millis> {
        let region = self.region.lock();
        let due = region.queues.next_due()?;
        Some((due - region.now()) / 1000)
    }

    /// Takes the rechecks out of their queue.
    fn sent(&self) -> Vec<Value> {
        let queues = &mut self.region.lock().queues;
        let messages = queues.messages(RECHECK_QUEUE).unwrap();
        let sent = messages.iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect();
        queues.purge(RECHECK_QUEUE).unwrap();
        sent
    }
}

#[test]
fn each_task_that_becomes_idle_costs_one_recheck_and_its_finish_no_call() {
    let staged = lingering("15");
    assert_eq!(staged.report("job.started", 30), 0);
    let calls = staged.region.lock().calls.len();
    assert_eq!((staged.report("job.finished", 30), staged.region.lock().calls.len()), (0, calls));
    assert_eq!((staged.due_in(), staged.protected_tasks()), (Some(15), 30));
    staged.advance(15);
    assert_eq!(staged.region.lock().queues.counts(RECHECK_QUEUE).unwrap().visible, 30);
    let sent = staged.sent();
    assert_eq!(staged.deliver(RECHECK_QUEUE, sent.into_iter()), 0);
    assert_eq!((staged.protected_tasks(), staged.sent().len()), (0, 0));
}

/// The template delivers ten rechecks in a batch.
#[test]
fn rechecks_of_a_hundred_tasks_share_ten_calls_and_as_many_reads_as_they_come_in_batches() {
    for (batch, reads) in [(10, 10), (100, 1)] {
        let staged = lingering("15");
        assert_eq!((staged.report("job.started", 100), staged.report("job.finished", 100)), (0, 0));
        let sent = staged.sent();
        staged.advance(15);
        staged.region.lock().calls.clear();
        for rechecks in sent.chunks(batch) {
            assert_eq!(staged.deliver(RECHECK_QUEUE, rechecks.iter().cloned()), 0);
        }
        let calls = (staged.calls("UpdateTaskProtection"), staged.calls("GetTaskProtection"));
        println!(
            "\nrelease of 100 tasks after the linger, in batches of {batch}: {} calls and {} reads",
            calls.0, calls.1
        );
        assert_eq!(calls, (10, reads));
    }
}

#[test]
fn without_a_linger_a_finish_releases_its_task_at_once_and_sends_nothing() {
    let staged = lingering("0");
    staged.report("job.started", 1);
    assert_eq!((staged.report("job.finished", 1), staged.protected_tasks(), staged.sent().len()), (0, 0, 0));
}

#[test]
fn a_finish_whose_recheck_could_not_be_sent_is_retried_and_sends_it_then() {
    let mut staged = without_rechecks("60");
    let rechecks = staged.add_rechecks();
    staged.report("job.started", 1);
    rechecks.failing.fail_all();
    assert_eq!((staged.report("job.finished", 1), staged.protected_tasks()), (1, 1));
    rechecks.failing.fail_none();
    staged.advance(20);
    assert_eq!(staged.report("job.finished", 1), 0);
    assert_eq!((staged.due_in(), staged.sent().len()), (Some(40), 1));
    rechecks.failing.fail_all();
    staged.advance(40);
    assert_eq!((staged.report("job.finished", 1), staged.protected_tasks()), (0, 0), "the linger has passed");
}

#[test]
fn a_recheck_that_comes_early_is_sent_again_and_one_for_another_end_is_not() {
    let staged = lingering("60");
    staged.report("job.started", 1);
    staged.report("job.finished", 1);
    let recheck = staged.sent().remove(0);
    staged.advance(10);
    assert_eq!(staged.deliver(RECHECK_QUEUE, [recheck.clone()].into_iter()), 0);
    assert_eq!((staged.due_in(), staged.sent(), staged.protected_tasks()), (Some(50), vec![recheck.clone()], 1));
    let mut other = recheck;
    other["due"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(staged.deliver(RECHECK_QUEUE, [other].into_iter()), 0);
    assert_eq!((staged.sent().len(), staged.protected_tasks()), (0, 1));
}

#[test]
fn a_recheck_whose_release_fails_is_retried_and_one_of_an_unknown_task_is_done() {
    let staged = lingering("60");
    staged.report("job.started", 1);
    staged.report("job.finished", 1);
    let recheck = staged.sent().remove(0);
    staged.advance(60);
    staged.region.lock().faults.extend([ecs_sim::region::Fault::ServerError; 5]);
    assert_eq!((staged.deliver(RECHECK_QUEUE, [recheck.clone()].into_iter()), staged.protected_tasks()), (1, 1));
    staged.region.lock().faults.clear();
    assert_eq!((staged.deliver(RECHECK_QUEUE, [recheck.clone()].into_iter()), staged.protected_tasks()), (0, 0));
    let mut unknown = recheck;
    unknown["task"] = json!(format!("arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/{:032x}", 1));
    let calls = staged.region.lock().calls.len();
    assert_eq!(staged.deliver(RECHECK_QUEUE, [unknown].into_iter()), 0);
    assert_eq!(staged.region.lock().calls.len(), calls);
}

#[test]
fn without_a_recheck_queue_the_sweep_releases() {
    let staged = without_rechecks("60");
    staged.report("job.started", 2);
    assert_eq!(staged.report("job.finished", 2), 0);
    for (seconds, protected) in [(59, 2), (1, 0)] {
        staged.advance(seconds);
        staged.invoke(&json!({"sweep": {}}));
        assert_eq!(staged.protected_tasks(), protected);
    }
}
