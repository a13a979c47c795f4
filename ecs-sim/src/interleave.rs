//! What a scheduler needs that alone decides who goes on: gates at which invocations wait, and a way to let one of them go on
//! until it waits again. Whoever schedules says when a gate is made, and which is opened.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Numbers the invocations of a run.
pub type InvocationNo = usize;

/// Where an invocation waits until it is let pass.
#[derive(Debug)]
pub struct Gate<T> {
    /// Which.
    pub id: u64,
    /// Who waits.
    pub owner: InvocationNo,
    /// Not passed before then, for a sleep.
    pub not_before: T,
    waker: Option<Waker>,
    is_open: bool,
}

/// The gates at which somebody waits, in the order in which they were made.
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
    /// Makes a gate and answers with its id. It has to be [removed](Self::remove) with whoever waits at it.
    pub fn make(&mut self, owner: InvocationNo, not_before: T) -> u64 {
        self.made += 1;
        self.waiting.push(Gate { id: self.made, owner, not_before, waker: None, is_open: false });
        self.made
    }

    /// Those at which somebody waits.
    pub fn waiting(&self) -> &[Gate<T>] {
        &self.waiting
    }

    /// Whether this invocation waits at one.
    pub fn is_waited_at_by(&self, owner: InvocationNo) -> bool {
        self.waiting.iter().any(|gate| gate.owner == owner)
    }

    /// Lets the waiting one at this gate pass when it is polled next.
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

    /// Nobody waits at it any more.
    pub fn remove(&mut self, id: u64) {
        self.waiting.retain(|gate| gate.id != id);
    }

    fn gate(&mut self, id: u64) -> &mut Gate<T> {
        self.waiting.iter_mut().find(|gate| gate.id == id).expect("it lives as long as who waits at it")
    }
}

/// Lets futures go on. The waker only tells that there is something to poll.
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
    /// Polls a future until it is done, or waits for what only somebody else can bring: then there is no output.
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
