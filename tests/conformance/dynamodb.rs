//! The state store in DynamoDB, on the emulator that `make test-e2e` starts.
//!
//! Limits of the emulator: it never deletes expired items ([`Forgetful`] does), its index is never behind its
//! table, it throttles no calls and loses no answers. `tests/contract_dynamodb.rs` covers the last two.

use super::{after, set_clock};
use crate::e2e::table::{Table, sdk_config};
use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use ecs_sim::doubles::clock::SetClock;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use taskhold::aws::dynamodb::DynamoDbStore;
use taskhold::aws::dynamodb::table_record::TableRecord;
use taskhold::clock::Clock;
use taskhold::ecs::service::ServiceArn;
use taskhold::service::record::ServiceRecord;
use taskhold::store::error::StoreError;
use taskhold::store::{RecordPage, Store, StorePages, Stored, Versioned};

/// The state store on a new table.
pub(crate) async fn table_store(clock: SetClock) -> DynamoDbStore {
    let table = Table::create().await;
    DynamoDbStore::new(&sdk_config().await, table.name, Arc::new(clock))
}

/// The state store on a new table whose items are deleted as soon as they expire. DynamoDB takes up to days.
pub(crate) async fn forgetful_store(clock: SetClock) -> Forgetful {
    let table = Table::create().await;
    let store = DynamoDbStore::new(&sdk_config().await, table.name.clone(), Arc::new(clock.clone()));
    Forgetful { store, table, clock }
}

/// Deletes an expired item before it is read or stored again, by a clock that is one hour ahead.
pub(crate) struct Forgetful {
    store: DynamoDbStore,
    table: Table,
    clock: SetClock,
}

impl Forgetful {
    async fn forget(&self, key: &str) {
        let key = AttributeValue::S(key.to_owned());
        let call = self.table.client.get_item().table_name(&self.table.name).key("key", key.clone());
        let Some(item) = call.consistent_read(true).send().await.unwrap().item else { return };
        let expires: i64 = item["expires"].as_n().unwrap().parse().unwrap();
        if expires <= self.clock.now().as_second() + 60 * 60 {
            self.table.client.delete_item().table_name(&self.table.name).key("key", key).send().await.unwrap();
        }
    }
}

#[async_trait]
impl<R: TableRecord> Store<R> for Forgetful {
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, StoreError> {
        self.forget(&key.to_string()).await;
        self.store.load(key).await
    }

    async fn put(&self, key: &R::Key, versioned: &Versioned<R>, keep_until: Timestamp) -> Result<Stored, StoreError> {
        self.forget(&key.to_string()).await;
        self.store.put(key, versioned, keep_until).await
    }
}

#[async_trait]
impl<R: TableRecord> StorePages<R> for Forgetful {
    async fn page(&self, token: Option<&str>) -> Result<RecordPage<R>, StoreError> {
        self.store.page(token).await
    }
}

#[tokio::test]
#[ignore = "needs an emulator: make test-e2e"]
async fn what_is_more_than_a_page_of_one_shard_is_on_the_pages_after_it() {
    let clock = set_clock();
    let store = table_store(clock.clone()).await;
    let cluster = Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap());
    let refused = "6b777c1809a94925ab48098fa09824de".parse().unwrap();
    let record = ServiceRecord { refused: BTreeSet::from([refused]), ..ServiceRecord::default() };
    let mut expected = BTreeMap::new();
    for number in 0..450 {
        let service = ServiceArn::new(Arc::clone(&cluster), &format!("web-{number}")).unwrap();
        let stored = store.put(&service, &Versioned { record: record.clone(), version: 0 }, after(&clock, 60)).await;
        let Stored::As(version) = stored.unwrap() else { panic!("no other writer") };
        expected.insert(service, Versioned { record: record.clone(), version });
    }
    let (mut listed, mut pages, mut token) = (BTreeMap::new(), Vec::new(), None);
    while pages.is_empty() || token.is_some() {
        let page: RecordPage<ServiceRecord> = store.page(token.as_deref()).await.unwrap();
        pages.push(page.items.len());
        listed.extend(page.items);
        token = page.next_token;
    }
    assert_eq!(listed, expected);
    assert_eq!(pages.iter().sum::<usize>(), expected.len(), "none came twice");
    assert_eq!(pages, [200, 200, 50]);
}
