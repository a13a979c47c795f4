//! Checks a configuration and reports the result.

use super::configuration::Configuration;
use super::promises::EVERY_PROMISE_IS_KEPT;
use super::protocol::ModelProtocol;
use stateright::{Checker, HasDiscoveries, Model};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// More states than any configuration has. A walk that reaches this bound is incomplete and fails.
const STATES_MAX: usize = 100_000_000;

/// The size of a walk.
#[derive(Clone, Copy, Debug, Default)]
struct Walk {
    /// Distinct states.
    unique: usize,
    /// States generated on any path, with repetitions.
    generated: usize,
    /// The length of the longest shortest path to a state.
    depth: usize,
    took: Duration,
}

impl Walk {
    fn and(self, other: Self) -> Self {
        Self {
            unique: self.unique + other.unique,
            generated: self.generated + other.generated,
            depth: self.depth.max(other.depth),
            took: self.took + other.took,
        }
    }
}

impl std::fmt::Display for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { unique, generated, depth, took } = self;
        write!(f, "{unique} states of {generated} generated, depth {depth}, {:.1} s", took.as_secs_f64())
    }
}

/// Walks each configuration and prints their total size.
pub(crate) fn keep_every_promise(configurations: impl Iterator<Item = Configuration>) {
    let walks: Vec<Walk> = configurations.map(walk).collect();
    let all = walks.iter().fold(Walk::default(), |all, walk| all.and(*walk));
    println!("{} configurations: {all}", walks.len());
}

/// Walks a configuration.
pub(crate) fn keeps_every_promise(configuration: Configuration) {
    walk(configuration);
}

/// Walks the whole configuration. Fails at the first broken promise and prints its shortest path. Also fails if the
/// model misses a witness that it must show, or if the walk is incomplete.
fn walk(configuration: Configuration) -> Walk {
    let (name, left, ends_within_s) = (configuration.name, configuration.left, configuration.ends_within_s());
    let begun = moment();
    let checker = ModelProtocol::new(configuration).checker();
    // Single-threaded and breadth first, so that the first path found is the shortest. Tests run in parallel
    // anyway.
    let checker = checker.threads(1).target_state_count(STATES_MAX).finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    let (generated, unique, depth) = (checker.state_count(), checker.unique_state_count(), checker.max_depth());
    let walk = Walk { unique, generated, depth, took: begun.elapsed() };
    let (runs, records) = checker.model().function.counts();
    let latest = checker.model().latest();
    println!(
        "{name} ({left}): {walk}, by {runs} runs of the function over {records} records; all is quiet after {latest} s at most"
    );
    let model = checker.model();
    if let Some(path) = checker.discovery(EVERY_PROMISE_IS_KEPT) {
        let broken = model.broken.get().expect("it was found");
        panic!("{name} ({left}): it is not so that {broken}:\n{}", model.narrate(path).join("\n"));
    }
    // Two bounds could truncate the walk: the number of states, and the time boundary.
    assert!(generated < STATES_MAX, "{name} ({left}): more than {STATES_MAX} states");
    assert!(latest <= ends_within_s, "{name} ({left}): some states after {ends_within_s} s were not explored");
    let unreached: Vec<&str> = model.unreached.lock().unwrap().iter().map(|witness| witness.name).collect();
    assert!(unreached.is_empty(), "{name} ({left}): too tame; never seen: {unreached:?}");
    walk
}

#[expect(clippy::disallowed_methods, reason = "prints how long the check took in real time")]
fn moment() -> Instant {
    Instant::now()
}

/// The number of states, and of steps between them.
pub(crate) fn counts(configuration: Configuration, threads: usize) -> (usize, usize) {
    let checker = ModelProtocol::new(configuration).checker().threads(threads).target_state_count(STATES_MAX);
    let checker = checker.spawn_bfs().join();
    (checker.unique_state_count(), checker.state_count())
}

/// Fails unless the checker finds this promise broken, and prints the shortest path.
pub(crate) fn is_found_out(configuration: Configuration, promise: &'static str) {
    let sabotage = configuration.sabotage;
    let checker = ModelProtocol::looking_at(configuration, promise).checker();
    let checker = checker.threads(1).target_state_count(STATES_MAX).finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    let states_visited = checker.model().states_visited.load(Ordering::Relaxed);
    let Some(path) = checker.discovery(EVERY_PROMISE_IS_KEPT) else {
        panic!("{sabotage:?} was not found out in {states_visited} states")
    };
    let lines = checker.model().narrate(path);
    let (steps, lines) = (lines.len() - 1, lines.join("\n"));
    println!(
        "{sabotage:?}: after {steps} steps it is no longer so that {promise} ({states_visited} states explored):\n{lines}"
    );
}
