//! `ecs-sim`: scenarios and a simulated ECS, from the command line.

use ecs_sim::commands;
use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("ecs-sim: could not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ecs-sim: {error}");
            ExitCode::FAILURE
        }
    }
}
