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

    #[test]
    fn what_was_stored_is_loaded_and_counted() {
        let ledger = InMemoryLedger::new(Noon);
        assert!(ledger.is_empty());
        let mut entry = TaskEntry::default();
        entry.protection.held = true;
        for number in 0..2 {
            let versioned = Versioned { entry: entry.clone(), version: 0 };
            let stored = ledger.store(&task(number), &versioned, Noon.now()).now_or_never().unwrap().unwrap();
            let Stored::As(version) = stored else { panic!("nobody else stores") };
            let loaded = Ledger::<TaskEntry>::load(&ledger, &task(number)).now_or_never().unwrap().unwrap();
            assert_eq!(loaded, Versioned { entry: entry.clone(), version });
        }
        assert_eq!((ledger.len(), ledger.is_empty()), (2, false));
        let service = "arn:aws:ecs:eu-west-1:111122223333:service/video/web".parse::<ServiceArn>().unwrap();
        let entry = ServiceEntry { prompted_at: Some(Noon.now()), ..ServiceEntry::default() };
        let versioned = Versioned { entry: entry.clone(), version: 0 };
        let stored = ledger.store(&service, &versioned, Noon.now()).now_or_never().unwrap().unwrap();
        let Stored::As(version) = stored else { panic!("nobody else stores") };
        let loaded = Ledger::<ServiceEntry>::load(&ledger, &service).now_or_never().unwrap().unwrap();
        assert_eq!(loaded, Versioned { entry, version });
    }

    #[test]
    fn what_has_expired_is_swept_out_when_there_is_as_much_again_as_the_last_time_left() {
        let ledger = InMemoryLedger::new(Noon);
        let hour = jiff::SignedDuration::from_hours(1);
        let store = |number, keep_until| {
            ledger.store(&task(number), &Versioned::<TaskEntry>::default(), keep_until).now_or_never().unwrap().unwrap()
        };
        (0..SWEEP_AT_MIN).for_each(|number| assert_ne!(store(number, Noon.now()), Stored::Conflict));
        assert_eq!(ledger.len(), SWEEP_AT_MIN, "fewer are not worth it");
        store(SWEEP_AT_MIN, Noon.now() + hour);
        assert_eq!(ledger.len(), 1, "what may be forgotten from now on is");
        let many = SWEEP_AT_MIN + 1;
        (1..=many).for_each(|number| assert_ne!(store(many + number, Noon.now() + hour), Stored::Conflict));
        // The sweep at the first store above the least size left all of it.
        assert_eq!(ledger.len(), many + 1);
        (0..SWEEP_AT_MIN).for_each(|number| assert_ne!(store(10 * many + number, Noon.now()), Stored::Conflict));
        assert_eq!(ledger.len(), 2 * many, "twice what was left is not exceeded yet");
        store(20 * many, Noon.now());
        assert_eq!(ledger.len(), many + 1);
    }

    #[test]
    fn an_entry_is_on_no_page_from_the_moment_on_in_which_it_may_be_forgotten() {
        let ledger = InMemoryLedger::new(Noon);
        let mut open = TaskEntry::default();
        open.protection.held = true;
        let open = Versioned { entry: open, version: 0 };
        ledger.store(&task(0), &open, Noon.now()).now_or_never().unwrap().unwrap();
        let page = LedgerPages::<TaskEntry>::page(&ledger, None).now_or_never().unwrap().unwrap();
        assert!(page.items.is_empty());
    }
    #[test]
    fn of_the_services_those_are_on_a_page_that_somebody_has_to_look_after() {
        let ledger = InMemoryLedger::new(Noon);
        let later = Noon.now() + jiff::SignedDuration::from_hours(1);
        let watch = crate::ledger::service::Watch { movement: None, begun_at: Noon.now(), checks: 0, due: None };
        let watched = ServiceEntry { watch: Some(watch), ..ServiceEntry::default() };
        for (name, entry) in [("steady", ServiceEntry::default()), ("watched", watched)] {
            let service =
                format!("arn:aws:ecs:eu-west-1:111122223333:service/video/{name}").parse::<ServiceArn>().unwrap();
            ledger.store(&service, &Versioned { entry, version: 0 }, later).now_or_never().unwrap().unwrap();
        }
        let page = LedgerPages::<ServiceEntry>::page(&ledger, None).now_or_never().unwrap().unwrap();
        assert_eq!(page.items.iter().map(|(service, _)| service.name.as_str()).collect::<Vec<_>>(), ["watched"]);
    }

    #[test]
    fn what_was_only_guessed_is_read_before_it_counts_as_unchanged() {
        let ledger = InMemoryLedger::new(Noon);
        let later = Noon.now() + jiff::SignedDuration::from_hours(1);
        let mut held = TaskEntry::default();
        held.protection.held = true;
        let stored = Versioned { entry: held.clone(), version: 0 };
        ledger.store(&task(0), &stored, later).now_or_never().unwrap().unwrap();
        let task = task(0);
        let guess = Versioned::default();
        let updated =
            crate::ledger::update(&ledger, &task, Some(&guess), |entry: &mut TaskEntry| (entry.protection.held, later));
        let (is_held, versioned) = updated.now_or_never().unwrap().unwrap();
        assert_eq!((is_held, versioned.entry), (true, held));
    }
}
