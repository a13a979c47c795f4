//! The cost of a message, measured where it does not depend on the machine. The bounds come from the table of
//! budgets in docs/performance.md; `make budgets` measures the rest of that table.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

use allocation_counter::{AllocationInfo, measure};
use ecs_sim::doubles::granting::{
    GrantingFunction, RECORDS_MAX, Tasks, batch, deliver, function, log_to_nowhere, runtime,
};
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::Ordering;
use tokio::runtime::Runtime;

/// Sent before the measurement: allocations of the first messages stay with the instance.
const WARM_UP: usize = 100;

fn read(relative: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(relative);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Asserts that the measured value is within its row in the table of budgets.
fn assert_within(budget: &str, counted: f64) {
    println!("{budget}: {counted}");
    let text = read("docs/performance.md");
    let row = text.lines().find(|line| line.starts_with(&format!("| {budget} |")));
    let row = row.unwrap_or_else(|| panic!("docs/performance.md has no budget `{budget}`"));
    let most: f64 = row.split('|').nth(2).unwrap().trim().replace(',', "").parse().unwrap();
    assert!(counted <= most, "{budget}: {counted}, and the budget is {most}");
}

/// A function that has processed messages before.
struct Warm {
    runtime: Runtime,
    function: GrantingFunction,
}

impl Warm {
    fn new() -> Self {
        static LOG: Once = Once::new();
        LOG.call_once(log_to_nowhere);
        let warm = Self { runtime: runtime(), function: function(0) };
        for number in 0..WARM_UP {
            warm.deliver(number..number + 1);
        }
        warm
    }

    /// Delivers the starts of these jobs, each on its own task, in one batch. The payload belongs to the test and
    /// is not measured.
    fn deliver(&self, jobs: Range<usize>) -> AllocationInfo {
        let (payload, records) = (batch(jobs.clone(), Tasks::Own), jobs.len());
        measure(|| deliver(&self.runtime, &self.function, &payload, records))
    }

    fn calls(&self) -> u64 {
        self.function.ecs.calls.swap(0, Ordering::Relaxed)
    }
}

#[test]
fn a_warm_message_allocates_no_more_than_its_budget() {
    let warm = Warm::new();
    let counts: Vec<u64> = (WARM_UP..WARM_UP + 100).map(|job| warm.deliver(job..job + 1).count_total).collect();
    // The mean, because a growing map allocates once for many messages.
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    assert_within("allocations of a warm message", mean);
}

#[test]
fn each_of_a_thousand_messages_allocates_no_more_than_its_budget() {
    let counted = Warm::new().deliver(WARM_UP..WARM_UP + 1000);
    assert_within("allocations for each of 1,000 messages", counted.count_total as f64 / 1000.0);
}

#[test]
fn the_largest_batch_takes_no_more_memory_than_its_budget() {
    let counted = Warm::new().deliver(WARM_UP..WARM_UP + RECORDS_MAX);
    assert_within("memory for a batch of 6 MB, MiB", counted.bytes_max as f64 / 1024.0 / 1024.0);
}

#[test]
fn messages_take_no_more_calls_than_their_budgets() {
    let warm = Warm::new();
    warm.calls();
    warm.deliver(WARM_UP..WARM_UP + 1);
    assert_within("calls to ECS for a message alone", warm.calls() as f64);
    warm.deliver(2000..3000);
    assert_within("calls to ECS for each of 1,000 messages", warm.calls() as f64 / 1000.0);
    warm.deliver(2000..3000);
    assert_within("calls to ECS for each of 1,000 redelivered messages", warm.calls() as f64 / 1000.0);
}

/// The version of a package in a Cargo.lock.
fn locked(lock: &str, package: &str) -> String {
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// The settings of the release profile by section, without comments.
fn release_profile(manifest: &str) -> BTreeMap<String, Vec<String>> {
    let mut sections = BTreeMap::<String, Vec<String>>::new();
    let mut section = String::new();
    for line in manifest.lines().map(|line| line.split('#').next().unwrap().trim()).filter(|line| !line.is_empty()) {
        match line.starts_with('[') {
            true => line.clone_into(&mut section),
            false if section.starts_with("[profile.release") => {
                let setting = line.split_whitespace().collect::<Vec<_>>().join(" ");
                sections.entry(section.clone()).or_default().push(setting);
            }
            false => {}
        }
    }
    sections
}

#[test]
fn the_floor_that_the_function_is_measured_beside_is_built_as_the_function_is() {
    let (own, floor) = (read("Cargo.lock"), read("benches/lambda/Cargo.lock"));
    for package in ["aws-config", "aws-sdk-ecs", "aws-smithy-http-client", "hyper", "lambda_runtime", "ring", "tokio"] {
        assert_eq!(locked(&own, package), locked(&floor, package), "{package}: own, and the floor's");
    }
    assert_eq!(release_profile(&read("Cargo.toml")), release_profile(&read("benches/lambda/Cargo.toml")));
}
