//! The numbers of calls that the documentation promises, asserted and printed: `cargo test -p taskhold-tests -- --nocapture
//! figures::`.
//!
//! The handler runs on an ECS that grants and counts protection calls. Nothing here depends on the machine.

mod sustained;

use async_trait::async_trait;
use ecs_sim::doubles::clock::SetClock;
use ecs_sim::doubles::parts::parts;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use taskhold::clock::Clock;
use taskhold::config::settings::Config;
use taskhold::ecs::arn::{ClusterArn, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::{
    Ecs, PROTECTION_MINUTES_MAX, ProtectedTask, ProtectionAnswer, ProtectionSetting, TASKS_PER_PROTECTION_CALL_MAX,
    TASKS_PER_READ_MAX,
};
use taskhold::lambda::function::{Function, Response};

/// Seed for the durations, so that the figures are the same everywhere.
const SEED: u64 = 20_260_917;
const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";
const TASKS: usize = 1000;

/// An ECS that grants every protection and remembers until when each task is protected.
struct CountingEcs {
    clock: SetClock,
    state: Mutex<CountingState>,
}

#[derive(Default)]
struct CountingState {
    calls: u32,
    /// Calls of GetTaskProtection.
    reads: u32,
    protected_until: HashMap<TaskId, Timestamp>,
}

ecs_sim::reads_no_services!(CountingEcs);
ecs_sim::updates_no_services!(CountingEcs);

#[async_trait]
impl Ecs for CountingEcs {
    async fn update_task_protection(
        &self,
        _: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        assert!((1..=TASKS_PER_PROTECTION_CALL_MAX).contains(&tasks.len()));
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let expiration_date = match setting {
            ProtectionSetting::Disabled => None,
            ProtectionSetting::Enabled { expires_in_minutes: minutes } => {
                assert!((1..=PROTECTION_MINUTES_MAX).contains(&minutes));
                Some(self.clock.now() + SignedDuration::from_mins(i64::from(minutes)))
            }
        };
        let set = |id: &TaskId| {
            match expiration_date {
                Some(until) => state.protected_until.insert(id.clone(), until),
                None => state.protected_until.remove(id),
            };
            ProtectedTask { task_id: id.clone(), protection_enabled: expiration_date.is_some(), expiration_date }
        };
        Ok(ProtectionAnswer { protected_tasks: tasks.iter().map(set).collect(), failures: Vec::new() })
    }
}

impl CountingEcs {
    fn protection_of(&self, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        assert!((1..=TASKS_PER_READ_MAX).contains(&tasks.len()));
        let mut state = self.state.lock().unwrap();
        state.reads += 1;
        let reported = |id: &TaskId| {
            let expiration_date = state.protected_until.get(id).copied();
            ProtectedTask { task_id: id.clone(), protection_enabled: expiration_date.is_some(), expiration_date }
        };
        Ok(ProtectionAnswer { protected_tasks: tasks.iter().map(reported).collect(), failures: Vec::new() })
    }
}

/// The function, and the jobs of its messages: one for each task.
struct FiguresFunction {
    handler: Function,
    ecs: Arc<CountingEcs>,
    clock: SetClock,
    minutes: Vec<u32>,
    /// The messages of a batch were sent over this many seconds before its delivery.
    sent_over_seconds: usize,
}

impl FiguresFunction {
    /// Jobs of these durations, without any message yet.
    fn of(minutes: Vec<u32>) -> Self {
        let clock = SetClock::at(Timestamp::from_second(1_790_000_000).unwrap());
        let ecs = Arc::new(CountingEcs { clock: clock.clone(), state: Mutex::default() });
        let config = Config::from_variables([("TASKHOLD_CLUSTERS".to_owned(), CLUSTER.to_owned())]).unwrap();
        let handler = Function::new(parts(ecs.clone(), Arc::new(clock.clone()), config));
        Self { handler, ecs, clock, minutes, sent_over_seconds: 0 }
    }

    /// This many jobs, with durations drawn uniformly from 1 to `minutes_max`.
    fn drawn(minutes_max: u32) -> Self {
        let mut random = fastrand::Rng::with_seed(SEED);
        Self::of((0..TASKS).map(|_| random.u32(1..=minutes_max)).collect())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn message(&self, message_type: &str, task: usize) -> Value {
        json!({"version": 1, "type": message_type, "jobId": format!("job-{task}"),
            "taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{task:032x}")})
    }

    /// A start for each task.
    fn started(&self) -> Vec<Value> {
        let started = |(task, minutes): (usize, &u32)| {
            let mut message = self.message("job.started", task);
            message["maxDurationMinutes"] = json!(minutes);
            message
        };
        self.minutes.iter().enumerate().map(started).collect()
    }

    /// A finish for each task.
    fn finished(&self) -> Vec<Value> {
        (0..self.minutes.len()).map(|task| self.message("job.finished", task)).collect()
    }

    /// Ten heartbeats for each task, with these fields in addition to the common ones.
    fn heartbeats(&self, fields: &Value) -> Vec<Value> {
        let heartbeat = |at: usize| {
            let mut message = self.message("job.heartbeat", at % self.minutes.len());
            message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            message
        };
        (0..10 * self.minutes.len()).map(heartbeat).collect()
    }

    /// The time at which SQS received the message at this position.
    fn sent_at(&self, at: usize) -> Timestamp {
        self.now() - SignedDuration::from_secs((at % (self.sent_over_seconds + 1)) as i64)
    }

    /// Delivers the messages in batches of this size and returns the number of calls.
    async fn deliver(&self, messages: &[Value], batch_size: usize) -> u32 {
        let before = self.ecs.state.lock().unwrap().calls;
        let records = messages.iter().enumerate().map(|(at, body)| record(body, self.sent_at(at)));
        for batch in records.collect::<Vec<_>>().chunks(batch_size) {
            let deadline = self.now() + SignedDuration::from_secs(30);
            let answer = self.handler.handle(&json!({"Records": batch}).to_string(), deadline).await;
            let (Response::Batch(response), counts) = answer.unwrap() else { panic!("it was a batch") };
            assert_eq!((response.batch_item_failures.len(), counts.done.get()), (0, batch.len() as u64));
        }
        self.ecs.state.lock().unwrap().calls - before
    }

    /// For each newly protected task, its job's declared minutes and how much longer the protection lasts.
    fn surplus(&self) -> Vec<(u32, SignedDuration)> {
        let state = self.ecs.state.lock().unwrap();
        let surplus = |(task, minutes): (usize, &u32)| {
            let declared = self.sent_at(task) + SignedDuration::from_mins(i64::from(*minutes));
            let until = state.protected_until.get(&format!("{task:032x}").parse::<TaskId>().unwrap());
            // A job whose declared time ended before its message was delivered needs no protection.
            assert_eq!(until.is_some(), declared > self.now());
            until.map(|until| (*minutes, until.duration_since(declared)))
        };
        self.minutes.iter().enumerate().filter_map(surplus).collect()
    }
}

/// An SQS record as Lambda delivers it.
fn record(body: &Value, sent_at: Timestamp) -> Value {
    let sent_ms = sent_at.as_millisecond().to_string();
    json!({
        "messageId": "827137ab-8e43-4a17-af32-39b36c047d92",
        "receiptHandle": "AQEB827137ab8e43ca17ef3239b36c047d929590ac423b962ca6b8762ae218a5bf51",
        "body": body.to_string(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent_ms,
            "SenderId": "AROAEXAMPLEWORKERROLE:4f0c2a9be1d84763a5c07be214d95f3a",
            "ApproximateFirstReceiveTimestamp": sent_ms,
        },
        "messageAttributes": {},
        "md5OfBody": "4260a5286f251fa1df6c0ce8f7103def",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:taskhold-jobs",
        "awsRegion": "eu-west-1",
    })
}

/// Lines of the table. Each test prints its own lines at once, because tests run concurrently.
#[derive(Default)]
struct FigureLines(String);

impl FigureLines {
    fn line(&mut self, what: &str, batch_size: usize, messages: usize, calls: u32) {
        let per_message = f64::from(calls) / messages as f64;
        let line = format!("{what:<49} | {batch_size:>8} | {messages:>8} | {calls:>5} | {per_message:>17.4}\n");
        self.0.push_str(&line);
    }
}

impl Drop for FigureLines {
    fn drop(&mut self) {
        println!("\n{:<49} | batch of | messages | calls | calls per message\n{}", "calls of task protection", self.0);
    }
}

#[tokio::test]
async fn a_thousand_jobs_of_one_duration_take_a_hundred_calls_and_a_hundred_more_to_release() {
    let mut table = FigureLines::default();
    for batch_size in [10, 100, TASKS] {
        let figures = FiguresFunction::of(vec![120; TASKS]);
        let calls = figures.deliver(&figures.started(), batch_size).await;
        table.line("starts, 120 minutes each", batch_size, TASKS, calls);
        assert_eq!(calls, 100);
        let again = figures.deliver(&figures.started(), batch_size).await;
        table.line("the same starts, delivered a second time", batch_size, TASKS, again);
        assert_eq!(again, 0);
        let calls = figures.deliver(&figures.finished(), batch_size).await;
        table.line("finishes", batch_size, TASKS, calls);
        let reads = figures.ecs.state.lock().unwrap().reads;
        table.line("reads of protection before them", batch_size, TASKS, reads);
        assert_eq!(reads, u32::try_from(TASKS / batch_size.min(100)).unwrap());
        assert_eq!(calls, 100);
        assert!(figures.ecs.state.lock().unwrap().protected_until.is_empty());
        let again = figures.deliver(&figures.finished(), batch_size).await;
        table.line("the same finishes, delivered a second time", batch_size, TASKS, again);
        assert_eq!(again, 0);
    }
}

#[tokio::test]
async fn a_release_of_a_hundred_tasks_takes_ten_calls_and_one_read_and_what_comes_before_it_no_read() {
    let mut table = FigureLines::default();
    let figures = FiguresFunction::of(vec![120; 100]);
    figures.deliver(&figures.started(), 100).await;
    let reads = || figures.ecs.state.lock().unwrap().reads;
    figures.clock.advance(SignedDuration::from_mins(30));
    let beyond = figures.heartbeats(&json!({"maxDurationMinutes": 240})).split_off(900);
    let calls = figures.deliver(&beyond, 100).await;
    table.line("heartbeats of a hundred tasks, which extend it", 100, 100, calls);
    assert_eq!((calls, reads()), (10, 0), "neither a start nor a heartbeat needs a read");
    let calls = figures.deliver(&figures.finished(), 100).await;
    table.line("finishes of a hundred tasks", 100, 100, calls);
    table.line("reads of protection before them", 100, 100, reads());
    assert_eq!((calls, reads()), (10, 1));
    assert_eq!((figures.deliver(&figures.finished(), 100).await, reads()), (0, 1), "delivered a second time");
}

#[tokio::test]
async fn duplicates_within_a_batch_take_no_more_calls() {
    let mut table = FigureLines::default();
    let figures = FiguresFunction::of(vec![120; TASKS]);
    let twice = [figures.started(), figures.started()].concat();
    let calls = figures.deliver(&twice, twice.len()).await;
    table.line("starts, 120 minutes each, each twice in the batch", twice.len(), twice.len(), calls);
    assert_eq!(calls, 100);
}

#[tokio::test]
async fn a_thousand_jobs_of_durations_up_to_eight_hours_take_at_most_125_calls() {
    promise_of_drawn(480, 125).await;
}

#[tokio::test]
async fn a_thousand_jobs_of_durations_up_to_two_days_take_at_most_150_calls() {
    promise_of_drawn(2880, 150).await;
}

async fn promise_of_drawn(minutes_max: u32, calls_max: u32) {
    let mut table = FigureLines::default();
    for batch_size in [10, 100, TASKS] {
        let figures = FiguresFunction::drawn(minutes_max);
        let calls = figures.deliver(&figures.started(), batch_size).await;
        table.line(&format!("starts, 1 to {minutes_max} minutes, evenly drawn"), batch_size, TASKS, calls);
        assert!(batch_size < TASKS || calls <= calls_max, "{calls} calls");
        let again = figures.deliver(&figures.started(), batch_size).await;
        assert_eq!(again, 0, "delivered a second time");
        let calls = figures.deliver(&figures.finished(), batch_size).await;
        assert_eq!(calls, 100, "releases have no durations");
    }
}

#[tokio::test]
async fn ten_thousand_heartbeats_inside_the_protection_take_no_call() {
    let mut table = FigureLines::default();
    for batch_size in [10, 100, 10 * TASKS] {
        let figures = FiguresFunction::of(vec![120; TASKS]);
        figures.deliver(&figures.started(), TASKS).await;
        figures.clock.advance(SignedDuration::from_mins(30));
        for (what, fields) in [
            ("heartbeats without a duration", json!({})),
            ("heartbeats with a duration that stays inside", json!({"maxDurationMinutes": 90})),
        ] {
            let heartbeats = figures.heartbeats(&fields);
            let calls = figures.deliver(&heartbeats, batch_size).await;
            table.line(what, batch_size, heartbeats.len(), calls);
            assert_eq!(calls, 0);
        }
    }
}

#[tokio::test]
async fn jobs_that_start_within_a_minute_share_calls_as_if_they_started_at_once() {
    let mut table = FigureLines::default();
    for batch_size in [10, 100, TASKS] {
        let figures = FiguresFunction { sent_over_seconds: 59, ..FiguresFunction::of(vec![120; TASKS]) };
        let calls = figures.deliver(&figures.started(), batch_size).await;
        table.line("starts, 120 minutes each, sent over a minute", batch_size, TASKS, calls);
        assert_eq!(calls, 100);
    }
}

#[tokio::test]
async fn no_task_is_protected_for_less_than_declared_nor_for_much_more() {
    let mut table = String::new();
    for (minutes_max, sent_over_seconds) in [10, 60, 480, 2880].into_iter().flat_map(|max| [(max, 0), (max, 59)]) {
        let figures = FiguresFunction { sent_over_seconds, ..FiguresFunction::drawn(minutes_max) };
        figures.deliver(&figures.started(), TASKS).await;
        let (mut more, mut declared) = (SignedDuration::ZERO, SignedDuration::ZERO);
        for (minutes, surplus) in figures.surplus() {
            let bound = SignedDuration::from_secs((i64::from(minutes) * 3).max(60)); // 5% of a minute is 3 seconds.
            assert!((SignedDuration::ZERO..=bound).contains(&surplus), "{minutes} min, {surplus:#} more");
            more += surplus;
            declared += SignedDuration::from_mins(i64::from(minutes));
        }
        let percent = 100.0 * more.as_secs_f64() / declared.as_secs_f64();
        table +=
            &format!("jobs of 1 to {minutes_max:>4} minutes, sent over {sent_over_seconds:>2} s | {percent:>4.1} %\n");
    }
    println!("\n{:<41} | protected longer than declared\n{table}", "all tasks together");
}
