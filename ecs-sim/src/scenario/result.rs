//! The result of a scenario: why it failed, or its statistics.

use super::script::Scenario;
use crate::control_plane::Millis;

/// Why a scenario failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{scenario}:{line}: {problem}")]
pub struct ScenarioFailure {
    /// The scenario's origin.
    pub scenario: String,
    /// From 1; the last line for a problem that only shows at the end.
    pub line: usize,
    /// The problem.
    pub problem: String,
}

/// Statistics of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages that workers sent.
    pub messages: usize,
    /// Deliveries beyond the first of each.
    pub delivered_again: usize,
    /// Invocations of the function.
    pub invocations: usize,
    /// `UpdateTaskProtection` calls.
    pub calls: usize,
    /// Tasks that ECS refused in those calls.
    pub refused: usize,
    /// Messages dead-lettered.
    pub dead_lettered: usize,
    /// Tasks that a deployment or a scale-in stopped.
    pub scaled_in: usize,
    /// Those of them that still had running jobs.
    pub interrupted: usize,
    /// Deployments that were completed.
    pub deployments_completed: usize,
    /// Simulated time from the first line to the last.
    pub lasted: Millis,
}

impl ScenarioFailure {
    pub(super) fn new(scenario: &Scenario, line: usize, problem: String) -> Self {
        Self { scenario: scenario.name.clone(), line, problem }
    }
}
