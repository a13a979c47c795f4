//! taskhold holds busy Amazon ECS tasks in place while they work.
//!
//! One invocation of the function goes `parse → observe → decide → apply → respond`:
//!
//! - [`event`]: what came in, typed. An event only says where to look.
//! - [`handler`]: one invocation, top to bottom.
//! - [`decide`]: the pure core: what is known, the policy and the time in; what to do and why not, out.
//! - [`apply`]: carries out a decision, and has no opinion about it.
//! - [`store`]: per task, its jobs, what was asked of ECS and what ECS confirmed until when.
//! - [`observe`]: what was seen of a service. [`report`]: the JSON that operators get.
//! - [`recheck`]: what the function tells itself to do later.
//! - [`dead-letter`]: what becomes of messages that cannot be carried out.
//! - [`interrupted`]: what becomes of jobs whose task was stopped under them.
//! - [`ecs`]: ECS's nouns, and the seam to it. [`autoscaling`]: who else sets desired counts. `aws`: the SDK in, our nouns out (feature `aws`).
//! - `data`: texts that others chose, escaped and short. [`config`]: the settings. [`clock`]: the time, handed in. [`telemetry`]: logs and metrics.

pub mod api;
#[cfg(feature = "aws")]
pub mod aws;
pub mod budget;
pub mod clock;
pub mod config;
pub mod ecs;
pub mod lambda;
pub mod metrics;
pub mod notify;
pub mod outbox;
pub mod service;
pub mod sqs;
pub mod store;
pub mod task;
pub mod text;
