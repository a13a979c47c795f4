//! The state that all connections share.

use std::sync::{Arc, Mutex};

use super::agent::ContainerAgent;
use super::backend::{Backend, ServiceAnswer, ServiceCall};
use super::runtime_api::RuntimeApi;

/// State that every connection needs.
#[derive(Clone)]
pub(super) struct ServerState {
    pub(super) backend: Arc<Mutex<dyn Backend>>,
    pub(super) runtime_api: RuntimeApi,
    pub(super) agent: ContainerAgent,
    pub(super) request_ids: Arc<std::sync::atomic::AtomicU64>,
}

/// The client gets no response: its connection ends.
#[derive(Debug, thiserror::Error)]
#[error("call is left without a response")]
pub(super) struct Unanswered;

impl ServerState {
    /// Shaped as a UUID, as clients log it, but counted.
    pub(super) fn next_request_id(&self) -> String {
        let number = self.request_ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        format!("00000000-0000-4000-9000-{number:012x}")
    }

    pub(super) fn call(&self, call: ServiceCall) -> ServiceAnswer {
        // A call that panicked ends only its own connection; the backend can still be inspected.
        self.backend.lock().unwrap_or_else(std::sync::PoisonError::into_inner).call(call)
    }
}
