//! How long the function itself takes for the largest batch that Lambda delivers: 10,000 records, 6 MB.
//!
//! Measured is everything but the network: the payload is parsed, merged into an empty ledger, planned, and every call is
//! answered at once. Prints a row for README.md at the end.

use criterion::{BatchSize, Criterion};
use ecs_sim::no_services::NoAutoscaling;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use taskhold::alert::LogOnly;
use taskhold::clock::Clock;
use taskhold::config::Config;
use taskhold::ecs::{ClusterArn, Ecs, EcsError, ProtectedTask, ProtectionAnswer, ProtectionSetting, TaskId};
use taskhold::handler::{Handler, Parts, Response};
use taskhold::ledger::InMemoryLedger;
use tokio::runtime::Runtime;

/// Most records of a batch (aws-facts "Lambda and SQS").
const RECORDS: usize = 10_000;
/// Most bytes of a batch (aws-facts "Lambda and SQS").
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// When all of it happens.
const NOW_MS: i64 = 1_790_000_000_000;
/// The case in which nothing is merged, and every record needs a place in a call: the row for README.md is its.
const TASKS_MOST: usize = RECORDS;
/// The case in which ten records at a time tell of one task.
const TASKS_FEW: usize = RECORDS / 10;

/// Always the same moment.
#[derive(Clone, Copy, Debug)]
struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(NOW_MS).expect("a time of this century")
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Grants everything at once.
struct GrantingEcs;

ecs_sim::reads_no_services!(GrantingEcs);
ecs_sim::updates_no_services!(GrantingEcs);

impl Ecs for GrantingEcs {
    async fn update_task_protection(
        &self,
        _: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let expiration_date = match setting {
            ProtectionSetting::Disabled => None,
            ProtectionSetting::Enabled { expires_in_minutes: minutes } => {
                Some(StillClock.now() + SignedDuration::from_mins(i64::from(minutes)))
            }
        };
        let protection_enabled = expiration_date.is_some();
        let granted = |id: &TaskId| ProtectedTask { task_id: id.clone(), protection_enabled, expiration_date };
        Ok(ProtectionAnswer { protected_tasks: tasks.iter().map(granted).collect(), failures: Vec::new() })
    }
}

struct PartsOfBench;

impl Parts for PartsOfBench {
    type Ecs = GrantingEcs;
    type Autoscaling = NoAutoscaling;
    type Ledger = InMemoryLedger<StillClock>;
    type Parking = Infallible;
    type FollowUps = Infallible;
    type Interrupted = Infallible;
    type Alerts = LogOnly;
    type Clock = StillClock;
}

type Function = Handler<PartsOfBench>;

fn function() -> Function {
    let clusters = "arn:aws:ecs:eu-west-1:111122223333:cluster/video".to_owned();
    let config = Config::from_variables([("TASKHOLD_CLUSTERS".to_owned(), clusters)]);
    Handler {
        ecs: GrantingEcs,
        autoscaling: NoAutoscaling,
        ledger: InMemoryLedger::new(StillClock),
        alerts: LogOnly,
        parking: None,
        follow_ups: None,
        interrupted: None,
        clock: StillClock,
        config: config.expect("a cluster is all that must be set"),
    }
}

/// A batch of starts for so many tasks, of durations from one minute to two days. Receipt handles have as many characters as
/// Lambda's limit leaves room for, which is fewer than SQS's own: with those, fewer records would fill a batch.
fn payload(tasks: usize) -> String {
    let whole = |receipt_handle: &str| {
        let records: Vec<Value> = (0..RECORDS).map(|number| record(number, tasks, receipt_handle)).collect();
        json!({"Records": records}).to_string()
    };
    let room = PAYLOAD_BYTES_MAX.checked_sub(whole("").len()).expect("without receipt handles they fit");
    whole(&"A".repeat(room / RECORDS))
}

/// A record as Lambda hands it over.
fn record(number: usize, tasks: usize, receipt_handle: &str) -> Value {
    let minutes = 1 + number * 7919 % 2880; // a step that has no divisor in common with 2880 reaches all of them
    let body = json!({"version": 1, "type": "job.started", "jobId": format!("job-{number}"), "cluster": "video",
        "taskId": format!("{:032x}", number % tasks), "maxDurationMinutes": minutes});
    json!({
        "messageId": format!("827137ab-8e43-4a17-af32-{number:012x}"),
        "receiptHandle": receipt_handle,
        "body": body.to_string(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": NOW_MS.to_string(),
            "SenderId": "AROAEXAMPLEWORKERROLE:4f0c2a9be1d84763a5c07be214d95f3a",
            "ApproximateFirstReceiveTimestamp": NOW_MS.to_string(),
        },
        "messageAttributes": {},
        "md5OfBody": "4260a5286f251fa1df6c0ce8f7103def",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:jobs",
        "awsRegion": "eu-west-1",
    })
}

fn measure(criterion: &mut Criterion, tasks: usize) {
    let runtime: Runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let payload = payload(tasks);
    let deadline = StillClock.now() + SignedDuration::from_secs(30);
    let handle = |function: Function| {
        let answer = runtime.block_on(function.handle(&payload, deadline)).expect("a batch never fails");
        let (Response::Batch(response), counts) = answer else { panic!("it was a batch") };
        assert_eq!((response.batch_item_failures.len(), counts.done.get()), (0, RECORDS as u64));
        function // dropped outside of what is measured: an instance keeps its ledger
    };
    criterion.bench_function(&name(tasks), |bencher| {
        bencher.iter_batched(function, handle, BatchSize::LargeInput);
    });
}

fn name(tasks: usize) -> String {
    format!("batch of {RECORDS} records for {tasks} tasks")
}

/// Where Criterion leaves what it measured.
fn output() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion")
}

/// The mean, in nanoseconds; `None` if nothing was measured, as when the bench only shows that it runs.
fn mean_ns(tasks: usize) -> Option<f64> {
    let estimates = std::fs::read_to_string(output().join(name(tasks)).join("new/estimates.json")).ok()?;
    serde_json::from_str::<Value>(&estimates).ok()?["mean"]["point_estimate"].as_f64()
}

fn main() {
    // Else a run that measures nothing would print what an earlier one measured.
    let _ = std::fs::remove_file(output().join(name(TASKS_MOST)).join("new/estimates.json"));
    let mut criterion = Criterion::default().output_directory(&output()).sample_size(50).configure_from_args();
    for tasks in [TASKS_FEW, TASKS_MOST] {
        measure(&mut criterion, tasks);
    }
    criterion.final_summary();
    if let Some(ns) = mean_ns(TASKS_MOST) {
        let (millis, micros) = (ns / 1e6, ns / 1e3 / RECORDS as f64);
        println!("\n| batch of 10,000 records (6 MB) | {millis:.0} ms | {micros:.1} µs per message |");
    }
}
