//! The options of `taskhold-run exec`. Each has an environment variable; the option takes precedence.

use crate::duration;
use crate::job::DeclaredJob;
use crate::log::LogFormat;
use lexopt::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The help text.
pub(crate) const HELP: &str = "\
taskhold-run: protects an Amazon ECS task from scale-in while it runs a job

  taskhold-run exec [OPTIONS] -- COMMAND ARGS…

Protects the task through the agent of the container, starts COMMAND, reports the job to taskhold, and clears the
protection at the end. Exits with COMMAND's code, with 128 + n for signal n, with 126 or 127 if COMMAND cannot be
started, with 75 if the task is not protected and --if-refused says so, and with 125 for errors of its own.

Options, and the environment variables that set them too:
  --job-id ID               TASKHOLD_JOB_ID             the job's name; random if not set
  --attempt N               TASKHOLD_ATTEMPT            the attempt, if the job runs again on the same task (1)
  --max-duration 2h         TASKHOLD_MAX_DURATION       the longest time that the job may take (2h)
  --expected-duration 40m   TASKHOLD_EXPECTED_DURATION  the time that you expect, for forecasts
  --kind KIND               TASKHOLD_KIND               what kind of job it is
  --label NAME=VALUE        TASKHOLD_LABELS             a text for people; repeat it, or separate with commas
  --queue-url URL           TASKHOLD_QUEUE_URL          taskhold's job queue; without it, nothing is reported
  --if-refused run          TASKHOLD_IF_REFUSED         if the task cannot be protected: run, wait or exit (run)
  --wait-timeout 30m        TASKHOLD_WAIT_TIMEOUT       how long wait waits; then it exits with 75 (for ever)
  --start-timeout 10s       TASKHOLD_START_TIMEOUT      how long an agent without an answer delays COMMAND (10s)
  --check-interval 1m       TASKHOLD_CHECK_INTERVAL     how long after a request protection is checked (1m)
  --group                   TASKHOLD_GROUP=1            forward signals to COMMAND's process group
  --log-format text         TASKHOLD_LOG_FORMAT         text or json, on standard error (text)
                            TASKHOLD_STATE_DIR          what the processes of one container share
";

/// What to do while the task is not protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfRefused {
    Run,
    Wait,
    Exit,
}

/// To which process signals go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalTarget {
    Command,
    Group,
}

/// What the command line and the environment ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ParsedLine {
    Help,
    Version,
    Exec(Box<ExecOptions>),
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
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

/// Why the options cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OptionError {
    #[error("{0}")]
    Syntax(#[from] lexopt::Error),
    #[error("{name} is `{value}`, which {problem}")]
    Value { name: String, value: String, problem: String },
    #[error("there is no COMMAND; write taskhold-run exec [OPTIONS] -- COMMAND ARGS…")]
    NoCommand,
    #[error("`{0}` is not a command of taskhold-run; write taskhold-run exec [OPTIONS] -- COMMAND ARGS…")]
    NotACommand(String),
}

/// The schema of job messages has these limits (schemas/job-message.schema.json).
const JOB_ID_CHARS_MAX: usize = 256;
const LABELS_MAX: usize = 8;
const LABEL_NAME_CHARS_MAX: usize = 64;
const LABEL_VALUE_CHARS_MAX: usize = 128;

/// Options with a value, by name. The variable's name follows from it.
const WITH_VALUE: [&str; 11] = [
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
    "log-format",
];

/// The values that were given, each with what it was given by.
#[derive(Debug, Default)]
struct Given {
    values: HashMap<String, GivenValue>,
    labels: Vec<GivenValue>,
    group: Option<GivenValue>,
}

#[derive(Debug, Clone)]
struct GivenValue {
    name: String,
    text: String,
}

impl GivenValue {
    fn error(&self, problem: impl std::fmt::Display) -> OptionError {
        OptionError::Value { name: self.name.clone(), value: self.text.clone(), problem: problem.to_string() }
    }
}

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
    match parser.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(ParsedLine::Help),
        Some(Short('V') | Long("version")) => return Ok(ParsedLine::Version),
        Some(Value(command)) if command == "exec" => {}
        Some(Value(command)) => return Err(OptionError::NotACommand(command.to_string_lossy().into_owned())),
        Some(other) => return Err(other.unexpected().into()),
    }
    let mut given = of_environment(variable);
    let mut command: Vec<OsString> = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(ParsedLine::Help),
            Long("group") => given.group = Some(GivenValue { name: "--group".to_owned(), text: "1".to_owned() }),
            Long("label") => {
                let text = parser.value()?.string()?;
                given.labels.retain(|label| label.name == "--label");
                given.labels.push(GivenValue { name: "--label".to_owned(), text });
            }
            Long(name) if WITH_VALUE.contains(&name) => {
                let name = name.to_owned();
                let text = parser.value()?.string()?;
                given.values.insert(name.clone(), GivenValue { name: format!("--{name}"), text });
            }
            // What follows the name of COMMAND is its own.
            Value(program) => {
                command.push(program);
                command.extend(parser.raw_args()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let mut command = command.into_iter();
    let program = command.next().filter(|program| !program.is_empty()).ok_or(OptionError::NoCommand)?;
    let state_dir = given.values.remove("state-dir").map(|value| PathBuf::from(value.text));
    let mut options = exec_options(&given, random_id)?;
    (options.program, options.arguments, options.state_dir) = (program, command.collect(), state_dir);
    Ok(ParsedLine::Exec(Box::new(options)))
}

fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Given {
    let read = |option: &str| {
        let name = format!("TASKHOLD_{}", option.to_uppercase().replace('-', "_"));
        // An empty variable is how task definitions leave one out.
        let text = variable(&name).filter(|text| !text.is_empty())?;
        Some(GivenValue { name, text })
    };
    let mut given = Given { group: read("group"), ..Given::default() };
    for option in WITH_VALUE.into_iter().chain(["state-dir"]) {
        if let Some(value) = read(option) {
            given.values.insert(option.to_owned(), value);
        }
    }
    if let Some(GivenValue { name, text }) = read("labels") {
        given.labels = text.split(',').map(|text| GivenValue { name: name.clone(), text: text.to_owned() }).collect();
    }
    given
}

fn exec_options(given: &Given, random_id: impl FnOnce() -> String) -> Result<ExecOptions, OptionError> {
    let value = |option: &str| given.values.get(option);
    let choice = |option: &str| value(option).map(|value| (value, value.text.as_str()));
    let if_refused = match choice("if-refused") {
        None | Some((_, "run")) => IfRefused::Run,
        Some((_, "wait")) => IfRefused::Wait,
        Some((_, "exit")) => IfRefused::Exit,
        Some((value, _)) => return Err(value.error("is not run, wait or exit")),
    };
    let log_format = match choice("log-format") {
        None | Some((_, "text")) => LogFormat::Text,
        Some((_, "json")) => LogFormat::Json,
        Some((value, _)) => return Err(value.error("is not text or json")),
    };
    let signal_target = match given.group.as_ref().map(|value| (value, value.text.as_str())) {
        None | Some((_, "0" | "false")) => SignalTarget::Command,
        Some((_, "1" | "true")) => SignalTarget::Group,
        Some((value, _)) => return Err(value.error("is not 1 or 0")),
    };
    let attempt = match value("attempt") {
        None => 1,
        Some(value) => {
            let attempt = value.text.parse().ok().filter(|attempt| *attempt > 0);
            attempt.ok_or_else(|| value.error("is not a whole number from 1"))?
        }
    };
    let job = DeclaredJob {
        id: job_id(value("job-id"), random_id)?,
        attempt,
        max: duration_of(value("max-duration"))?.unwrap_or(Duration::from_secs(7200)),
        expected: duration_of(value("expected-duration"))?,
        kind: value("kind").map(|value| value.text.clone()),
        labels: labels(&given.labels)?,
    };
    Ok(ExecOptions {
        job,
        queue_url: value("queue-url").map(|value| value.text.clone()),
        if_refused,
        wait_timeout: duration_of(value("wait-timeout"))?,
        start_timeout: duration_of(value("start-timeout"))?.unwrap_or(Duration::from_secs(10)),
        check_interval: duration_of(value("check-interval"))?.unwrap_or(Duration::from_secs(60)),
        signal_target,
        log_format,
        state_dir: None,
        program: OsString::new(),
        arguments: Vec::new(),
    })
}

fn duration_of(value: Option<&GivenValue>) -> Result<Option<Duration>, OptionError> {
    let Some(value) = value else {
        return Ok(None);
    };
    let duration = duration::parse(&value.text).map_err(|error| value.error(error))?;
    if duration.is_zero() {
        return Err(value.error("is zero; write at least 1s"));
    }
    Ok(Some(duration))
}

fn job_id(value: Option<&GivenValue>, random_id: impl FnOnce() -> String) -> Result<String, OptionError> {
    let Some(value) = value else {
        return Ok(random_id());
    };
    if value.text.is_empty() || value.text.chars().count() > JOB_ID_CHARS_MAX {
        return Err(value.error(format_args!("does not have 1 to {JOB_ID_CHARS_MAX} characters")));
    }
    if value.text.chars().any(char::is_control) {
        return Err(value.error("has control characters; use printable ones"));
    }
    Ok(value.text.clone())
}

fn labels(given: &[GivenValue]) -> Result<BTreeMap<String, String>, OptionError> {
    let mut labels = BTreeMap::new();
    for value in given {
        let (name, text) = value.text.split_once('=').ok_or_else(|| value.error("is not NAME=VALUE"))?;
        if name.is_empty() || name.chars().count() > LABEL_NAME_CHARS_MAX {
            return Err(value.error(format_args!("does not have a name of 1 to {LABEL_NAME_CHARS_MAX} characters")));
        }
        if text.chars().count() > LABEL_VALUE_CHARS_MAX {
            return Err(value.error(format_args!("has a value of more than {LABEL_VALUE_CHARS_MAX} characters")));
        }
        labels.insert(name.to_owned(), text.to_owned());
        if labels.len() > LABELS_MAX {
            return Err(value.error(format_args!("is one label too many; a job has at most {LABELS_MAX}")));
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests;
