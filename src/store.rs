//! What taskhold knows: per task, its jobs, what was asked of ECS and what ECS confirmed until when.
//!
//! The rules are pure ([`job`], [`record`], [`calls`]); [`Store`] only keeps records, by compare-and-set on a version.
//! [`update`] is the one way to change a record: read, change, store, and again if somebody else was faster.

pub mod error;
pub mod memory;

use crate::ecs::service::Page;
use crate::store::error::StoreError;

use jiff::{SignedDuration, Timestamp};
use std::future::Future;

/// Tells one store of a record from every other; grows from store to store; 0 means that there is no record. Not used again
/// for the same task after the record was forgotten: who has loaded the old one would store it over the new one.
pub type Version = u64;

/// Something that the state store keeps, each under its key.
pub trait Record: Clone + Default + PartialEq + Send + Sync + 'static {
    /// What it is kept under.
    type Key: std::fmt::Display + Clone + Eq + std::hash::Hash + Send + Sync + 'static;

    /// Whether something may have to be done about it that no message and no event will tell of. What only time closes
    /// stays open until the next store: an index over records changes when they are stored and not before.
    fn is_open(&self) -> bool;
}

/// A record together with the version that it was read at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Versioned<R> {
    /// What is known.
    pub record: R,
    /// 0 if the state store had no record.
    pub version: Version,
}

/// What came of a compare-and-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The record is kept under this version.
    As(Version),
    /// Another version is there: nothing was changed.
    Conflict,
}

/// Keeps records, one for each key. Implementations have no opinion about what is in them.
pub trait Store<R: Record>: Send + Sync {
    /// Reads a record; an absent one is [`Versioned::default`]. Sees every store that was answered before.
    ///
    /// # Errors
    /// The store failed, which says nothing about the record.
    fn load(&self, key: &R::Key) -> impl Future<Output = Result<Versioned<R>, StoreError>> + Send;

    /// Stores a record if the one kept is still at `versioned.version`, atomically. It may be forgotten from
    /// `keep_until` on, not before.
    ///
    /// # Errors
    /// The store failed; whether the record was kept is not known.
    fn put(
        &self,
        key: &R::Key,
        versioned: &Versioned<R>,
        keep_until: Timestamp,
    ) -> impl Future<Output = Result<Stored, StoreError>> + Send;

    /// Whether this instance has never met the key, so that there may well be no record: where one is about to begin, trying
    /// to store it then takes a round trip less than reading first. A guess: a wrong one is a [`Stored::Conflict`].
    fn may_be_absent(&self, _key: &R::Key) -> bool {
        false
    }
}

/// Entries under their keys.
pub type RecordPage<R> = Page<(<R as Record>::Key, Versioned<R>)>;

/// A state store that can say what is open in it.
pub trait StorePages<R: Record>: Store<R> {
    /// Reads a page of the records that are open ([`Record::is_open`]) and whose time has not passed, in an order that only
    /// the store knows. A page may be empty and not the last; `token` is the page before's [`Page::next_token`].
    ///
    /// A list and not a proof: what was stored a moment ago, or is stored meanwhile, may be missed or come twice, because an
    /// index follows its table with a delay. A record is as [`Store::load`] would tell it, or was so a moment ago. One
    /// that cannot be read is logged and passed over, so that it does not hide the others.
    ///
    /// # Errors
    /// The store failed.
    fn page(&self, token: Option<&str>) -> impl Future<Output = Result<RecordPage<R>, StoreError>> + Send;
}

/// So often an update is tried against others. Each loss means that another one won, so that even 8 instances at once on
/// one task get through; more losses than that mean that something is wrong.
const CONFLICTS_MAX: u32 = 8;
/// So many records are read or stored at once by one invocation.
/// As many as a batch of a usual size has tasks: then each takes no longer than one alone.
pub(crate) const RECORDS_AT_ONCE: usize = 100;
/// Who claims news has this long to tell them: a send times out after seconds.
pub(crate) const CLAIM: SignedDuration = SignedDuration::from_secs(60);

/// Changes the record of `key` by `change` and stores it, unless `change` leaves it as it was.
///
/// `known` is a version that the caller has just stored, or the default for a guess that there is none: it saves the read when
/// that is so. `change` may run several times, each time on a fresh record; its result of the last time is returned.
///
/// # Errors
/// The state store failed, or others were faster so often in a row that something must be wrong.
pub async fn update<R: Record, S: Store<R>, T>(
    store: &S,
    key: &R::Key,
    known: Option<&Versioned<R>>,
    change: impl FnMut(&mut R) -> (T, Timestamp),
) -> Result<(T, Versioned<R>), StoreError> {
    update_after(store, key, known, change, async |_, _, _| {}).await
}

/// Like [`update`], with something that must have happened before the changed record is stored: `prepare` gets the record
/// before and after the change, and may still change the latter and the result. It runs again if another instance stored
/// in between.
///
/// # Errors
/// As [`update`].
pub async fn update_after<R: Record, S: Store<R>, T>(
    store: &S,
    key: &R::Key,
    known: Option<&Versioned<R>>,
    mut change: impl FnMut(&mut R) -> (T, Timestamp),
    mut prepare: impl AsyncFnMut(&R, &mut R, &mut T),
) -> Result<(T, Versioned<R>), StoreError> {
    let mut known = known;
    for _ in 0..CONFLICTS_MAX {
        let loaded;
        let is_guess = known.is_some_and(|known| known.version == 0);
        let before = match known.take() {
            Some(versioned) => versioned,
            None => {
                loaded = store.load(key).await?;
                &loaded
            }
        };
        let mut after = before.clone();
        let (mut result, keep_until) = change(&mut after.record);
        prepare(&before.record, &mut after.record, &mut result).await;
        if after.record == before.record {
            if is_guess {
                // A guess that nothing has checked is no answer.
                continue;
            }
            return Ok((result, after));
        }
        if let Stored::As(version) = store.put(key, &after, keep_until).await? {
            after.version = version;
            return Ok((result, after));
        }
    }
    Err(StoreError::Contended(key.to_string(), CONFLICTS_MAX))
}
