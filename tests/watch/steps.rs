//! The points at which an invocation can be held up, or die: before and after everything that it asks of others.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// Shared by everything that an invocation asks. Switched off, as at first, nobody waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    on: Arc<AtomicBool>,
    last: Arc<Mutex<String>>,
}

impl Steps {
    /// Whether an invocation waits once at each point.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// From now on it does, or does not; answers whether it did.
    pub(crate) fn set(&self, on: bool) -> bool {
        self.on.swap(on, Ordering::Relaxed)
    }

    /// One point, with a word on what comes next or has just been done.
    pub(crate) async fn point(&self, when: &str, what: &str) {
        let mut waits = self.is_on();
        if waits {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = format!("{when} {what}");
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

    /// The last point that somebody came to.
    pub(crate) fn last(&self) -> String {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
