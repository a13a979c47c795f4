//! The pace of protection calls, on an ECS with the token bucket that AWS describes (aws-facts "ECS: the protection
//! API") and a state store, both with latency. Time is simulated, so nothing depends on the machine. `cargo test
//! -p taskhold-tests -- --nocapture pacing::` prints the results.

use async_trait::async_trait;
use ecs_sim::doubles::interleave::Poller;
use ecs_sim::doubles::parts::parts;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;
use taskhold::clock::Clock;
use taskhold::config::settings::Config;
use taskhold::ecs::arn::{ClusterArn, Task, TaskId};
use taskhold::ecs::error::EcsError;
use taskhold::ecs::{Ecs, ProtectedTask, ProtectionAnswer, ProtectionSetting};
use taskhold::lambda::function::{Function, Parts, Response};
use taskhold::page::Page;
use taskhold::store::error::StoreError;
use taskhold::store::memory::MemoryStore;
use taskhold::store::{Store, StorePages, Stored, Versioned};
use taskhold::task::record::TaskRecord;

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";
const BURST: i64 = 200;
const PER_SECOND: i64 = 80;
/// Latency of a call to ECS, and of a load or put of the state store.
const LATENCY: Duration = Duration::from_millis(50);

/// A clock that advances to the next deadline when all futures wait.
#[derive(Clone, Debug)]
struct Time(Arc<Mutex<Moments>>);

#[derive(Debug)]
struct Moments {
    now: Timestamp,
    awaited: Vec<(Timestamp, Waker)>,
}

impl Time {
    fn new() -> Self {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        Self(Arc::new(Mutex::new(Moments { now, awaited: Vec::new() })))
    }

    /// Runs a future to completion.
    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let poller = Poller::default();
        loop {
            if let Some(done) = poller.poll(future.as_mut()) {
                return done;
            }
            self.go_on();
        }
    }

    fn go_on(&self) {
        let mut moments = self.0.lock().unwrap();
        moments.now = moments.awaited.iter().map(|(at, _)| *at).min().expect("something waits");
        let now = moments.now;
        let (due, later) = std::mem::take(&mut moments.awaited).into_iter().partition(|(at, _)| *at <= now);
        moments.awaited = later;
        drop(moments);
        let due: Vec<(Timestamp, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

#[async_trait]
impl Clock for Time {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now() + SignedDuration::try_from(duration).unwrap();
        std::future::poll_fn(|context| {
            let mut moments = self.0.lock().unwrap();
            if moments.now >= until {
                return Poll::Ready(());
            }
            moments.awaited.push((until, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// An ECS that takes each call from a bucket and records the time of the call.
struct BucketEcs {
    time: Time,
    bucket: Mutex<CheckedBucket>,
}

struct CheckedBucket {
    thousandths: i64,
    filled_at: Timestamp,
    taken: Vec<Timestamp>,
    throttled: usize,
}

impl CheckedBucket {
    fn takes(&mut self, now: Timestamp) -> bool {
        let millis = now.as_millisecond() - self.filled_at.as_millisecond();
        self.thousandths = (self.thousandths + millis * PER_SECOND).min(BURST * 1000);
        self.filled_at = Timestamp::from_millisecond(now.as_millisecond()).unwrap();
        let takes = self.thousandths >= 1000;
        if takes {
            self.thousandths -= 1000;
            self.taken.push(now);
        } else {
            self.throttled += 1;
        }
        takes
    }
}

impl BucketEcs {
    /// Nothing is released here.
    #[expect(clippy::unused_self, reason = "the macro calls it on the fake")]
    fn protection_of(&self, tasks: &[TaskId]) -> Result<ProtectionAnswer, EcsError> {
        panic!("unexpected read of the protection of {tasks:?}")
    }
}

ecs_sim::reads_no_services!(BucketEcs);
ecs_sim::updates_no_services!(BucketEcs);

#[async_trait]
impl Ecs for BucketEcs {
    async fn update_task_protection(
        &self,
        _: &ClusterArn,
        setting: ProtectionSetting,
        tasks: &[TaskId],
    ) -> Result<ProtectionAnswer, EcsError> {
        let now = self.time.now();
        let takes = self.bucket.lock().unwrap().takes(now);
        self.time.sleep(LATENCY).await;
        let ProtectionSetting::Enabled { expires_in_minutes } = setting else { panic!("no job ends here") };
        let until = Some(now + SignedDuration::from_mins(i64::from(expires_in_minutes)));
        let granted =
            |id: &TaskId| ProtectedTask { task_id: id.clone(), protection_enabled: true, expiration_date: until };
        let answer = || ProtectionAnswer { protected_tasks: tasks.iter().map(granted).collect(), failures: Vec::new() };
        if takes { Ok(answer()) } else { Err(EcsError::Throttled) }
    }
}

/// A remote state store. Each task is new to it.
struct FarStore(Time, MemoryStore);

#[async_trait]
impl Store<TaskRecord> for FarStore {
    async fn load(&self, task: &Task) -> Result<Versioned<TaskRecord>, StoreError> {
        self.0.sleep(LATENCY).await;
        Store::<TaskRecord>::load(&self.1, task).await
    }

    async fn put(
        &self,
        task: &Task,
        versioned: &Versioned<TaskRecord>,
        keep_until: Timestamp,
    ) -> Result<Stored, StoreError> {
        self.0.sleep(LATENCY).await;
        self.1.put(task, versioned, keep_until).await
    }

    fn may_be_absent(&self, _: &Task) -> bool {
        true
    }
}

#[async_trait]
impl StorePages<TaskRecord> for FarStore {
    async fn page(&self, token: Option<&str>) -> Result<Page<(Task, Versioned<TaskRecord>)>, StoreError> {
        StorePages::<TaskRecord>::page(&self.1, token).await
    }
}

/// The function with everything far away.
struct FarAway {
    function: Function,
    ecs: Arc<BucketEcs>,
    time: Time,
}

fn function(time: &Time) -> FarAway {
    let bucket = CheckedBucket { thousandths: BURST * 1000, filled_at: time.now(), taken: Vec::new(), throttled: 0 };
    let ecs = Arc::new(BucketEcs { time: time.clone(), bucket: Mutex::new(bucket) });
    let clock = Arc::new(time.clone());
    let config = Config::from_variables([("TASKHOLD_CLUSTERS".to_owned(), CLUSTER.to_owned())]).unwrap();
    let function = Function::new(Parts {
        task_records: Arc::new(FarStore(time.clone(), MemoryStore::new(clock.clone()))),
        ..parts(ecs.clone(), clock, config)
    });
    FarAway { function, ecs, time: time.clone() }
}

/// A batch in which a job of two hours starts on each of these tasks.
fn starts(tasks: std::ops::Range<usize>, now: Timestamp) -> Value {
    let record = |task: usize| {
        let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{task:032x}");
        let body = json!({"version": 1, "type": "job.started", "jobId": format!("job-{task}"), "taskArn": arn,
            "maxDurationMinutes": 120});
        let sent_ms = now.as_millisecond().to_string();
        json!({"messageId": task.to_string(), "body": body.to_string(), "eventSource": "aws:sqs", "messageAttributes": {},
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": sent_ms}})
    };
    json!({"Records": tasks.map(record).collect::<Vec<_>>()})
}

/// Delivers a batch to the function, which must process all of it, and returns the duration.
async fn handed(far: &FarAway, tasks: std::ops::Range<usize>) -> SignedDuration {
    let now = far.time.now();
    let payload = starts(tasks.clone(), now).to_string();
    let handled = far.function.handle(&payload, now + SignedDuration::from_secs(30)).await;
    let (Response::Batch(response), counts) = handled.unwrap() else { panic!("it was a batch") };
    assert_eq!((response.batch_item_failures.len(), counts.done.get()), (0, tasks.len() as u64));
    far.time.now().duration_since(now)
}

#[test]
fn a_hundred_jobs_that_start_on_new_tasks_take_a_store_a_call_and_a_store() {
    let time = Time::new();
    let function = function(&time);
    let took = time.run(handed(&function, 0..100));
    println!("100 starts on new tasks, ECS and the state store take {LATENCY:?} each: {took:#}");
    assert_eq!(took, SignedDuration::try_from(LATENCY).unwrap() * 3);
}

#[test]
fn with_enough_to_do_all_calls_are_sent_that_ecs_takes_and_none_that_it_throttles() {
    let time = Time::new();
    let function = function(&time);
    time.run(async {
        for batch in 0..3 {
            handed(&function, batch * 10_000..(batch + 1) * 10_000).await;
        }
    });
    let bucket = function.ecs.bucket.lock().unwrap();
    assert_eq!((bucket.taken.len(), bucket.throttled), (3_000, 0));
    // From the first call that finds the bucket empty to the last call of a batch. No calls are sent between two
    // batches.
    for calls in bucket.taken.chunks(1_000) {
        let (steady, last) = (calls[400], calls[999]);
        let per_second = 599.0 / last.duration_since(steady).as_secs_f64();
        println!("10,000 starts, after the burst: {per_second:.2} calls a second of {PER_SECOND}, none throttled");
        assert!(per_second >= 0.95 * PER_SECOND as f64, "{per_second} calls a second");
    }
}

#[test]
fn where_others_take_from_the_same_bucket_a_throttled_call_slows_it_down() {
    let time = Time::new();
    let function = function(&time);
    // Other callers have just emptied it.
    function.ecs.bucket.lock().unwrap().thousandths = 0;
    let took = time.run(handed(&function, 0..1_000));
    let bucket = function.ecs.bucket.lock().unwrap();
    println!("100 calls on an empty bucket: {} throttled, all sent after {took:#}", bucket.throttled);
    assert_eq!(bucket.taken.len(), 100);
    assert!(bucket.throttled <= 60, "{} throttled calls for 100", bucket.throttled);
}
