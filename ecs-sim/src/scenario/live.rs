//! The function behind its queues, rules and schedule in real time, without a script.

use super::function::FunctionUnderTest;
use super::run::ScenarioRun;
use super::task_names::TaskNames;
use super::timeline::Observer;
use super::world::ScenarioWorld;
use crate::control_plane::Millis;
use crate::http::wall_clock;
use crate::region::SharedRegion;
use std::time::Duration;

/// How often the clock of the Region follows that of the machine.
const TICK: Duration = Duration::from_millis(200);

/// As in template.yaml.
const SWEEP_MS: Millis = 5 * 60_000;

/// Delivers messages, events and sweeps to the function when they are due, until the observer fails. The Region's clock
/// follows the machine's.
///
/// # Errors
/// The simulation cannot go on.
pub async fn live<F: FunctionUnderTest, A: Observer>(
    region: SharedRegion,
    function: &mut F,
    observer: &mut A,
) -> Result<(), String> {
    let mut world = ScenarioWorld::new(region);
    world.task_names = TaskNames::Ids;
    world.observe_ecs();
    // The messages on the way to the first steady state are no news.
    world.ecs_reports.clear();
    world.sweep = Some((world.now() + SWEEP_MS, SWEEP_MS));
    let mut run = ScenarioRun::new(world, function, observer);
    while !run.observer.has_failed() {
        let passed = wall_clock() - run.world.now();
        run.advance(passed.max(0)).await?;
        run.world.forget_unexpected();
        pause(TICK).await;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "follows the machine's clock")]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
