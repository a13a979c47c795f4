//! The rechecks of lingering tasks: when the function sends one, and what it does when one arrives or cannot be sent.

use ecs_sim::control_plane::{Millis, ServiceSpec, Setup};
use ecs_sim::doubles::clock::{SimulatedClock, timestamp};
use ecs_sim::doubles::ecs::SimulatedEcs;
use ecs_sim::doubles::parts::parts;
use ecs_sim::doubles::queues::SimulatedRecheckQueue;
use ecs_sim::doubles::settings::config;
use ecs_sim::doubles::stepped::Stepped;
use ecs_sim::doubles::steps::Steps;
use ecs_sim::region::{CLUSTER, RECHECK_QUEUE, Region, SharedRegion};
use serde_json::{Value, json};
use std::sync::Arc;
use taskhold::lambda::function::Function;

const SECOND: Millis = 1000;
const TASKS: u32 = 100;

/// The function, with a service of [`TASKS`] tasks.
struct Place {
    region: SharedRegion,
    function: Function,
    rechecks: Arc<Stepped<SimulatedRecheckQueue>>,
    tasks: Vec<String>,
}

impl Place {
    fn new(linger: &str) -> Self {
        let mut place = Self::without_rechecks(linger);
        place.function.services.rechecks = Some(place.rechecks.clone());
        place
    }

    fn without_rechecks(linger: &str) -> Self {
        let region = SharedRegion::new(Region::new(Setup::default()));
        let tasks = region.lock().ecs.create_service(ServiceSpec::new(CLUSTER, "web", TASKS)).unwrap();
        let config = config(&region.lock(), [("TASKHOLD_LINGER_SECONDS", linger)].into_iter()).unwrap();
        let (ecs, clock) = (Arc::new(SimulatedEcs(region.clone())), Arc::new(SimulatedClock(region.clone())));
        let function = Function::new(parts(ecs, clock, config));
        let rechecks = Arc::new(Stepped::new(SimulatedRecheckQueue(region.clone()), &Steps::default()));
        Self { region, function, rechecks, tasks }
    }

    fn invoke(&self, payload: &Value) -> Value {
        let deadline = timestamp(self.region.lock().now() + 30 * SECOND);
        let (response, _) = crate::block_on(self.function.handle(&payload.to_string(), deadline)).unwrap();
        serde_json::to_value(response).unwrap()
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
        let message = |task: &String| {
            let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/{task}");
            json!({"version": 1, "type": message_type, "jobId": "j", "taskArn": arn, "maxDurationMinutes": 60})
        };
        self.deliver("jobs", self.tasks[..tasks].iter().map(message))
    }

    fn advance(&self, seconds: Millis) {
        let mut region = self.region.lock();
        let to = region.now() + seconds * SECOND;
        region.advance_to(to);
    }

    fn protected(&self) -> usize {
        self.region.lock().ecs.tasks().filter(|task| task.is_protected()).count()
    }

    /// The seconds until the first recheck can be delivered, unless one can be already.
    fn due_in(&self) -> Option<Millis> {
        let region = self.region.lock();
        let due = region.queues.next_due()?;
        Some((due - region.now()) / SECOND)
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
    let place = Place::new("15");
    assert_eq!(place.report("job.started", 30), 0);
    let calls = place.region.lock().calls.len();
    assert_eq!((place.report("job.finished", 30), place.region.lock().calls.len()), (0, calls));
    assert_eq!((place.due_in(), place.protected()), (Some(15), 30));
    place.advance(15);
    assert_eq!(place.region.lock().queues.counts(RECHECK_QUEUE).unwrap().visible, 30);
    let sent = place.sent();
    assert_eq!(place.deliver(RECHECK_QUEUE, sent.into_iter()), 0);
    assert_eq!((place.protected(), place.sent().len()), (0, 0));
}

/// The template delivers ten rechecks in a batch.
#[test]
fn rechecks_of_a_hundred_tasks_share_ten_calls_and_as_many_reads_as_they_come_in_batches() {
    for (batch, reads) in [(10, 10), (100, 1)] {
        let place = Place::new("15");
        assert_eq!((place.report("job.started", 100), place.report("job.finished", 100)), (0, 0));
        let sent = place.sent();
        place.advance(15);
        place.region.lock().calls.clear();
        for rechecks in sent.chunks(batch) {
            assert_eq!(place.deliver(RECHECK_QUEUE, rechecks.iter().cloned()), 0);
        }
        let region = place.region.lock();
        let calls = |operation: &str| region.calls.iter().filter(|call| call.operation == operation).count();
        let calls = (calls("UpdateTaskProtection"), calls("GetTaskProtection"));
        println!(
            "\nrelease of 100 tasks after the linger, in batches of {batch}: {} calls and {} reads",
            calls.0, calls.1
        );
        assert_eq!(calls, (10, reads));
    }
}

#[test]
fn without_a_linger_a_finish_releases_its_task_at_once_and_sends_nothing() {
    let place = Place::new("0");
    place.report("job.started", 1);
    assert_eq!((place.report("job.finished", 1), place.protected(), place.sent().len()), (0, 0, 0));
}

#[test]
fn a_finish_whose_recheck_could_not_be_sent_is_retried_and_sends_it_then() {
    let place = Place::new("60");
    place.report("job.started", 1);
    place.rechecks.failing.fail_all();
    assert_eq!((place.report("job.finished", 1), place.protected()), (1, 1));
    place.rechecks.failing.fail_none();
    place.advance(20);
    assert_eq!(place.report("job.finished", 1), 0);
    assert_eq!((place.due_in(), place.sent().len()), (Some(40), 1));
    place.rechecks.failing.fail_all();
    place.advance(40);
    assert_eq!((place.report("job.finished", 1), place.protected()), (0, 0), "the linger has passed");
}

#[test]
fn a_recheck_that_comes_early_is_sent_again_and_one_for_another_end_is_not() {
    let place = Place::new("60");
    place.report("job.started", 1);
    place.report("job.finished", 1);
    let recheck = place.sent().remove(0);
    place.advance(10);
    assert_eq!(place.deliver(RECHECK_QUEUE, [recheck.clone()].into_iter()), 0);
    assert_eq!((place.due_in(), place.sent(), place.protected()), (Some(50), vec![recheck.clone()], 1));
    let mut other = recheck;
    other["due"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(place.deliver(RECHECK_QUEUE, [other].into_iter()), 0);
    assert_eq!((place.sent().len(), place.protected()), (0, 1));
}

#[test]
fn a_recheck_whose_release_fails_is_retried_and_one_of_an_unknown_task_is_done() {
    let place = Place::new("60");
    place.report("job.started", 1);
    place.report("job.finished", 1);
    let recheck = place.sent().remove(0);
    place.advance(60);
    place.region.lock().faults.extend([ecs_sim::region::Fault::ServerError; 5]);
    assert_eq!((place.deliver(RECHECK_QUEUE, [recheck.clone()].into_iter()), place.protected()), (1, 1));
    place.region.lock().faults.clear();
    assert_eq!((place.deliver(RECHECK_QUEUE, [recheck.clone()].into_iter()), place.protected()), (0, 0));
    let mut unknown = recheck;
    unknown["task"] = json!(format!("arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/{:032x}", 1));
    let calls = place.region.lock().calls.len();
    assert_eq!(place.deliver(RECHECK_QUEUE, [unknown].into_iter()), 0);
    assert_eq!(place.region.lock().calls.len(), calls);
}

#[test]
fn without_a_recheck_queue_the_sweep_releases() {
    let place = Place::without_rechecks("60");
    place.report("job.started", 2);
    assert_eq!(place.report("job.finished", 2), 0);
    for (seconds, protected) in [(59, 2), (1, 0)] {
        place.advance(seconds);
        place.invoke(&json!({"sweep": {}}));
        assert_eq!(place.protected(), protected);
    }
}
