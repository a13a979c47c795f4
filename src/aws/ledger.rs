//! Which ledger the function has.

use super::dynamodb::{DynamoDbLedger, Tabled};
use crate::clock::Clock;
use crate::ledger::{EntryPage, InMemoryLedger, Ledger, LedgerError, LedgerPages, Stored, Versioned};
use aws_config::SdkConfig;
use jiff::Timestamp;

/// The ledger in a table, or where no table is named the one in memory.
///
/// The SDK's calls are kilobytes each and in boxes, here and in [`super::AwsEcs`]: what waits for them is handed from list to list.
#[derive(Clone, Debug)]
pub enum AwsLedger<C> {
    /// Lasts as long as this instance of the function, which must be the only one.
    InMemory(InMemoryLedger<C>),
    /// Lasts, and is shared by all instances.
    DynamoDb(DynamoDbLedger<C>),
}

impl<C: Clock> AwsLedger<C> {
    /// The ledger in the table of this name, if there is one.
    pub fn new(config: &SdkConfig, table: Option<String>, clock: C) -> Self {
        match table {
            Some(table) => Self::DynamoDb(DynamoDbLedger::new(config, table, clock)),
            None => Self::InMemory(InMemoryLedger::new(clock)),
        }
    }
}

impl<R: Tabled, C: Clock> Ledger<R> for AwsLedger<C>
where
    InMemoryLedger<C>: Ledger<R>,
{
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, LedgerError> {
        match self {
            Self::InMemory(ledger) => ledger.load(key).await,
            Self::DynamoDb(ledger) => Box::pin(ledger.load(key)).await,
        }
    }

    async fn store(
        &self,
        key: &R::Key,
        versioned: &Versioned<R>,
        keep_until: Timestamp,
    ) -> Result<Stored, LedgerError> {
        match self {
            Self::InMemory(ledger) => ledger.store(key, versioned, keep_until).await,
            Self::DynamoDb(ledger) => Box::pin(ledger.store(key, versioned, keep_until)).await,
        }
    }

    fn may_be_absent(&self, key: &R::Key) -> bool {
        match self {
            Self::InMemory(ledger) => Ledger::<R>::may_be_absent(ledger, key),
            Self::DynamoDb(ledger) => Ledger::<R>::may_be_absent(ledger, key),
        }
    }
}

impl<R: Tabled, C: Clock> LedgerPages<R> for AwsLedger<C>
where
    InMemoryLedger<C>: LedgerPages<R>,
{
    async fn page(&self, token: Option<&str>) -> Result<EntryPage<R>, LedgerError> {
        match self {
            Self::InMemory(ledger) => ledger.page(token).await,
            Self::DynamoDb(ledger) => ledger.page(token).await,
        }
    }
}
