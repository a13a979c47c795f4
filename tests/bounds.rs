//! What one sender can cost.
//!
//! `cargo test -p taskhold-tests -- --nocapture bounds::` prints the figures of SECURITY.md, "The cost of a hostile sender".

mod full_records;
mod known;

use crate::files::prose;
use crate::stage::StagedRegion;
use crate::watch::counted::InvocationCause;
use crate::watch::parts::locked;
use crate::watch::world::{HOUR, MINUTE, SECOND, WatchedWorld};
use ecs_sim::control_plane::{ServiceSpec, Setup};
use ecs_sim::doubles::clock::timestamp;
use ecs_sim::doubles::queues::SimulatedDeadLetterQueue;
use ecs_sim::event_source::FunctionAnswer;
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{CLUSTER, JOB_QUEUE};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use taskhold::lambda::function::Parts;
use taskhold::store::RECORD_BYTES_MAX;

/// The reads of the sweeps of a steady cluster during [`cost`].
const READS_OF_SWEEPS: u64 = 10;
const ARN: &str = "arn:aws:ecs:eu-west-1:111122223333";

/// The function, with the service `web` of two tasks, and a sweep every five minutes.
struct AttackedService {
    world: WatchedWorld,
    tasks: Vec<String>,
}

impl AttackedService {
    fn new() -> Self {
        let mut world = WatchedWorld::new(Setup::default(), &[]);
        let tasks = world.create(ServiceSpec::new(CLUSTER, "web", 2));
        world.sweep_every(5 * MINUTE, 41_000);
        world.advance(SECOND);
        Self { world, tasks }
    }

    fn send(&mut self, body: &Value) {
        self.world.region.lock().queues.send(JOB_QUEUE, SendMessage::new(body.to_string())).unwrap();
    }

    fn job(&mut self, job: &str, message_type: &str, minutes: u32) {
        let task = format!("{ARN}:task/{CLUSTER}/{}", self.tasks[0]);
        self.send(
            &json!({"version": 1, "type": message_type, "jobId": job, "taskArn": task, "maxDurationMinutes": minutes}),
        );
    }

    fn is_protected(&self) -> bool {
        self.world.region.lock().ecs.task(&self.tasks[0]).unwrap().is_protected()
    }

    fn ask(&mut self, command: &Value) -> Value {
        match self.world.invoke(&command.to_string(), InvocationCause::Sweep) {
            FunctionAnswer::Answered(answer) => answer,
            FunctionAnswer::Failed => panic!("{command} failed"),
        }
    }

    fn alerts(&self) -> Vec<String> {
        locked(&self.world.parts.alerts.inner.notices).iter().map(|notice| notice.what.clone()).collect()
    }

    fn largest_record(&self) -> usize {
        locked(&self.world.parts.store.inner.sizes).values().map(|(bytes, _)| *bytes).max().unwrap_or(0)
    }

    fn records(&self) -> usize {
        locked(&self.world.parts.store.inner.sizes).len()
    }

    fn stores(&self) -> usize {
        self.world.parts.store.inner.stores.load(Ordering::Relaxed)
    }
}

/// What a kind of message has cost.
#[derive(Debug)]
struct MessageCost {
    /// `UpdateTaskProtection`, and every other call.
    calls: u64,
    reads: u64,
    stores: usize,
    /// The size of the largest record in bytes, and the number of records that are new.
    bytes: usize,
    records: usize,
    /// Calls and stores of a later hour of sweeps, in which no message comes.
    later: (u64, usize),
}

/// Sends 300 messages within a minute, and lets a day pass without others.
fn cost(name: &str, message: impl Fn(&AttackedService, usize) -> Value) -> MessageCost {
    let mut attacked = AttackedService::new();
    let calls_of = |attacked: &mut AttackedService| {
        let counted = attacked.world.counted();
        let all: u64 = counted.calls.values().sum();
        (all - counted.reads(), counted.reads())
    };
    let (calls, reads) = calls_of(&mut attacked);
    let (stores, records) = (attacked.stores(), attacked.records());
    for number in 0..300 {
        let body = message(&attacked, number);
        attacked.send(&body);
        if number % 10 == 9 {
            attacked.world.advance(2 * SECOND);
        }
    }
    attacked.world.advance(20 * MINUTE);
    let (after, reads_after) = calls_of(&mut attacked);
    let mut cost = MessageCost {
        calls: after - calls,
        reads: reads_after - reads - READS_OF_SWEEPS,
        stores: attacked.stores() - stores,
        bytes: attacked.largest_record(),
        records: attacked.records() - records,
        later: (0, 0),
    };
    let stores = attacked.stores();
    attacked.world.advance(HOUR);
    cost.later = (calls_of(&mut attacked).0 - after, attacked.stores() - stores);
    println!(
        "{name}: {} UpdateTaskProtection, {} reads, {} stores, {} new records, the largest {} bytes; in the hour after: {} calls, {} stores",
        cost.calls, cost.reads, cost.stores, cost.records, cost.bytes, cost.later.0, cost.later.1
    );
    compare_with_page(name, &cost);
    cost
}

/// Compares a cost with the row of this name in SECURITY.md.
fn compare_with_page(name: &str, cost: &MessageCost) {
    let page = include_str!("../SECURITY.md");
    let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {name} | ")));
    let cells: Vec<&str> = row.unwrap_or_else(|| panic!("no row {name}")).trim_end_matches(" |").split(" | ").collect();
    let number = |cell: &str| cell.replace(',', "").parse::<u64>().unwrap();
    let numbers: Vec<u64> = cells[..3].iter().map(|cell| number(cell)).collect();
    assert_eq!(numbers, [cost.calls, cost.reads, cost.stores as u64], "SECURITY.md, {name}: {cost:?}");
    let size = match cost.bytes {
        bytes if bytes < 1000 => format!("{bytes} bytes"),
        bytes => format!("{} KB", (bytes + 500) / 1000),
    };
    let words = format!(" {} ", cells[3].replace(',', " "));
    let is_right = if cost.records == 0 { cells[3] == "none" } else { words.contains(&format!(" {size} ")) };
    assert!(is_right, "SECURITY.md, {name}: {} or none, not {}", size, cells[3]);
}

fn unknown_task(number: usize) -> String {
    format!("{ARN}:task/{CLUSTER}/{number:032x}")
}

fn event(kind: &str, resource: String, detail: Value) -> Value {
    json!({
        "version": "0", "id": "e", "detail-type": kind, "source": "aws.ecs", "account": "111122223333",
        "time": "2026-01-05T10:00:00Z", "region": "eu-west-1", "resources": [resource], "detail": detail,
    })
}

#[test]
fn three_hundred_messages_of_each_hostile_kind_have_a_bounded_cost() {
    let unknown_starts = cost(
        "starts of 2,880 minutes on unknown tasks",
        |_, number| json!({"version": 1, "type": "job.started", "jobId": "ghost", "taskArn": unknown_task(number), "maxDurationMinutes": 2880}),
    );
    // Ten tasks share a call, and each message is delivered three times until it is older than five minutes.
    assert!(unknown_starts.calls <= 3 * 30 && unknown_starts.reads <= 3 * 30, "{unknown_starts:?}");
    assert!(unknown_starts.stores <= 3 * 2 * 300 && unknown_starts.bytes < 300, "{unknown_starts:?}");
    assert_eq!(unknown_starts.later, (0, 0), "dead letters cost nothing");
    assert_eq!(
        unknown_starts.records, 300,
        "one for each task that the messages name, however often they are delivered"
    );
    let unknown_finishes = cost(
        "finishes on unknown tasks",
        |_, number| json!({"version": 1, "type": "job.finished", "jobId": "ghost", "taskArn": unknown_task(number)}),
    );
    assert_eq!((unknown_finishes.calls, unknown_finishes.stores, unknown_finishes.records), (0, 0, 0));
    assert!(unknown_finishes.reads <= 4 * 30, "{unknown_finishes:?}");
    let services = cost("events about unknown services", |_, number| {
        let arn = format!("{ARN}:service/{CLUSTER}/none-{number}");
        event(
            "ECS Service Action",
            arn,
            json!({"eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS", "clusterArn": format!("{ARN}:cluster/{CLUSTER}")}),
        )
    });
    assert_eq!((services.calls, services.stores, services.records), (0, 0, 0));
    assert_eq!(services.reads, 60, "{services:?}");
    let stops = cost("stop events about unknown tasks", |_, number| {
        event(
            "ECS Task State Change",
            unknown_task(number),
            json!({"taskArn": unknown_task(number), "lastStatus": "STOPPED"}),
        )
    });
    assert_eq!((stops.calls, stops.reads, stops.stores, stops.records), (0, 0, 0, 0));
    let on_one_task = |attacked: &AttackedService| format!("{ARN}:task/{CLUSTER}/{}", attacked.tasks[0]);
    let ghosts = cost(
        "starts of 300 jobs of 2,880 minutes on one task",
        |attacked, number| json!({"version": 1, "type": "job.started", "jobId": format!("ghost-{number}"), "taskArn": on_one_task(attacked), "maxDurationMinutes": 2880}),
    );
    assert!(ghosts.calls <= 300 && ghosts.stores <= 2 * 300 && ghosts.records == 1, "{ghosts:?}");
    let labels = cost("starts of 300 jobs with the longest labels on one task", |attacked, number| {
        let labels: serde_json::Map<String, Value> =
            (0..8).map(|label| (format!("{label}{}", "x".repeat(63)), json!("\u{1}".repeat(128)))).collect();
        json!({
            "version": 1, "type": "job.started", "jobId": format!("{number:0256}"), "taskArn": on_one_task(attacked),
            "maxDurationMinutes": 60, "labels": labels,
        })
    });
    assert!(labels.calls <= 300 && labels.bytes <= RECORD_BYTES_MAX, "{labels:?}");
}

#[test]
fn reads_about_unknown_tasks_have_a_rate_of_their_own() {
    let mut attacked = AttackedService::new();
    let reads =
        |attacked: &mut AttackedService| attacked.world.counted().calls.get("DescribeTasks").copied().unwrap_or(0);
    let (before, began_at) = (reads(&mut attacked), attacked.world.now());
    for number in 0..40 {
        let task = unknown_task(number);
        attacked.send(&json!({"version": 1, "type": "job.finished", "jobId": "ghost", "taskArn": task}));
        attacked.world.advance(1);
    }
    assert_eq!(reads(&mut attacked) - before, 40);
    // A burst of ten, and then two a second.
    let took = attacked.world.now() - began_at;
    assert!((14 * SECOND..17 * SECOND).contains(&took), "{took} ms");
}

/// Sends starts on unknown tasks for a minute, in batches of this size, one as soon as the one before has ended.
/// Returns how many records that creates.
fn records_of_a_minute(attacked: &mut AttackedService, tasks_in_a_batch: usize) -> usize {
    let (records, began_at) = (attacked.records(), attacked.world.now());
    while attacked.world.now() - began_at < MINUTE && attacked.records() - records < 20_000 {
        let first = attacked.records();
        for at in first..first + tasks_in_a_batch {
            let task = unknown_task(at);
            attacked.send(
                &json!({"version": 1, "type": "job.started", "jobId": "ghost", "taskArn": task, "maxDurationMinutes": 2880}),
            );
        }
        attacked.world.advance(1);
    }
    attacked.records() - records
}

/// Each batch waits until ECS has been asked about its tasks, so the rate of these reads bounds how many records a sender
/// can create.
#[test]
fn starts_on_unknown_tasks_create_no_more_records_in_a_minute_than_the_reads_about_them_cover() {
    let page = prose("SECURITY.md");
    assert!(page.contains("at most 13,000 records in the first minute and 12,000 in each later one"));
    assert!(page.contains("With batches of ten messages, the default, it creates a tenth of that."));
    // As in template.yaml, with and without a batching window.
    for (tasks_in_a_batch, first_minute) in [(1000, 13_000), (10, 1300)] {
        let mut attacked = AttackedService::new();
        attacked.world.delivers.sweep_every = None;
        let first = records_of_a_minute(&mut attacked, tasks_in_a_batch);
        assert!((first_minute * 9 / 10..=first_minute).contains(&first), "{first} records of {tasks_in_a_batch} each");
        // SQS has not redelivered their messages. From now on there are two reads a second.
        attacked.world.region.lock().queues.purge(JOB_QUEUE).unwrap();
        let second = records_of_a_minute(&mut attacked, tasks_in_a_batch);
        let later = first_minute / 13 * 12;
        assert!((later * 9 / 10..=later).contains(&second), "{second} records of {tasks_in_a_batch} each");
    }
}

#[test]
fn the_record_of_an_unknown_task_may_be_deleted_as_soon_as_ecs_has_answered_and_no_sweep_visits_it() {
    let mut attacked = AttackedService::new();
    attacked.world.delivers.sweep_every = None;
    for number in 0..30 {
        attacked.send(
            &json!({"version": 1, "type": "job.started", "jobId": "ghost", "taskArn": unknown_task(number), "maxDurationMinutes": 2880}),
        );
    }
    attacked.world.advance(1);
    // DynamoDB adds an hour: tests/contract_dynamodb.rs.
    let now = timestamp(attacked.world.now());
    let sizes = locked(&attacked.world.parts.store.inner.sizes).clone();
    assert_eq!(sizes.len(), 30, "{sizes:?}");
    assert!(sizes.values().all(|(bytes, keep_until)| *bytes < 200 && *keep_until <= now), "{sizes:?}");
    let stores = attacked.stores();
    let report = attacked.ask(&json!({"sweep": {}}));
    assert_eq!((&report["sweep"]["tasks"], attacked.stores()), (&json!(0), stores), "{report}");
}

#[test]
fn a_message_whose_dead_lettering_failed_is_not_acknowledged() {
    let stage = StagedRegion::of_parts(ServiceSpec::new(CLUSTER, "web", 0), &[], |region, parts| {
        let dead_letters = Arc::new(SimulatedDeadLetterQueue(region.clone()));
        Parts { dead_letters: Some(dead_letters), ..parts }
    });
    stage.region.lock().dead_letters_lost = 1;
    let batch = json!({"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": "nonsense"}]});
    assert_eq!(stage.invoke(&batch), json!({"batchItemFailures": [{"itemIdentifier": "m"}]}));
}
