//! The settings, from environment variables that start with `TASKHOLD_`. All problems are reported at once, each with the
//! variable, its value and what would be right.

pub mod clusters;
pub mod declarations;
pub mod policy;
pub mod reader;
pub mod settings;
