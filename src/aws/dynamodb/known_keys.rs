//! The keys that this instance has loaded or stored. Any other key may have no item yet.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most keys remembered, in about a megabyte. Beyond that all are forgotten, and each then costs one failed
/// store.
const MET_MAX: usize = 50_000;

/// The hashes of keys that were loaded or stored. A collision costs a load and nothing else.
#[derive(Debug, Default)]
pub(crate) struct KnownKeys {
    state: RandomState,
    hashes: Mutex<HashSet<u64>>,
}

impl KnownKeys {
    pub(crate) fn add(&self, key: &impl Hash) {
        let hash = self.state.hash_one(key);
        let mut hashes = self.hashes();
        if hashes.len() >= MET_MAX {
            hashes.clear();
        }
        hashes.insert(hash);
    }

    pub(crate) fn contains(&self, key: &impl Hash) -> bool {
        self.hashes().contains(&self.state.hash_one(key))
    }

    fn hashes(&self) -> MutexGuard<'_, HashSet<u64>> {
        // Every hash in the set is of a key that was met, even after a panic.
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_is_known_until_there_is_too_much_of_it() {
        let met = KnownKeys::default();
        assert!(!met.contains(&"a"));
        met.add(&"a");
        met.add(&"a");
        assert!(met.contains(&"a") && !met.contains(&"b"));
        (0..MET_MAX).for_each(|number| met.add(&number));
        assert!(!met.contains(&"a"));
        assert!(met.contains(&(MET_MAX - 1)));
        assert!(met.hashes().len() <= MET_MAX);
    }
}
