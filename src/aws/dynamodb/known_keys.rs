//! The keys that this instance has loaded or stored. Any other key may have no item yet.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most keys remembered, in about a megabyte. Beyond that all are forgotten, and each then costs one failed
/// store.
const KEYS_MAX: usize = 50_000;

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
        if hashes.len() >= KEYS_MAX {
            hashes.clear();
        }
        hashes.insert(hash);
    }

    pub(crate) fn contains(&self, key: &impl Hash) -> bool {
        self.hashes().contains(&self.state.hash_one(key))
    }

    fn hashes(&self) -> MutexGuard<'_, HashSet<u64>> {
        // Each hash is inserted as a whole, even after a panic elsewhere.
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_added_is_known_until_there_are_too_many() {
        let known = KnownKeys::default();
        assert!(!known.contains(&"a"));
        known.add(&"a");
        known.add(&"a");
        assert!(known.contains(&"a") && !known.contains(&"b"));
        (0..KEYS_MAX).for_each(|number| known.add(&number));
        assert!(!known.contains(&"a"));
        assert!(known.contains(&(KEYS_MAX - 1)));
        assert!(known.hashes().len() <= KEYS_MAX);
    }
}
