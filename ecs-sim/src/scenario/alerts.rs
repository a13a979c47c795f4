//! The alerts of a scenario, for comparing runs whose ECS events are delayed, duplicated or lost.

use super::disorder::{Disorder, EventDelivery};
use super::function::FunctionUnderTest;
use super::result::ScenarioFailure;
use super::run::ScenarioRun;
use super::script::{Line, Scenario};
use super::sent_alert::SentAlert;
use super::statement::Statement;
use super::timeline::Silent;
use super::world::ScenarioWorld;
use crate::control_plane::Millis;
use crate::region::SharedRegion;

/// The sweep interval in a scenario that sets none: as in template.yaml. Without events the sweep alone finds anything.
const SWEEP_EVERY_MS: Millis = 5 * 60 * 1000;
/// How long the scenario continues after its last line, so that late alerts are included.
const QUIET_MS: Millis = 60 * 60 * 1000;

/// The alerts of a scenario with the events of ECS in this disorder, in the order in which they are sent.
///
/// The scenario's expectations are ignored, since in disorder alerts may come later. It gets a sweep if it has none,
/// and continues for an hour after its last line.
///
/// # Errors
/// A line that cannot be carried out.
pub async fn alerts_of<F: FunctionUnderTest>(
    scenario: &Scenario,
    region: SharedRegion,
    function: &mut F,
    disorder: Disorder,
) -> Result<Vec<SentAlert>, ScenarioFailure> {
    let mut world = ScenarioWorld::new(region);
    world.delivery = EventDelivery::new(disorder);
    world.sweep = Some((world.now() + SWEEP_EVERY_MS, SWEEP_EVERY_MS));
    let mut observer = Silent;
    let mut run = ScenarioRun::new(world, function, &mut observer);
    let mut last = 0;
    for line in scenario.lines.iter().filter(|line| !is_expectation(line)) {
        last = line.number;
        run.line(line).await.map_err(|problem| ScenarioFailure::new(scenario, last, problem))?;
    }
    run.advance(QUIET_MS).await.map_err(|problem| ScenarioFailure::new(scenario, last, problem))?;
    Ok(run.world.alerts)
}

fn is_expectation(line: &Line) -> bool {
    matches!(line.statement, Statement::Expect(_))
}
