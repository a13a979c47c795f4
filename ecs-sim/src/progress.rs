//! Progress of a long run, printed once a minute.

use std::io::Write;
use std::time::{Duration, Instant};

/// The time between two lines.
const EVERY: Duration = Duration::from_secs(60);

/// Prints once a minute how many steps of a long run are done.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    of: usize,
    done: usize,
    said_at: Instant,
}

impl Progress {
    /// A run of `of` steps, described by `what`.
    #[must_use]
    pub fn new(what: &'static str, of: usize) -> Self {
        Self { what, of, done: 0, said_at: now() }
    }

    /// Counts one completed step.
    pub fn step(&mut self) {
        self.done += 1;
        if now().duration_since(self.said_at) >= EVERY {
            self.said_at = now();
            // Not by `eprintln!`, which a test run captures. A closed output must not end the run.
            let _ = writeln!(std::io::stderr(), "{} of {} {}", self.done, self.of, self.what);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "progress is printed in real time")]
fn now() -> Instant {
    Instant::now()
}
