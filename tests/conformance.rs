//! What every ledger promises: one body for each promise, run on each implementation.
//!
//! An implementation is one line at the end of this file. Those that need an emulator run with `make test-e2e`.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

#[path = "conformance/dynamodb.rs"]
mod dynamodb;
#[path = "template/stack.rs"]
#[allow(dead_code, reason = "of the stack only the table is looked at here")]
mod stack;
#[path = "e2e/table.rs"]
mod table;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;
use taskhold::clock::Clock;
use taskhold::ecs::{ClusterArn, Task};
use taskhold::ledger::{
    self, InMemoryLedger, Job, JobKey, Ledger, LedgerError, LedgerPages, Stored, TaskEntry, Versioned,
};

fn read(relative: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(relative);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A clock that is set.
#[derive(Clone, Debug)]
struct SetClock(Arc<AtomicI64>);

impl SetClock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_790_000_000_000)))
    }

    fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn after(&self, minutes: i64) -> Timestamp {
        self.now() + SignedDuration::from_mins(minutes)
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.advance(SignedDuration::try_from(duration).unwrap());
        std::future::ready(())
    }
}

/// What a promise is tried with.
struct Stage {
    clock: SetClock,
    /// So many entries of others make an implementation forget what it may, if it forgets by their number.
    crowd: u32,
}

fn task(number: u32) -> Task {
    let cluster: ClusterArn = "arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap();
    Task { cluster: Arc::new(cluster), id: format!("{number:032x}").parse().unwrap() }
}

fn with_job(mut entry: TaskEntry, job_id: &str) -> TaskEntry {
    let job = Job { heard_at: Some(SetClock::new().now()), ..Job::default() };
    entry.merge_job(&JobKey { job_id: job_id.to_owned(), attempt: 1 }, &job);
    entry
}

/// With a job that has finished.
fn closed() -> TaskEntry {
    let mut entry = TaskEntry::default();
    let job = Job { finished_at: Some(SetClock::new().now()), ..Job::default() };
    entry.merge_job(&JobKey { job_id: "finished".to_owned(), attempt: 1 }, &job);
    entry
}

fn jobs_of(versioned: &Versioned) -> Vec<&str> {
    versioned.entry.jobs.keys().map(|key| key.job_id.as_str()).collect()
}

/// Stores an entry with this job beside those that `before` has.
async fn store<L: Ledger>(ledger: &L, before: &Versioned, with: (&str, Timestamp)) -> Stored {
    let (job_id, keep_until) = with;
    let after = Versioned { entry: with_job(before.entry.clone(), job_id), version: before.version };
    ledger.store(&task(1), &after, keep_until).await.unwrap()
}

/// Other work gets its turn before each read and each store, as on the way to a store that is far away.
struct Interleaved<L>(L);

impl<L: Ledger> Ledger for Interleaved<L> {
    async fn load(&self, task: &Task) -> Result<Versioned, LedgerError> {
        tokio::task::yield_now().await;
        self.0.load(task).await
    }

    async fn store(&self, task: &Task, versioned: &Versioned, keep_until: Timestamp) -> Result<Stored, LedgerError> {
        tokio::task::yield_now().await;
        self.0.store(task, versioned, keep_until).await
    }
}

/// Before each of the next stores somebody else stores the entry. Counts the stores that were tried.
struct Rival<L> {
    ledger: L,
    clock: SetClock,
    ahead: AtomicU32,
    stores: AtomicU32,
    loads: AtomicU32,
}

impl<L: Ledger> Rival<L> {
    fn new(ledger: L, clock: SetClock, ahead: u32) -> Self {
        Self { ledger, clock, ahead: AtomicU32::new(ahead), stores: AtomicU32::new(0), loads: AtomicU32::new(0) }
    }

    /// Adds this job by [`ledger::update`].
    async fn add(&self, job_id: &str) -> Result<Versioned, LedgerError> {
        let (task, keep_until) = (task(1), self.clock.after(60));
        let added = ledger::update(self, &task, None, |entry| {
            *entry = with_job(std::mem::take(entry), job_id);
            ((), keep_until)
        });
        added.await.map(|((), versioned)| versioned)
    }
}

impl<L: Ledger> Ledger for Rival<L> {
    async fn load(&self, task: &Task) -> Result<Versioned, LedgerError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.ledger.load(task).await
    }

    async fn store(&self, task: &Task, versioned: &Versioned, keep_until: Timestamp) -> Result<Stored, LedgerError> {
        let tried = self.stores.fetch_add(1, Ordering::SeqCst);
        if self.ahead.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            let theirs = self.ledger.load(task).await?;
            let theirs = Versioned { entry: with_job(theirs.entry, &format!("rival {tried}")), ..theirs };
            assert!(matches!(self.ledger.store(task, &theirs, keep_until).await?, Stored::As(_)));
        }
        self.ledger.store(task, versioned, keep_until).await
    }
}

/// Everything that is on the pages.
async fn listed<L: LedgerPages>(ledger: &L) -> BTreeMap<Task, Versioned> {
    let mut listed = BTreeMap::new();
    let mut token = None;
    loop {
        let page = ledger.page(token.as_deref()).await.unwrap();
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

    pub(super) async fn an_entry_that_was_never_stored_is_empty_and_of_version_zero<L: Ledger>(ledger: L, _: Stage) {
        assert_eq!(ledger.load(&task(1)).await.unwrap(), Versioned { entry: TaskEntry::default(), version: 0 });
    }

    pub(super) async fn what_was_stored_is_loaded_and_other_tasks_stay_as_they_were<L: Ledger>(
        ledger: L,
        Stage { clock, .. }: Stage,
    ) {
        let stored = store(&ledger, &Versioned::default(), ("a", clock.after(60))).await;
        let loaded = ledger.load(&task(1)).await.unwrap();
        assert_eq!(stored, Stored::As(loaded.version));
        assert_eq!(loaded.entry, with_job(TaskEntry::default(), "a"));
        assert_eq!(ledger.load(&task(2)).await.unwrap(), Versioned::default());
    }

    pub(super) async fn every_store_makes_a_greater_version<L: Ledger>(ledger: L, Stage { clock, .. }: Stage) {
        let mut version = 0;
        for number in 0..20 {
            let before = ledger.load(&task(1)).await.unwrap();
            assert_eq!(before.version, version);
            let Stored::As(next) = store(&ledger, &before, (&number.to_string(), clock.after(60))).await else {
                panic!("nobody else is here");
            };
            assert!(next > version, "{next} after {version}");
            version = next;
        }
    }

    pub(super) async fn a_store_upon_another_version_changes_nothing<L: Ledger>(ledger: L, Stage { clock, .. }: Stage) {
        let keep_until = clock.after(60);
        let early = Versioned::default();
        store(&ledger, &early, ("a", keep_until)).await;
        assert_eq!(store(&ledger, &early, ("b", keep_until)).await, Stored::Conflict, "there is one already");
        let loaded = ledger.load(&task(1)).await.unwrap();
        for version in [loaded.version + 1, loaded.version + 7, u64::from(u32::MAX)] {
            let other = Versioned { version, ..loaded.clone() };
            assert_eq!(store(&ledger, &other, ("c", keep_until)).await, Stored::Conflict, "{version} is not there");
        }
        assert_eq!(ledger.load(&task(1)).await.unwrap(), loaded);
        assert_eq!(jobs_of(&loaded), ["a"]);
    }

    pub(super) async fn of_two_who_store_upon_one_version_one_wins<L: Ledger>(ledger: L, Stage { clock, .. }: Stage) {
        let ledger = Interleaved(ledger);
        let keep_until = clock.after(60);
        for round in 0..20 {
            let before = ledger.load(&task(1)).await.unwrap();
            let jobs = [format!("{round} a"), format!("{round} b")];
            let stored = join_all(jobs.iter().map(|job| store(&ledger, &before, (job, keep_until)))).await;
            let winners: Vec<&String> = jobs
                .iter()
                .zip(&stored)
                .filter(|(_, stored)| **stored != Stored::Conflict)
                .map(|(job, _)| job)
                .collect();
            assert_eq!(winners.len(), 1, "{stored:?}");
            let loaded = ledger.load(&task(1)).await.unwrap();
            assert_eq!(loaded.entry, with_job(before.entry, winners[0]));
        }
    }

    pub(super) async fn an_entry_whose_time_has_not_passed_is_there_whatever_else_is_stored<L: Ledger>(
        ledger: L,
        Stage { clock, crowd }: Stage,
    ) {
        store(&ledger, &Versioned::default(), ("kept", clock.after(61))).await;
        for number in 2..2 + crowd {
            // Most have passed at once, so that whatever sweeps has something to sweep.
            let keep_until = clock.after(if number % 10 == 0 { 60 } else { 0 });
            let entry = with_job(TaskEntry::default(), "other");
            ledger.store(&task(number), &Versioned { entry, version: 0 }, keep_until).await.unwrap();
        }
        for number in (10..2 + crowd).step_by(10) {
            assert_eq!(jobs_of(&ledger.load(&task(number)).await.unwrap()), ["other"]);
        }
        clock.advance(SignedDuration::from_mins(60));
        for number in 10_000..10_000 + crowd {
            let entry = with_job(TaskEntry::default(), "other");
            ledger.store(&task(number), &Versioned { entry, version: 0 }, clock.after(1)).await.unwrap();
        }
        assert_eq!(jobs_of(&ledger.load(&task(1)).await.unwrap()), ["kept"]);
    }

    pub(super) async fn an_entry_whose_time_has_passed_is_there_as_it_was_or_is_as_if_never_stored<L: Ledger>(
        ledger: L,
        Stage { clock, crowd }: Stage,
    ) {
        store(&ledger, &Versioned::default(), ("passed", clock.after(1))).await;
        let before = ledger.load(&task(1)).await.unwrap();
        clock.advance(SignedDuration::from_mins(2));
        for number in 2..2 + crowd {
            let entry = with_job(TaskEntry::default(), "other");
            ledger.store(&task(number), &Versioned { entry, version: 0 }, clock.after(60)).await.unwrap();
        }
        let loaded = ledger.load(&task(1)).await.unwrap();
        assert!(loaded == before || loaded == Versioned::default(), "{loaded:?}");
        assert!(matches!(store(&ledger, &loaded, ("again", clock.after(60))).await, Stored::As(_)));
        assert!(jobs_of(&ledger.load(&task(1)).await.unwrap()).contains(&"again"));
    }

    pub(super) async fn a_version_does_not_come_again_after_its_entry_was_forgotten<L: Ledger>(
        ledger: L,
        Stage { clock, crowd }: Stage,
    ) {
        store(&ledger, &Versioned::default(), ("a", clock.after(1))).await;
        let loaded_before = ledger.load(&task(1)).await.unwrap();
        clock.advance(SignedDuration::from_mins(2));
        for number in 2..2 + crowd {
            let entry = with_job(TaskEntry::default(), "other");
            ledger.store(&task(number), &Versioned { entry, version: 0 }, clock.after(60)).await.unwrap();
        }
        for name in ["b", "c", "d"] {
            let before = ledger.load(&task(1)).await.unwrap();
            assert_ne!(store(&ledger, &before, (name, clock.after(60))).await, Stored::Conflict);
            assert_eq!(store(&ledger, &loaded_before, ("x", clock.after(60))).await, Stored::Conflict);
        }
        assert!(jobs_of(&ledger.load(&task(1)).await.unwrap()).ends_with(&["b", "c", "d"]));
    }

    pub(super) async fn a_later_end_given_by_a_later_store_counts<L: Ledger>(ledger: L, Stage { clock, crowd }: Stage) {
        store(&ledger, &Versioned::default(), ("a", clock.after(1))).await;
        let before = ledger.load(&task(1)).await.unwrap();
        store(&ledger, &before, ("b", clock.after(60))).await;
        clock.advance(SignedDuration::from_mins(2));
        for number in 2..2 + crowd {
            let entry = with_job(TaskEntry::default(), "other");
            ledger.store(&task(number), &Versioned { entry, version: 0 }, clock.now()).await.unwrap();
        }
        assert_eq!(jobs_of(&ledger.load(&task(1)).await.unwrap()), ["a", "b"]);
    }

    pub(super) async fn an_update_that_was_overtaken_is_made_again_upon_what_the_other_stored<L: Ledger>(
        ledger: L,
        Stage { clock, .. }: Stage,
    ) {
        let rival = Rival::new(ledger, clock, 3);
        let updated = rival.add("mine").await.unwrap();
        assert_eq!(jobs_of(&updated), ["mine", "rival 0", "rival 1", "rival 2"]);
        assert_eq!(rival.load(&task(1)).await.unwrap(), updated);
        assert_eq!(rival.stores.load(Ordering::SeqCst), 4);
    }

    pub(super) async fn an_update_that_is_always_overtaken_ends_and_says_so<L: Ledger>(
        ledger: L,
        Stage { clock, .. }: Stage,
    ) {
        let rival = Rival::new(ledger, clock, u32::MAX);
        let contended = rival.add("mine").await.unwrap_err();
        let tried = rival.stores.load(Ordering::SeqCst);
        assert_eq!(contended, LedgerError::Contended(task(1).to_string(), tried));
        assert!((2..=20).contains(&tried), "{tried} times");
        assert!(!jobs_of(&rival.load(&task(1)).await.unwrap()).contains(&"mine"));
    }

    pub(super) async fn an_update_that_is_overtaken_one_time_less_than_the_bound_gets_through<L: Ledger>(
        ledger: L,
        Stage { clock, .. }: Stage,
    ) {
        let always = Rival::new(ledger, clock.clone(), u32::MAX);
        always.add("mine").await.unwrap_err();
        let bound = always.stores.load(Ordering::SeqCst);
        let rival = Rival::new(always.ledger, clock, bound - 1);
        assert!(jobs_of(&rival.add("mine").await.unwrap()).contains(&"mine"));
    }

    pub(super) async fn an_update_that_changes_nothing_is_not_stored<L: Ledger>(ledger: L, Stage { clock, .. }: Stage) {
        let rival = Rival::new(ledger, clock, 0);
        let absent = rival.load(&task(1)).await.unwrap();
        let (result, versioned) =
            ledger::update(&rival, &task(1), None, |_| ("seen", rival.clock.after(60))).await.unwrap();
        assert_eq!((result, &versioned), ("seen", &absent));
        let first = rival.add("a").await.unwrap();
        assert_eq!(rival.add("a").await.unwrap(), first);
        assert_eq!(rival.stores.load(Ordering::SeqCst), 1);
    }

    pub(super) async fn an_update_upon_a_known_version_that_is_no_longer_there_reads_anew<L: Ledger>(
        ledger: L,
        Stage { clock, .. }: Stage,
    ) {
        let rival = Rival::new(ledger, clock, 0);
        let known = rival.add("a").await.unwrap();
        rival.add("b").await.unwrap();
        let change = |entry: &mut TaskEntry| {
            *entry = with_job(std::mem::take(entry), "c");
            ((), rival.clock.after(60))
        };
        let ((), updated) = ledger::update(&rival, &task(1), Some(&known), change).await.unwrap();
        assert_eq!(jobs_of(&updated), ["a", "b", "c"]);
    }

    pub(super) async fn a_guess_that_there_is_no_entry_saves_the_read_and_harms_nothing_where_it_is_wrong<L: Ledger>(
        ledger: L,
        Stage { clock, .. }: Stage,
    ) {
        let rival = Rival::new(ledger, clock, 0);
        let add = async |name: &'static str| {
            let change = |entry: &mut TaskEntry| {
                *entry = with_job(std::mem::take(entry), name);
                ((), rival.clock.after(60))
            };
            ledger::update(&rival, &task(1), Some(&Versioned::default()), change).await.unwrap().1
        };
        assert_eq!((jobs_of(&add("a").await), rival.loads.swap(0, Ordering::SeqCst)), (vec!["a"], 0));
        assert_eq!((jobs_of(&add("b").await), rival.loads.swap(0, Ordering::SeqCst)), (vec!["a", "b"], 1));
        let looked = ledger::update(&rival, &task(1), Some(&Versioned::default()), |_| ((), rival.clock.after(60)))
            .await
            .unwrap();
        assert_eq!(jobs_of(&looked.1), ["a", "b"], "what nobody has checked is no answer");
    }

    pub(super) async fn many_who_update_one_entry_at_once_lose_nothing<L: Ledger>(
        ledger: L,
        Stage { clock, .. }: Stage,
    ) {
        let rival = Rival::new(Interleaved(ledger), clock, 0);
        let names: Vec<String> = (0..50).map(|number| format!("{number:02}")).collect();
        let contended = AtomicU32::new(0);
        join_all(names.iter().map(async |name| {
            // Whoever is contended comes again, as its message does.
            while rival.add(name).await.is_err() {
                contended.fetch_add(1, Ordering::SeqCst);
            }
        }))
        .await;
        assert_eq!(jobs_of(&rival.load(&task(1)).await.unwrap()), names);
        assert!(rival.stores.load(Ordering::SeqCst) > 100, "they were not in each other's way");
        assert!(contended.load(Ordering::SeqCst) > 0, "nobody was contended");
    }

    pub(super) async fn what_is_open_is_on_one_of_the_pages_as_it_was_stored<L: LedgerPages>(
        ledger: L,
        Stage { clock, crowd }: Stage,
    ) {
        let mut expected = BTreeMap::new();
        for number in 1..=crowd / 2 {
            let versioned = Versioned { entry: with_job(TaskEntry::default(), &number.to_string()), version: 0 };
            let stored = ledger.store(&task(number), &versioned, clock.after(60)).await.unwrap();
            let Stored::As(version) = stored else { panic!("nobody else is here") };
            expected.insert(task(number), Versioned { version, ..versioned });
        }
        let listed = listed(&ledger).await;
        assert_eq!(listed, expected);
    }

    pub(super) async fn what_is_closed_is_on_no_page_until_it_is_open_again<L: LedgerPages>(
        ledger: L,
        Stage { clock, .. }: Stage,
    ) {
        let mut before = Versioned::default();
        for entry in [closed(), with_job(closed(), "next"), closed()] {
            let is_open = entry.is_open();
            let Stored::As(version) =
                ledger.store(&task(1), &Versioned { entry: entry.clone(), ..before }, clock.after(60)).await.unwrap()
            else {
                panic!("nobody else is here")
            };
            before = Versioned { entry, version };
            let expected = is_open.then(|| (task(1), before.clone()));
            assert_eq!(listed(&ledger).await, expected.into_iter().collect());
        }
    }

    pub(super) async fn what_is_open_and_whose_time_has_passed_is_on_no_page<L: LedgerPages>(
        ledger: L,
        Stage { clock, .. }: Stage,
    ) {
        store(&ledger, &Versioned::default(), ("passed", clock.after(1))).await;
        assert_eq!(listed(&ledger).await.len(), 1);
        // Clocks differ, so an implementation may take its time.
        clock.advance(SignedDuration::from_hours(2));
        assert_eq!(listed(&ledger).await.len(), 0);
    }
}

/// Makes a test of each promise, for the ledger that the function makes.
macro_rules! conforms {
    ($(#[$attribute:meta])* $implementation:ident, crowd = $crowd:literal, $new:expr) => {
        conforms! { $(#[$attribute])* $implementation, $crowd, $new,
            an_entry_that_was_never_stored_is_empty_and_of_version_zero
            what_was_stored_is_loaded_and_other_tasks_stay_as_they_were
            every_store_makes_a_greater_version
            a_store_upon_another_version_changes_nothing
            of_two_who_store_upon_one_version_one_wins
            an_entry_whose_time_has_not_passed_is_there_whatever_else_is_stored
            an_entry_whose_time_has_passed_is_there_as_it_was_or_is_as_if_never_stored
            a_version_does_not_come_again_after_its_entry_was_forgotten
            a_later_end_given_by_a_later_store_counts
            an_update_that_was_overtaken_is_made_again_upon_what_the_other_stored
            an_update_that_is_always_overtaken_ends_and_says_so
            an_update_that_is_overtaken_one_time_less_than_the_bound_gets_through
            an_update_that_changes_nothing_is_not_stored
            an_update_upon_a_known_version_that_is_no_longer_there_reads_anew
            a_guess_that_there_is_no_entry_saves_the_read_and_harms_nothing_where_it_is_wrong
            many_who_update_one_entry_at_once_lose_nothing
            what_is_open_is_on_one_of_the_pages_as_it_was_stored
            what_is_closed_is_on_no_page_until_it_is_open_again
            what_is_open_and_whose_time_has_passed_is_on_no_page
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
            let clock = SetClock::new();
            let ledger = ($new)(clock.clone()).await;
            super::promises::$promise(ledger, Stage { clock, crowd: $crowd }).await;
        }
    };
}

conforms!(in_memory, crowd = 5_000, async |clock| InMemoryLedger::new(clock));

conforms!(
    #[ignore = "needs an emulator: make test-e2e"]
    in_dynamodb,
    crowd = 100,
    dynamodb::ledger
);

conforms!(
    #[ignore = "needs an emulator: make test-e2e"]
    in_dynamodb_that_deletes_at_once,
    crowd = 100,
    dynamodb::forgetful_ledger
);
