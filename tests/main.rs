//! The tests of the function as a whole, in one program: the AWS SDK is linked once, and tests share their helpers.
//! `cargo test -p taskhold-tests watch::` runs those of `watch.rs` and its folder.
//!
//! Each test may run beside all others, and some run without the SDK (`--no-default-features`): those that need it
//! say so here. `budgets.rs` counts allocations and `model` needs an optimized build, so they are programs of their own.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

mod alert_page;
mod alerts;
#[cfg(feature = "aws")]
mod answers;
mod at_risk;
mod bounds;
mod breaks;
#[cfg(feature = "aws")]
mod canned_aws;
#[cfg(feature = "aws")]
mod canned_http;
mod cluster_status;
#[cfg(feature = "aws")]
mod conformance;
#[cfg(feature = "aws")]
mod contract_alerts;
#[cfg(feature = "aws")]
mod contract_autoscaling;
#[cfg(feature = "aws")]
mod contract_dynamodb;
#[cfg(feature = "aws")]
mod contract_ecs;
#[cfg(feature = "aws")]
mod contract_ecs_reads;
#[cfg(feature = "aws")]
mod contract_ecs_updates;
#[cfg(feature = "aws")]
mod contract_sqs;
mod contributing;
mod docs;
mod durations;
#[cfg(feature = "aws")]
mod e2e;
mod events;
mod failed_invocations;
mod figures;
mod files;
mod gate;
mod imports;
mod in_process;
mod linger;
#[cfg(feature = "aws")]
mod live;
mod noise;
mod pacing;
mod properties;
mod quarter;
mod redrive;
mod refusals;
mod remediation_comparison;
mod routine;
mod scenarios;
mod schema;
mod semantics;
mod senders;
mod sim;
#[cfg(feature = "aws")]
mod simulated;
mod snapshot;
mod soak;
mod stage;
mod suggestions;
mod sweep;
mod template;
mod terraform;
mod two_writers;
mod watch;

/// The result of a future, on a runtime of its own.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
