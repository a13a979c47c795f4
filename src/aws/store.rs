//! Selects the state store of the function.

use crate::aws::dynamodb::DynamoDbStore;
use crate::aws::dynamodb::table_record::TableRecord;
use crate::clock::Clock;
use crate::store::error::StoreError;
use crate::store::memory::MemoryStore;
use crate::store::{RecordPage, Store, StorePages, Stored, Versioned};
use aws_config::SdkConfig;
use jiff::Timestamp;

/// The state store in the configured table, or in memory if no table is configured.
///
/// The futures of SDK calls are kilobytes large and therefore boxed, here and in [`crate::aws::ecs::AwsEcs`]:
/// the futures that await them are moved from list to list.
#[derive(Clone, Debug)]
pub enum AwsStore<C> {
    /// Lives as long as this instance of the function, which must be the only one.
    InMemory(MemoryStore<C>),
    /// Durable and shared by all instances.
    DynamoDb(DynamoDbStore<C>),
}

impl<C: Clock> AwsStore<C> {
    /// Uses the table of this name, if there is one.
    pub fn new(config: &SdkConfig, table: Option<String>, clock: C) -> Self {
        match table {
            Some(table) => Self::DynamoDb(DynamoDbStore::new(config, table, clock)),
            None => Self::InMemory(MemoryStore::new(clock)),
        }
    }
}

impl<R: TableRecord, C: Clock> Store<R> for AwsStore<C> {
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, StoreError> {
        match self {
            Self::InMemory(store) => store.load(key).await,
            Self::DynamoDb(store) => Box::pin(store.load(key)).await,
        }
    }

    async fn put(&self, key: &R::Key, versioned: &Versioned<R>, keep_until: Timestamp) -> Result<Stored, StoreError> {
        match self {
            Self::InMemory(store) => store.put(key, versioned, keep_until).await,
            Self::DynamoDb(store) => Box::pin(store.put(key, versioned, keep_until)).await,
        }
    }

    fn may_be_absent(&self, key: &R::Key) -> bool {
        match self {
            Self::InMemory(store) => Store::<R>::may_be_absent(store, key),
            Self::DynamoDb(store) => Store::<R>::may_be_absent(store, key),
        }
    }
}

impl<R: TableRecord, C: Clock> StorePages<R> for AwsStore<C> {
    async fn page(&self, token: Option<&str>) -> Result<RecordPage<R>, StoreError> {
        match self {
            Self::InMemory(store) => store.page(token).await,
            Self::DynamoDb(store) => store.page(token).await,
        }
    }
}
