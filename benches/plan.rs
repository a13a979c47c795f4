//! The time that the function itself needs for the largest batch that Lambda delivers: 10,000 records, 6 MB.
//!
//! The measurement excludes only the network: the payload is parsed, merged into an empty store, and planned, and
//! every call is answered at once. Prints a row for README.md at the end.

use criterion::{BatchSize, Criterion};
use ecs_sim::doubles::granting::{GrantingFunction, RECORDS_MAX, Tasks, batch, deliver, function, runtime};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Nothing is merged, and every record needs a place in a call: this is the row for README.md.
const TASKS_MOST: usize = RECORDS_MAX;
/// Ten records at a time concern one task.
const TASKS_FEW: usize = RECORDS_MAX / 10;

fn measure(criterion: &mut Criterion, tasks: usize) {
    let (runtime, payload) = (runtime(), batch(0..RECORDS_MAX, Tasks::Shared(tasks)));
    let handle = |function: GrantingFunction| {
        deliver(&runtime, &function, &payload, RECORDS_MAX);
        function // dropped outside of the measurement: an instance keeps its state store
    };
    criterion.bench_function(&name(tasks), |bencher| {
        bencher.iter_batched(|| function(0), handle, BatchSize::LargeInput);
    });
}

fn name(tasks: usize) -> String {
    format!("batch of {RECORDS_MAX} records for {tasks} tasks")
}

/// The folder in which Criterion stores its measurements.
fn output() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion")
}

/// The mean in nanoseconds; `None` without a measurement, as when the bench only checks that it runs.
fn mean_ns(tasks: usize) -> Option<f64> {
    let estimates = std::fs::read_to_string(output().join(name(tasks)).join("new/estimates.json")).ok()?;
    serde_json::from_str::<Value>(&estimates).ok()?["mean"]["point_estimate"].as_f64()
}

fn main() {
    // Otherwise a run without measurements would print those of an earlier run.
    let _ = std::fs::remove_file(output().join(name(TASKS_MOST)).join("new/estimates.json"));
    let mut criterion = Criterion::default().output_directory(&output()).sample_size(50).configure_from_args();
    for tasks in [TASKS_FEW, TASKS_MOST] {
        measure(&mut criterion, tasks);
    }
    criterion.final_summary();
    if let Some(ns) = mean_ns(TASKS_MOST) {
        let (millis, micros) = (ns / 1e6, ns / 1e3 / RECORDS_MAX as f64);
        println!("\n| batch of 10,000 records (6 MB) | {millis:.0} ms | {micros:.1} µs per message |");
    }
}
