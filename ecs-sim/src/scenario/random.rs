//! Generates scenarios from a seed.

use super::script::{Scenario, ScenarioError};
use fastrand::Rng;
use std::fmt::Write;

/// A scenario of `lines` lines, the same for the same seed. It has no expectations; its caller checks what must always
/// hold.
///
/// # Errors
/// None: a generated scenario can be parsed. The result makes a mistake in this module name its line.
pub fn random_scenario(seed: u64, lines: usize) -> Result<Scenario, ScenarioError> {
    let mut made = Made { rng: Rng::with_seed(seed), text: String::new(), tasks: 0, jobs: Vec::new() };
    made.begin();
    for _ in 0..lines {
        made.line();
    }
    made.end();
    Scenario::parse(&format!("random scenario {seed}"), &made.text)
}

struct Made {
    rng: Rng,
    text: String,
    /// The number of tasks that certainly exist.
    tasks: usize,
    /// Started jobs: number and attempt.
    jobs: Vec<(usize, u32)>,
}

impl Made {
    fn write(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("writing to a string does not fail");
    }

    fn begin(&mut self) {
        self.tasks = self.rng.usize(1..=6);
        let (tasks, min, max) = (self.tasks, self.rng.u32(0..=100), self.rng.u32(100..=200));
        self.write("mute alerts");
        self.write("mute stops");
        self.write(&format!("service web desired {tasks} min {min} max {max}"));
    }

    fn line(&mut self) {
        let line = match self.rng.u32(0..100) {
            0..25 => self.start(),
            25..45 => self.job_message("finishes"),
            45..55 => self.job_message("beats"),
            55..62 if !self.jobs.is_empty() => format!("again {}", self.rng.u32(1..=3)),
            62..67 => "deploy web".to_owned(),
            67..70 => format!("scale web to {}", self.rng.u32(0..=6)),
            70..73 => self.fault(),
            73..75 => "hold queue".to_owned(),
            75..79 => "open queue reversed".to_owned(),
            _ => format!("advance {}s", self.rng.u32(1..=1800)),
        };
        self.write(&line);
    }

    fn start(&mut self) -> String {
        let attempt = self.rng.u32(1..=2);
        self.jobs.push((self.jobs.len() + 1, attempt));
        let letter = char::from(b'a' + u8::try_from(self.rng.usize(0..self.tasks)).expect("at most six tasks"));
        let (job, minutes) = (self.jobs.len(), self.rng.u32(1..=600));
        let late = if self.rng.u32(0..4) == 0 { format!(" late {}s", self.rng.u32(1..=600)) } else { String::new() };
        format!("job j-{job} starts on {letter} for {minutes}m attempt {attempt}{late}")
    }

    fn job_message(&mut self, verb: &str) -> String {
        match self.rng.choice(&self.jobs) {
            Some((job, attempt)) => format!("job j-{job} {verb} attempt {attempt}"),
            None => "advance 1s".to_owned(),
        }
    }

    fn fault(&mut self) -> String {
        let faults = [
            "ecs throttles 6",
            "ecs fails 1",
            "ecs loses 1 calls",
            "ecs loses 1 answers",
            "function dies before call",
            "function dies after call",
        ];
        (*self.rng.choice(&faults).expect("there are some")).to_owned()
    }

    /// Ends everything: delivers held messages, and lets every job exceed its declared time.
    fn end(&mut self) {
        self.write("open queue");
        self.write("advance 3d");
    }
}
