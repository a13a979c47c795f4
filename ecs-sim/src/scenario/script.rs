//! A scenario as it is written: its lines, and what it says about the function and about AWS.

use super::parse::{statement, without_comment};
use super::statement::Statement;
use crate::control_plane::Variants;

/// A scenario that has been read.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The scenario's origin, for messages.
    pub name: String,
    /// Its statements.
    pub lines: Vec<Line>,
}

/// One statement.
#[derive(Clone, Debug)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// As written, without its comment.
    pub text: String,
    /// The parsed statement.
    pub statement: Statement,
}

/// A line that is not a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{scenario}:{line}: {problem}")]
pub struct ScenarioError {
    /// The scenario's origin.
    pub scenario: String,
    /// From 1.
    pub line: usize,
    /// The problem.
    pub problem: String,
}

impl Scenario {
    /// Parses a scenario.
    ///
    /// # Errors
    /// The first line that is not a statement, with its number.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let mut lines = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            let text = without_comment(line);
            if text.is_empty() {
                continue;
            }
            let statement = statement(text).map_err(|problem| ScenarioError {
                scenario: name.to_owned(),
                line: number,
                problem,
            })?;
            lines.push(Line { number, text: text.to_owned(), statement });
        }
        Ok(Self { name: name.to_owned(), lines })
    }

    /// The variants of AWS under which the scenario applies: all, or those that it needs.
    #[must_use]
    pub fn variants(&self) -> Vec<Variants> {
        let needs = |line: &Line| match &line.statement {
            Statement::Needs(needs) => needs.clone(),
            _ => Vec::new(),
        };
        let needs: Vec<String> = self.lines.iter().flat_map(needs).collect();
        let holds = |variants: &Variants| {
            let written = variants.to_string();
            needs.iter().all(|need| written.split(' ').any(|pair| pair == need))
        };
        let all = if self.has_hooks() { Variants::with_hooks() } else { Variants::all() };
        let asked = needs.join(" ").parse::<Variants>().unwrap_or_default();
        let all = all.into_iter().map(|variants| Variants { repeats: asked.repeats, ..variants });
        all.filter(holds).collect()
    }

    /// Whether a service has hooks or early success: only then do the variants about them matter.
    fn has_hooks(&self) -> bool {
        self.lines.iter().any(|line| match &line.statement {
            Statement::Service(service) => !service.hooks.is_empty() || service.early_success.is_some(),
            _ => false,
        })
    }

    /// The settings of the function that the scenario changes.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(|line| match &line.statement {
            Statement::Set { name, value } => Some((name.as_str(), value.as_str())),
            _ => None,
        })
    }
}
