//! Properties: statements about all inputs, tested on several hundred of them, drawn from a seed.
//!
//! `PROPTEST_CASES=20000 cargo test -p taskhold-tests properties::` tests more inputs, `PROPTEST_RNG_SEED=7` tests others.
//! Without these variables, a run is the same on every machine. A failing input is shrunk, printed, and recorded in
//! `tests/properties/regressions.txt`; later runs test it first.

mod alerts;
mod coalescing;
mod drawn;
mod fuzzed;
mod interruptions;
mod merge_laws;
mod messages;
mod notified;
mod printed;
mod protection;
mod records;
mod rounding;
mod settings;
mod shell;

use proptest::test_runner::{Config, FileFailurePersistence, RngSeed};

/// Each run draws the same inputs, unless the environment says otherwise.
const SEED: u64 = 2026;

fn config() -> Config {
    let mut config = Config {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/properties/regressions.txt"
        )))),
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    config
}

/// The default number of cases divided by this number, for slow properties.
fn fewer(divisor: u32) -> Config {
    let config = config();
    Config { cases: (config.cases / divisor).max(1), ..config }
}
