//! The state store: records under keys, stored by compare-and-set on a version.
//!
//! Here are the traits that a store implements ([`Record`], [`Store`], [`StorePages`]), the implementation in
//! memory, and [`update`], the only way to change a record: read, change, store, and again if another
//! instance stored first. A store never interprets a record: `task::record` and `service::record` define what
//! the records contain, and `aws::dynamodb` keeps them in a table. Start with [`Store`] and [`update`].

pub mod error;
pub mod memory;

use crate::page::Page;
use crate::store::error::StoreError;
use async_trait::async_trait;

use jiff::Timestamp;

/// Distinguishes the stored states of one record. A version grows with each store; 0 means that there is no
/// record. It is never reused for the same key, not even after the record was forgotten: an instance that
/// loaded the old record would otherwise overwrite the new one.
pub type Version = u64;

/// Something that the state store keeps, each under its own key.
pub trait Record: Clone + Default + PartialEq + Send + Sync + 'static {
    /// The key.
    type Key: std::fmt::Display + Clone + Eq + std::hash::Hash + Send + Sync + 'static;

    /// Whether the record may need an action that no message and no event will trigger. The sweep visits open
    /// records. An index is updated only when a record is stored, so a record that time alone would close
    /// stays open until its next store.
    fn is_open(&self) -> bool;
}

/// A record together with the version that it was read at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Versioned<R> {
    /// The record.
    pub record: R,
    /// 0 if the state store had no record.
    pub version: Version,
}

/// The result of a compare-and-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The record was stored under this version.
    As(Version),
    /// The stored version is another one; nothing was changed.
    Conflict,
}

/// Keeps records, one under each key. Implementations do not interpret the records.
#[async_trait]
pub trait Store<R: Record>: Send + Sync {
    /// Reads a record; an absent one is [`Versioned::default`]. The read is consistent: it sees every store
    /// that was acknowledged before.
    ///
    /// # Errors
    /// The store failed, which says nothing about the record.
    async fn load(&self, key: &R::Key) -> Result<Versioned<R>, StoreError>;

    /// Stores a record atomically, if the stored version is still `versioned.version`. The store must keep it
    /// until `keep_until` and may forget it then.
    ///
    /// # Errors
    /// The store failed; the record may or may not have been stored.
    async fn put(&self, key: &R::Key, versioned: &Versioned<R>, keep_until: Timestamp) -> Result<Stored, StoreError>;

    /// Whether this instance sees the key for the first time, so that the record may not exist yet. A caller that
    /// is about to create it can then store without reading first, which saves a round trip. This is a guess; a
    /// wrong one leads to [`Stored::Conflict`].
    fn may_be_absent(&self, _key: &R::Key) -> bool {
        false
    }
}

/// A page of records with their keys.
pub type RecordPage<R> = Page<(<R as Record>::Key, Versioned<R>)>;

/// A state store that can list its open records.
#[async_trait]
pub trait StorePages<R: Record>: Store<R> {
    /// Reads a page of the records that are open ([`Record::is_open`]) and have not expired, in an order that
    /// only the store knows. A page that is not the last may be empty. `token` is the [`Page::next_token`] of
    /// the page before.
    ///
    /// The list is not exact: an index follows its table with a delay, so a record that was stored recently
    /// may be missing or appear twice. Each record is as [`Store::load`] returns it now or returned it a
    /// moment ago. A record that cannot be read is logged and skipped, so that it does not hide the others.
    ///
    /// # Errors
    /// The store failed.
    async fn page(&self, token: Option<&str>) -> Result<RecordPage<R>, StoreError>;
}

/// The longest JSON of a record that a store accepts. DynamoDB takes items of 400 KB (aws-facts "DynamoDB"), names and
/// key included; the rest is room for those.
pub const RECORD_BYTES_MAX: usize = 380_000;
/// How often [`update`] tries to store. Each conflict means that another instance succeeded, so that even 8
/// instances that work on one task at once all succeed. More conflicts indicate a fault.
const CONFLICTS_MAX: u32 = 8;
/// How many records one invocation reads or stores concurrently: as many as a batch of the usual size has
/// tasks, so that the batch takes no longer than one task.
pub(crate) const RECORDS_AT_ONCE: usize = 100;

/// What a change of a record leaves to its caller and to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<T> {
    /// The result for the caller.
    pub result: T,
    /// Until when the store must keep the record.
    pub keep_until: Timestamp,
}

/// The record after an [`update`].
#[derive(Clone, Debug, PartialEq)]
pub struct Updated<R, T> {
    /// The result of the change.
    pub result: T,
    /// The record as it is stored now.
    pub versioned: Versioned<R>,
}

/// Applies `change` to the record of `key` and stores the result, unless `change` left the record as it was.
///
/// `known` saves the read. Pass the version that the caller has just stored, or the default to guess that there
/// is no record. `change` may run several times, each time on a fresh record; the result of its last
/// run is returned.
///
/// # Errors
/// The state store failed, or other instances stored first too many times in a row.
pub async fn update<R: Record, T>(
    store: &dyn Store<R>,
    key: &R::Key,
    known: Option<&Versioned<R>>,
    mut change: impl FnMut(&mut R) -> Changed<T>,
) -> Result<Updated<R, T>, StoreError> {
    update_after(store, key, known, |_, record| change(record), async |_, _, _| {}).await
}

/// Like [`update`], and `change` gets the record before the change too. `prepare` runs before the changed record is
/// stored. It gets the record before and after the change, and may still modify the changed record and the result. It runs again after a
/// conflict.
///
/// # Errors
/// As [`update`].
pub async fn update_after<R: Record, T>(
    store: &dyn Store<R>,
    key: &R::Key,
    known: Option<&Versioned<R>>,
    mut change: impl FnMut(&R, &mut R) -> Changed<T>,
    mut prepare: impl AsyncFnMut(&R, &mut R, &mut T),
) -> Result<Updated<R, T>, StoreError> {
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
        let Changed { mut result, keep_until } = change(&before.record, &mut after.record);
        prepare(&before.record, &mut after.record, &mut result).await;
        if after.record == before.record {
            if is_guess {
                // Nothing has confirmed the guess yet: read the record.
                continue;
            }
            return Ok(Updated { result, versioned: after });
        }
        if let Stored::As(version) = store.put(key, &after, keep_until).await? {
            after.version = version;
            return Ok(Updated { result, versioned: after });
        }
    }
    Err(StoreError::Contended(key.to_string(), CONFLICTS_MAX))
}
