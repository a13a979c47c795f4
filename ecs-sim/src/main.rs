//! `ecs-sim`: scenarios and a simulated ECS, from the command line.

use ecs_sim::commands::{self, CliError};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("could not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !matches!(error, CliError::OutputClosed) {
                complain(&error.to_string());
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Writes to standard error. If that is closed too, the exit code is the only report.
fn complain(problem: &str) {
    let _ = writeln!(std::io::stderr(), "ecs-sim: {}", problem.trim_end());
}
