//! A service with a rollout in progress is watched until it is steady: how soon alerts are sent, what the watch
//! costs, and that it stays one chain of rechecks, even if deliveries are duplicated, late, out of order or lost,
//! and wherever the function dies.
//!
//! The real [`taskhold::lambda::function::Function`] runs on the simulated Region of ecs-sim. The tests print their figures:
//! `cargo test -p taskhold-tests -- --nocapture watch::`.

mod chain;
pub(crate) mod counted;
mod crash;
mod deliveries;
mod events;
mod instances;
pub(crate) mod log;
pub(crate) mod parts;
mod reads;
mod rollouts;
pub(crate) mod seen;
mod short_holds;
pub(crate) mod store;
mod time_to_alert;
pub(crate) mod traffic;
pub(crate) mod world;
