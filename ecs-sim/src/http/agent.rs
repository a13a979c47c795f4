//! The endpoints that ECS offers inside a container, with injected faults: the task's metadata and its protection
//! (aws-facts "ECS: the protection API"). The id in the path is that of the task.

use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::services::wall_clock;

/// Requests per second that the agent accepts, and its burst (the agent's setting `ECS_TASK_METADATA_RPS_LIMIT`).
pub const AGENT_REQUESTS_PER_SECOND: u32 = 40;
const BURST: f64 = 60.0;

/// How the agent fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentFault {
    /// It answers that ECS refuses, and asks nothing of ECS.
    Refuses {
        /// The `Reason` of the failure, such as `DEPLOYMENT_BLOCKED`.
        reason: String,
    },
    /// It answers this, and asks nothing of ECS.
    Answers {
        /// HTTP's status.
        status: u16,
        /// The body as it is sent.
        body: String,
    },
    /// It answers correctly after this time.
    Slow(Duration),
    /// The connection ends before anything happens.
    ConnectionLost,
    /// The connection ends after ECS did what it was asked for.
    AnswerLost,
}

/// How errors are worded, which differs between versions of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AgentErrorShape {
    /// An object with `error`.
    #[default]
    Object,
    /// A JSON text, as before version 1.65.0, and plain text where the path is unknown.
    Text,
}

/// A request for protection that arrived, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRequest {
    /// `GET` or `PUT`.
    pub method: String,
    /// The body.
    pub body: String,
    /// HTTP's status; `None` if there was no answer.
    pub status: Option<u16>,
}

/// The agent of all containers of a server; clones share their state.
#[derive(Debug, Clone)]
pub struct ContainerAgent(Arc<Mutex<AgentState>>);

/// What the agent remembers.
#[derive(Debug)]
pub struct AgentState {
    /// The cluster of all tasks.
    pub cluster: String,
    /// One for each of the next requests about protection.
    pub faults: VecDeque<AgentFault>,
    /// For each request about protection, after those.
    pub lasting_fault: Option<AgentFault>,
    /// For each request about metadata.
    pub metadata_fault: Option<AgentFault>,
    /// How errors are worded.
    pub error_shape: AgentErrorShape,
    /// The requests about protection so far.
    pub requests: Vec<AgentRequest>,
    tokens: f64,
    filled_at: i64,
}

impl ContainerAgent {
    pub(super) fn new(cluster: String) -> Self {
        Self(Arc::new(Mutex::new(AgentState {
            cluster,
            faults: VecDeque::new(),
            lasting_fault: None,
            metadata_fault: None,
            error_shape: AgentErrorShape::default(),
            requests: Vec::new(),
            tokens: BURST,
            filled_at: wall_clock(),
        })))
    }

    /// Locks the state until the guard is dropped.
    pub fn lock(&self) -> MutexGuard<'_, AgentState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AgentState {
    /// Whether one more request fits into the agent's rate.
    pub(super) fn admits(&mut self, now_ms: i64) -> bool {
        let passed_ms = i32::try_from(now_ms.saturating_sub(self.filled_at).max(0)).unwrap_or(i32::MAX);
        let refill = f64::from(passed_ms) / 1000.0 * f64::from(AGENT_REQUESTS_PER_SECOND);
        (self.tokens, self.filled_at) = ((self.tokens + refill).min(BURST), now_ms);
        let admits = self.tokens >= 1.0;
        if admits {
            self.tokens -= 1.0;
        }
        admits
    }

    /// The fault of the next request about protection.
    pub(super) fn next_fault(&mut self) -> Option<AgentFault> {
        self.faults.pop_front().or_else(|| self.lasting_fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_admits_its_burst_and_then_its_rate() {
        let agent = ContainerAgent::new("video".to_owned());
        let mut state = agent.lock();
        let start = state.filled_at;
        let mut admitted = |at| (0..100).filter(|_| state.admits(at)).count();
        assert_eq!((admitted(start), admitted(start + 1000), admitted(start + 1000)), (60, 40, 0));
    }
}
