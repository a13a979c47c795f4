//! The ledger in memory, which outlives the function's death as a durable one would. Each call is a point at which an
//! invocation can die (`steps.rs`), and fails if a test wants it to.

use super::parts::{SimulatedClock, locked};
use super::steps::Steps;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use taskhold::ecs::{Page, ServiceArn, Task};
use taskhold::ledger::{InMemoryLedger, Ledger, LedgerError, LedgerPages, ServiceEntry, Stored, TaskEntry, Versioned};

/// Of each entry its length as JSON, in bytes, and from when on it may be forgotten.
pub(crate) type Sizes = Arc<Mutex<BTreeMap<String, (usize, Timestamp)>>>;

#[derive(Clone, Debug)]
pub(crate) struct SteppedLedger {
    pub(crate) kept: InMemoryLedger<SimulatedClock>,
    pub(crate) steps: Steps,
    /// So many of the next calls fail, and do nothing.
    pub(crate) failures: Arc<Mutex<u32>>,
    /// How large the entries are, if anybody wants to know.
    pub(crate) sizes: Option<Sizes>,
}

impl SteppedLedger {
    pub(crate) fn new(kept: InMemoryLedger<SimulatedClock>, steps: Steps) -> Self {
        Self { kept, steps, failures: Arc::default(), sizes: None }
    }

    async fn begin(&self, what: &str) -> Result<(), LedgerError> {
        self.steps.point("before", what).await;
        let mut failures = locked(&self.failures);
        if *failures == 0 {
            return Ok(());
        }
        *failures -= 1;
        Err(LedgerError::Unexpected("connection reset".to_owned()))
    }

    fn measure(&self, stored: &Result<Stored, LedgerError>, what: (String, &impl Serialize, Timestamp)) {
        if let (Some(sizes), Ok(Stored::As(_))) = (&self.sizes, stored) {
            let (key, entry, keep_until) = what;
            let bytes = serde_json::to_string(entry).unwrap().len();
            locked(sizes).insert(key, (bytes, keep_until));
        }
    }
}

impl Ledger for SteppedLedger {
    async fn load(&self, task: &Task) -> Result<Versioned, LedgerError> {
        self.begin("a load of a task").await?;
        Ledger::<TaskEntry>::load(&self.kept, task).await
    }

    async fn store(&self, task: &Task, versioned: &Versioned, keep_until: Timestamp) -> Result<Stored, LedgerError> {
        self.begin("a store of a task").await?;
        let stored = self.kept.store(task, versioned, keep_until).await;
        self.measure(&stored, (task.to_string(), &versioned.entry, keep_until));
        self.steps.point("after", "a store of a task").await;
        stored
    }
}

impl Ledger<ServiceEntry> for SteppedLedger {
    async fn load(&self, service: &ServiceArn) -> Result<Versioned<ServiceEntry>, LedgerError> {
        self.begin("a load of a service").await?;
        Ledger::<ServiceEntry>::load(&self.kept, service).await
    }

    async fn store(
        &self,
        service: &ServiceArn,
        versioned: &Versioned<ServiceEntry>,
        keep_until: Timestamp,
    ) -> Result<Stored, LedgerError> {
        self.begin("a store of a service").await?;
        let stored = self.kept.store(service, versioned, keep_until).await;
        self.measure(&stored, (service.to_string(), &versioned.entry, keep_until));
        self.steps.point("after", "a store of a service").await;
        stored
    }
}

impl LedgerPages for SteppedLedger {
    async fn page(&self, token: Option<&str>) -> Result<Page<(Task, Versioned)>, LedgerError> {
        self.begin("a page of tasks").await?;
        LedgerPages::<TaskEntry>::page(&self.kept, token).await
    }
}

impl LedgerPages<ServiceEntry> for SteppedLedger {
    async fn page(&self, token: Option<&str>) -> Result<Page<(ServiceArn, Versioned<ServiceEntry>)>, LedgerError> {
        self.begin("a page of services").await?;
        LedgerPages::<ServiceEntry>::page(&self.kept, token).await
    }
}
