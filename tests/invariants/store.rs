//! A simulated database around the in-memory state store: it survives crashes, answers late, fails before or after it
//! has stored, and drops records as soon as they expire.

use super::world::{Sabotage, Sim, World};
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;
use taskhold::clock::Clock;
use taskhold::ecs::arn::Task;
use taskhold::ecs::service::Page;
use taskhold::store::error::StoreError;
use taskhold::store::memory::MemoryStore;
use taskhold::store::{Store, StorePages, Stored, Versioned};
use taskhold::task::attention::{Attention, attention};
use taskhold::task::record::TaskRecord;

/// A store whose caller no longer waits is applied within this time or never.
const LANDS_WITHIN: SignedDuration = SignedDuration::from_secs(120);

#[derive(Debug, Default)]
pub(crate) struct Shelf {
    kept: BTreeMap<Task, Kept>,
    entries_made: u64,
    stored_last: Option<Task>,
    pub(crate) requests: Vec<Request>,
    requests_made: u64,
}

#[derive(Debug)]
struct Kept {
    /// A store for this task alone, so that its record can be dropped.
    store: MemoryStore<Still>,
    /// Added to the store's versions, so that none recurs after the record was dropped.
    versions_from: u64,
    keep_until: Timestamp,
}

/// A store that has not reached the database yet.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    id: u64,
    pub(crate) owner: usize,
    task: Task,
    versioned: Versioned<TaskRecord>,
    keep_until: Timestamp,
    pub(crate) by: Timestamp,
    /// Its caller no longer waits for it.
    pub(crate) orphan: bool,
}

/// A clock that stands still: the in-memory store reads it only to sweep when it is large, and here it never is.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::MIN
    }

    async fn sleep(&self, _: Duration) {}
}

impl World {
    /// The record in the database, for checks.
    pub(crate) fn entry(&self, task: &Task) -> TaskRecord {
        self.shelf.kept.get(task).map(|kept| load(kept, task).record).unwrap_or_default()
    }

    fn read(&mut self, task: &Task) -> Versioned<TaskRecord> {
        self.forget_expired(task);
        self.shelf.kept.get(task).map(|kept| load(kept, task)).unwrap_or_default()
    }

    fn forget_expired(&mut self, task: &Task) {
        let Some(kept) = self.shelf.kept.get(task) else { return };
        let early = self.rules.sabotage == Sabotage::ForgetsEntriesEarly && !self.calm;
        let expired = kept.keep_until <= self.now;
        if (expired && self.rng.bool()) || (early && self.percent(5)) {
            self.shelf.kept.remove(task);
            self.stats.forgotten += 1;
            self.record(format!("the state store forgets task {}", self.ecs.number_of(&task.id)));
        }
    }

    fn request(&mut self, task: &Task, versioned: &Versioned<TaskRecord>, keep_until: Timestamp) -> u64 {
        self.shelf.requests_made += 1;
        let id = self.shelf.requests_made;
        self.shelf.requests.push(Request {
            id,
            owner: self.polled,
            task: task.clone(),
            versioned: versioned.clone(),
            keep_until,
            by: self.now + LANDS_WITHIN,
            orphan: false,
        });
        id
    }

    /// The database applies a store.
    pub(crate) fn land(&mut self, request: Request) -> Stored {
        let Request { owner, task, mut versioned, keep_until, .. } = request;
        self.forget_expired(&task);
        let number = self.ecs.number_of(&task.id);
        let shown = self.shown_entry(&versioned.record);
        if self.rules.sabotage == Sabotage::ForgetsOtherCalls {
            let calls = &mut versioned.record.protection.in_flight;
            calls.drain(..calls.len().saturating_sub(1));
            calls.iter_mut().for_each(|call| call.overlaps = None);
        }
        let stored = self.compare_and_set(&task, versioned, keep_until);
        self.stats.conflicts += u64::from(stored == Stored::Conflict);
        self.record(format!("  #{owner} stores task {number} {stored:?}: {shown}"));
        stored
    }

    fn compare_and_set(&mut self, task: &Task, mut versioned: Versioned<TaskRecord>, keep_until: Timestamp) -> Stored {
        let current = self.shelf.kept.get(task).map_or(0, |kept| load(kept, task).version);
        if self.rules.sabotage == Sabotage::StoresWithoutComparing {
            versioned.version = current;
        }
        if versioned.version != current {
            return Stored::Conflict;
        }
        self.shelf.entries_made += 1;
        let versions_from = match self.rules.sabotage {
            Sabotage::CountsVersionsAnew => 0,
            _ => self.shelf.entries_made * 1_000_000,
        };
        let new = || Kept { store: MemoryStore::new(Still), versions_from, keep_until };
        let kept = self.shelf.kept.entry(task.clone()).or_insert_with(new);
        kept.keep_until = keep_until;
        self.shelf.stored_last = Some(task.clone());
        versioned.version = versioned.version.saturating_sub(kept.versions_from);
        let stored = kept.store.put(task, &versioned, keep_until).now_or_never();
        match stored.expect("memory does not wait").expect("memory does not fail") {
            Stored::As(version) => Stored::As(version + kept.versions_from),
            Stored::Conflict => unreachable!("the versions were compared"),
        }
    }

    /// The open records without the one stored last: the index is eventually consistent.
    fn page(&mut self) -> Vec<(Task, Versioned<TaskRecord>)> {
        let last = self.shelf.stored_last.take().filter(|_| !self.calm);
        let tasks: Vec<Task> = self.shelf.kept.keys().filter(|task| Some(*task) != last.as_ref()).cloned().collect();
        let read: Vec<(Task, Versioned<TaskRecord>)> =
            tasks.into_iter().map(|task| (task.clone(), self.read(&task))).collect();
        let (open, closed): (Vec<_>, Vec<_>) = read.into_iter().partition(|(_, versioned)| versioned.record.is_open());
        for (task, Versioned { record: entry, .. }) in closed {
            let later = self.now + SignedDuration::from_hours(1);
            let found = [self.now, later].map(|at| attention(&entry, at));
            assert_eq!(
                found,
                [Attention::None; 2],
                "a sweep would have to reconcile {task}, whose record is closed: {entry:?}"
            );
        }
        open
    }

    fn shown_entry(&self, entry: &TaskRecord) -> String {
        let protection = &entry.protection;
        let calls: Vec<String> =
            protection.in_flight.iter().map(|call| format!("{}:{:?}", call.id, call.request)).collect();
        let jobs: Vec<String> =
            entry.live_jobs(self.now).map(|(job, until)| format!("{job}→{}", self.shown(until))).collect();
        let confirmed = protection.confirmed_until.map(|until| self.shown(until));
        let held = if protection.is_set { "held" } else { "not held" };
        format!("live {jobs:?}, {held}, confirmed {confirmed:?}, in flight {calls:?}")
    }
}

fn load(kept: &Kept, task: &Task) -> Versioned<TaskRecord> {
    let loaded = Store::<TaskRecord>::load(&kept.store, task)
        .now_or_never()
        .expect("memory does not wait")
        .expect("memory does not fail");
    Versioned { version: loaded.version + kept.versions_from, ..loaded }
}

/// The function's client of the database.
#[derive(Debug)]
pub(crate) struct FakeStore(pub(crate) Sim);

fn failed() -> StoreError {
    StoreError::Unexpected("connection reset".to_owned())
}

ecs_sim::keeps_no_services!(FakeStore);

impl StorePages<TaskRecord> for FakeStore {
    async fn page(&self, _: Option<&str>) -> Result<Page<(Task, Versioned<TaskRecord>)>, StoreError> {
        self.0.gate().await;
        let items = {
            let mut world = self.0.world();
            if world.fault() {
                return Err(failed());
            }
            world.page()
        };
        self.0.gate().await;
        Ok(Page { items, next_token: None })
    }
}

impl Store<TaskRecord> for FakeStore {
    fn may_be_absent(&self, _: &Task) -> bool {
        self.0.world().rules.is_guessing
    }

    async fn load(&self, task: &Task) -> Result<Versioned<TaskRecord>, StoreError> {
        self.0.gate().await;
        let read = {
            let mut world = self.0.world();
            if world.fault() {
                let number = world.polled;
                world.record(format!("  #{number} cannot load"));
                return Err(failed());
            }
            world.read(task)
        };
        self.0.gate().await;
        Ok(read)
    }

    async fn put(
        &self,
        task: &Task,
        versioned: &Versioned<TaskRecord>,
        keep_until: Timestamp,
    ) -> Result<Stored, StoreError> {
        let id = self.0.world().request(task, versioned, keep_until);
        self.0.gate().await;
        let stored = {
            let mut world = self.0.world();
            let at =
                world.shelf.requests.iter().position(|request| request.id == id).expect("only its caller removes it");
            let fault = world.fault();
            match world.rng.u32(..3) {
                0 if fault => {
                    // It may still be applied.
                    world.shelf.requests[at].orphan = true;
                    None
                }
                1 if fault => {
                    world.shelf.requests.swap_remove(at);
                    None
                }
                _ => {
                    let request = world.shelf.requests.swap_remove(at);
                    let stored = world.land(request);
                    (!fault).then_some(stored)
                }
            }
        };
        self.0.gate().await;
        if stored.is_none() {
            let mut world = self.0.world();
            let number = world.polled;
            world.record(format!("  #{number} receives an error for its store"));
        }
        stored.ok_or_else(failed)
    }
}
