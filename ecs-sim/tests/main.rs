//! The tests of the simulator, in one program.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

mod agent;
mod autoscaling;
mod command_line;
mod control_plane;
mod control_plane_deployments;
mod http;
mod service_deployments;
mod web_service;
