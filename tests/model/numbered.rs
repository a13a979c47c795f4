//! Numbers values, so that a state contains only numbers.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

/// Numbered values.
#[derive(Debug)]
pub(crate) struct Numbered<K, T> {
    numbers: RwLock<HashMap<K, u32>>,
    things: RwLock<Vec<Arc<T>>>,
}

impl<K: Eq + Hash, T> Numbered<K, T> {
    pub(crate) fn new() -> Self {
        Self { numbers: RwLock::default(), things: RwLock::default() }
    }

    pub(crate) fn get(&self, number: u32) -> Arc<T> {
        let things = self.things.read().unwrap_or_else(PoisonError::into_inner);
        things[usize::try_from(number).expect("fits")].clone()
    }

    pub(crate) fn number_of(&self, key: &K) -> Option<u32> {
        self.numbers.read().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    pub(crate) fn number(&self, key: K, thing: impl FnOnce() -> T) -> u32 {
        if let Some(number) = self.number_of(&key) {
            return number;
        }
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        *numbers.entry(key).or_insert_with(|| {
            let mut things = self.things.write().unwrap_or_else(PoisonError::into_inner);
            things.push(Arc::new(thing()));
            u32::try_from(things.len() - 1).expect("fits")
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.things.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}
