//! `ecs-sim play`.

use super::error::CliError;
use super::options::{Options, read};
use super::output::{say, written};
use crate::control_plane::Millis;
use crate::play::{Process, Workers};
use crate::region::{Region, SharedRegion};
use crate::scenario::{self, Color, Style, Summary, Timeline};
use std::io::IsTerminal;

pub(super) async fn play(options: &Options) -> Result<(), CliError> {
    let [file] = options.files.as_slice() else {
        return Err(CliError::Usage("name one scenario file".to_owned()));
    };
    let Some(bootstrap) = &options.bootstrap else {
        return Err(CliError::Usage("name the function's binary with --bootstrap BIN".to_owned()));
    };
    let scenario = read(file)?;
    let variants = *scenario.variants().first().expect("a scenario allows at least one variant");
    let now = options.worker.as_ref().map(|_| Workers::begin_at());
    let region = SharedRegion::new(Region::for_scenario_from(variants, now));
    say!("{}: running {} on a simulated ECS, in simulated time", scenario.name, bootstrap.display())?;
    let mut function = Process::start(&region, bootstrap, scenario.settings()).await?;
    let color = if std::io::stdout().is_terminal() { Color::Ansi } else { Color::Never };
    let mut timeline = Timeline::new(std::io::stdout(), Style { color, pause: options.pause });
    let summary = match &options.worker {
        None => scenario::run(&scenario, region, &mut function, &mut timeline).await,
        Some(taskhold_run) => {
            let mut workers = Workers::new(&region, function.endpoint(), taskhold_run);
            scenario::run_with_workers(&scenario, region, &mut function, &mut workers, &mut timeline).await
        }
    };
    function.stop().await;
    let summary = summary.map_err(|failure| CliError::Failed(failure, variants))?;
    written(timeline.finish())?;
    print_summary(&summary)
}

fn print_summary(summary: &Summary) -> Result<(), CliError> {
    let count = |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    say!("")?;
    say!(
        "{} in {} simulated minutes, {} redelivered; {} of UpdateTaskProtection, {} dead-lettered",
        count(summary.messages, "message", "messages"),
        summary.lasted / MINUTE_MS,
        summary.delivered_again,
        count(summary.calls, "call", "calls"),
        summary.dead_lettered,
    )?;
    say!(
        "{} completed; ECS stopped {}, {} in the middle of a job",
        count(summary.deployments_completed, "deployment", "deployments"),
        count(summary.scaled_in, "task", "tasks"),
        count(summary.interrupted, "of them", "of them"),
    )
}

const MINUTE_MS: Millis = 60_000;
