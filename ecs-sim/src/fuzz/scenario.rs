//! A scenario of the simulator: `Scenario::parse`.

use super::seeds;
use crate::scenario::Scenario;

/// Every scenario of the project.
pub fn seeds() -> Vec<String> {
    seeds::files("tests/scenarios", ".txt").into_iter().map(|(_, text)| text).collect()
}

/// Each line of a parsed scenario parses alone with the same result; an error names its line number.
pub fn check(text: &str) {
    match Scenario::parse("fuzzed", text) {
        Ok(scenario) => {
            let written = text.lines().count();
            assert!(scenario.lines.iter().all(|line| (1..=written).contains(&line.number)));
            for line in &scenario.lines {
                let alone = Scenario::parse("alone", &line.text).expect("a line that was read is read again");
                let [same] = &alone.lines[..] else { panic!("{:?} is one line", line.text) };
                assert_eq!((&same.text, &same.statement), (&line.text, &line.statement));
            }
        }
        Err(error) => {
            assert!((1..=text.lines().count()).contains(&error.line), "{error}");
            assert!(!error.problem.is_empty());
        }
    }
}
