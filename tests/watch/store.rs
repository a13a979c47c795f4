//! The state store in memory, which survives the function's death as a durable one would. Each call is a point at
//! which an invocation can die (`steps.rs`), and fails if a test wants it to.

use super::parts::{SimulatedClock, locked};
use super::steps::Steps;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use taskhold::ecs::arn::Task;
use taskhold::ecs::service::{Page, ServiceArn};
use taskhold::service::record::ServiceRecord;
use taskhold::store::error::StoreError;
use taskhold::store::memory::MemoryStore;
use taskhold::store::{Store, StorePages, Stored, Versioned};
use taskhold::task::record::TaskRecord;

/// For each record its size as JSON in bytes, and the time from which it may be deleted.
pub(crate) type Sizes = Arc<Mutex<BTreeMap<String, (usize, Timestamp)>>>;

#[derive(Clone, Debug)]
pub(crate) struct SteppedStore {
    pub(crate) kept: MemoryStore<SimulatedClock>,
    pub(crate) steps: Steps,
    /// This many of the next calls fail without effect.
    pub(crate) failures: Arc<Mutex<u32>>,
    /// The sizes of the records, if a test needs them.
    pub(crate) sizes: Option<Sizes>,
}

impl SteppedStore {
    pub(crate) fn new(kept: MemoryStore<SimulatedClock>, steps: Steps) -> Self {
        Self { kept, steps, failures: Arc::default(), sizes: None }
    }

    async fn begin(&self, what: &str) -> Result<(), StoreError> {
        self.steps.point("before", what).await;
        let mut failures = locked(&self.failures);
        if *failures == 0 {
            return Ok(());
        }
        *failures -= 1;
        Err(StoreError::Unexpected("connection reset".to_owned()))
    }

    fn measure(&self, stored: &Result<Stored, StoreError>, what: (String, &impl Serialize, Timestamp)) {
        if let (Some(sizes), Ok(Stored::As(_))) = (&self.sizes, stored) {
            let (key, record, keep_until) = what;
            let bytes = serde_json::to_string(record).unwrap().len();
            locked(sizes).insert(key, (bytes, keep_until));
        }
    }
}

impl Store<TaskRecord> for SteppedStore {
    async fn load(&self, task: &Task) -> Result<Versioned<TaskRecord>, StoreError> {
        self.begin("a load of a task").await?;
        Store::<TaskRecord>::load(&self.kept, task).await
    }

    async fn put(
        &self,
        task: &Task,
        versioned: &Versioned<TaskRecord>,
        keep_until: Timestamp,
    ) -> Result<Stored, StoreError> {
        self.begin("a store of a task").await?;
        let stored = self.kept.put(task, versioned, keep_until).await;
        self.measure(&stored, (task.to_string(), &versioned.record, keep_until));
        self.steps.point("after", "a store of a task").await;
        stored
    }
}

impl Store<ServiceRecord> for SteppedStore {
    async fn load(&self, service: &ServiceArn) -> Result<Versioned<ServiceRecord>, StoreError> {
        self.begin("a load of a service").await?;
        Store::<ServiceRecord>::load(&self.kept, service).await
    }

    async fn put(
        &self,
        service: &ServiceArn,
        versioned: &Versioned<ServiceRecord>,
        keep_until: Timestamp,
    ) -> Result<Stored, StoreError> {
        self.begin("a store of a service").await?;
        let stored = self.kept.put(service, versioned, keep_until).await;
        self.measure(&stored, (service.to_string(), &versioned.record, keep_until));
        self.steps.point("after", "a store of a service").await;
        stored
    }
}

impl StorePages<TaskRecord> for SteppedStore {
    async fn page(&self, token: Option<&str>) -> Result<Page<(Task, Versioned<TaskRecord>)>, StoreError> {
        self.begin("a page of tasks").await?;
        StorePages::<TaskRecord>::page(&self.kept, token).await
    }
}

impl StorePages<ServiceRecord> for SteppedStore {
    async fn page(&self, token: Option<&str>) -> Result<Page<(ServiceArn, Versioned<ServiceRecord>)>, StoreError> {
        self.begin("a page of services").await?;
        StorePages::<ServiceRecord>::page(&self.kept, token).await
    }
}
