//! A run as a sequence of drawn choices, and as a readable text: `tests/sim/*.txt`.

use super::broken::Broken;
use super::rules::{Focus, Sabotage};
use std::fmt::Write;

/// One move of the scheduler. A plan names it, so that the plan survives a change of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A waiting invocation continues.
    Pass,
    /// Time passes.
    Wait,
    /// An invocation begins with job messages.
    Jobs,
    /// An invocation begins with rechecks.
    Rechecks,
    /// An invocation begins with an event of ECS.
    Event,
    /// The scheduled sweep begins or is missed.
    Sweep,
    /// A worker does something.
    Work,
    /// A person or ECS changes a service or a task.
    Operate,
    /// A message that was delivered before is delivered again.
    Again,
    /// One invocation, or all of them, are cut off.
    Crash,
    /// An effect that is on its way takes place.
    Strike,
}

impl Move {
    pub(super) const ALL: [Self; 11] = [
        Self::Pass,
        Self::Wait,
        Self::Jobs,
        Self::Rechecks,
        Self::Event,
        Self::Sweep,
        Self::Work,
        Self::Operate,
        Self::Again,
        Self::Crash,
        Self::Strike,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Wait => "wait",
            Self::Jobs => "jobs",
            Self::Rechecks => "rechecks",
            Self::Event => "event",
            Self::Sweep => "sweep",
            Self::Work => "work",
            Self::Operate => "operate",
            Self::Again => "again",
            Self::Crash => "crash",
            Self::Strike => "strike",
        }
    }
}

/// One step of a run: the move and its choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) made: Move,
    pub(super) drawn: Vec<u32>,
}

/// Everything that defines a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The deliberate defect.
    pub(super) sabotage: Sabotage,
    pub(super) focus: Focus,
    /// The promise that the run breaks; `None` if it keeps all.
    pub(super) breaks: Option<Broken>,
    /// The choices for the world and its rules.
    pub(super) setup: Vec<u32>,
    /// The steps while there are faults.
    pub(super) storm: Vec<Step>,
    /// The choices after the faults.
    pub(super) calm: Vec<u32>,
}

/// The text is not a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}: `{text}`")]
pub struct PlanError {
    /// From 1.
    line: usize,
    /// The line as written.
    text: String,
    /// The problem with the line.
    problem: &'static str,
}

impl Plan {
    /// The expected result of the run.
    #[must_use]
    pub fn breaks(&self) -> Option<Broken> {
        self.breaks
    }

    /// The same moves, with a deliberate defect.
    #[must_use]
    pub fn with_sabotage(self, sabotage: Sabotage) -> Self {
        Self { sabotage, ..self }
    }

    /// The number of moves.
    #[must_use]
    pub fn moves(&self) -> usize {
        self.storm.len()
    }

    /// Parses a plan. Text after `#` is a comment.
    ///
    /// # Errors
    /// The first line that is not understood.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        for (at, line) in text.lines().enumerate() {
            let words = line.split('#').next().unwrap_or_default();
            let error = |problem| PlanError { line: at + 1, text: line.to_owned(), problem };
            let mut words = words.split_whitespace();
            let Some(first) = words.next() else { continue };
            let rest: Vec<&str> = words.collect();
            let numbers = || -> Result<Vec<u32>, PlanError> {
                rest.iter().map(|word| word.parse().map_err(|_| error("expected numbers"))).collect()
            };
            let named = || rest.first().copied().unwrap_or_default();
            match first {
                "sabotage" => plan.sabotage = Sabotage::named(named()).ok_or_else(|| error("unknown sabotage"))?,
                "focus" => plan.focus = Focus::named(named()).ok_or_else(|| error("unknown focus"))?,
                "breaks" => plan.breaks = Some(Broken::named(named()).ok_or_else(|| error("unknown promise"))?),
                "setup" => plan.setup = numbers()?,
                "calm" => plan.calm = numbers()?,
                word => {
                    let made = Move::ALL.into_iter().find(|made| made.as_str() == word);
                    plan.storm.push(Step { made: made.ok_or_else(|| error("unknown move"))?, drawn: numbers()? });
                }
            }
        }
        Ok(plan)
    }

    /// The plan as text, with the events of each step below it.
    #[must_use]
    pub fn text(&self, narration: &Narration) -> String {
        let mut text = String::new();
        let mut line = |words: &str, lines: &[String]| {
            writeln!(text, "{}", words.trim_end()).expect("writing to a string does not fail");
            lines.iter().for_each(|one| writeln!(text, "    # {one}").expect("writing to a string does not fail"));
        };
        if self.sabotage != Sabotage::None {
            line(&format!("sabotage {}", self.sabotage.as_str()), &[]);
        }
        if self.focus != Focus::Services {
            line(&format!("focus {}", self.focus.as_str()), &[]);
        }
        if let Some(broken) = self.breaks {
            line(&format!("breaks {}", broken.as_str()), &[]);
        }
        line(&format!("setup {}", joined(&self.setup)), &narration.setup);
        for (at, step) in self.storm.iter().enumerate() {
            let lines = narration.steps.get(at).map_or(&[][..], Vec::as_slice);
            line(&format!("{} {}", step.made.as_str(), joined(&step.drawn)), lines);
        }
        line(&format!("calm {}", joined(&self.calm)), &narration.calm);
        text
    }
}

fn joined(drawn: &[u32]) -> String {
    drawn.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

/// The events of a run, by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narration {
    pub(super) setup: Vec<String>,
    pub(super) steps: Vec<Vec<String>>,
    pub(super) calm: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_back_from_its_text_with_its_trace() {
        let plan = Plan {
            sabotage: Sabotage::StoresWithoutComparing,
            focus: Focus::Protection,
            breaks: Some(Broken::Safety),
            setup: vec![1, 0, 2],
            storm: Move::ALL.into_iter().map(|made| Step { made, drawn: vec![0, 7] }).collect(),
            calm: vec![3],
        };
        let narration =
            Narration { setup: vec!["x".to_owned()], steps: vec![vec!["sweep 9".to_owned()]], calm: Vec::new() };
        assert_eq!(Plan::parse(&plan.text(&narration)), Ok(plan));
    }

    #[test]
    fn an_invalid_line_is_an_error_with_its_number() {
        for (text, problem) in
            [("dance 1", "unknown move"), ("pass x", "expected numbers"), ("sabotage x", "unknown sabotage")]
        {
            assert_eq!(
                Plan::parse(&format!("\n{text}")).unwrap_err().to_string(),
                format!("line 2: {problem}: `{text}`")
            );
        }
    }
}
