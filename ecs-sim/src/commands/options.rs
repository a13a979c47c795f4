//! The options of the command line.

use super::error::CliError;
use crate::chaos::Sabotage;
use crate::scenario::Scenario;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The options of all commands; each reads its own.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) files: Vec<PathBuf>,
    pub(super) seed: u64,
    pub(super) bootstrap: Option<PathBuf>,
    pub(super) worker: Option<PathBuf>,
    pub(super) pause: Duration,
    pub(super) host: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) services: Vec<(String, u32)>,
    pub(super) sim: SimOptions,
}

/// Reads the scenario of a file.
pub(super) fn read(file: &PathBuf) -> Result<Scenario, CliError> {
    let text = std::fs::read_to_string(file).map_err(|error| CliError::Read { file: file.clone(), problem: error })?;
    Ok(Scenario::parse(&file.display().to_string(), &text)?)
}

/// The options of `ecs-sim sim`.
#[derive(Debug, Default)]
pub(super) struct SimOptions {
    pub(super) runs: u64,
    pub(super) threads: usize,
    pub(super) replay: bool,
    /// Continues after a broken run, until each promise's first one is known.
    pub(super) keeps_going: bool,
    pub(super) sabotage: Sabotage,
}
