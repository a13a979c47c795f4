//! The commands of `ecs-sim`: their options and output.

mod error;
mod options;
mod output;
mod play;
mod scenario;
mod serve;
mod sim;

pub use error::CliError;
use lexopt::prelude::*;
use options::{Options, SimOptions};
use std::time::Duration;

const INTRODUCTION: &str = "\
ecs-sim: a simulated Amazon ECS with task scale-in protection, and scenarios that run on it

";

/// A command and its arguments.
struct CommandSyntax {
    name: &'static str,
    usage: &'static str,
    takes_files: bool,
    options: &'static [&'static str],
}

const COMMANDS: [CommandSyntax; 4] = [
    CommandSyntax {
        name: "scenario",
        usage: "  ecs-sim scenario FILE…                   run scenarios in process, each under every variant of AWS that it allows
",
        takes_files: true,
        options: &[],
    },
    CommandSyntax {
        name: "sim",
        usage: "  ecs-sim sim [--seed N] [--runs N]        run the whole function under random faults and check its promises
              [--threads 2] [--keep-going]         … on two threads; … without stopping at the first broken promise
              [--sabotage NAME]                    … with a deliberate defect, which the checks must detect
  ecs-sim sim --replay FILE…               replay recorded runs
",
        takes_files: true,
        options: &["seed", "runs", "threads", "keep-going", "sabotage", "replay"],
    },
    CommandSyntax {
        name: "play",
        usage: "  ecs-sim play FILE --bootstrap BIN        run a scenario against the real function
                 [--worker BIN]            … with jobs under the real taskhold-run
                 [--pause MILLISECONDS]    … with a pause before each line, so that you can read along
",
        takes_files: true,
        options: &["bootstrap", "worker", "pause"],
    },
    CommandSyntax {
        name: "serve",
        usage: "  ecs-sim serve [--port N] [--service NAME=TASKS]…
                                           serve ECS, SQS, SNS and Application Auto Scaling on loopback, for the AWS CLI
                                           and SDKs
                [--host ADDRESS]           … on another address of this machine, for clients in containers
                [--bootstrap BIN]          … with the real function behind the queue, the rules and the schedule
                While it runs, PUT /ecs-sim/agent makes the containers' agent refuse, fail or answer slowly
                (docs/getting-started.md).
",
        takes_files: false,
        options: &["port", "service", "host", "bootstrap"],
    },
];

/// The usage of one command, or of all.
fn usage(command: Option<&CommandSyntax>) -> String {
    let all: String = COMMANDS.iter().map(|command| command.usage).collect();
    command.map_or(format!("{INTRODUCTION}{all}"), |command| command.usage.to_owned())
}

/// Runs the command on the process's command line.
///
/// # Errors
/// An invalid command line, or the failure of the command.
pub async fn run() -> Result<(), CliError> {
    let mut parser = lexopt::Parser::from_env();
    let command = match parser.next()? {
        None | Some(Long("help") | Short('h')) => return output::text(&usage(None)),
        Some(Value(word)) if word == "help" => {
            let command = parser.next()?.map(named).transpose()?;
            return output::text(&usage(command));
        }
        Some(argument) => named(argument)?,
    };
    let wrong = |error: CliError| match error {
        CliError::Usage(problem) => CliError::Usage(format!("{problem}\n\n{}", usage(Some(command)))),
        other => other,
    };
    let Some(options) = options(&mut parser, command).map_err(wrong)? else {
        return output::text(&usage(Some(command)));
    };
    match command.name {
        "scenario" => scenario::all(&options.files).await,
        "play" => play::play(&options).await,
        "serve" => serve::serve(&options).await,
        _ => sim::sim(&options),
    }
    .map_err(wrong)
}

fn named(argument: lexopt::Arg<'_>) -> Result<&'static CommandSyntax, CliError> {
    let problem = match argument {
        Value(word) => match COMMANDS.iter().find(|command| word == command.name) {
            Some(command) => return Ok(command),
            None => format!("unknown command `{}`", word.to_string_lossy()),
        },
        other => other.unexpected().to_string(),
    };
    Err(CliError::Usage(format!("{problem}\n\n{}", usage(None))))
}

/// What the command line says; `None` if it asks for help.
fn options(parser: &mut lexopt::Parser, command: &CommandSyntax) -> Result<Option<Options>, CliError> {
    let mut options =
        Options { seed: 1, port: 4566, sim: SimOptions { runs: 1000, ..Default::default() }, ..Options::default() };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Value(file) if command.takes_files => options.files.push(file.into()),
            Long(name) if !command.options.contains(&name) => return Err(argument.unexpected().into()),
            Long("seed") => options.seed = parser.value()?.parse()?,
            Long("runs") => options.sim.runs = parser.value()?.parse()?,
            Long("threads") => options.sim.threads = parser.value()?.parse()?,
            Long("replay") => options.sim.replay = true,
            Long("keep-going") => options.sim.keeps_going = true,
            Long("sabotage") => {
                let name = parser.value()?.string()?;
                let wrong = || CliError::Usage(format!("unknown sabotage `{name}`"));
                options.sim.sabotage = crate::chaos::Sabotage::named(&name).ok_or_else(wrong)?;
            }
            Long("bootstrap") => options.bootstrap = Some(parser.value()?.into()),
            Long("worker") => options.worker = Some(parser.value()?.into()),
            Long("pause") => options.pause = Duration::from_millis(parser.value()?.parse()?),
            Long("host") => options.host = Some(parser.value()?.parse()?),
            Long("port") => options.port = parser.value()?.parse()?,
            Long("service") => {
                let text = parser.value()?.string()?;
                let service =
                    text.split_once('=').and_then(|(name, tasks)| Some((name.to_owned(), tasks.parse().ok()?)));
                let wrong = || CliError::Usage(format!("`{text}` is not NAME=TASKS"));
                options.services.push(service.ok_or_else(wrong)?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(options))
}
