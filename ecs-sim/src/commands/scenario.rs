//! `ecs-sim scenario`.

use super::error::CliError;
use super::options::read;
use super::output::{say, written};
use crate::control_plane::Variants;
use crate::region::{Region, SharedRegion};
use crate::scenario::{self, InProcess, Observer, Scenario, Silent, Style, Summary, Timeline};
use std::path::PathBuf;

/// Runs each scenario under every variant of AWS that it allows, and prints the timeline of the first.
pub(super) async fn all(files: &[PathBuf]) -> Result<(), CliError> {
    if files.is_empty() {
        return Err(CliError::Usage("name at least one scenario file".to_owned()));
    }
    for file in files {
        let scenario = read(file)?;
        let variants = scenario.variants();
        say!("{}", scenario.name)?;
        for (at, variants) in variants.iter().enumerate() {
            if at == 0 {
                let mut timeline = Timeline::new(std::io::stdout().lock(), Style::default());
                run_once(&scenario, *variants, &mut timeline).await?;
                written(timeline.finish())?;
            } else {
                run_once(&scenario, *variants, &mut Silent).await?;
            }
        }
        say!("passes under all {} variants of AWS that it allows\n", variants.len())?;
    }
    let scenarios = if files.len() == 1 { "scenario" } else { "scenarios" };
    say!("{} {scenarios} passed", files.len())
}

/// Runs a scenario in process.
async fn run_once<A: Observer>(scenario: &Scenario, variants: Variants, observer: &mut A) -> Result<Summary, CliError> {
    let region = SharedRegion::new(Region::for_scenario(variants));
    let mut function = InProcess::new(&region, scenario.settings())?;
    let summary = scenario::run(scenario, region, &mut function, observer).await;
    summary.map_err(|failure| CliError::Failed(failure, variants))
}
