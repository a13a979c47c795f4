//! Operator commands (`status`, `preflight`, `sweep`, `release`) and their answers.
//!
//! [`command`] parses a direct invocation, [`commands`] and [`release`] execute it, and [`answer`] and
//! [`service_answer`] define the JSON that goes back. Start at `Function::handle_command` in [`commands`].
//!
//! Not here: the judgment on a service ([`crate::service`]), the JSON parts shared with alerts
//! ([`crate::notify::json`]), and the sweep itself (`lambda/sweep.rs`).

pub mod answer;
pub mod command;
pub mod commands;
pub mod release;
pub mod service_answer;
