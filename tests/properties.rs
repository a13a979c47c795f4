//! Properties: what holds of all inputs, tried on some hundred of them, drawn from a seed.
//!
//! `PROPTEST_CASES=20000 cargo test --test properties` tries more of them, `PROPTEST_RNG_SEED=7` others. A run without either
//! is the same on every machine. What breaks a property is shrunk, printed, and noted in `tests/properties/regressions.txt`,
//! from where it is tried first ever after.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

#[path = "properties/alerts.rs"]
mod alerts;
#[path = "properties/coalescing.rs"]
mod coalescing;
#[path = "properties/drawn.rs"]
mod drawn;
#[path = "properties/fuzzed.rs"]
mod fuzzed;
#[path = "properties/interruptions.rs"]
mod interruptions;
#[path = "properties/merge_laws.rs"]
mod merge_laws;
#[path = "properties/messages.rs"]
mod messages;
#[path = "properties/notified.rs"]
mod notified;
#[path = "properties/printed.rs"]
mod printed;
#[path = "properties/protection.rs"]
mod protection;
#[path = "properties/records.rs"]
mod records;
#[path = "properties/rounding.rs"]
mod rounding;
#[path = "properties/settings.rs"]
mod settings;
#[path = "properties/shell.rs"]
mod shell;

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// Each run draws the same, unless the environment says otherwise.
const SEED: u64 = 2026;

fn config() -> Config {
    let mut config = Config {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/properties/regressions.txt"
        )))),
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    config
}

/// So many cases for each one of those that are usual, for what takes long.
fn fewer(divisor: u32) -> Config {
    let config = config();
    Config { cases: (config.cases / divisor).max(1), ..config }
}
