//! The ledger in memory: for local runs, `sam local invoke` and tests. One function instance remembers as long as it lives.

use super::{Ledger, LedgerError, Stored, Versioned};
use crate::clock::Clock;
use crate::ecs::Task;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries in a map. Cloning shares them.
#[derive(Clone, Debug)]
pub struct InMemoryLedger<C> {
    kept: Arc<Mutex<Kept>>,
    clock: C,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Task, (Versioned, Timestamp)>,
    /// At this size the expired entries are swept out; doubled from what remains, so that a store costs O(1) on average.
    sweep_at: usize,
}

/// Below this many entries nothing is swept: they cost a few hundred bytes each.
const SWEEP_AT_MIN: usize = 1024;

impl<C: Clock> InMemoryLedger<C> {
    /// An empty ledger. The clock tells which entries have expired.
    pub fn new(clock: C) -> Self {
        Self { kept: Arc::default(), clock }
    }

    /// How many entries are kept, expired ones included that were not swept out yet.
    pub fn len(&self) -> usize {
        self.kept().entries.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere cannot leave a half-made entry: each is replaced whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Clock> Ledger for InMemoryLedger<C> {
    async fn load(&self, task: &Task) -> Result<Versioned, LedgerError> {
        Ok(self.kept().entries.get(task).map(|(versioned, _)| versioned.clone()).unwrap_or_default())
    }

    async fn store(&self, task: &Task, versioned: &Versioned, keep_until: Timestamp) -> Result<Stored, LedgerError> {
        let now = self.clock.now();
        let mut kept = self.kept();
        let current = kept.entries.get(task).map_or(0, |(versioned, _)| versioned.version);
        if current != versioned.version {
            return Ok(Stored::Conflict);
        }
        let version = current + 1;
        let stored = Versioned { entry: versioned.entry.clone(), version };
        kept.entries.insert(task.clone(), (stored, keep_until));
        if kept.entries.len() > kept.sweep_at.max(SWEEP_AT_MIN) {
            kept.entries.retain(|_, (_, keep_until)| *keep_until > now);
            kept.sweep_at = kept.entries.len() * 2;
        }
        Ok(Stored::As(version))
    }
}
