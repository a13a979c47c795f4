//! The state store in memory, which survives the function's death as a durable one would, with the sizes of its records.

use super::parts::locked;
use async_trait::async_trait;
use ecs_sim::doubles::clock::SimulatedClock;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use taskhold::page::Page;
use taskhold::store::error::StoreError;
use taskhold::store::memory::MemoryStore;
use taskhold::store::{Record, Store, StorePages, Stored, Versioned};

/// For each record its size as JSON in bytes, and the time from which it may be deleted.
pub(crate) type Sizes = Arc<Mutex<BTreeMap<String, (usize, Timestamp)>>>;

#[derive(Clone)]
pub(crate) struct MeasuredStore {
    pub(crate) kept: MemoryStore,
    /// The sizes of the records.
    pub(crate) sizes: Sizes,
    /// Stores, including those that another instance was faster than.
    pub(crate) stores: Arc<AtomicUsize>,
}

impl MeasuredStore {
    /// An empty store with this clock.
    pub(crate) fn at(clock: SimulatedClock) -> Self {
        Self { kept: MemoryStore::new(Arc::new(clock)), sizes: Sizes::default(), stores: Arc::default() }
    }
}

#[async_trait]
impl<R: Record + Serialize> Store<R> for MeasuredStore {
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, StoreError> {
        self.kept.load(key).await
    }

    async fn put(&self, key: &R::Key, versioned: &Versioned<R>, keep_until: Timestamp) -> Result<Stored, StoreError> {
        self.stores.fetch_add(1, Ordering::Relaxed);
        let stored = self.kept.put(key, versioned, keep_until).await;
        if let Ok(Stored::As(_)) = &stored {
            let bytes = serde_json::to_string(&versioned.record).unwrap().len();
            locked(&self.sizes).insert(key.to_string(), (bytes, keep_until));
        }
        stored
    }
}

#[async_trait]
impl<R: Record + Serialize> StorePages<R> for MeasuredStore {
    async fn page(&self, token: Option<&str>) -> Result<Page<(R::Key, Versioned<R>)>, StoreError> {
        self.kept.page(token).await
    }
}
