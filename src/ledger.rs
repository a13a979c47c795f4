//! What taskhold knows: per task, its jobs, what was asked of ECS and what ECS confirmed until when.
//!
//! The rules are pure ([`job`], [`entry`], [`calls`]); [`Ledger`] only keeps entries, by compare-and-set on a version.
//! [`update`] is the one way to change an entry: read, change, store, and again if somebody else was faster.

pub mod calls;
pub mod entry;
pub mod job;
mod memory;

pub use calls::{Ask, Call, CallId, CallResult, Protection, Refusal};
pub use entry::TaskEntry;
pub use job::{Job, JobKey};
pub use memory::InMemoryLedger;

use crate::ecs::Task;
use jiff::Timestamp;
use std::future::Future;

/// Tells one store of an entry from every other; grows from store to store; 0 means that there is no entry. Not used again
/// for the same task after the entry was forgotten: who has loaded the old one would store it over the new one.
pub type Version = u64;

/// An entry together with the version that it was read at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Versioned {
    /// What is known of the task.
    pub entry: TaskEntry,
    /// 0 if the ledger had no entry.
    pub version: Version,
}

/// Why an entry could not be read or stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else stored the entry in between, again and again.
    #[error("the ledger entry of `{0}` was changed by others {1} times in a row")]
    Contended(String, u32),
    /// The store did not answer as it should.
    #[error("the ledger failed: {0}")]
    Unexpected(String),
}

/// What came of a compare-and-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The entry is kept under this version.
    As(Version),
    /// Another version is there: nothing was changed.
    Conflict,
}

/// Keeps one entry per task. Implementations have no opinion about what is in it.
pub trait Ledger: Send + Sync {
    /// Reads an entry; an absent one is [`Versioned::default`]. Sees every store that was answered before.
    ///
    /// # Errors
    /// The store failed, which says nothing about the entry.
    fn load(&self, task: &Task) -> impl Future<Output = Result<Versioned, LedgerError>> + Send;

    /// Stores an entry if the one kept is still at `versioned.version`, atomically. It may be forgotten from
    /// `keep_until` on, not before.
    ///
    /// # Errors
    /// The store failed; whether the entry was kept is not known.
    fn store(
        &self,
        task: &Task,
        versioned: &Versioned,
        keep_until: Timestamp,
    ) -> impl Future<Output = Result<Stored, LedgerError>> + Send;
}

/// So often an update is tried against others. Each loss means that another one won, so that even 8 instances at once on
/// one task get through; more losses than that mean that something is wrong.
const CONFLICTS_MAX: u32 = 8;

/// Changes the entry of `task` by `change` and stores it, unless `change` leaves it as it was.
///
/// `known` is a version that the caller has just stored: it saves the read when nobody else was there. `change` may run
/// several times, each time on a fresh entry; its result of the last time is returned.
///
/// # Errors
/// The ledger failed, or others were faster so often in a row that something must be wrong.
pub async fn update<L: Ledger, T>(
    ledger: &L,
    task: &Task,
    known: Option<&Versioned>,
    mut change: impl FnMut(&mut TaskEntry) -> (T, Timestamp),
) -> Result<(T, Versioned), LedgerError> {
    let mut known = known;
    for _ in 0..CONFLICTS_MAX {
        let loaded;
        let before = match known.take() {
            Some(versioned) => versioned,
            None => {
                loaded = ledger.load(task).await?;
                &loaded
            }
        };
        let mut after = before.clone();
        let (result, keep_until) = change(&mut after.entry);
        if after.entry == before.entry {
            return Ok((result, after));
        }
        if let Stored::As(version) = ledger.store(task, &after, keep_until).await? {
            after.version = version;
            return Ok((result, after));
        }
    }
    Err(LedgerError::Contended(task.to_string(), CONFLICTS_MAX))
}
