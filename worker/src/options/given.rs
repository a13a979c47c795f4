//! What the command line and the environment say, before anything is made of it.

use lexopt::prelude::*;
use std::collections::HashMap;
use std::ffi::OsString;

/// Why the options cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OptionError {
    #[error("{0}")]
    Syntax(#[from] lexopt::Error),
    #[error("{name} is `{value}`, which {problem}")]
    Value { name: String, value: String, problem: String },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("there is no COMMAND; write taskhold-run exec [OPTIONS] -- COMMAND ARGS…")]
    NoCommand,
    #[error("`{0}` is not a command of taskhold-run; write exec, serve, start, heartbeat or finish")]
    NotACommand(String),
}

/// The values that were given, each with what it was given by.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) values: HashMap<String, GivenValue>,
    pub(super) labels: Vec<GivenValue>,
    pub(super) group: Option<GivenValue>,
    /// COMMAND and its arguments.
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, Clone)]
pub(super) struct GivenValue {
    pub(super) name: String,
    pub(super) text: String,
}

impl GivenValue {
    pub(super) fn error(&self, problem: impl std::fmt::Display) -> OptionError {
        OptionError::Value { name: self.name.clone(), value: self.text.clone(), problem: problem.to_string() }
    }
}

/// The options of one command: those with a value, and the variables that have no option.
#[derive(Debug, Clone, Copy)]
pub(super) struct OptionNames {
    pub(super) with_value: &'static [&'static str],
    pub(super) variables_only: &'static [&'static str],
}

/// The name of the variable of an option.
pub(super) fn variable_of(option: &str) -> String {
    format!("TASKHOLD_{}", option.to_uppercase().replace('-', "_"))
}

impl Given {
    pub(super) fn of_environment(names: OptionNames, variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |option: &str| {
            let name = variable_of(option);
            // An empty variable is how task definitions leave one out.
            let text = variable(&name).filter(|text| !text.is_empty())?;
            Some(GivenValue { name, text })
        };
        let mut given = Self { group: read("group"), ..Self::default() };
        for option in names.with_value.iter().chain(names.variables_only) {
            if let Some(value) = read(option) {
                given.values.insert((*option).to_owned(), value);
            }
        }
        if let Some(GivenValue { name, text }) = read("labels") {
            let value = |text: &str| GivenValue { name: name.clone(), text: text.to_owned() };
            given.labels = text.split(',').map(value).collect();
        }
        given
    }

    /// Adds what the command line says. `None`: it asks for help.
    pub(super) fn add(mut self, names: OptionNames, mut parser: lexopt::Parser) -> Result<Option<Self>, OptionError> {
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("group") => self.group = Some(GivenValue { name: "--group".to_owned(), text: "1".to_owned() }),
                Long("label") => {
                    let text = parser.value()?.string()?;
                    self.labels.retain(|label| label.name == "--label");
                    self.labels.push(GivenValue { name: "--label".to_owned(), text });
                }
                Long(name) if names.with_value.contains(&name) => {
                    let name = name.to_owned();
                    let text = parser.value()?.string()?;
                    self.values.insert(name.clone(), GivenValue { name: format!("--{name}"), text });
                }
                // What follows the name of COMMAND is its own.
                Value(program) => {
                    self.command.push(program);
                    self.command.extend(parser.raw_args()?);
                }
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(Some(self))
    }

    pub(super) fn value(&self, option: &str) -> Option<&GivenValue> {
        self.values.get(option)
    }
}
