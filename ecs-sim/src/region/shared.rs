//! A Region that the function's adapters, the HTTP server and the scenario share.

use super::Region;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A Region with several owners.
#[derive(Clone, Debug)]
pub struct SharedRegion(Arc<Mutex<Region>>);

impl SharedRegion {
    /// Shares a Region.
    #[must_use]
    pub fn new(region: Region) -> Self {
        Self(Arc::new(Mutex::new(region)))
    }

    /// Locks the Region until the guard is dropped.
    pub fn lock(&self) -> MutexGuard<'_, Region> {
        // A panic fails its own test; other users may still read the Region.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the HTTP server, which shares its backend in this form.
    #[must_use]
    pub fn backend(&self) -> Arc<Mutex<Region>> {
        self.0.clone()
    }
}
