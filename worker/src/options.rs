//! The options of `taskhold-run`. Each has an environment variable; the option takes precedence.

mod given;
mod help;
mod values;

pub(crate) use given::OptionError;
pub(crate) use help::HELP;
pub(crate) use values::{IfRefused, SignalTarget};

use crate::job::DeclaredJob;
use crate::log::LogFormat;
use crate::wire::JobOutcome;
use given::{Given, OptionNames, variable_of};
use lexopt::prelude::*;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use values::MAX_DURATION;

/// The port at which `serve` listens.
const PORT: u16 = 9911;

/// A shorter secret can be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// What the command line and the environment ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ParsedLine {
    Help,
    Version,
    Exec(Box<ExecOptions>),
    Serve(Box<ServeOptions>),
    Hook(Box<HookOptions>),
}

/// The options of `exec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecOptions {
    pub(crate) job: DeclaredJob,
    pub(crate) queue_url: Option<String>,
    pub(crate) if_refused: IfRefused,
    pub(crate) wait_timeout: Option<Duration>,
    pub(crate) start_timeout: Duration,
    pub(crate) check_interval: Duration,
    pub(crate) signal_target: SignalTarget,
    pub(crate) log_format: LogFormat,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) server: ServerAccess,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

/// The options of `serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServeOptions {
    pub(crate) address: SocketAddr,
    pub(crate) token: Option<String>,
    pub(crate) queue_url: Option<String>,
    /// The longest duration of a job that declares none.
    pub(crate) max_duration: Duration,
    pub(crate) linger: Duration,
    pub(crate) start_timeout: Duration,
    pub(crate) check_interval: Duration,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) stop_timeout: Duration,
    pub(crate) signal_target: SignalTarget,
    pub(crate) log_format: LogFormat,
    /// COMMAND and its arguments, if there is one.
    pub(crate) command: Vec<OsString>,
}

/// The options of `start`, `heartbeat` and `finish`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HookOptions {
    pub(crate) verb: HookVerb,
    pub(crate) job: DeclaredJob,
    /// The job's longest duration, if the option is given.
    pub(crate) max: Option<Duration>,
    pub(crate) attempt: Option<u32>,
    pub(crate) if_refused: IfRefused,
    pub(crate) wait_timeout: Option<Duration>,
    /// How long after a refusal `wait` asks again.
    pub(crate) check_interval: Duration,
    pub(crate) outcome: JobOutcome,
    pub(crate) server: ServerAccess,
    pub(crate) log_format: LogFormat,
}

/// What a hook tells the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookVerb {
    Start,
    Heartbeat,
    Finish,
}

/// How to reach the server of this task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerAccess {
    pub(crate) url: String,
    pub(crate) token: Option<String>,
}

const OF_EXEC: OptionNames = OptionNames {
    with_value: &[
        "job-id",
        "attempt",
        "max-duration",
        "expected-duration",
        "kind",
        "queue-url",
        "if-refused",
        "wait-timeout",
        "start-timeout",
        "check-interval",
        "server",
        "log-format",
    ],
    variables_only: &["state-dir", "token", "port"],
};

const OF_SERVE: OptionNames = OptionNames {
    with_value: &[
        "port",
        "address",
        "max-duration",
        "queue-url",
        "linger",
        "start-timeout",
        "check-interval",
        "heartbeat-interval",
        "stop-timeout",
        "log-format",
    ],
    variables_only: &["token"],
};

const OF_HOOKS: OptionNames = OptionNames {
    with_value: &[
        "job-id",
        "attempt",
        "max-duration",
        "expected-duration",
        "kind",
        "if-refused",
        "wait-timeout",
        "check-interval",
        "outcome",
        "server",
        "log-format",
    ],
    variables_only: &["token", "port"],
};

/// Reads the command line, without the program's name, and the environment.
///
/// # Errors
/// An option or a variable is unknown or has a value that it cannot have.
pub(crate) fn parse(
    arguments: Vec<OsString>,
    variable: impl Fn(&str) -> Option<String>,
    random_id: impl FnOnce() -> String,
) -> Result<ParsedLine, OptionError> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let command = match parser.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(ParsedLine::Help),
        Some(Short('V') | Long("version")) => return Ok(ParsedLine::Version),
        Some(Value(command)) => command.to_string_lossy().into_owned(),
        Some(other) => return Err(other.unexpected().into()),
    };
    let (names, verb) = match command.as_str() {
        "exec" => (OF_EXEC, None),
        "serve" => (OF_SERVE, None),
        "start" => (OF_HOOKS, Some(HookVerb::Start)),
        "heartbeat" => (OF_HOOKS, Some(HookVerb::Heartbeat)),
        "finish" => (OF_HOOKS, Some(HookVerb::Finish)),
        _ => return Err(OptionError::NotACommand(command)),
    };
    let Some(given) = Given::of_environment(names, variable).add(names, parser)? else {
        return Ok(ParsedLine::Help);
    };
    match (command.as_str(), verb) {
        (_, Some(verb)) => Ok(ParsedLine::Hook(Box::new(hook_options(&given, verb)?))),
        ("serve", _) => Ok(ParsedLine::Serve(Box::new(serve_options(given)?))),
        _ => Ok(ParsedLine::Exec(Box::new(exec_options(given, random_id)?))),
    }
}

fn exec_options(given: Given, random_id: impl FnOnce() -> String) -> Result<ExecOptions, OptionError> {
    let id = given.job_id()?.unwrap_or_else(random_id);
    let options = ExecOptions {
        job: given.job(id)?,
        queue_url: given.text("queue-url"),
        if_refused: given.if_refused(IfRefused::Run)?,
        wait_timeout: given.duration("wait-timeout")?,
        start_timeout: given.duration("start-timeout")?.unwrap_or(START_TIMEOUT),
        check_interval: given.duration("check-interval")?.unwrap_or(CHECK_INTERVAL),
        signal_target: given.signal_target()?,
        log_format: given.log_format()?,
        state_dir: given.text("state-dir").map(PathBuf::from),
        server: server_access(&given)?,
        program: OsString::new(),
        arguments: Vec::new(),
    };
    let mut command = given.command.into_iter();
    let program = command.next().filter(|program| !program.is_empty()).ok_or(OptionError::NoCommand)?;
    Ok(ExecOptions { program, arguments: command.collect(), ..options })
}

const START_TIMEOUT: Duration = Duration::from_secs(10);
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// Each heartbeat of each job is a message, and an invocation of the function at most.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(600);
/// ECS's own default of `stopTimeout` (aws-facts "Containers on ECS").
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

fn serve_options(given: Given) -> Result<ServeOptions, OptionError> {
    let ip = match given.value("address") {
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(value) => value.text.parse().map_err(|_| value.error("is not an IP address"))?,
    };
    let token = token(&given)?;
    if !ip.is_loopback() && token.is_none() {
        let value = given.value("address").ok_or(OptionError::Missing("--address"))?;
        return Err(value.error("is not loopback, so others can reach it; set TASKHOLD_TOKEN"));
    }
    Ok(ServeOptions {
        address: SocketAddr::new(ip, given.port(PORT)?),
        token,
        queue_url: given.text("queue-url"),
        max_duration: given.duration("max-duration")?.unwrap_or(MAX_DURATION),
        linger: given.duration_or_zero("linger")?.unwrap_or_default(),
        start_timeout: given.duration("start-timeout")?.unwrap_or(START_TIMEOUT),
        check_interval: given.duration("check-interval")?.unwrap_or(CHECK_INTERVAL),
        heartbeat_interval: given.duration("heartbeat-interval")?.unwrap_or(HEARTBEAT_INTERVAL),
        stop_timeout: given.duration("stop-timeout")?.unwrap_or(STOP_TIMEOUT),
        signal_target: given.signal_target()?,
        log_format: given.log_format()?,
        command: given.command,
    })
}

fn hook_options(given: &Given, verb: HookVerb) -> Result<HookOptions, OptionError> {
    let id = given.job_id()?.ok_or(OptionError::Missing("--job-id"))?;
    if let Some(argument) = given.command.first() {
        return Err(lexopt::Error::UnexpectedArgument(argument.clone()).into());
    }
    // A job that is at work already goes on.
    let if_refused = if verb == HookVerb::Start { IfRefused::Exit } else { IfRefused::Run };
    Ok(HookOptions {
        verb,
        job: given.job(id)?,
        max: given.duration("max-duration")?,
        attempt: given.attempt()?,
        if_refused: given.if_refused(if_refused)?,
        wait_timeout: given.duration("wait-timeout")?,
        check_interval: given.duration("check-interval")?.unwrap_or(CHECK_INTERVAL),
        outcome: given.outcome()?,
        server: server_access(given)?,
        log_format: given.log_format()?,
    })
}

fn server_access(given: &Given) -> Result<ServerAccess, OptionError> {
    let port = given.port(PORT)?;
    let url = given.text("server").unwrap_or_else(|| format!("http://127.0.0.1:{port}"));
    Ok(ServerAccess { url, token: token(given)? })
}

/// The error does not show the secret.
fn token(given: &Given) -> Result<Option<String>, OptionError> {
    let Some(value) = given.value("token") else {
        return Ok(None);
    };
    let is_long = value.text.len() >= TOKEN_CHARS_MIN;
    if is_long && value.text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(value.text.clone()));
    }
    let problem = format!("does not have at least {TOKEN_CHARS_MIN} printable ASCII characters without spaces");
    Err(OptionError::Value { name: variable_of("token"), value: "…".to_owned(), problem })
}

#[cfg(test)]
mod tests;
