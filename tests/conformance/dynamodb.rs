//! The ledger in DynamoDB, on the emulator that `make test-e2e` starts.
//!
//! What the emulator does not show: it never deletes what has expired ([`Forgetful`] does), its index is never behind its
//! table, it throttles nothing and loses no answer. The last two are for `tests/contract_dynamodb.rs`.

use super::SetClock;
use super::table::{Table, sdk_config};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use taskhold::aws::{DynamoDbLedger, Tabled};
use taskhold::clock::Clock;
use taskhold::ecs::ServiceArn;
use taskhold::ledger::{EntryPage, Ledger, LedgerError, LedgerPages, ServiceEntry, Stored, Versioned};

/// The ledger on a new table.
pub(crate) async fn ledger(clock: SetClock) -> DynamoDbLedger<SetClock> {
    let table = Table::create().await;
    DynamoDbLedger::new(&sdk_config().await, table.name, clock)
}

/// The ledger on a new table whose items are deleted as soon as they may be. DynamoDB takes up to days.
pub(crate) async fn forgetful_ledger(clock: SetClock) -> Forgetful {
    let table = Table::create().await;
    let ledger = DynamoDbLedger::new(&sdk_config().await, table.name.clone(), clock.clone());
    Forgetful { ledger, table, clock }
}

/// Deletes an item before it is read or stored again, if its time has passed by a clock that is an hour ahead.
#[derive(Debug)]
pub(crate) struct Forgetful {
    ledger: DynamoDbLedger<SetClock>,
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

impl<R: Tabled> Ledger<R> for Forgetful {
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, LedgerError> {
        self.forget(&key.to_string()).await;
        self.ledger.load(key).await
    }

    async fn store(
        &self,
        key: &R::Key,
        versioned: &Versioned<R>,
        keep_until: Timestamp,
    ) -> Result<Stored, LedgerError> {
        self.forget(&key.to_string()).await;
        self.ledger.store(key, versioned, keep_until).await
    }
}

impl<R: Tabled> LedgerPages<R> for Forgetful {
    async fn page(&self, token: Option<&str>) -> Result<EntryPage<R>, LedgerError> {
        self.ledger.page(token).await
    }
}

#[tokio::test]
#[ignore = "needs an emulator: make test-e2e"]
async fn what_is_more_than_a_page_of_one_shard_is_on_the_pages_after_it() {
    let clock = SetClock::new();
    let ledger = ledger(clock.clone()).await;
    let cluster = Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap());
    let refused = "6b777c1809a94925ab48098fa09824de".parse().unwrap();
    let entry = ServiceEntry { refused: BTreeSet::from([refused]), ..ServiceEntry::default() };
    let mut expected = BTreeMap::new();
    for number in 0..450 {
        let service = ServiceArn::new(Arc::clone(&cluster), &format!("web-{number}")).unwrap();
        let stored = ledger.store(&service, &Versioned { entry: entry.clone(), version: 0 }, clock.after(60)).await;
        let Stored::As(version) = stored.unwrap() else { panic!("nobody else is here") };
        expected.insert(service, Versioned { entry: entry.clone(), version });
    }
    let (mut listed, mut pages, mut token) = (BTreeMap::new(), Vec::new(), None);
    while pages.is_empty() || token.is_some() {
        let page: EntryPage<ServiceEntry> = ledger.page(token.as_deref()).await.unwrap();
        pages.push(page.items.len());
        listed.extend(page.items);
        token = page.next_token;
    }
    assert_eq!(listed, expected);
    assert_eq!(pages.iter().sum::<usize>(), expected.len(), "none came twice");
    assert_eq!(pages, [200, 200, 50]);
}
