//! Problems with the settings.

use std::fmt;

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The environment variable.
    pub name: String,
    /// The problem and the rule.
    pub problem: String,
}

/// All problems with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 setting is invalid:")?,
            more => write!(f, "{more} settings are invalid:")?,
        }
        self.0.iter().try_for_each(|ConfigProblem { name, problem }| write!(f, "\n  {name} {problem}"))
    }
}
