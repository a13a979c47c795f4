//! The tests of the simulator, in one program.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

mod agent;
mod autoscaling;
mod command_line;
mod control_plane;
mod control_plane_deployments;
mod control_plane_scenarios;
mod http;
mod scenario_words;
mod service_deployments;
