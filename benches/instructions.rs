//! Handles this many warm messages and ends, so that valgrind can count the instructions. benches/lambda/budgets
//! runs it twice and takes the difference, so that startup and shutdown are not counted.

use ecs_sim::doubles::granting::{Tasks, batch, deliver, function, log_to_nowhere, runtime};

/// Before the counted ones, so that the two runs differ only by warm messages.
const WARM_UP: usize = 100;

fn main() {
    // Cargo itself adds `--bench`.
    let messages: usize = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(0);
    log_to_nowhere();
    let (runtime, function) = (runtime(), function(0));
    // As strings, created before: an instance receives its payload as a whole.
    let payloads: Vec<String> = (0..WARM_UP + 2000).map(|number| batch(number..number + 1, Tasks::Own)).collect();
    for payload in payloads.iter().take(WARM_UP + messages) {
        deliver(&runtime, &function, payload, 1);
    }
}
