//! Selects the state store of the function.

use crate::aws::dynamodb::DynamoDbStore;
use crate::aws::dynamodb::table_record::TableRecord;
use crate::clock::Clock;
use crate::store::error::StoreError;
use crate::store::memory::MemoryStore;
use crate::store::{RecordPage, Store, StorePages, Stored, Versioned};
use async_trait::async_trait;
use aws_config::SdkConfig;
use jiff::Timestamp;
use std::sync::Arc;

/// The state store in the configured table, or in memory if no table is configured.
#[derive(Clone)]
pub enum AwsStore {
    /// Lives as long as this instance of the function, which must be the only one.
    InMemory(MemoryStore),
    /// Durable and shared by all instances.
    DynamoDb(DynamoDbStore),
}

impl AwsStore {
    /// Uses the table of this name, if there is one.
    pub fn new(config: &SdkConfig, table: Option<String>, clock: Arc<dyn Clock>) -> Self {
        match table {
            Some(table) => Self::DynamoDb(DynamoDbStore::new(config, table, clock)),
            None => Self::InMemory(MemoryStore::new(clock)),
        }
    }
}

#[async_trait]
impl<R: TableRecord> Store<R> for AwsStore {
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, StoreError> {
        match self {
            Self::InMemory(store) => store.load(key).await,
            Self::DynamoDb(store) => store.load(key).await,
        }
    }

    async fn put(&self, key: &R::Key, versioned: &Versioned<R>, keep_until: Timestamp) -> Result<Stored, StoreError> {
        match self {
            Self::InMemory(store) => store.put(key, versioned, keep_until).await,
            Self::DynamoDb(store) => store.put(key, versioned, keep_until).await,
        }
    }

    fn may_be_absent(&self, key: &R::Key) -> bool {
        match self {
            Self::InMemory(store) => Store::<R>::may_be_absent(store, key),
            Self::DynamoDb(store) => Store::<R>::may_be_absent(store, key),
        }
    }
}

#[async_trait]
impl<R: TableRecord> StorePages<R> for AwsStore {
    async fn page(&self, token: Option<&str>) -> Result<RecordPage<R>, StoreError> {
        match self {
            Self::InMemory(store) => store.page(token).await,
            Self::DynamoDb(store) => store.page(token).await,
        }
    }
}
