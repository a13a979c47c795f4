//! The settings: environment variables that start with `TASKHOLD_`, parsed and validated once when the
//! function starts.
//!
//! Here are the list of settings with their defaults and rules ([`settings`]), the configured clusters,
//! against which every name is checked ([`clusters`]), and the policy for remediations ([`policy`]). All
//! problems are reported together, each with the variable, its value and the rule. Tags that override a
//! setting for one service are not here (`src/service/tags.rs`). Start with [`settings::Config`].

pub mod clusters;
pub mod declarations;
pub mod policy;
pub mod problem;
pub mod reader;
pub mod settings;
