//! `taskhold-run`: runs a job in an Amazon ECS task that is protected from scale-in before the job starts.
//!
//! | Module | Holds |
//! |---|---|
//! | [`exec`], [`serve`], [`hooks`] | the commands: the order of everything |
//! | [`watch`], [`answer`], [`job`] | what to do next, what the agent says, what messages say (pure) |
//! | [`protector`], [`jobs`], [`wire`] | the same for a server with many jobs, and its HTTP interface (pure) |
//! | [`guard`], [`agent`], [`holders`] | keeps the task protected, together with other processes of the container |
//! | [`keeper`], [`server`], [`client`] | keeps the task protected for a server's clients |
//! | [`child`], [`signals`] | COMMAND, as under an init |
//! | [`report`], [`queue`], [`queue_problem`] | the job's messages |
//! | [`admission`] | whether another deployment replaces the task |
//! | [`options`], [`limits`], [`duration`], [`log`], [`container`], [`metadata`], [`http`], [`clock`] | the rest |

mod admission;
mod agent;
mod answer;
#[cfg(feature = "sqs")]
mod aws;
mod child;
mod client;
mod clock;
mod container;
mod duration;
#[cfg(feature = "sqs")]
mod ecs;
mod exec;
mod guard;
mod holders;
mod hooks;
mod http;
mod job;
mod jobs;
mod keeper;
mod limits;
mod log;
mod metadata;
#[cfg(not(feature = "sqs"))]
mod no_sqs;
mod options;
mod protector;
mod queue;
mod queue_problem;
mod report;
mod serve;
mod server;
mod signals;
#[cfg(feature = "sqs")]
mod sqs;
mod watch;
mod wire;

use container::{ContainerEnvironment, EXIT_OWN_ERROR};
use options::{HELP, ParsedLine};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).collect();
    match options::parse(arguments, variable, random_name) {
        Ok(ParsedLine::Help) => print(HELP),
        Ok(ParsedLine::Version) => print(concat!("taskhold-run ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(ParsedLine::Exec(options)) => run(exec::run(*options, container_environment())),
        Ok(ParsedLine::Serve(options)) => run(serve::run(*options, container_environment())),
        Ok(ParsedLine::Hook(options)) => run(hooks::run(*options, container_environment())),
        Err(error) => complain(&error.to_string()),
    }
}

/// Runs to the end on this thread.
fn run(work: impl Future<Output = u8>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        // It is not dropped: nothing that it may still do in the background is waited for.
        Ok(runtime) => exit(runtime.block_on(work)),
        Err(error) => complain(&format!("cannot start: {error}")),
    }
}

/// Ends the process at once.
fn exit(code: u8) -> ! {
    std::process::exit(code.into())
}

fn print(text: &str) -> ExitCode {
    // A reader that has gone away needs no message.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn complain(problem: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "taskhold-run: {problem}");
    ExitCode::from(EXIT_OWN_ERROR)
}

fn container_environment() -> ContainerEnvironment {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    ContainerEnvironment {
        agent_uri: set("ECS_AGENT_URI"),
        metadata_uri: set("ECS_CONTAINER_METADATA_URI_V4"),
        process_name: random_name(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A name that no other process or job has. The keys of the standard library's hasher come from the system's random numbers.
fn random_name() -> String {
    let half = |salt: u8| RandomState::new().hash_one(salt);
    format!("{:016x}{:016x}", half(0), half(1))
}
