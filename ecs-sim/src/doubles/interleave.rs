//! Building blocks for a scheduler that alone decides which invocation continues: gates at which invocations wait, and
//! a way to run one of them until it waits again. The scheduler's owner decides when a gate is made and which one
//! opens.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Numbers the invocations of a run.
pub type InvocationNo = usize;

/// A place where an invocation waits until the scheduler opens it.
#[derive(Debug)]
pub struct Gate<T> {
    /// The gate's id.
    pub id: u64,
    /// The waiting invocation.
    pub owner: InvocationNo,
    /// For a sleep: the gate does not open before this time.
    pub not_before: T,
    waker: Option<Waker>,
    is_open: bool,
}

/// The gates with waiting invocations, in order of creation.
#[derive(Debug)]
pub struct Gates<T> {
    waiting: Vec<Gate<T>>,
    made: u64,
}

impl<T> Default for Gates<T> {
    fn default() -> Self {
        Self { waiting: Vec::new(), made: 0 }
    }
}

impl<T> Gates<T> {
    /// Makes a gate and returns its id. [Remove](Self::remove) it together with the invocation that waits at it.
    pub fn make(&mut self, owner: InvocationNo, not_before: T) -> u64 {
        self.made += 1;
        self.waiting.push(Gate { id: self.made, owner, not_before, waker: None, is_open: false });
        self.made
    }

    /// The gates with waiting invocations.
    pub fn waiting(&self) -> &[Gate<T>] {
        &self.waiting
    }

    /// Whether this invocation waits at a gate.
    pub fn is_waited_at_by(&self, owner: InvocationNo) -> bool {
        self.waiting.iter().any(|gate| gate.owner == owner)
    }

    /// Opens the gate: its invocation continues when it is polled next.
    ///
    /// # Panics
    /// The gate has been removed.
    pub fn open(&mut self, id: u64) {
        let gate = self.gate(id);
        gate.is_open = true;
        if let Some(waker) = gate.waker.take() {
            waker.wake();
        }
    }

    /// Ready once the gate is open.
    ///
    /// # Panics
    /// The gate has been removed.
    pub fn poll(&mut self, id: u64, context: &Context<'_>) -> Poll<()> {
        let gate = self.gate(id);
        if gate.is_open {
            return Poll::Ready(());
        }
        gate.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Removes a gate at which nothing waits any more.
    pub fn remove(&mut self, id: u64) {
        self.waiting.retain(|gate| gate.id != id);
    }

    fn gate(&mut self, id: u64) -> &mut Gate<T> {
        self.waiting.iter_mut().find(|gate| gate.id == id).expect("a gate exists as long as an invocation waits at it")
    }
}

/// Polls futures. The waker only records that there is something to poll.
#[derive(Clone, Debug, Default)]
pub struct Poller(Arc<Woken>);

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Poller {
    /// Polls a future until it is done, or until only another party can make progress: then the output is `None`.
    pub fn poll<F: Future + ?Sized>(&self, mut future: Pin<&mut F>) -> Option<F::Output> {
        let waker = Waker::from(self.0.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            self.0.0.store(false, Ordering::Relaxed);
            match future.as_mut().poll(&mut context) {
                Poll::Ready(output) => return Some(output),
                Poll::Pending if self.0.0.load(Ordering::Relaxed) => {}
                Poll::Pending => return None,
            }
        }
    }
}

/// Prints the seed of a run if the function itself panics in it.
#[derive(Debug)]
pub struct SeedOfPanic(pub u64);

impl Drop for SeedOfPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the panic was in the run of seed {}", self.0);
        }
    }
}
