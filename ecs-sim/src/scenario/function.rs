//! The function under test, as a scenario invokes it.

use crate::control_plane::Millis;
use crate::event_source::FunctionAnswer;
use serde_json::{Map, Value};
use std::future::Future;

/// As in template.yaml.
pub const FUNCTION_TIMEOUT_MS: Millis = 30_000;

/// The function under test.
pub trait FunctionUnderTest {
    /// Invokes the function with a payload. `deadline` is when its time is up.
    fn invoke(&mut self, payload: &str, deadline: Millis) -> impl Future<Output = Invoked>;
}

/// The outcome of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoked {
    /// How it ended.
    pub answer: FunctionAnswer,
    /// The function's log lines.
    pub logs: Vec<LogLine>,
}

/// One line of the function's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// `ERROR`, `WARN`, `INFO`, `DEBUG`.
    pub level: String,
    /// The message.
    pub message: String,
    /// The other fields.
    pub fields: Map<String, Value>,
}
