//! The protection of a task as the run knows it: its last writer, and what taskhold requested and ECS granted.

use crate::control_plane::Millis;
use crate::doubles::clock::timestamp;
use std::collections::BTreeMap;
use taskhold::ecs::ProtectionSetting;
use taskhold::task::own_protection::OwnProtection;

/// The last writer of a task's protection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Writer {
    /// taskhold.
    Function,
    /// The worker, another program or a person; or none yet.
    #[default]
    Other,
}

/// Protection that ECS granted to taskhold.
#[derive(Clone, Copy, Debug)]
struct Grant {
    at: Millis,
    until: Millis,
}

/// A call of UpdateTaskProtection on its way.
#[derive(Clone, Debug)]
pub(super) struct SentRequest {
    pub(super) setting: ProtectionSetting,
    pub(super) sent_at: Millis,
    /// For each of its tasks, how many changes by other writers the run had seen when the caller last read the task's
    /// protection. A task that the caller has not read is missing.
    pub(super) read: BTreeMap<usize, u64>,
}

#[derive(Default)]
pub(super) struct ProtectionModel {
    pub(super) writer: Writer,
    /// The last change by another writer, counted over all tasks of the run.
    changed_by_others: u64,
    /// The latest end that another writer has set.
    pub(super) others_until: Option<Millis>,
    /// What taskhold was granted since the protection was last cleared or another writer last changed it.
    grants: Vec<Grant>,
    /// What each call that taskhold ever recorded may have set.
    requested: Vec<OwnProtection>,
}

impl ProtectionModel {
    /// taskhold has recorded a call.
    pub(super) fn requested(&mut self, own: OwnProtection) {
        if !self.requested.contains(&own) {
            self.requested.push(own);
        }
    }

    /// A call of taskhold has set the protection.
    pub(super) fn granted(&mut self, now: Millis, until: Millis) {
        self.writer = Writer::Function;
        self.grants.retain(|grant| grant.until > now);
        self.grants.push(Grant { at: now, until });
    }

    /// A call of taskhold has cleared the protection.
    pub(super) fn cleared(&mut self) {
        self.writer = Writer::Function;
        self.grants.clear();
    }

    /// Another writer has set or cleared the protection. `number` counts such changes over all tasks.
    pub(super) fn changed_by_other(&mut self, number: u64, until: Option<Millis>) {
        (self.writer, self.changed_by_others) = (Writer::Other, number);
        self.others_until = self.others_until.max(until);
        self.grants.clear();
    }

    /// Whether another writer set it before a read at which the run had seen this many changes by other writers.
    pub(super) fn is_foreign_since(&self, read: Option<u64>) -> bool {
        self.writer == Writer::Other && read.is_none_or(|read| self.changed_by_others <= read)
    }

    /// Whether taskhold may take it for its own: the expiry fits one of its calls (decision 0013).
    pub(super) fn fits_own(&self, until: Millis) -> bool {
        self.requested.iter().any(|own| own.fits(timestamp(until)))
    }

    /// The latest end that ECS granted to taskhold before this time.
    pub(super) fn granted_before(&self, time: Millis) -> Option<Millis> {
        self.grants.iter().filter(|grant| grant.at < time).map(|grant| grant.until).max()
    }
}
