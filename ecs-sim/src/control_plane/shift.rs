//! The steps of a deployment that keeps its old tasks until the traffic has moved.

use std::collections::VecDeque;

use super::deployment_configuration::{ALL_TENTHS, DeploymentConfiguration};
use super::time::Millis;

/// Time that the controller of task sets takes from a steady replacement to UpdateServicePrimaryTaskSet. An assumption.
pub const TASK_SET_SHIFT_DELAY_MS: Millis = 60_000;

/// The next step of a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShiftStep {
    /// Green receives this share of the traffic, in tenths of a percent.
    Traffic(u32),
    /// Blue's tasks may stop.
    CleanUp,
}

/// A deployment that keeps its old tasks on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    /// The deployment or task set that receives the traffic.
    pub(super) green: String,
    /// The previous one, which keeps its tasks until the clean-up.
    pub(super) blue: String,
    pub(super) green_tenths: u32,
    /// Each with the pause before it. The first pause begins when all of green's tasks run.
    pub(super) steps: VecDeque<(Millis, ShiftStep)>,
    /// `None` while green scales up.
    pub(super) next_at: Option<Millis>,
}

impl Shift {
    /// A blue/green, linear or canary deployment.
    pub(super) fn by_strategy(green: String, blue: String, configuration: &DeploymentConfiguration) -> Self {
        let moves = configuration.strategy.moves().into_iter();
        let steps = moves.map(|(pause, tenths)| (pause, ShiftStep::Traffic(tenths)));
        let steps = steps.chain([(configuration.bake_ms(), ShiftStep::CleanUp)]).collect();
        Self { green, blue, green_tenths: 0, steps, next_at: None }
    }

    /// A replacement task set takes over from the primary one, which is deleted after the bake time.
    pub(super) fn by_task_sets(green: String, blue: String, configuration: &DeploymentConfiguration) -> Self {
        let primary = (TASK_SET_SHIFT_DELAY_MS, ShiftStep::Traffic(ALL_TENTHS));
        let steps = VecDeque::from([primary, (configuration.bake_ms(), ShiftStep::CleanUp)]);
        Self { green, blue, green_tenths: 0, steps, next_at: None }
    }

    /// The production revision for a following deployment: green only once it has all the traffic.
    pub(super) fn in_production(self) -> String {
        if self.green_tenths == ALL_TENTHS { self.green } else { self.blue }
    }
}
