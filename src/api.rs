//! api

pub mod answer;
pub mod command;
pub mod commands;
pub mod release;
pub mod service_answer;
