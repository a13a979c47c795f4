//! `ecs-sim scenario` and `ecs-sim twice`.

use super::error::CliError;
use super::options::read;
use super::output::{say, written};
use crate::control_plane::Variants;
use crate::region::{Region, SharedRegion};
use crate::scenario::{self, InProcess, Observer, Scenario, Silent, Style, Summary, Timeline, random_scenario};
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

/// Runs a random scenario twice under each variant of AWS and compares the timelines.
pub(super) async fn twice(seed: u64, lines: usize) -> Result<(), CliError> {
    let scenario = random_scenario(seed, lines)?;
    let mut bytes = 0;
    for variants in Variants::all() {
        let (first, second) = (timeline_of(&scenario, variants).await?, timeline_of(&scenario, variants).await?);
        bytes += first.len();
        if let Some((at, (one, other))) =
            first.lines().zip(second.lines()).enumerate().find(|(_, (one, other))| one != other)
        {
            return Err(CliError::Differ(scenario.name, at + 1, one.to_owned(), other.to_owned()));
        }
        if first.len() != second.len() {
            return Err(CliError::Differ(
                scenario.name,
                0,
                "one timeline is longer than the other".to_owned(),
                String::new(),
            ));
        }
    }
    say!(
        "{}: {} lines; both timelines are identical under all 32 variants of AWS ({bytes} bytes)",
        scenario.name,
        scenario.lines.len()
    )
}

async fn timeline_of(scenario: &Scenario, variants: Variants) -> Result<String, CliError> {
    let mut text = Vec::new();
    run_once(scenario, variants, &mut Timeline::new(&mut text, Style::default())).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Runs a scenario in process.
async fn run_once<A: Observer>(scenario: &Scenario, variants: Variants, observer: &mut A) -> Result<Summary, CliError> {
    let region = SharedRegion::new(Region::for_scenario(variants));
    let mut function = InProcess::new(&region, scenario.settings())?;
    let summary = scenario::run(scenario, region, &mut function, observer).await;
    summary.map_err(|failure| CliError::Failed(failure, variants))
}
