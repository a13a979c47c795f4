//! A service with a rollout in progress is watched until it is steady: how soon alerts are sent, what the watch
//! costs, and that it stays one chain of rechecks, even if deliveries are duplicated, late, out of order or lost,
//! and wherever the function dies.
//!
//! The real [`taskhold::lambda::function::Function`] runs on the simulated Region of ecs-sim. The tests print their figures:
//! `cargo test --test watch -- --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

#[path = "watch/chain.rs"]
mod chain;
#[path = "watch/crash.rs"]
mod crash;
#[path = "watch/deliveries.rs"]
mod deliveries;
#[path = "watch/ecs.rs"]
mod ecs;
#[path = "watch/events.rs"]
mod events;
#[path = "watch/instances.rs"]
mod instances;
#[path = "watch/log.rs"]
mod log;
#[path = "watch/parts.rs"]
mod parts;
#[path = "watch/reads.rs"]
mod reads;
#[path = "watch/rollouts.rs"]
mod rollouts;
#[path = "watch/seen.rs"]
mod seen;
#[path = "watch/short_holds.rs"]
mod short_holds;
#[path = "watch/steps.rs"]
mod steps;
#[path = "watch/store.rs"]
mod store;
#[path = "watch/time_to_alert.rs"]
mod time_to_alert;
#[path = "watch/world.rs"]
mod world;
