//! The points at which an invocation can be paused or die: before and after each of its requests.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// Shared by all dependencies of an invocation. Disabled at first: no invocation waits.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    on: Arc<AtomicBool>,
    last: Arc<Mutex<String>>,
}

impl Steps {
    /// Whether an invocation waits once at each point.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// From now on, an invocation waits once at each point.
    pub fn enable(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    /// From now on, no invocation waits.
    pub fn disable(&self) {
        self.on.store(false, Ordering::Relaxed);
    }

    /// One point, with words that describe the next or the last action.
    pub async fn point(&self, words: &[&str]) {
        let mut waits = self.is_on();
        if waits {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = words.join(" ");
        }
        poll_fn(|context| match std::mem::take(&mut waits) {
            true => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            false => Poll::Ready(()),
        })
        .await;
    }

    /// The last point that an invocation reached.
    pub fn last(&self) -> String {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
