//! The JSON of alerts, for machines. Its shape is published in `schemas/alert.schema.json`.
//!
//! It always fits its transport: lists are shortened, jobs before tasks, and each shortened list states how many items
//! were omitted. Single items are never cut. Command answers share its parts.

pub mod alert;
pub mod interruption;
pub mod job_message;
pub mod limits;
pub mod parts;
pub mod service_deployment;
pub mod tasks;
pub(crate) mod values;

pub(crate) use crate::notify::json::limits::sendable;
pub use crate::notify::json::limits::{
    BLOCKING_TASKS_MAX, COMMANDS_MAX, ESCAPED_BYTES_MAX, GAPS_MAX, REFUSED_MAX, TAG_PROBLEMS_MAX,
};
use crate::notify::notification::{Notification, Source};

/// The JSON: at most [`ESCAPED_BYTES_MAX`] in escaped form, and therefore unescaped too.
pub fn message(notification: &Notification<'_>) -> String {
    match notification.source {
        Source::Service(alert) => alert::message(alert),
        Source::Task(task) => interruption::message(notification, task),
    }
}
