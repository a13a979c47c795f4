//! The state store in a DynamoDB table.
//!
//! Each task and each service has one item with its whole record: a load is one `GetItem`, a store one
//! `PutItem` on the condition that the version is still the loaded one. A sparse index lists the open
//! records. [`item`] describes the items and why versions never repeat, [`index`] how the index is read,
//! [`failure`] what may follow a failed call.

pub mod failure;
pub mod index;
pub mod item;
pub mod known_keys;
pub mod table_record;

use crate::aws::dynamodb::failure::{Again, TableFailure};
use crate::aws::dynamodb::index::Place;
use crate::aws::dynamodb::item::Item;
use crate::aws::dynamodb::known_keys::KnownKeys;
use crate::aws::dynamodb::table_record::TableRecord;
use crate::clock::Clock;
use crate::page::Page;
use crate::store::error::StoreError;
use crate::store::{RecordPage, Store, StorePages, Stored, Version, Versioned};
use async_trait::async_trait;
use tracing::warn;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Keys per page. Between two pages a sweep checks its remaining time; it asks ECS about a hundred tasks per
/// call.
const PAGE: i32 = 200;
/// How many records of a page are loaded concurrently.
const LOADS_AT_ONCE: usize = 32;
/// The pause before the second attempt. A throttled partition accepts calls again within a second; a longer
/// wait is better spent in the queue.
const PAUSE: Duration = Duration::from_millis(200);

/// Records of tasks and services in one table.
#[derive(Clone)]
pub struct DynamoDbStore {
    client: Client,
    table: String,
    clock: Arc<dyn Clock>,
    known_keys: Arc<KnownKeys>,
}

impl DynamoDbStore {
    /// Makes a client that shares its connections between all calls. The clock numbers the versions and
    /// decides which items have expired.
    pub fn new(config: &SdkConfig, table: String, clock: Arc<dyn Clock>) -> Self {
        Self { client: Client::new(config), table, clock, known_keys: Arc::default() }
    }

    async fn get(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let attempt = || async {
            let call = self.client.get_item().table_name(&self.table).consistent_read(true);
            let answer = call.key(item::KEY, AttributeValue::S(key.to_owned())).send().await;
            answer.map(|answer| answer.item).map_err(|error| TableFailure::of(&error, &self.table))
        };
        self.twice(attempt, &[Again::AnyCall, Again::Read]).await
    }

    /// Stores an item if the stored version is still `version`. Returns whether it was.
    async fn put_item(&self, item: &Item, version: Version) -> Result<bool, StoreError> {
        let attempt = || async {
            let call = self.client.put_item().table_name(&self.table).set_item(Some(item.clone()));
            let call = match version {
                0 => call
                    .condition_expression("attribute_not_exists(#key)")
                    .expression_attribute_names("#key", item::KEY),
                version => call
                    .condition_expression("#version = :version")
                    .expression_attribute_names("#version", item::VERSION)
                    .expression_attribute_values(":version", AttributeValue::N(version.to_string())),
            };
            match call.send().await {
                Ok(_) => Ok(true),
                Err(error) if failure::is_conflict(&error) => Ok(false),
                Err(error) => Err(TableFailure::of(&error, &self.table)),
            }
        };
        self.twice(attempt, &[Again::AnyCall]).await
    }

    /// The keys at a place of the index. The token of the page is the key after which this shard continues.
    async fn keys(&self, shard: &str, place: &Place) -> Result<Page<String>, StoreError> {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let start = place.after.as_ref().map(|key| {
            [(item::KEY, key.as_str()), (item::OPEN, shard)].map(|(name, value)| (name.to_owned(), text(value))).into()
        });
        let attempt = || async {
            let call = self.client.query().table_name(&self.table).index_name(index::NAME).limit(PAGE);
            let call = call.key_condition_expression("#open = :open").expression_attribute_names("#open", item::OPEN);
            let call = call.expression_attribute_values(":open", text(shard)).set_exclusive_start_key(start.clone());
            call.send().await.map_err(|error| TableFailure::of(&error, &self.table))
        };
        let answer = self.twice(attempt, &[Again::AnyCall, Again::Read]).await?;
        let key = |item: &Item| item.get(item::KEY).and_then(|key| key.as_s().ok()).cloned();
        let next_token = answer.last_evaluated_key().and_then(key);
        Ok(Page { items: answer.items().iter().filter_map(key).collect(), next_token })
    }

    /// The record of a key that the index lists, if it is still open and has not expired.
    async fn open_record<R: TableRecord>(&self, key: &str) -> Result<Option<(R::Key, Versioned<R>)>, StoreError> {
        let Some(item) = self.get(key).await? else { return Ok(None) };
        if item::has_expired(&item, self.clock.now()) {
            return Ok(None);
        }
        match item::keyed::<R>(key, &item) {
            Ok(found) => Ok(Some(found).filter(|(_, versioned)| versioned.record.is_open())),
            Err(error) => {
                warn!(failure = %error, "skipping an unreadable record");
                Ok(None)
            }
        }
    }

    /// Makes a second attempt if the first one failed in one of these ways. The SDK would make more attempts,
    /// also after a time-out: a store whose answer was lost may have succeeded, and a second one would then
    /// find its own version and report a conflict.
    async fn twice<T, F>(&self, attempt: impl Fn() -> F, may_follow: &[Again]) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, TableFailure>>,
    {
        match attempt().await {
            Err(failure) if may_follow.contains(&failure.again) => {
                self.clock.sleep(PAUSE).await;
                attempt().await.map_err(|failure| failure.error)
            }
            attempted => attempted.map_err(|failure| failure.error),
        }
    }
}

#[async_trait]
impl<R: TableRecord> Store<R> for DynamoDbStore {
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, StoreError> {
        self.known_keys.add(key);
        // Even if it has expired: until DynamoDB deletes the item, its version counts.
        match self.get(&key.to_string()).await? {
            Some(item) => item::versioned(&key.to_string(), &item),
            None => Ok(Versioned::default()),
        }
    }

    async fn put(&self, key: &R::Key, versioned: &Versioned<R>, keep_until: Timestamp) -> Result<Stored, StoreError> {
        self.known_keys.add(key);
        let now = self.clock.now();
        let version = item::version_after(versioned.version, now);
        let item = item::of(&key.to_string(), &versioned.record, version, now, keep_until)?;
        let kept = self.put_item(&item, versioned.version).await?;
        Ok(if kept { Stored::As(version) } else { Stored::Conflict })
    }

    fn may_be_absent(&self, key: &R::Key) -> bool {
        !self.known_keys.contains(key)
    }
}

#[async_trait]
impl<R: TableRecord> StorePages<R> for DynamoDbStore {
    async fn page(&self, token: Option<&str>) -> Result<RecordPage<R>, StoreError> {
        let place = Place::of_token(token)?;
        let keys = self.keys(&index::shard_name::<R>(place.shard), &place).await?;
        // Collected before the first is polled: the compiler cannot infer a closure over borrowed keys in a
        // stream.
        let loads: Vec<_> = keys.items.iter().map(|key| self.open_record::<R>(key)).collect();
        let loaded: Vec<_> = stream::iter(loads).buffered(LOADS_AT_ONCE).try_collect().await?;
        let next_token = place.next::<R>(keys.next_token).map(|next| next.to_string());
        Ok(Page { items: loaded.into_iter().flatten().collect(), next_token })
    }
}
