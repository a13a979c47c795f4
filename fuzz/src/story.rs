//! A story of the simulator's: `Story::parse`.

use super::seeds;
use ecs_sim::story::Story;

/// Every story of the project.
pub fn seeds() -> Vec<String> {
    seeds::files("tests/scenarios", ".txt").into_iter().map(|(_, text)| text).collect()
}

/// Each line of a story that was read is read alone as the same; one that is none is named by its number.
pub fn check(text: &str) {
    match Story::parse("fuzzed", text) {
        Ok(story) => {
            let written = text.lines().count();
            assert!(story.lines.iter().all(|line| (1..=written).contains(&line.number)));
            for line in &story.lines {
                let alone = Story::parse("alone", &line.text).expect("a line that was read is read again");
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
