//! The scenarios of tests/scenarios, and runs of scenarios in process.

use crate::block_on;
use crate::files::{names, read};
use ecs_sim::control_plane::Variants;
use ecs_sim::region::{Region, SharedRegion};
use ecs_sim::scenario::{InProcess, Observer, Scenario, Silent, Summary, run};

/// The scenario with this file name and text.
pub(crate) fn parsed(name: &str, text: &str) -> Scenario {
    Scenario::parse(name, text).unwrap_or_else(|error| panic!("{error}"))
}

/// The scenario of this file.
pub(crate) fn named(name: &str) -> Scenario {
    parsed(name, &read(&format!("tests/scenarios/{name}")))
}

/// All scenarios, in the order of their names.
pub(crate) fn scenarios() -> Vec<Scenario> {
    names("tests/scenarios").iter().map(|name| named(name)).collect()
}

/// A Region under this variant of AWS, and the function with the settings of the scenario.
pub(crate) fn region_and_function(scenario: &Scenario, variants: Variants) -> (SharedRegion, InProcess) {
    let region = SharedRegion::new(Region::for_scenario(variants));
    let function = InProcess::new(&region, scenario.settings());
    (region, function.unwrap_or_else(|error| panic!("{}: {error}", scenario.name)))
}

/// Runs a scenario under one variant of AWS.
pub(crate) fn play(scenario: &Scenario, variants: Variants, observer: &mut impl Observer) -> Result<Summary, String> {
    let (region, mut function) = region_and_function(scenario, variants);
    let ran = block_on(run(scenario, region, &mut function, observer));
    ran.map_err(|failure| format!("{failure}, under {variants}"))
}

/// Runs a scenario under every variant of AWS that it allows. The summary is that of the last.
pub(crate) fn holds(text: &str) -> Summary {
    let scenario = parsed("made up", text);
    let play = |variants| play(&scenario, variants, &mut Silent).unwrap_or_else(|failure| panic!("{failure}"));
    let mut summaries: Vec<Summary> = scenario.variants().into_iter().map(play).collect();
    summaries.pop().unwrap()
}
