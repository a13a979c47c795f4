//! The promises of every store: one test body for each promise, run on each implementation.
//!
//! Each implementation has one line at the end of this file. Implementations that need an emulator run with `make
//! test-e2e`.

mod dynamodb;

use async_trait::async_trait;
use ecs_sim::doubles::clock::SetClock;
use ecs_sim::doubles::stepped::Stepped;
use ecs_sim::doubles::steps::Steps;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use taskhold::clock::Clock;
use taskhold::ecs::arn::{ClusterArn, Task};
use taskhold::store;
use taskhold::store::error::StoreError;
use taskhold::store::memory::MemoryStore;
use taskhold::store::{Changed, Store, StorePages, Stored, Updated, Versioned};
use taskhold::task::job::{Job, JobKey};
use taskhold::task::record::TaskRecord;

fn set_clock() -> SetClock {
    SetClock::at(Timestamp::from_second(1_790_000_000).unwrap())
}

fn after(clock: &SetClock, minutes: i64) -> Timestamp {
    clock.now() + SignedDuration::from_mins(minutes)
}

/// The conditions under which a promise is tried.
struct Trial {
    clock: SetClock,
    /// This many other records make an implementation evict what it may, if it evicts by count.
    crowd: u32,
}

fn task(number: u32) -> Task {
    let cluster: ClusterArn = "arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap();
    Task { cluster: Arc::new(cluster), id: format!("{number:032x}").parse().unwrap() }
}

fn with_job(mut record: TaskRecord, job_id: &str) -> TaskRecord {
    let job = Job { reported_at: Some(set_clock().now()), ..Job::default() };
    record.merge_job(&JobKey { job_id: job_id.to_owned(), attempt: 1 }, &job);
    record
}

/// A record with a finished job.
fn closed() -> TaskRecord {
    let mut record = TaskRecord::default();
    let job = Job { finished_at: Some(set_clock().now()), ..Job::default() };
    record.merge_job(&JobKey { job_id: "finished".to_owned(), attempt: 1 }, &job);
    record
}

fn jobs_of(versioned: &Versioned<TaskRecord>) -> Vec<&str> {
    versioned.record.jobs.keys().map(|key| key.job_id.as_str()).collect()
}

/// Stores a record with this job in addition to those of `before`.
async fn put_job<L: Store<TaskRecord>>(store: &L, before: &Versioned<TaskRecord>, with: (&str, Timestamp)) -> Stored {
    let (job_id, keep_until) = with;
    let after = Versioned { record: with_job(before.record.clone(), job_id), version: before.version };
    store.put(&task(1), &after, keep_until).await.unwrap()
}

/// The store, at whose calls other futures come in between, as at those of a remote store.
fn interleaved<P>(store: P) -> Stepped<P> {
    let steps = Steps::default();
    steps.enable();
    Stepped::new(store, &steps)
}

/// Before each of the next puts, another writer stores the record. Counts the attempted puts.
struct Rival<L> {
    store: L,
    clock: SetClock,
    ahead: AtomicU32,
    stores: AtomicU32,
    loads: AtomicU32,
}

impl<L: Store<TaskRecord>> Rival<L> {
    fn new(store: L, clock: SetClock, ahead: u32) -> Self {
        Self { store, clock, ahead: AtomicU32::new(ahead), stores: AtomicU32::new(0), loads: AtomicU32::new(0) }
    }

    /// Adds this job by [`store::update`].
    async fn add(&self, job_id: &str) -> Result<Versioned<TaskRecord>, StoreError> {
        let (task, keep_until) = (task(1), after(&self.clock, 60));
        let added = store::update(self, &task, None, |record| {
            *record = with_job(std::mem::take(record), job_id);
            Changed { result: (), keep_until }
        });
        added.await.map(|updated| updated.versioned)
    }
}

#[async_trait]
impl<L: Store<TaskRecord>> Store<TaskRecord> for Rival<L> {
    async fn load(&self, task: &Task) -> Result<Versioned<TaskRecord>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.store.load(task).await
    }

    async fn put(
        &self,
        task: &Task,
        versioned: &Versioned<TaskRecord>,
        keep_until: Timestamp,
    ) -> Result<Stored, StoreError> {
        let tried = self.stores.fetch_add(1, Ordering::SeqCst);
        if self.ahead.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            let theirs = self.store.load(task).await?;
            let theirs = Versioned { record: with_job(theirs.record, &format!("rival {tried}")), ..theirs };
            assert!(matches!(self.store.put(task, &theirs, keep_until).await?, Stored::As(_)));
        }
        self.store.put(task, versioned, keep_until).await
    }
}

/// All records on the pages.
async fn listed<L: StorePages<TaskRecord>>(store: &L) -> BTreeMap<Task, Versioned<TaskRecord>> {
    let mut listed = BTreeMap::new();
    let mut token = None;
    loop {
        let page = store.page(token.as_deref()).await.unwrap();
        for (task, versioned) in page.items {
            assert_eq!(listed.insert(task.clone(), versioned), None, "{task} came twice");
        }
        token = page.next_token;
        if token.is_none() {
            return listed;
        }
    }
}

mod promises {
    use super::*;

    pub(super) async fn a_record_that_was_never_stored_is_empty_and_of_version_zero(
        store: impl Store<TaskRecord>,
        _: Trial,
    ) {
        assert_eq!(store.load(&task(1)).await.unwrap(), Versioned { record: TaskRecord::default(), version: 0 });
    }

    pub(super) async fn a_stored_record_is_loaded_and_other_tasks_are_unchanged(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let stored = put_job(&store, &Versioned::default(), ("a", after(&clock, 60))).await;
        let loaded = store.load(&task(1)).await.unwrap();
        assert_eq!(stored, Stored::As(loaded.version));
        assert_eq!(loaded.record, with_job(TaskRecord::default(), "a"));
        assert_eq!(store.load(&task(2)).await.unwrap(), Versioned::default());
    }

    pub(super) async fn every_store_makes_a_greater_version(store: impl Store<TaskRecord>, Trial { clock, .. }: Trial) {
        let mut version = 0;
        for number in 0..20 {
            let before = store.load(&task(1)).await.unwrap();
            assert_eq!(before.version, version);
            let Stored::As(next) = put_job(&store, &before, (&number.to_string(), after(&clock, 60))).await else {
                panic!("no other writer");
            };
            assert!(next > version, "{next} after {version}");
            version = next;
        }
    }

    pub(super) async fn a_write_with_a_stale_version_changes_nothing(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let keep_until = after(&clock, 60);
        let early = Versioned::default();
        put_job(&store, &early, ("a", keep_until)).await;
        assert_eq!(put_job(&store, &early, ("b", keep_until)).await, Stored::Conflict, "there is one already");
        let loaded = store.load(&task(1)).await.unwrap();
        for version in [loaded.version + 1, loaded.version + 7, u64::from(u32::MAX)] {
            let other = Versioned { version, ..loaded.clone() };
            assert_eq!(put_job(&store, &other, ("c", keep_until)).await, Stored::Conflict, "{version} is not there");
        }
        assert_eq!(store.load(&task(1)).await.unwrap(), loaded);
        assert_eq!(jobs_of(&loaded), ["a"]);
    }

    pub(super) async fn of_two_writes_with_the_same_version_one_wins(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let store = interleaved(store);
        let keep_until = after(&clock, 60);
        for round in 0..20 {
            let before = store.load(&task(1)).await.unwrap();
            let jobs = [format!("{round} a"), format!("{round} b")];
            let stored = join_all(jobs.iter().map(|job| put_job(&store, &before, (job, keep_until)))).await;
            let winners: Vec<&String> = jobs
                .iter()
                .zip(&stored)
                .filter(|(_, stored)| **stored != Stored::Conflict)
                .map(|(job, _)| job)
                .collect();
            assert_eq!(winners.len(), 1, "{stored:?}");
            let loaded = store.load(&task(1)).await.unwrap();
            assert_eq!(loaded.record, with_job(before.record, winners[0]));
        }
    }

    pub(super) async fn a_record_whose_time_has_not_passed_is_there_whatever_else_is_stored(
        store: impl Store<TaskRecord>,
        Trial { clock, crowd }: Trial,
    ) {
        put_job(&store, &Versioned::default(), ("kept", after(&clock, 61))).await;
        for number in 2..2 + crowd {
            // Most of these expire at once, so that a cleanup has records to delete.
            let keep_until = after(&clock, if number % 10 == 0 { 60 } else { 0 });
            let record = with_job(TaskRecord::default(), "other");
            store.put(&task(number), &Versioned { record, version: 0 }, keep_until).await.unwrap();
        }
        for number in (10..2 + crowd).step_by(10) {
            assert_eq!(jobs_of(&store.load(&task(number)).await.unwrap()), ["other"]);
        }
        clock.advance(SignedDuration::from_mins(60));
        for number in 10_000..10_000 + crowd {
            let record = with_job(TaskRecord::default(), "other");
            store.put(&task(number), &Versioned { record, version: 0 }, after(&clock, 1)).await.unwrap();
        }
        assert_eq!(jobs_of(&store.load(&task(1)).await.unwrap()), ["kept"]);
    }

    pub(super) async fn a_record_whose_time_has_passed_is_there_as_it_was_or_is_as_if_never_stored(
        store: impl Store<TaskRecord>,
        Trial { clock, crowd }: Trial,
    ) {
        put_job(&store, &Versioned::default(), ("passed", after(&clock, 1))).await;
        let before = store.load(&task(1)).await.unwrap();
        clock.advance(SignedDuration::from_mins(2));
        for number in 2..2 + crowd {
            let record = with_job(TaskRecord::default(), "other");
            store.put(&task(number), &Versioned { record, version: 0 }, after(&clock, 60)).await.unwrap();
        }
        let loaded = store.load(&task(1)).await.unwrap();
        assert!(loaded == before || loaded == Versioned::default(), "{loaded:?}");
        assert!(matches!(put_job(&store, &loaded, ("again", after(&clock, 60))).await, Stored::As(_)));
        assert!(jobs_of(&store.load(&task(1)).await.unwrap()).contains(&"again"));
    }

    pub(super) async fn a_version_does_not_come_again_after_its_record_was_forgotten(
        store: impl Store<TaskRecord>,
        Trial { clock, crowd }: Trial,
    ) {
        put_job(&store, &Versioned::default(), ("a", after(&clock, 1))).await;
        let loaded_before = store.load(&task(1)).await.unwrap();
        clock.advance(SignedDuration::from_mins(2));
        for number in 2..2 + crowd {
            let record = with_job(TaskRecord::default(), "other");
            store.put(&task(number), &Versioned { record, version: 0 }, after(&clock, 60)).await.unwrap();
        }
        for name in ["b", "c", "d"] {
            let before = store.load(&task(1)).await.unwrap();
            assert_ne!(put_job(&store, &before, (name, after(&clock, 60))).await, Stored::Conflict);
            assert_eq!(put_job(&store, &loaded_before, ("x", after(&clock, 60))).await, Stored::Conflict);
        }
        assert!(jobs_of(&store.load(&task(1)).await.unwrap()).ends_with(&["b", "c", "d"]));
    }

    pub(super) async fn a_later_end_given_by_a_later_store_counts(
        store: impl Store<TaskRecord>,
        Trial { clock, crowd }: Trial,
    ) {
        put_job(&store, &Versioned::default(), ("a", after(&clock, 1))).await;
        let before = store.load(&task(1)).await.unwrap();
        put_job(&store, &before, ("b", after(&clock, 60))).await;
        clock.advance(SignedDuration::from_mins(2));
        for number in 2..2 + crowd {
            let record = with_job(TaskRecord::default(), "other");
            store.put(&task(number), &Versioned { record, version: 0 }, clock.now()).await.unwrap();
        }
        assert_eq!(jobs_of(&store.load(&task(1)).await.unwrap()), ["a", "b"]);
    }

    pub(super) async fn an_overtaken_update_is_repeated_on_the_stored_record(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let rival = Rival::new(store, clock, 3);
        let updated = rival.add("mine").await.unwrap();
        assert_eq!(jobs_of(&updated), ["mine", "rival 0", "rival 1", "rival 2"]);
        assert_eq!(rival.load(&task(1)).await.unwrap(), updated);
        assert_eq!(rival.stores.load(Ordering::SeqCst), 4);
    }

    pub(super) async fn an_update_that_is_always_overtaken_ends_and_says_so(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let rival = Rival::new(store, clock, u32::MAX);
        let contended = rival.add("mine").await.unwrap_err();
        let tried = rival.stores.load(Ordering::SeqCst);
        assert_eq!(contended, StoreError::Contended(task(1).to_string(), tried));
        assert!((2..=20).contains(&tried), "{tried} times");
        assert!(!jobs_of(&rival.load(&task(1)).await.unwrap()).contains(&"mine"));
    }

    pub(super) async fn an_update_that_is_overtaken_one_time_less_than_the_bound_gets_through(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let always = Rival::new(store, clock.clone(), u32::MAX);
        always.add("mine").await.unwrap_err();
        let bound = always.stores.load(Ordering::SeqCst);
        let rival = Rival::new(always.store, clock, bound - 1);
        assert!(jobs_of(&rival.add("mine").await.unwrap()).contains(&"mine"));
    }

    pub(super) async fn an_update_that_changes_nothing_is_not_stored(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let rival = Rival::new(store, clock, 0);
        let absent = rival.load(&task(1)).await.unwrap();
        let Updated { result, versioned } =
            store::update(&rival, &task(1), None, |_| Changed { result: "seen", keep_until: after(&rival.clock, 60) })
                .await
                .unwrap();
        assert_eq!((result, &versioned), ("seen", &absent));
        let first = rival.add("a").await.unwrap();
        assert_eq!(rival.add("a").await.unwrap(), first);
        assert_eq!(rival.stores.load(Ordering::SeqCst), 1);
    }

    pub(super) async fn an_update_with_a_stale_known_version_reads_again(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let rival = Rival::new(store, clock, 0);
        let known = rival.add("a").await.unwrap();
        rival.add("b").await.unwrap();
        let change = |record: &mut TaskRecord| {
            *record = with_job(std::mem::take(record), "c");
            Changed { result: (), keep_until: after(&rival.clock, 60) }
        };
        let updated = store::update(&rival, &task(1), Some(&known), change).await.unwrap();
        assert_eq!(jobs_of(&updated.versioned), ["a", "b", "c"]);
    }

    pub(super) async fn a_guess_that_there_is_no_record_saves_the_read_and_harms_nothing_where_it_is_wrong(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let rival = Rival::new(store, clock, 0);
        let add = async |name: &'static str| {
            let change = |record: &mut TaskRecord| {
                *record = with_job(std::mem::take(record), name);
                Changed { result: (), keep_until: after(&rival.clock, 60) }
            };
            store::update(&rival, &task(1), Some(&Versioned::default()), change).await.unwrap().versioned
        };
        assert_eq!((jobs_of(&add("a").await), rival.loads.swap(0, Ordering::SeqCst)), (vec!["a"], 0));
        assert_eq!((jobs_of(&add("b").await), rival.loads.swap(0, Ordering::SeqCst)), (vec!["a", "b"], 1));
        let updated = store::update(&rival, &task(1), Some(&Versioned::default()), |_| Changed {
            result: (),
            keep_until: after(&rival.clock, 60),
        })
        .await
        .unwrap();
        assert_eq!(jobs_of(&updated.versioned), ["a", "b"], "an unchecked guess is no answer");
    }

    pub(super) async fn many_who_update_one_record_at_once_lose_nothing(
        store: impl Store<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let rival = Rival::new(interleaved(store), clock, 0);
        let names: Vec<String> = (0..50).map(|number| format!("{number:02}")).collect();
        let contended = AtomicU32::new(0);
        join_all(names.iter().map(async |name| {
            // A contended writer retries, as its redelivered message does.
            while rival.add(name).await.is_err() {
                contended.fetch_add(1, Ordering::SeqCst);
            }
        }))
        .await;
        assert_eq!(jobs_of(&rival.load(&task(1)).await.unwrap()), names);
        assert!(rival.stores.load(Ordering::SeqCst) > 100, "they were not in each other's way");
        assert!(contended.load(Ordering::SeqCst) > 0, "no store was contended");
    }

    pub(super) async fn an_open_record_is_on_one_page_as_it_was_stored(
        store: impl StorePages<TaskRecord>,
        Trial { clock, crowd }: Trial,
    ) {
        let mut expected = BTreeMap::new();
        for number in 1..=crowd / 2 {
            let versioned = Versioned { record: with_job(TaskRecord::default(), &number.to_string()), version: 0 };
            let stored = store.put(&task(number), &versioned, after(&clock, 60)).await.unwrap();
            let Stored::As(version) = stored else { panic!("no other writer") };
            expected.insert(task(number), Versioned { version, ..versioned });
        }
        let listed = listed(&store).await;
        assert_eq!(listed, expected);
    }

    pub(super) async fn a_closed_record_is_on_no_page_until_it_is_open_again(
        store: impl StorePages<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        let mut before = Versioned::default();
        for record in [closed(), with_job(closed(), "next"), closed()] {
            let is_open = record.is_open();
            let Stored::As(version) =
                store.put(&task(1), &Versioned { record: record.clone(), ..before }, after(&clock, 60)).await.unwrap()
            else {
                panic!("no other writer")
            };
            before = Versioned { record, version };
            let expected = is_open.then(|| (task(1), before.clone()));
            assert_eq!(listed(&store).await, expected.into_iter().collect());
        }
    }

    pub(super) async fn an_expired_open_record_is_on_no_page(
        store: impl StorePages<TaskRecord>,
        Trial { clock, .. }: Trial,
    ) {
        put_job(&store, &Versioned::default(), ("passed", after(&clock, 1))).await;
        assert_eq!(listed(&store).await.len(), 1);
        // Clocks differ, so an implementation may delete late.
        clock.advance(SignedDuration::from_hours(2));
        assert_eq!(listed(&store).await.len(), 0);
    }
}

/// Generates a test of each promise for the state store that the function creates.
macro_rules! conforms {
    ($(#[$attribute:meta])* $implementation:ident, crowd = $crowd:literal, $new:expr) => {
        conforms! { $(#[$attribute])* $implementation, $crowd, $new,
            a_record_that_was_never_stored_is_empty_and_of_version_zero
            a_stored_record_is_loaded_and_other_tasks_are_unchanged
            every_store_makes_a_greater_version
            a_write_with_a_stale_version_changes_nothing
            of_two_writes_with_the_same_version_one_wins
            a_record_whose_time_has_not_passed_is_there_whatever_else_is_stored
            a_record_whose_time_has_passed_is_there_as_it_was_or_is_as_if_never_stored
            a_version_does_not_come_again_after_its_record_was_forgotten
            a_later_end_given_by_a_later_store_counts
            an_overtaken_update_is_repeated_on_the_stored_record
            an_update_that_is_always_overtaken_ends_and_says_so
            an_update_that_is_overtaken_one_time_less_than_the_bound_gets_through
            an_update_that_changes_nothing_is_not_stored
            an_update_with_a_stale_known_version_reads_again
            a_guess_that_there_is_no_record_saves_the_read_and_harms_nothing_where_it_is_wrong
            many_who_update_one_record_at_once_lose_nothing
            an_open_record_is_on_one_page_as_it_was_stored
            a_closed_record_is_on_no_page_until_it_is_open_again
            an_expired_open_record_is_on_no_page
        }
    };
    ($(#[$attribute:meta])* $implementation:ident, $crowd:literal, $new:expr, $($promise:ident)*) => {
        conforms! { @each [$(#[$attribute])*] $implementation, $crowd, $new, $($promise)* }
    };
    (@each $attributes:tt $implementation:ident, $crowd:literal, $new:expr, $($promise:ident)*) => {
        mod $implementation {
            use super::*;
            $(conforms! { @one $attributes $crowd, $new, $promise })*
        }
    };
    (@one [$(#[$attribute:meta])*] $crowd:literal, $new:expr, $promise:ident) => {
        #[tokio::test]
        $(#[$attribute])*
        async fn $promise() {
            let clock = set_clock();
            let store = ($new)(clock.clone()).await;
            super::promises::$promise(store, Trial { clock, crowd: $crowd }).await;
        }
    };
}

conforms!(in_memory, crowd = 5_000, async |clock| MemoryStore::new(Arc::new(clock)));

conforms!(
    #[ignore = "needs an emulator: make test-e2e"]
    in_dynamodb,
    crowd = 100,
    dynamodb::table_store
);

conforms!(
    #[ignore = "needs an emulator: make test-e2e"]
    in_dynamodb_that_deletes_at_once,
    crowd = 100,
    dynamodb::forgetful_store
);
