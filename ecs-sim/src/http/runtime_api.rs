//! The Lambda runtime API for a function process on this machine: the real `bootstrap` polls it.
//!
//! Left out on purpose: the time-out of an invocation (its caller drops the future and ends the process), response
//! streaming, extensions, and SnapStart's restore calls.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot, watch};

/// Why an invocation has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// The function reported an error for this invocation.
    #[error("function reported `{error_type}`: {message}")]
    Reported {
        /// The error type from the function.
        error_type: String,
        /// The error text from the function.
        message: String,
    },
    /// The function reported that it cannot start.
    #[error("function failed to start with `{error_type}`: {message}")]
    Init {
        /// The error type from the function.
        error_type: String,
        /// The error text from the function.
        message: String,
    },
    /// The function's process ended before it answered.
    #[error("function process ended: {reason}")]
    Exited {
        /// How it ended, as the caller that watches the process reported it.
        reason: String,
    },
    /// The server stopped before the function answered.
    #[error("the runtime API stopped")]
    Stopped,
}

pub(super) type Reply = Result<Vec<u8>, InvocationError>;

/// Passes invocations to function processes. Clones are handles to the same API.
#[derive(Debug, Clone)]
pub struct RuntimeApi {
    shared: Arc<RuntimeState>,
}

#[derive(Debug)]
struct RuntimeState {
    function_arn: String,
    state: Mutex<Invocations>,
    /// Wakes a process that waits for an invocation.
    offered: Notify,
    lifecycle: watch::Sender<Lifecycle>,
}

#[derive(Debug, Default)]
struct Invocations {
    /// Numbers the invocations.
    number: u64,
    /// Not yet taken by a process, oldest first.
    waiting: VecDeque<PendingInvocation>,
    /// Taken and not yet answered, by request id.
    running: BTreeMap<String, oneshot::Sender<Reply>>,
}

#[derive(Debug)]
pub(super) struct PendingInvocation {
    pub(super) number: u64,
    pub(super) payload: Vec<u8>,
    pub(super) deadline_ms: i64,
    reply: oneshot::Sender<Reply>,
}

#[derive(Debug, Default)]
struct Lifecycle {
    /// Whether a process has polled since the last one ended.
    ready: bool,
    /// How often a process ended or failed to start, so that an old end is not taken for a new one.
    ends: u64,
    last_error: Option<InvocationError>,
    stopped: bool,
}

impl PendingInvocation {
    pub(super) fn request_id(&self) -> String {
        format!("00000000-0000-4000-b000-{:012x}", self.number)
    }
}

impl RuntimeApi {
    pub(super) fn new(function_arn: String) -> Self {
        let (state, lifecycle) = (Mutex::default(), watch::Sender::default());
        Self { shared: Arc::new(RuntimeState { function_arn, state, offered: Notify::new(), lifecycle }) }
    }

    /// Offers an invocation immediately and returns a future for its answer. Processes take invocations in the order of
    /// these calls. `deadline_ms` is the function's deadline in milliseconds since the epoch; nothing happens here
    /// then. Dropping the future withdraws an invocation that no process has taken.
    pub fn invoke(&self, payload: Vec<u8>, deadline_ms: i64) -> impl Future<Output = Reply> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        let mut state = self.state();
        // Checked while the state is locked: either this check sees `stop`, or `stop` empties the state afterwards.
        if !self.shared.lifecycle.borrow().stopped {
            state.number += 1;
            let number = state.number;
            state.waiting.push_back(PendingInvocation { number, payload, deadline_ms, reply });
            self.shared.offered.notify_one();
        }
        drop(state);
        // The sender is dropped without a reply only when the server stops.
        async move { answer.await.unwrap_or(Err(InvocationError::Stopped)) }
    }

    /// The invoked function ARN that function processes receive.
    pub(super) fn function_arn(&self) -> &str {
        &self.shared.function_arn
    }

    /// Waits until a function process polls for the first time since the last one ended. ServiceCall this before starting the
    /// process: the future counts from this call, so it also notices an end that comes before it is awaited.
    ///
    /// # Errors
    /// The process reported that it cannot start, [`RuntimeApi::process_exited`] was called, or the server stopped.
    pub fn ready(&self) -> impl Future<Output = Result<(), InvocationError>> + Send + use<> {
        let mut lifecycle = self.shared.lifecycle.subscribe();
        let ends = lifecycle.borrow().ends;
        async move {
            let changed = lifecycle.wait_for(|now| now.ready || now.stopped || now.ends != ends).await;
            let now = changed.map_err(|_| InvocationError::Stopped)?;
            match (&now.last_error, now.ends != ends, now.stopped) {
                (_, _, true) => Err(InvocationError::Stopped),
                (Some(error), true, _) => Err(error.clone()),
                _ => Ok(()),
            }
        }
    }

    /// Whether a function process has polled since the last one ended.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.lifecycle.borrow().ready
    }

    /// Records that the function process ended: every invocation that it had taken, or that waited for it, fails. A
    /// process started after this call takes new ones.
    pub fn process_exited(&self, reason: impl Into<String>) {
        let error = InvocationError::Exited { reason: reason.into() };
        let (waiting, running) = {
            let mut state = self.state();
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.running))
        };
        self.ended(error.clone());
        for reply in running.into_values().chain(waiting.into_iter().map(|invocation| invocation.reply)) {
            // The caller may have given up.
            let _ = reply.send(Err(error.clone()));
        }
    }

    /// Dismisses waiting processes, and fails pending invocations by dropping their senders.
    pub(super) fn stop(&self) {
        self.shared.lifecycle.send_modify(|lifecycle| lifecycle.stopped = true);
        *self.state() = Invocations::default();
        self.shared.offered.notify_waiters();
    }

    fn ended(&self, error: InvocationError) {
        self.shared.lifecycle.send_modify(|lifecycle| {
            lifecycle.ready = false;
            lifecycle.ends += 1;
            lifecycle.last_error = Some(error);
        });
    }

    /// The next invocation, once there is one; `None` when the server stops.
    pub(super) async fn next(&self) -> Option<PendingInvocation> {
        self.shared.lifecycle.send_if_modified(|lifecycle| !std::mem::replace(&mut lifecycle.ready, true));
        loop {
            let offered = self.shared.offered.notified();
            tokio::pin!(offered);
            // Registers before the check, so that an offer in between is not missed.
            offered.as_mut().enable();
            if self.shared.lifecycle.borrow().stopped {
                return None;
            }
            if let Some(invocation) = self.take_waiting() {
                return Some(invocation);
            }
            offered.await;
        }
    }

    fn take_waiting(&self) -> Option<PendingInvocation> {
        let mut state = self.state();
        while let Some(mut invocation) = state.waiting.pop_front() {
            if invocation.reply.is_closed() {
                continue; // withdrawn
            }
            let (nobody, _) = oneshot::channel();
            let reply = std::mem::replace(&mut invocation.reply, nobody);
            state.running.insert(invocation.request_id(), reply);
            return Some(invocation);
        }
        None
    }

    /// Passes a reply on; false if no invocation with this id is running.
    pub(super) fn finish(&self, request_id: &str, reply: Reply) -> bool {
        let waiting = self.state().running.remove(request_id);
        // The caller may have given up, which does not concern the function.
        waiting.map(|waiting| waiting.send(reply)).is_some()
    }

    /// Fails the start of the process, and the invocations that waited for it.
    pub(super) fn init_failed(&self, error: &InvocationError) {
        self.ended(error.clone());
        let waiting = std::mem::take(&mut self.state().waiting);
        for invocation in waiting {
            let _ = invocation.reply.send(Err(error.clone()));
        }
    }

    fn state(&self) -> MutexGuard<'_, Invocations> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
