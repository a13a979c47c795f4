//! The settings, from environment variables that start with `TASKHOLD_`. All problems are reported at once, each with the
//! variable, its value and what would be right.

mod clusters;
mod policy;
mod reader;
mod settings;

pub use clusters::{Clusters, NameError};
pub use policy::{NotAPolicy, Policy, Remediations};
pub use settings::{Config, ConfigProblem, ConfigProblems, Mode, SETTINGS, Senders, Setting};
