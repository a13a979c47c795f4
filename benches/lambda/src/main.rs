//! Measures the function as a process, beside the alternatives that users would choose: `make bench`.
//!
//! The harness serves the Lambda runtime API and a minimal ECS and DynamoDB on loopback, starts each candidate in
//! turn, and takes the times itself. Memory and processor time come from the kernel (`/proc`), so it runs on Linux.
//! docs/performance.md explains the figures.

mod candidates;
mod cost;
mod endpoint;
mod http;
mod machine;
mod payload;
mod process;
mod runs;
mod runtime_api;
mod samples;
mod table;
mod wanted;

use candidates::BenchOptions;
use endpoint::Endpoint;
use runs::Runs;
use samples::Samples;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match candidates::from_arguments() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    match measure(&options) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &BenchOptions) -> io::Result<String> {
    let load = machine::load();
    let candidates = options.candidates();
    let endpoint = Endpoint::start()?;
    let BenchOptions { seconds_a_cell, records_max, .. } = *options;
    let mut runs = Runs { endpoint, samples: Samples::default(), seconds_a_cell, records_max };
    for number in 0..options.runs {
        eprintln!("run {} of {}", number + 1, options.runs);
        runs.run(&candidates, number)?;
    }
    let machine = machine::described(options, &load);
    let tables = table::all(&candidates, &runs.samples);
    Ok(format!("{machine}\n\n{tables}\n{}", wanted::table(&candidates, &runs.samples)))
}
