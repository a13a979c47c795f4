//! The ledger in memory: for local runs, `sam local invoke` and tests. One function instance remembers as long as it lives.

use super::{EntryPage, Ledger, LedgerError, LedgerPages, Record, ServiceEntry, Stored, TaskEntry, Version, Versioned};
use crate::clock::Clock;
use crate::ecs::{Page, ServiceArn, Task};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries in maps. Cloning shares them.
#[derive(Clone, Debug)]
pub struct InMemoryLedger<C> {
    tasks: Arc<Mutex<Kept<TaskEntry>>>,
    services: Arc<Mutex<Kept<ServiceEntry>>>,
    clock: C,
}

#[derive(Debug)]
struct Kept<R: Record> {
    entries: HashMap<R::Key, (Versioned<R>, Timestamp)>,
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
        Self { tasks: Arc::default(), services: Arc::default(), clock }
    }

    /// How many tasks are kept, expired ones included that were not swept out yet.
    pub fn len(&self) -> usize {
        locked(&self.tasks).entries.len()
    }

    /// Whether no task is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere cannot leave a half-made entry: each is replaced whole.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R: Record> Default for Kept<R> {
    fn default() -> Self {
        Self { entries: HashMap::new(), stores: 0, sweep_at: 0 }
    }
}

impl<R: Record> Kept<R> {
    fn load(&self, key: &R::Key) -> Versioned<R> {
        self.entries.get(key).map(|(versioned, _)| versioned.clone()).unwrap_or_default()
    }

    fn store(&mut self, key: &R::Key, versioned: &Versioned<R>, when: (Timestamp, Timestamp)) -> Stored {
        let (now, keep_until) = when;
        let current = self.entries.get(key).map_or(0, |(versioned, _)| versioned.version);
        if current != versioned.version {
            return Stored::Conflict;
        }
        self.stores += 1;
        let version = self.stores;
        let stored = Versioned { entry: versioned.entry.clone(), version };
        self.entries.insert(key.clone(), (stored, keep_until));
        if self.entries.len() > self.sweep_at.max(SWEEP_AT_MIN) {
            self.entries.retain(|_, (_, keep_until)| *keep_until > now);
            self.sweep_at = self.entries.len() * 2;
        }
        Stored::As(version)
    }
}

/// Entries of one page.
const PAGE: usize = 1000;

impl<R: Record> Kept<R> {
    /// In the order of the keys' texts.
    fn page(&self, token: Option<&str>, now: Timestamp) -> EntryPage<R> {
        let alive = self.entries.iter().filter(|(_, (_, keep_until))| *keep_until > now);
        let open = alive.filter(|(_, (versioned, _))| versioned.entry.is_open());
        let named = open.map(|(key, (versioned, _))| (key.to_string(), key, versioned));
        let mut rest: Vec<_> = named.filter(|(name, ..)| token.is_none_or(|token| name.as_str() > token)).collect();
        rest.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        let next_token = (rest.len() > PAGE).then(|| rest[PAGE - 1].0.clone());
        rest.truncate(PAGE);
        let items = rest.into_iter().map(|(_, key, versioned)| (key.clone(), versioned.clone())).collect();
        Page { items, next_token }
    }
}

impl<C: Clock> LedgerPages for InMemoryLedger<C> {
    async fn page(&self, token: Option<&str>) -> Result<EntryPage<TaskEntry>, LedgerError> {
        Ok(locked(&self.tasks).page(token, self.clock.now()))
    }
}

impl<C: Clock> LedgerPages<ServiceEntry> for InMemoryLedger<C> {
    async fn page(&self, token: Option<&str>) -> Result<EntryPage<ServiceEntry>, LedgerError> {
        Ok(locked(&self.services).page(token, self.clock.now()))
    }
}

impl<C: Clock> Ledger for InMemoryLedger<C> {
    async fn load(&self, task: &Task) -> Result<Versioned, LedgerError> {
        Ok(locked(&self.tasks).load(task))
    }

    async fn store(&self, task: &Task, versioned: &Versioned, keep_until: Timestamp) -> Result<Stored, LedgerError> {
        Ok(locked(&self.tasks).store(task, versioned, (self.clock.now(), keep_until)))
    }
}

impl<C: Clock> Ledger<ServiceEntry> for InMemoryLedger<C> {
    async fn load(&self, service: &ServiceArn) -> Result<Versioned<ServiceEntry>, LedgerError> {
        Ok(locked(&self.services).load(service))
    }

    async fn store(
        &self,
        service: &ServiceArn,
        versioned: &Versioned<ServiceEntry>,
        keep_until: Timestamp,
    ) -> Result<Stored, LedgerError> {
        Ok(locked(&self.services).store(service, versioned, (self.clock.now(), keep_until)))
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
