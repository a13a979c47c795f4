//! Operator commands (`status`, `preflight`, `sweep`, `release`) and their answers.
//!
//! [`command`] parses a direct invocation, [`commands`] and [`release`] execute it, and [`answer`] and
//! [`service_answer`] define the JSON that goes back. Start at `Function::handle_command` in [`commands`].
//!
//! [`hook`] parses the payload of a deployment lifecycle hook, [`gate`] decides its answer, and [`gatekeeper`] reads what
//! the decision needs.
//!
//! Not here: the judgment on a service ([`crate::service`]), the JSON parts shared with alerts
//! ([`crate::notify::json`]), and the sweep itself (`lambda/sweep.rs`).

pub mod answer;
pub mod command;
pub mod commands;
pub mod gate;
pub mod gatekeeper;
pub mod hook;
pub mod release;
pub mod service_answer;
