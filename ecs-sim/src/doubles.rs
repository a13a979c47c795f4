//! Test doubles of the function's ports. Random runs, scenarios, the model and the tests that watch a service for hours
//! or months all use them.
//!
//! | Module | Holds |
//! |---|---|
//! | [`ecs`], [`autoscaling`], [`queues`], [`alerts`], [`clock`], [`settings`] | a [`Region`](crate::region::Region) as the function's ports see it; it holds the state. taskhold's own store in memory is the state store |
//! | [`stepped`], [`steps`] | a wrapper of any port: an invocation can pause or die around each call, and calls fail |
//! | [`interleave`] | gates and a poller, for a scheduler that alone decides which invocation goes on |
//! | [`no_services`] | ports of an ECS without services |
//! | [`parts`] | the parts of a function that a test does not care about |
//! | [`granting`] | the function on an ECS that grants everything at once, for benches |
//! | [`log`] | captures of log lines |

pub mod alerts;
pub mod autoscaling;
pub mod clock;
mod described;
pub mod ecs;
pub mod granting;
pub mod interleave;
pub mod log;
pub mod no_services;
pub mod parts;
pub mod queues;
pub mod settings;
pub mod stepped;
pub mod steps;
