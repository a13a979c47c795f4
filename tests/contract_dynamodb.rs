//! The state store's adapter against a DynamoDB with canned answers: the exact requests, and the result of every
//! answer, above all the answers that no emulator gives.
//!
//! `tests/conformance.rs` tests the promises of a state store.

mod pages;

use crate::canned_http::{CONNECTION_LOST, Calls, HttpReply, SentCall, serve};
use crate::simulated::sdk_config;
use async_trait::async_trait;
use ecs_sim::control_plane::Variants;
use ecs_sim::doubles::ecs::SimulatedEcs;
use ecs_sim::doubles::parts::parts;
use ecs_sim::doubles::settings::config;
use ecs_sim::region::{Region, SharedRegion};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use taskhold::aws::dynamodb::DynamoDbStore;
use taskhold::clock::Clock;
use taskhold::ecs::arn::Task;
use taskhold::ecs::error::Disposition;
use taskhold::lambda::function::{Function, Parts, Response};
use taskhold::store::error::StoreError;
use taskhold::store::{Store, Stored, Versioned};
use taskhold::task::job::{Job, JobKey};
use taskhold::task::record::TaskRecord;

const TASK: &str = "arn:aws:ecs:eu-west-1:111122223333:task/video/6b777c1809a94925ab48098fa09824de";
const NOW_MS: i64 = 1_790_000_000_123;

/// A clock that stands still and records how long the adapter waits.
#[derive(Clone, Debug, Default)]
struct StoppedClock(Arc<Mutex<Vec<Duration>>>);

#[async_trait]
impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(NOW_MS).unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}

fn now() -> Timestamp {
    StoppedClock::default().now()
}

fn task() -> Task {
    TASK.parse().unwrap()
}

/// The state store on a canned DynamoDB, the requests, and how long the state store waits.
struct CannedStore {
    store: DynamoDbStore,
    calls: Calls,
    clock: StoppedClock,
}

impl CannedStore {
    async fn new(respond: impl FnMut(&SentCall) -> HttpReply + Send + 'static) -> Self {
        let (endpoint, calls) = serve(respond);
        let (config, clock) = (sdk_config(&endpoint).await, StoppedClock::default());
        Self { store: DynamoDbStore::new(&config, "store".to_owned(), Arc::new(clock.clone())), calls, clock }
    }

    /// A DynamoDB that gives these answers in order.
    async fn answering(answers: impl Into<Vec<HttpReply>>) -> Self {
        let mut answers = answers.into().into_iter();
        Self::new(move |call| answers.next().unwrap_or_else(|| panic!("one more than expected: {call:?}"))).await
    }

    async fn load(&self) -> Result<Versioned<TaskRecord>, StoreError> {
        self.store.load(&task()).await
    }

    async fn put(&self, versioned: &Versioned<TaskRecord>) -> Result<Stored, StoreError> {
        self.store.put(&task(), versioned, now() + SignedDuration::from_hours(24)).await
    }

    fn calls(&self) -> Vec<SentCall> {
        self.calls.lock().unwrap().clone()
    }

    /// The request, which must be one call of this operation.
    fn the_call(&self, operation: &str) -> Value {
        let calls = self.calls();
        let [call] = calls.as_slice() else { panic!("it is sent exactly once: {calls:?}") };
        assert_eq!(call.operation, operation);
        call.body.clone()
    }
}

/// A record with a running job.
fn busy() -> TaskRecord {
    let mut record = TaskRecord::default();
    let key = JobKey { job_id: "j".to_owned(), attempt: 1 };
    record.merge_job(&key, &Job { declared_until: Some(now()), ..Job::default() });
    record
}

fn closed() -> TaskRecord {
    let mut record = busy();
    record.stop(now());
    record
}

fn json_of(record: &TaskRecord) -> String {
    serde_json::to_string(record).unwrap()
}

fn item(record: &str) -> Value {
    json!({"key": {"S": TASK}, "version": {"N": "17"}, "schema": {"N": "1"}, "record": {"S": record}, "expires": {"N": "1790100000"}})
}

/// The answer to a load.
fn found(item: &Value) -> HttpReply {
    HttpReply::Output(json!({"Item": item}))
}

fn nothing() -> HttpReply {
    HttpReply::Output(json!({}))
}

#[tokio::test]
async fn a_load_reads_one_item_consistently() {
    let stage = CannedStore::answering([found(&item(&json_of(&busy())))]).await;
    assert_eq!(stage.load().await, Ok(Versioned { record: busy(), version: 17 }));
    let expected = json!({"TableName": "store", "Key": {"key": {"S": TASK}}, "ConsistentRead": true});
    assert_eq!(stage.the_call("GetItem"), expected);
}

#[tokio::test]
async fn an_item_that_is_not_there_is_an_empty_record_of_version_zero() {
    assert_eq!(CannedStore::answering([nothing()]).await.load().await, Ok(Versioned::default()));
}

#[tokio::test]
async fn the_first_store_puts_a_whole_item_if_there_is_none() {
    let stage = CannedStore::answering([nothing()]).await;
    let stored = stage.put(&Versioned { record: busy(), version: 0 }).await;
    assert_eq!(stored, Ok(Stored::As(NOW_MS.unsigned_abs())));
    let a_day_and_an_hour = 25 * 60 * 60;
    let shard = stage.the_call("PutItem")["Item"]["open"]["S"].as_str().unwrap().to_owned();
    assert!(shard.starts_with("task#"), "{shard}");
    let expected = json!({
        "TableName": "store",
        "Item": {
            "key": {"S": TASK},
            "version": {"N": NOW_MS.to_string()},
            "schema": {"N": "1"},
            "record": {"S": json_of(&busy())},
            "expires": {"N": (NOW_MS / 1000 + 1 + a_day_and_an_hour).to_string()},
            "open": {"S": shard},
        },
        "ConditionExpression": "attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": "key"},
    });
    assert_eq!(stage.the_call("PutItem"), expected);
}

#[tokio::test]
async fn a_later_store_puts_the_item_if_it_is_still_at_the_version_that_was_loaded() {
    let stage = CannedStore::answering([nothing()]).await;
    stage.put(&Versioned { record: closed(), version: 17 }).await.unwrap();
    let call = stage.the_call("PutItem");
    assert_eq!(call["ConditionExpression"], "#version = :version");
    assert_eq!(call["ExpressionAttributeNames"], json!({"#version": "version"}));
    assert_eq!(call["ExpressionAttributeValues"], json!({":version": {"N": "17"}}));
    assert!(call["Item"].get("open").is_none(), "a closed record is not in the index: {call}");
}

#[tokio::test]
async fn a_version_is_the_time_or_one_more_than_the_last_where_the_clock_is_behind() {
    let now = NOW_MS.unsigned_abs();
    for (before, after) in [(0, now), (now - 1, now), (now, now + 1), (now + 5000, now + 5001)] {
        let stage = CannedStore::answering([nothing()]).await;
        assert_eq!(stage.put(&Versioned { record: busy(), version: before }).await, Ok(Stored::As(after)));
    }
}

#[tokio::test]
async fn an_item_is_kept_for_an_hour_at_least_however_soon_it_may_go() {
    let stage = CannedStore::answering([nothing()]).await;
    let keep_until = now() - SignedDuration::from_hours(100);
    stage.store.put(&task(), &Versioned { record: closed(), version: 0 }, keep_until).await.unwrap();
    assert_eq!(stage.the_call("PutItem")["Item"]["expires"]["N"], (NOW_MS / 1000 + 1 + 60 * 60).to_string());
}

/// The record that a start creates before its call is emptied by the answer of ECS. DynamoDB deletes items by `expires`.
#[tokio::test]
async fn the_record_of_a_task_that_ecs_does_not_know_leaves_the_index_and_expires_after_an_hour() {
    let CannedStore { store, calls, clock } = CannedStore::new(|_| nothing()).await;
    let region = SharedRegion::new(Region::for_scenario(Variants::default()));
    let config = config(&region.lock(), std::iter::empty()).unwrap();
    let parts = parts(Arc::new(SimulatedEcs(region)), Arc::new(clock), config);
    let function = Function::new(Parts { task_records: Arc::new(store), ..parts });
    let body = json!({"version": 1, "type": "job.started", "jobId": "j", "taskArn": TASK, "maxDurationMinutes": 2880});
    let record = json!({"messageId": "m", "eventSource": "aws:sqs", "body": body.to_string()});
    let deadline = now() + SignedDuration::from_secs(30);
    let answer = function.handle(&json!({"Records": [record]}).to_string(), deadline).await;
    let (Response::Batch(response), _) = answer.unwrap() else { panic!("it was a batch") };
    assert_eq!(response.batch_item_failures.len(), 1, "it is retried while it is young");
    let calls = calls.lock().unwrap().clone();
    let items: Vec<&Value> =
        calls.iter().filter(|call| call.operation == "PutItem").map(|call| &call.body["Item"]).collect();
    let [with_its_call, emptied] = items[..] else { panic!("{calls:?}") };
    assert!(with_its_call["open"].is_object(), "a sweep settles it if this invocation dies: {with_its_call}");
    assert!(emptied["open"].is_null(), "{emptied}");
    assert_eq!(emptied["expires"]["N"], (NOW_MS / 1000 + 1 + 60 * 60).to_string());
    let record: TaskRecord = serde_json::from_str(emptied["record"]["S"].as_str().unwrap()).unwrap();
    assert!(record.jobs.is_empty() && record.protection.in_flight.is_empty(), "{emptied}");
}

#[tokio::test]
async fn a_task_is_taken_for_a_new_one_until_it_was_loaded_or_stored() {
    let store = CannedStore::answering([nothing(), nothing()]).await;
    assert!(Store::<TaskRecord>::may_be_absent(&store.store, &task()));
    store.load().await.unwrap();
    assert!(!Store::<TaskRecord>::may_be_absent(&store.store, &task()));
    let store = CannedStore::answering([nothing()]).await;
    store.put(&Versioned { record: busy(), version: 0 }).await.unwrap();
    assert!(!Store::<TaskRecord>::may_be_absent(&store.store, &task()));
}

#[tokio::test]
async fn an_item_at_another_version_is_a_conflict_and_no_failure() {
    let stage = CannedStore::answering([HttpReply::Error("ConditionalCheckFailedException", 400)]).await;
    assert_eq!(stage.put(&Versioned { record: busy(), version: 17 }).await, Ok(Stored::Conflict));
    assert_eq!(stage.calls().len(), 1);
}

const THROTTLED: [&str; 3] = ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"];

#[tokio::test]
async fn a_call_that_was_throttled_is_tried_once_more_after_a_moment() {
    for code in THROTTLED {
        let throttled = HttpReply::Error(code, 400);
        let stage = CannedStore::answering([throttled.clone(), nothing()]).await;
        assert!(stage.load().await.is_ok());
        let stage = CannedStore::answering([throttled.clone(), nothing()]).await;
        assert!(matches!(stage.put(&Versioned { record: busy(), version: 17 }).await, Ok(Stored::As(_))));
        let calls = stage.calls();
        assert_eq!(calls[0], calls[1], "the very same");
        let waited = stage.clock.0.lock().unwrap().clone();
        assert!(matches!(waited[..], [pause] if pause < Duration::from_secs(1)), "{waited:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_throttled_again_has_no_effect_and_its_message_is_retried() {
    for code in THROTTLED {
        let throttled = [HttpReply::Error(code, 400), HttpReply::Error(code, 400)];
        let failure = CannedStore::answering(throttled.clone()).await.load().await.unwrap_err();
        assert_eq!((&failure, failure.disposition()), (&StoreError::Throttled, Disposition::Retry));
        let stage = CannedStore::answering(throttled).await;
        assert_eq!(stage.put(&Versioned { record: busy(), version: 17 }).await, Err(StoreError::Throttled));
    }
}

/// Answers that leave the outcome of the call unknown.
fn lost() -> [HttpReply; 4] {
    [
        CONNECTION_LOST,
        HttpReply::Error("InternalServerError", 500),
        HttpReply::Error("ServiceUnavailable", 503),
        HttpReply::Text("<html>bad gateway</html>", 502),
    ]
}

#[tokio::test]
async fn a_load_without_an_answer_is_tried_once_more() {
    for answer in lost() {
        let stage = CannedStore::answering([answer.clone(), found(&item(&json_of(&busy())))]).await;
        assert_eq!(stage.load().await, Ok(Versioned { record: busy(), version: 17 }), "{answer:?}");
        let stage = CannedStore::answering([answer.clone(), answer.clone()]).await;
        let failure = stage.load().await.unwrap_err();
        assert!(failure.to_string().starts_with("the state store failed: table `store`: "), "{failure}");
        assert_eq!(stage.calls().len(), 2);
    }
}

#[tokio::test]
async fn a_store_without_an_answer_may_have_been_kept_so_it_is_neither_repeated_nor_called_a_conflict() {
    for answer in lost() {
        let stage = CannedStore::answering([answer.clone()]).await;
        let failure = stage.put(&Versioned { record: busy(), version: 17 }).await.unwrap_err();
        assert!(matches!(failure, StoreError::Unexpected(_)), "{answer:?}: {failure:?}");
        assert_eq!(stage.calls().len(), 1, "{answer:?}");
        assert!(!failure.to_string().contains("html"), "an answer's body is not repeated: {failure}");
    }
}

#[tokio::test]
async fn a_permanent_failure_is_not_retried_and_is_reported_with_the_table_and_the_message_of_aws() {
    for code in ["AccessDeniedException", "ResourceNotFoundException", "ValidationException", "FromTheFutureException"]
    {
        let expected = StoreError::Unexpected(format!("table `store`: {code}: because of x"));
        let stage = CannedStore::answering([HttpReply::Error(code, 400)]).await;
        assert_eq!(stage.load().await, Err(expected.clone()));
        let stage = CannedStore::answering([HttpReply::Error(code, 400)]).await;
        assert_eq!(stage.put(&Versioned { record: busy(), version: 0 }).await, Err(expected));
    }
}

#[tokio::test]
async fn an_item_that_is_no_record_is_an_error_that_names_it_and_never_an_absent_record() {
    let right = item(&json_of(&busy()));
    let with = |name: &str, value: Value| {
        let mut wrong = right.clone();
        wrong[name] = value;
        wrong
    };
    for wrong in [
        json!({}),
        json!({"key": {"S": TASK}}),
        with("schema", json!({"N": "2"})),
        with("schema", json!({"S": "1"})),
        with("version", json!({"S": "17"})),
        with("version", json!({"N": "0"})),
        with("version", json!({"N": "-1"})),
        with("version", json!({"N": "1.5"})),
        with("record", json!({"NULL": true})),
        with("record", json!({"B": "e30="})),
        with("record", json!({"S": ""})),
        with("record", json!({"S": "{}"})),
        with("record", json!({"S": "{\"jobs\":[{\"job_id\":7}],\"protection\":{}}"})),
    ] {
        let stage = CannedStore::answering([found(&wrong)]).await;
        let failure = stage.load().await.unwrap_err();
        assert!(matches!(&failure, StoreError::Unreadable(key, _) if key == TASK), "{wrong}: {failure:?}");
        assert!(failure.to_string().contains("delete the item"), "the way out: {failure}");
    }
}

#[tokio::test]
async fn fields_that_a_newer_version_has_added_to_a_record_are_ignored() {
    let mut record: Value = serde_json::to_value(busy()).unwrap();
    record["new"] = json!({"a": 1});
    let stage = CannedStore::answering([found(&item(&record.to_string()))]).await;
    assert_eq!(stage.load().await.unwrap().record, busy());
}

/// A record whose JSON has this length.
fn of_length(bytes: usize) -> TaskRecord {
    let with_id = |length: usize| {
        let mut record = TaskRecord::default();
        record.merge_job(&JobKey { job_id: "j".repeat(length), attempt: 1 }, &Job::default());
        record
    };
    let record = with_id(bytes - json_of(&with_id(0)).len());
    assert_eq!(json_of(&record).len(), bytes);
    record
}

#[tokio::test]
async fn a_record_that_is_too_large_for_an_item_is_refused_before_it_is_sent() {
    let largest = 380_000;
    let stage = CannedStore::answering([nothing()]).await;
    assert!(stage.put(&Versioned { record: of_length(largest), version: 0 }).await.is_ok());
    let put = stage.the_call("PutItem")["Item"].to_string().len();
    assert!(put < 400 * 1024, "{put} bytes with all names and more");
    let stage = CannedStore::answering([]).await;
    let refused = stage.put(&Versioned { record: of_length(largest + 1), version: 0 }).await.unwrap_err();
    assert_eq!(refused, StoreError::TooLarge(TASK.to_owned(), largest + 1, largest));
    assert_eq!(refused.disposition(), Disposition::DeadLetter);
}
