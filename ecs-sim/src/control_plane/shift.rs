//! The steps of a deployment that keeps its old tasks until the traffic has moved.

use std::collections::VecDeque;

use super::deployment_configuration::{ALL_TENTHS, DeploymentConfiguration};
use super::hook::DeploymentStage;
use super::time::Millis;

/// Time that the controller of task sets takes from a steady replacement to UpdateServicePrimaryTaskSet. An assumption.
pub const TASK_SET_SHIFT_DELAY_MS: Millis = 60_000;

/// The next step of a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShiftStep {
    /// Green receives this share of the traffic, in tenths of a percent.
    Traffic(u32),
    /// The service deployment enters this stage, and its hooks run.
    Stage(DeploymentStage),
    /// All of green's tasks run.
    GreenRuns,
    /// Blue's tasks may stop.
    CleanUp,
}

/// What a shift waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShiftWait {
    /// All of green's tasks run.
    GreenRuns,
    /// The hooks of the stage.
    Hooks,
    /// The end of a pause.
    Until(Millis),
}

/// A deployment that keeps its old tasks on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    /// The deployment or task set that receives the traffic.
    pub(super) green: String,
    /// The previous one, which keeps its tasks until the clean-up.
    pub(super) blue: String,
    pub(super) green_tenths: u32,
    /// Each with the pause before it.
    pub(super) steps: VecDeque<(Millis, ShiftStep)>,
    pub(super) wait: Option<ShiftWait>,
}

impl Shift {
    /// A blue/green, linear or canary deployment.
    pub(super) fn by_strategy(green: String, blue: String, configuration: &DeploymentConfiguration) -> Self {
        use DeploymentStage::{
            BakeTime, CleanUp, PostProductionTrafficShift, PostScaleUp, PostTestTrafficShift,
            PreProductionTrafficShift, PreScaleUp, ProductionTrafficShift, ScaleUp, TestTrafficShift,
        };
        let at_once = |stage| (0, ShiftStep::Stage(stage));
        let mut steps = VecDeque::from([at_once(PreScaleUp), at_once(ScaleUp), (0, ShiftStep::GreenRuns)]);
        steps.extend([PostScaleUp, TestTrafficShift, PostTestTrafficShift].map(at_once));
        for (pause, tenths) in configuration.strategy.moves() {
            steps.push_back((pause, ShiftStep::Stage(PreProductionTrafficShift)));
            steps.extend([at_once(ProductionTrafficShift), (0, ShiftStep::Traffic(tenths))]);
        }
        steps.extend([PostProductionTrafficShift, BakeTime].map(at_once));
        steps.extend([(configuration.bake_ms(), ShiftStep::Stage(CleanUp)), (0, ShiftStep::CleanUp)]);
        Self { green, blue, green_tenths: 0, steps, wait: None }
    }

    /// Several revisions are active when the deployment begins.
    pub(super) fn with_reconciliation(mut self) -> Self {
        self.steps.push_front((0, ShiftStep::Stage(DeploymentStage::ReconcileService)));
        self
    }

    /// A replacement task set takes over from the primary one, which is deleted after the bake time.
    pub(super) fn by_task_sets(green: String, blue: String, configuration: &DeploymentConfiguration) -> Self {
        let primary = (TASK_SET_SHIFT_DELAY_MS, ShiftStep::Traffic(ALL_TENTHS));
        let clean_up = (configuration.bake_ms(), ShiftStep::CleanUp);
        let steps = VecDeque::from([primary, clean_up]);
        Self { green, blue, green_tenths: 0, steps, wait: Some(ShiftWait::GreenRuns) }
    }

    /// The production revision for a following deployment: green only once it has all the traffic.
    pub(super) fn in_production(self) -> String {
        if self.green_tenths == ALL_TENTHS { self.green } else { self.blue }
    }
}
