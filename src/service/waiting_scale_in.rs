//! What a service record remembers of a scale-in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A scale-in that waits for jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingScaleIn {
    /// The desired count. Another one starts another scale-in.
    pub desired: u32,
    /// When the jobs of its blocking tasks were expected to end when it began to wait for them. Later heartbeats and
    /// later jobs of these tasks do not change it.
    pub jobs_expected_until: Timestamp,
}
