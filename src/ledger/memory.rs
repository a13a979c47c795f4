//! The ledger in memory: for local runs, `sam local invoke` and tests. One function instance remembers as long as it lives.

use super::{EntryPage, Ledger, LedgerError, LedgerPages, Record, ServiceEntry, Stored, TaskEntry, Version, Versioned};
use crate::clock::Clock;
use crate::ecs::{Page, ServiceArn, Task};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
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
    entries: HashMap<R::Key, Entry<R>>,
    /// Where the open ones are, by the stores that opened them, in which order they are paged through.
    open: BTreeMap<Version, R::Key>,
    /// The stores of all entries: counted together, no version comes again when an entry was forgotten.
    stores: Version,
    /// At this size the expired entries are swept out; doubled from what remains, so that a store costs O(1) on average.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry<R> {
    versioned: Versioned<R>,
    keep_until: Timestamp,
    /// The store that opened it, if it is open.
    opened_as: Option<Version>,
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
        Self { entries: HashMap::new(), open: BTreeMap::new(), stores: 0, sweep_at: 0 }
    }
}

impl<R: Record> Kept<R> {
    fn load(&self, key: &R::Key) -> Versioned<R> {
        self.entries.get(key).map(|kept| kept.versioned.clone()).unwrap_or_default()
    }

    fn store(&mut self, key: &R::Key, versioned: &Versioned<R>, when: (Timestamp, Timestamp)) -> Stored {
        let (now, keep_until) = when;
        let known = self.entries.get(key);
        let (current, opened_as) = known.map_or((0, None), |known| (known.versioned.version, known.opened_as));
        if current != versioned.version {
            return Stored::Conflict;
        }
        self.stores += 1;
        let version = self.stores;
        let versioned = Versioned { entry: versioned.entry.clone(), version };
        let opened_as = match (opened_as, versioned.entry.is_open()) {
            (Some(opened_as), true) => Some(opened_as),
            (Some(opened_as), false) => {
                self.open.remove(&opened_as);
                None
            }
            (None, true) => {
                self.open.insert(version, key.clone());
                Some(version)
            }
            (None, false) => None,
        };
        self.entries.insert(key.clone(), Entry { versioned, keep_until, opened_as });
        if self.entries.len() > self.sweep_at.max(SWEEP_AT_MIN) {
            self.forget_expired(now);
        }
        Stored::As(version)
    }

    fn forget_expired(&mut self, now: Timestamp) {
        self.entries.retain(|_, kept| kept.keep_until > now);
        self.open.retain(|_, key| self.entries.contains_key(key));
        self.sweep_at = self.entries.len() * 2;
    }
}

/// Entries of one page.
const PAGE: usize = 1000;

impl<R: Record> Kept<R> {
    fn page(&self, token: Option<&str>, now: Timestamp) -> EntryPage<R> {
        let after = token.and_then(|token| token.parse::<Version>().ok()).map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.open.range((after, Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(PAGE).collect();
        let next_token = rest.next().and(page.last()).map(|(opened_as, _)| opened_as.to_string());
        let entry = |(_, key): (&Version, &R::Key)| {
            let kept = self.entries.get(key).filter(|kept| kept.keep_until > now)?;
            Some((key.clone(), kept.versioned.clone()))
        };
        Page { items: page.into_iter().filter_map(entry).collect(), next_token }
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

    fn task(number: usize) -> Task {
        let cluster = Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse::<ClusterArn>().unwrap());
        Task { cluster, id: format!("{number:032x}").parse().unwrap() }
    }

    #[test]
    fn what_is_open_and_has_not_expired_is_on_one_page_and_nothing_else_is() {
        let ledger = InMemoryLedger::new(Noon);
        let store = |number, versioned: &Versioned, seconds| {
            let keep_until = Noon.now() + jiff::SignedDuration::from_secs(seconds);
            ledger.store(&task(number), versioned, keep_until).now_or_never().unwrap().unwrap()
        };
        let mut open = TaskEntry::default();
        open.protection.held = true;
        let open = Versioned { entry: open, version: 0 };
        let mut expected = Vec::new();
        for number in 0..3 * PAGE {
            let Stored::As(version) = store(number, &open, 60) else { panic!("nobody else stores") };
            match number % 3 {
                0 => drop(store(number, &Versioned { version, ..Versioned::default() }, 60)),
                1 => drop(store(number, &Versioned { version, ..open.clone() }, -1)),
                _ => expected.push(task(number)),
            }
        }
        let (mut listed, mut token) = (Vec::new(), None);
        loop {
            let page = LedgerPages::<TaskEntry>::page(&ledger, token.as_deref()).now_or_never().unwrap().unwrap();
            listed.extend(page.items.into_iter().map(|(task, _)| task));
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected);
    }

    #[test]
    fn a_version_does_not_come_again_when_its_entry_was_forgotten() {
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
