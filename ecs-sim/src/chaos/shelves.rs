//! The tables of the simulated database.

use jiff::Timestamp;
use std::collections::BTreeMap;
use taskhold::service::record::ServiceRecord;
use taskhold::service::remediation::RaiseStage;
use taskhold::store::{Record, Version, Versioned};
use taskhold::task::record::TaskRecord;

/// The tables.
#[derive(Default)]
pub(super) struct Shelves {
    pub(super) tasks: Shelf<TaskRecord>,
    pub(super) services: Shelf<ServiceRecord>,
}

/// One table, sorted by the text of its keys.
pub(super) struct Shelf<R: Record> {
    pub(super) kept: BTreeMap<String, StoredRecord<R>>,
    /// Counted over all records, so that a record that expired does not reuse a version.
    pub(super) stores: Version,
    /// The key stored last, which the index does not contain yet.
    pub(super) stored_last: Option<String>,
}

/// A record as its table holds it.
pub(super) struct StoredRecord<R: Record> {
    pub(super) key: R::Key,
    pub(super) versioned: Versioned<R>,
    pub(super) keep_until: Timestamp,
}

impl<R: Record> Default for Shelf<R> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), stores: 0, stored_last: None }
    }
}

impl<R: Record> Shelf<R> {
    pub(super) fn load(&self, key: &R::Key) -> Versioned<R> {
        self.kept.get(&key.to_string()).map(|kept| kept.versioned.clone()).unwrap_or_default()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (&R::Key, &R)> {
        self.kept.values().map(|kept| (&kept.key, &kept.versioned.record))
    }
}

impl Shelves {
    /// Whether a raise of the service's desired count to this value may have been sent, or is about
    /// to be. ECS cannot distinguish such a
    /// raise from another actor that sets the same count.
    pub(super) fn may_be_raised_to(&self, service: &str, count: u32) -> bool {
        let mut raises = self.services.records().filter(|(arn, _)| arn.name == service);
        let raise = raises.find_map(|(_, record)| record.remediation.raised.as_ref());
        raise.is_some_and(|raise| raise.stage != RaiseStage::Raising && raise.to == count)
    }
}
