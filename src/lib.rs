//! taskhold protects Amazon ECS tasks from scale-in and deployments while they work.
//!
//! An invocation of the Lambda function recognizes its payload: a batch of SQS messages, an ECS event, a
//! scheduled sweep or a command. A job message reports one job; every other payload only says which tasks
//! and services to reconcile. For each of them the function loads the record from the state store, reads the
//! current state from ECS where it matters, and decides in pure code what to do. It stores each intended call
//! before it sends it, and the result afterwards. Then it sends the notifications that are due, and answers
//! which messages Lambda must deliver again.
//!
//! The modules, from the outside in. Imports point down this list only:
//!
//! - `aws`: adapters to the AWS SDK, behind the traits of the modules below (feature `aws`). Only `main.rs`
//!   uses it.
//! - [`lambda`]: payload recognition, SQS batches with partial failures, dead-lettering and the sweep. Start
//!   with [`lambda::function`].
//! - [`api`]: the commands (`status`, `preflight`, `release`, `redrive`, `sweep`) and the JSON of their answers.
//! - [`notify`]: the texts and JSON of alerts and interrupted jobs, for each kind of receiver.
//! - [`service`]: everything about one service: snapshot, rollout, diagnosis, forecast, incidents,
//!   remediation and rechecks.
//! - [`task`]: everything about one task: its jobs, its protection, the calls that set and clear it, and
//!   interruptions.
//! - [`store`]: the state store's trait, its one compare-and-set loop, and the implementation in memory.
//! - [`outbox`]: what must be sent at least once: claim, acknowledge, back off.
//! - [`config`]: the settings.
//! - [`ecs`]: ECS's nouns and the traits through which taskhold calls ECS and Application Auto Scaling.
//! - [`budget`], [`clock`], [`metrics`], [`page`], [`sqs`], [`text`]: the time that an invocation has left,
//!   the time itself, counts, a page of a list, the limits and errors of SQS, and escaping. They know nothing about tasks.

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
pub mod page;
pub mod service;
pub mod sqs;
pub mod store;
pub mod task;
pub mod text;
