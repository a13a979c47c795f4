//! Why a command failed.

use std::path::PathBuf;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// A file could not be read.
    #[error("could not read `{}`: {problem}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The cause.
        problem: std::io::Error,
    },
    /// A scenario could not be read.
    #[error(transparent)]
    Scenario(#[from] crate::scenario::ScenarioError),
    /// A scenario failed.
    #[error("{0} (variant of AWS: {1})")]
    Failed(crate::scenario::ScenarioFailure, crate::control_plane::Variants),
    /// The settings of a scenario are wrong.
    #[error(transparent)]
    Settings(#[from] taskhold::config::problem::ConfigProblems),
    /// The function process could not be run.
    #[error(transparent)]
    Play(#[from] crate::play::PlayError),
    /// A run broke a promise.
    #[error("{0}")]
    Broken(String),
    /// A run could not be read.
    #[error(transparent)]
    Plan(#[from] crate::chaos::PlanError),
    /// The server could not be started.
    #[error("could not serve: {0}")]
    Serve(std::io::Error),
    /// The service could not be created.
    #[error("could not create the service: {0}")]
    Api(#[from] crate::control_plane::ApiError),
    /// The reader of standard output has closed it.
    #[error("the output is closed")]
    OutputClosed,
    /// The output could not be written.
    #[error("could not write the output: {0}")]
    Write(std::io::Error),
}

impl CliError {
    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            // The exit code that a shell reports for a process that SIGPIPE ended.
            Self::OutputClosed => 128 + 13,
            _ => 1,
        }
    }
}

impl From<lexopt::Error> for CliError {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}
