//! A simulated database that survives crashes, answers late, fails before or after it has stored, and expires records
//! as early as it may.

use super::broken::Broken;
use super::rules::Sabotage;
use super::shelves::{Shelf, StoredRecord};
use super::world::{Sim, World};
use crate::control_plane::Millis;
use crate::doubles::clock::timestamp;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use taskhold::ecs::arn::Task;
use taskhold::ecs::service::ServiceArn;
use taskhold::page::Page;
use taskhold::service::record::ServiceRecord;
use taskhold::store::error::StoreError;
use taskhold::store::{Record, Store, StorePages, Stored, Versioned};
use taskhold::task::attention::{Attention, attention};
use taskhold::task::own_protection::OwnProtection;
use taskhold::task::protection::{LATE_EFFECT_MAX, ProtectionRequest};
use taskhold::task::record::TaskRecord;

/// A store whose caller has given up takes effect within this time, or never. An assumption, as long as the one about
/// calls to ECS.
const LANDS_WITHIN_MS: Millis = 120_000;

/// A record type that has a table.
pub(super) trait Shelved: Record<Key: 'static> + std::fmt::Debug + 'static {
    fn shelf(world: &mut World) -> &mut Shelf<Self>;
    /// Damages a record as the deliberate defect requires.
    fn damage(_record: &mut Self, _sabotage: Sabotage) {}
    /// Damages a record that is read as the deliberate defect requires.
    fn misread(_record: &mut Self, _sabotage: Sabotage, _now: Timestamp) {}
    /// A record has been stored.
    fn was_stored(_world: &mut World, _key: &Self::Key, _record: &Self) {}
    /// Whether a sweep would have to act on a record that is not listed as open.
    fn is_missed(_record: &Self, _now: Timestamp) -> bool {
        false
    }
}

impl Shelved for TaskRecord {
    fn shelf(world: &mut World) -> &mut Shelf<Self> {
        &mut world.shelves.tasks
    }

    fn damage(record: &mut Self, sabotage: Sabotage) {
        if sabotage == Sabotage::ReleasesNotWrittenDown {
            record.protection.in_flight.retain(|call| call.request != ProtectionRequest::Clear);
        }
        if sabotage == Sabotage::CallsOfOthersForgotten {
            let calls = &mut record.protection.in_flight;
            calls.drain(..calls.len().saturating_sub(1));
            calls.iter_mut().for_each(|call| call.overlaps = None);
        }
        if sabotage == Sabotage::AgentReportsDropped {
            Arc::make_mut(&mut record.jobs).values_mut().for_each(|job| job.protection = None);
        }
    }

    fn misread(record: &mut Self, sabotage: Sabotage, now: Timestamp) {
        if sabotage == Sabotage::DeclaredEndsRelease {
            for job in Arc::make_mut(&mut record.jobs).values_mut() {
                job.finished_at = job.finished_at.or_else(|| job.until().filter(|until| *until <= now));
            }
        }
    }

    fn was_stored(world: &mut World, key: &Task, record: &Self) {
        let Some(number) = world.model.number_of(key.id.as_str()) else { return };
        for call in &record.protection.in_flight {
            if let ProtectionRequest::ProtectUntil(until) = call.request {
                let own = OwnProtection::requested(call.started_at, until, LATE_EFFECT_MAX);
                world.model.tasks[number].protection.requested(own);
            }
        }
    }

    fn is_missed(record: &Self, now: Timestamp) -> bool {
        let later = now + SignedDuration::from_hours(1);
        [now, later].into_iter().any(|at| attention(record, at) != Attention::None)
    }
}

impl Shelved for ServiceRecord {
    fn shelf(world: &mut World) -> &mut Shelf<Self> {
        &mut world.shelves.services
    }
}

impl World {
    /// The stored record of a task, for checks.
    pub(super) fn task_record(&self, task: &Task) -> TaskRecord {
        self.shelves.tasks.load(task).record
    }

    /// The stored records of services, for checks.
    pub(super) fn service_records(&self) -> impl Iterator<Item = (&ServiceArn, &ServiceRecord)> {
        self.shelves.services.records()
    }

    fn forget_expired<R: Shelved>(&mut self, key: &R::Key) {
        let name = key.to_string();
        let now = timestamp(self.now());
        let is_expired = R::shelf(self).kept.get(&name).is_some_and(|kept| kept.keep_until <= now);
        let may_be_early = self.rules.sabotage == Sabotage::RecordsForgottenEarly && !self.is_calm;
        if is_expired && self.choices.chance(50) || may_be_early && self.choices.chance(5) {
            R::shelf(self).kept.remove(&name);
            self.counts.strike("store: a record expires as early as it may");
            self.narrate(|_| format!("the record of {name} expires"));
        }
    }

    fn read<R: Shelved>(&mut self, key: &R::Key) -> Versioned<R> {
        self.forget_expired::<R>(key);
        let (sabotage, now) = (self.rules.sabotage, timestamp(self.now()));
        let mut versioned = R::shelf(self).load(key);
        R::misread(&mut versioned.record, sabotage, now);
        versioned
    }

    fn compare_and_set<R: Shelved>(&mut self, store: Write<R>) -> Stored {
        let Write { key, mut versioned, keep_until, owner } = store;
        self.forget_expired::<R>(&key);
        let sabotage = self.rules.sabotage;
        let name = key.to_string();
        let current = R::shelf(self).load(&key).version;
        if current != versioned.version && sabotage != Sabotage::StoresWithoutComparing {
            self.counts.add("store conflicts");
            self.narrate(|_| format!("  #{owner} stores {name}: conflict"));
            return Stored::Conflict;
        }
        R::was_stored(self, &key, &versioned.record);
        R::damage(&mut versioned.record, sabotage);
        let shelf = R::shelf(self);
        shelf.stores += 1;
        let version = if sabotage == Sabotage::VersionsCountedAnew { current + 1 } else { shelf.stores };
        versioned.version = version;
        shelf.stored_last = Some(name.clone());
        shelf.kept.insert(name.clone(), StoredRecord { key, versioned, keep_until });
        self.narrate(|_| format!("  #{owner} stores {name}"));
        Stored::As(version)
    }

    fn store_fault(&mut self, what: &'static str) -> bool {
        let strikes = self.fault(self.rules.store_fault_percent);
        if strikes {
            let number = self.polled;
            self.counts.strike(what);
            self.model.hiccups += 1;
            self.narrate(|_| format!("  #{number}: {what}"));
        }
        strikes
    }
}

/// A store on its way.
struct Write<R: Record> {
    key: R::Key,
    versioned: Versioned<R>,
    keep_until: Timestamp,
    owner: usize,
}

/// The function's client of the database.
pub(super) struct ChaoticStore(pub(super) Sim);

fn failed() -> StoreError {
    StoreError::Unexpected("connection reset".to_owned())
}

#[async_trait]
impl<R: Shelved> Store<R> for ChaoticStore {
    fn may_be_absent(&self, _: &R::Key) -> bool {
        self.0.world().rules.is_guessing
    }

    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, StoreError> {
        let read = {
            let mut world = self.0.world();
            if world.store_fault("store: a load fails") { Err(failed()) } else { Ok(world.read::<R>(key)) }
        };
        self.0.gate().await;
        read
    }

    async fn put(&self, key: &R::Key, versioned: &Versioned<R>, keep_until: Timestamp) -> Result<Stored, StoreError> {
        let owner = self.0.world().begins_store();
        let store = Write { key: key.clone(), versioned: versioned.clone(), keep_until, owner };
        let stored = self.0.send(move |world| world.stores(store)).await;
        self.0.gate().await;
        stored
    }
}

impl World {
    /// An invocation stores a record. Returns its number.
    fn begins_store(&mut self) -> usize {
        if self.rules.sabotage == Sabotage::TimeOfStoresIgnored {
            self.stopped_clocks.insert(self.polled, self.now());
        }
        self.polled
    }

    fn stores<R: Shelved>(&mut self, store: Write<R>) -> Result<Stored, StoreError> {
        if !self.fault(self.rules.store_fault_percent) {
            return Ok(self.compare_and_set(store));
        }
        self.model.hiccups += 1;
        let owner = store.owner;
        let what = match self.choices.below(3) {
            0 => "store: a write fails",
            1 => {
                self.compare_and_set(store);
                "store: the answer to a write is lost"
            }
            _ => {
                let land = move |world: &mut Self| {
                    world.compare_and_set(store);
                };
                self.leave_behind(LANDS_WITHIN_MS, Box::new(land));
                "store: a write takes effect after its caller gave up"
            }
        };
        self.counts.strike(what);
        self.narrate(|_| format!("  #{owner}: {what}"));
        Err(failed())
    }

    /// The open records, without the one stored last: the list always lags a little.
    fn page<R: Shelved>(&mut self) -> Vec<(R::Key, Versioned<R>)> {
        let is_calm = self.is_calm;
        let shelf = R::shelf(self);
        let last = shelf.stored_last.take().filter(|_| !is_calm);
        let fresh = shelf.kept.iter().filter(|(name, _)| Some(*name) != last.as_ref());
        let keys: Vec<R::Key> = fresh.map(|(_, kept)| kept.key.clone()).collect();
        let read = keys.into_iter().map(|key| (key.clone(), self.read::<R>(&key)));
        let (open, closed): (Vec<_>, Vec<_>) = read.partition(|(_, versioned)| versioned.record.is_open());
        let now = timestamp(self.now());
        if let Some((key, versioned)) = closed.iter().find(|(_, versioned)| R::is_missed(&versioned.record, now)) {
            let why =
                format!("the record of {key} is not open, and a sweep would have to act on it: {:?}", versioned.record);
            self.break_off(Broken::Convergence, why);
        }
        open
    }
}

#[async_trait]
impl<R: Shelved> StorePages<R> for ChaoticStore {
    async fn page(&self, _: Option<&str>) -> Result<Page<(R::Key, Versioned<R>)>, StoreError> {
        let items = {
            let mut world = self.0.world();
            if world.store_fault("store: a list fails") { Err(failed()) } else { Ok(world.page::<R>()) }
        };
        self.0.gate().await;
        Ok(Page { items: items?, next_token: None })
    }
}
