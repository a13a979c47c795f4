//! The state store in memory: for local runs, `sam local invoke` and tests. Its records live as long as the
//! function instance.

use crate::clock::Clock;
use crate::page::Page;
use crate::store::error::StoreError;
use crate::store::{Record, RecordPage, Store, StorePages, Stored, Version, Versioned};
use async_trait::async_trait;
use jiff::Timestamp;
use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

/// Maps with records of any kind. Clones share them.
#[derive(Clone)]
pub struct MemoryStore {
    /// One [`Kept`] for each kind of record.
    kinds: Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Kept<R: Record> {
    records: HashMap<R::Key, Entry<R>>,
    /// The open records by the version whose store opened them, which is the order of the pages.
    open: BTreeMap<Version, R::Key>,
    /// Number of stores of all records together. A shared counter never repeats a version, even after a
    /// record was forgotten.
    stores: Version,
    /// Expired records are removed when the map reaches this size, which is then set to twice the number that
    /// remains: a store costs O(1) on average.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry<R> {
    versioned: Versioned<R>,
    keep_until: Timestamp,
    /// The version whose store opened it, if it is open.
    opened_as: Option<Version>,
}

/// Below this number of records nothing is removed: a record takes a few hundred bytes.
const SWEEP_AT_MIN: usize = 1024;

impl MemoryStore {
    /// An empty store. The clock decides which records have expired.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { kinds: Arc::default(), clock }
    }

    /// Number of records of a kind, including expired ones that are not removed yet.
    #[cfg(test)]
    fn count<R: Record>(&self) -> usize {
        self.with(|kept: &mut Kept<R>| kept.records.len())
    }

    fn with<R: Record, T>(&self, work: impl FnOnce(&mut Kept<R>) -> T) -> T {
        // A panic elsewhere cannot leave a partial record: each is replaced as a whole.
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kinds.entry(TypeId::of::<R>()).or_insert_with(|| Box::new(Kept::<R>::default()));
        work(kept.downcast_mut().expect("it is filed under its own type"))
    }
}

impl<R: Record> Default for Kept<R> {
    fn default() -> Self {
        Self { records: HashMap::new(), open: BTreeMap::new(), stores: 0, sweep_at: 0 }
    }
}

impl<R: Record> Kept<R> {
    fn load(&self, key: &R::Key) -> Versioned<R> {
        self.records.get(key).map(|kept| kept.versioned.clone()).unwrap_or_default()
    }

    fn put(&mut self, key: &R::Key, versioned: &Versioned<R>, now: Timestamp, keep_until: Timestamp) -> Stored {
        let known = self.records.get(key);
        let (current, opened_as) = known.map_or((0, None), |known| (known.versioned.version, known.opened_as));
        if current != versioned.version {
            return Stored::Conflict;
        }
        self.stores += 1;
        let version = self.stores;
        let versioned = Versioned { record: versioned.record.clone(), version };
        let opened_as = match (opened_as, versioned.record.is_open()) {
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
        self.records.insert(key.clone(), Entry { versioned, keep_until, opened_as });
        if self.records.len() > self.sweep_at.max(SWEEP_AT_MIN) {
            self.forget_expired(now);
        }
        Stored::As(version)
    }

    fn forget_expired(&mut self, now: Timestamp) {
        self.records.retain(|_, kept| kept.keep_until > now);
        self.open.retain(|_, key| self.records.contains_key(key));
        self.sweep_at = self.records.len() * 2;
    }
}

/// Records per page.
const PAGE: usize = 1000;

impl<R: Record> Kept<R> {
    fn page(&self, token: Option<&str>, now: Timestamp) -> RecordPage<R> {
        let after = token.and_then(|token| token.parse::<Version>().ok()).map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.open.range((after, Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(PAGE).collect();
        let next_token = rest.next().and(page.last()).map(|(opened_as, _)| opened_as.to_string());
        let record = |(_, key): (&Version, &R::Key)| {
            let kept = self.records.get(key).filter(|kept| kept.keep_until > now)?;
            Some((key.clone(), kept.versioned.clone()))
        };
        Page { items: page.into_iter().filter_map(record).collect(), next_token }
    }
}

#[async_trait]
impl<R: Record> StorePages<R> for MemoryStore {
    async fn page(&self, token: Option<&str>) -> Result<RecordPage<R>, StoreError> {
        let now = self.clock.now();
        Ok(self.with(|kept: &mut Kept<R>| kept.page(token, now)))
    }
}

#[async_trait]
impl<R: Record> Store<R> for MemoryStore {
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, StoreError> {
        Ok(self.with(|kept: &mut Kept<R>| kept.load(key)))
    }

    async fn put(&self, key: &R::Key, versioned: &Versioned<R>, keep_until: Timestamp) -> Result<Stored, StoreError> {
        let now = self.clock.now();
        Ok(self.with(|kept: &mut Kept<R>| kept.put(key, versioned, now, keep_until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::arn::{ClusterArn, Task};
    use crate::ecs::service::ServiceArn;
    use crate::service::record::ServiceRecord;
    use crate::store;
    use crate::task::own_protection::OwnProtection;
    use crate::task::record::TaskRecord;
    use futures_util::FutureExt;
    use std::time::Duration;

    struct Noon;

    #[async_trait]
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

    fn open_record() -> TaskRecord {
        let mut record = TaskRecord::default();
        record.protection.own.push(OwnProtection::granted(Noon.now(), Timestamp::MAX));
        record
    }

    #[test]
    fn what_is_open_and_has_not_expired_is_on_one_page_and_nothing_else_is() {
        let store = MemoryStore::new(Arc::new(Noon));
        let put = |number, versioned: &Versioned<TaskRecord>, seconds| {
            let keep_until = Noon.now() + jiff::SignedDuration::from_secs(seconds);
            store.put(&task(number), versioned, keep_until).now_or_never().unwrap().unwrap()
        };
        let open = open_record();
        let open = Versioned { record: open, version: 0 };
        let mut expected = Vec::new();
        for number in 0..3 * PAGE {
            let Stored::As(version) = put(number, &open, 60) else { panic!("no other writer") };
            match number % 3 {
                0 => drop(put(number, &Versioned { version, ..Versioned::default() }, 60)),
                1 => drop(put(number, &Versioned { version, ..open.clone() }, -1)),
                _ => expected.push(task(number)),
            }
        }
        let (mut listed, mut token) = (Vec::new(), None);
        loop {
            let page = StorePages::<TaskRecord>::page(&store, token.as_deref()).now_or_never().unwrap().unwrap();
            listed.extend(page.items.into_iter().map(|(task, _)| task));
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected);
    }

    #[test]
    fn a_version_does_not_come_again_when_its_record_was_forgotten() {
        let store = MemoryStore::new(Arc::new(Noon));
        let expired = Noon.now() - jiff::SignedDuration::from_secs(1);
        let put = |number, versioned: &Versioned<TaskRecord>| {
            store.put(&task(number), versioned, expired).now_or_never().unwrap().unwrap()
        };
        let Stored::As(version) = put(0, &Versioned::default()) else { panic!("no other writer") };
        let loaded_before = Versioned { version, ..Versioned::default() };
        (1..=SWEEP_AT_MIN).for_each(|number| assert_ne!(put(number, &Versioned::default()), Stored::Conflict));
        assert_ne!(put(0, &Versioned::default()), Stored::Conflict, "it was swept out");
        assert_eq!(put(0, &loaded_before), Stored::Conflict);
    }

    #[test]
    fn what_was_stored_is_loaded_and_counted() {
        let store = MemoryStore::new(Arc::new(Noon));
        assert_eq!(store.count::<TaskRecord>(), 0);
        let record = open_record();
        for number in 0..2 {
            let versioned = Versioned { record: record.clone(), version: 0 };
            let stored = store.put(&task(number), &versioned, Noon.now()).now_or_never().unwrap().unwrap();
            let Stored::As(version) = stored else { panic!("no other writer") };
            let loaded = Store::<TaskRecord>::load(&store, &task(number)).now_or_never().unwrap().unwrap();
            assert_eq!(loaded, Versioned { record: record.clone(), version });
        }
        assert_eq!(store.count::<TaskRecord>(), 2);
        let service = "arn:aws:ecs:eu-west-1:111122223333:service/video/web".parse::<ServiceArn>().unwrap();
        let record = ServiceRecord { triggered_at: Some(Noon.now()), ..ServiceRecord::default() };
        let versioned = Versioned { record: record.clone(), version: 0 };
        let stored = store.put(&service, &versioned, Noon.now()).now_or_never().unwrap().unwrap();
        let Stored::As(version) = stored else { panic!("no other writer") };
        let loaded = Store::<ServiceRecord>::load(&store, &service).now_or_never().unwrap().unwrap();
        assert_eq!(loaded, Versioned { record, version });
    }

    #[test]
    fn what_has_expired_is_swept_out_when_there_is_as_much_again_as_the_last_time_left() {
        let store = MemoryStore::new(Arc::new(Noon));
        let hour = jiff::SignedDuration::from_hours(1);
        let put = |number, keep_until| {
            store.put(&task(number), &Versioned::<TaskRecord>::default(), keep_until).now_or_never().unwrap().unwrap()
        };
        (0..SWEEP_AT_MIN).for_each(|number| assert_ne!(put(number, Noon.now()), Stored::Conflict));
        assert_eq!(store.count::<TaskRecord>(), SWEEP_AT_MIN, "fewer are not worth it");
        put(SWEEP_AT_MIN, Noon.now() + hour);
        assert_eq!(store.count::<TaskRecord>(), 1, "what may be forgotten from now on is");
        let many = SWEEP_AT_MIN + 1;
        (1..=many).for_each(|number| assert_ne!(put(many + number, Noon.now() + hour), Stored::Conflict));
        // The removal at the first store above the minimum size kept all of it.
        assert_eq!(store.count::<TaskRecord>(), many + 1);
        (0..SWEEP_AT_MIN).for_each(|number| assert_ne!(put(10 * many + number, Noon.now()), Stored::Conflict));
        assert_eq!(store.count::<TaskRecord>(), 2 * many, "twice the remaining number is not exceeded yet");
        put(20 * many, Noon.now());
        assert_eq!(store.count::<TaskRecord>(), many + 1);
    }

    #[test]
    fn a_record_is_on_no_page_from_the_moment_on_in_which_it_may_be_forgotten() {
        let store = MemoryStore::new(Arc::new(Noon));
        let open = open_record();
        let open = Versioned { record: open, version: 0 };
        store.put(&task(0), &open, Noon.now()).now_or_never().unwrap().unwrap();
        let page = StorePages::<TaskRecord>::page(&store, None).now_or_never().unwrap().unwrap();
        assert!(page.items.is_empty());
    }
    #[test]
    fn a_page_lists_the_services_with_something_open() {
        let store = MemoryStore::new(Arc::new(Noon));
        let later = Noon.now() + jiff::SignedDuration::from_hours(1);
        let watch = crate::service::record::Watch { rollout: None, started_at: Noon.now(), checks: 0, due: None };
        let watched = ServiceRecord { watch: Some(watch), ..ServiceRecord::default() };
        for (name, record) in [("steady", ServiceRecord::default()), ("watched", watched)] {
            let service =
                format!("arn:aws:ecs:eu-west-1:111122223333:service/video/{name}").parse::<ServiceArn>().unwrap();
            store.put(&service, &Versioned { record, version: 0 }, later).now_or_never().unwrap().unwrap();
        }
        let page = StorePages::<ServiceRecord>::page(&store, None).now_or_never().unwrap().unwrap();
        assert_eq!(page.items.iter().map(|(service, _)| service.name.as_str()).collect::<Vec<_>>(), ["watched"]);
    }

    #[test]
    fn what_was_only_guessed_is_read_before_it_counts_as_unchanged() {
        let store = MemoryStore::new(Arc::new(Noon));
        let later = Noon.now() + jiff::SignedDuration::from_hours(1);
        let held = open_record();
        let stored = Versioned { record: held.clone(), version: 0 };
        store.put(&task(0), &stored, later).now_or_never().unwrap().unwrap();
        let task = task(0);
        let guess = Versioned::default();
        let updated = store::update(&store, &task, Some(&guess), |record: &mut TaskRecord| store::Changed {
            result: record.protection.is_set(),
            keep_until: later,
        });
        let updated = updated.now_or_never().unwrap().unwrap();
        assert_eq!((updated.result, updated.versioned.record), (true, held));
    }
}
