//! Deterministic simulation of the whole function: taskhold's own handler runs on the simulated Region, with faults
//! everywhere and up to four concurrent invocations. A single scheduler decides which invocation continues, what fails
//! and how time passes.
//!
//! A seed defines a run. A run starts with a storm of faults, in which workers, people and ECS act as usual. Then all
//! faults stop, and the promises must come true. `chaos/model.rs` states and checks the promises that hold at every
//! moment; `chaos/checks.rs` and `chaos/order.rs` check those that hold at the end. Every decision is drawn through one
//! object that records it (`chaos/choices.rs`). A run that breaks a promise is therefore shortened, and replayed
//! exactly from a readable text. A seed produces a different run as soon as the simulation draws differently. A text
//! survives more changes, since its moves have names, but not all.
//!
//! Two of three seeds focus on services: deployments, alerts and remediations. Every third one focuses on protection:
//! one service of up to three tasks, invocations of up to 15 minutes, sweeps at any time, and calls whose effects on
//! the tasks take place one by one, whenever the scheduler wants. There, events of stopped tasks also come through the
//! job queue, and some runs store a job's start without reading its record first (`chaos/rules.rs`).
//!
//! In some runs, tasks protect themselves for all or some of their jobs, as `taskhold-run` does.
//!
//! What can go wrong:
//! - ECS throttles, answers 5xx, denies, sends no answer, applies a call that failed, applies a call up to 90 seconds
//!   later, leaves a task out of its answer, or refuses protection as the drawn variant of AWS does.
//! - Loads, stores and lists of the state store fail before or after they take effect, or take effect later. Records
//!   expire as early as they may. The list of open records lags behind.
//! - Sends to the topic and the queues fail before or after they take effect.
//! - Messages are redelivered, late, or reordered. So are events of ECS, which also get lost. Sweeps are missed.
//! - Invocations are cut off at any point, one or all at a time.
//!
//! Left out on purpose: the SDK and its wire formats (the contract tests cover them), DynamoDB, and a clock that jumps.

mod agent;
mod autoscaling;
mod broken;
mod calm;
mod checks;
mod choices;
mod counts;
mod deliveries;
mod ecs;
mod effects;
mod events;
mod job;
mod model;
mod order;
mod people;
mod plan;
mod protection;
mod protection_calls;
mod rules;
mod run;
mod sends;
mod shelves;
mod shorten;
mod stage;
mod store;
mod time;
mod workers;
mod world;

pub use broken::Broken;
pub use counts::RunCounts;
pub use plan::{Narration, Plan, PlanError};
pub use rules::{Focus, Sabotage};
pub use run::{RunOutcome, of_seed, replay};
pub use shorten::shortened;
