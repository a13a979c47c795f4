//! The ledger in memory: for local runs, `sam local invoke` and tests. One function instance remembers as long as it lives.

use super::{Ledger, LedgerError, Stored, Version, Versioned};
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
    /// The stores of all entries: counted together, no version comes again when an entry was forgotten.
    stores: Version,
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
        kept.stores += 1;
        let version = kept.stores;
        let stored = Versioned { entry: versioned.entry.clone(), version };
        kept.entries.insert(task.clone(), (stored, keep_until));
        if kept.entries.len() > kept.sweep_at.max(SWEEP_AT_MIN) {
            kept.entries.retain(|_, (_, keep_until)| *keep_until > now);
            kept.sweep_at = kept.entries.len() * 2;
        }
        Ok(Stored::As(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::ClusterArn;
    use futures_util::FutureExt;
    use std::time::Duration;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(1_700_000_000).unwrap()
        }

        async fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn a_version_does_not_come_again_when_its_entry_was_forgotten() {
        let cluster = Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse::<ClusterArn>().unwrap());
        let task = |number: usize| Task { cluster: cluster.clone(), id: format!("{number:032x}").parse().unwrap() };
        let ledger = InMemoryLedger::new(Noon);
        let expired = Noon.now() - jiff::SignedDuration::from_secs(1);
        let store = |number, versioned: &Versioned| {
            ledger.store(&task(number), versioned, expired).now_or_never().unwrap().unwrap()
        };
        let Stored::As(version) = store(0, &Versioned::default()) else { panic!("nobody else stores") };
        let loaded_before = Versioned { version, ..Versioned::default() };
        (1..=SWEEP_AT_MIN).for_each(|number| assert_ne!(store(number, &Versioned::default()), Stored::Conflict));
        assert_ne!(store(0, &Versioned::default()), Stored::Conflict, "it was swept out");
        assert_eq!(store(0, &loaded_before), Stored::Conflict);
    }
}
