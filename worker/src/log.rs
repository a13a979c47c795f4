//! Log lines on standard error: text, or one JSON object a line. COMMAND's output goes elsewhere and stays untouched.

use crate::clock;
use serde_json::{Map, Value};
use std::io::Write;

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Writes log lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
}

impl Log {
    /// Writes a line. If nothing can be written, the job matters more than the line.
    pub(crate) fn write(self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let line = line(self.format, LogEntry { date: &clock::date().to_string(), level, message, fields });
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    pub(crate) fn info(self, message: &str, fields: &[(&str, &str)]) {
        self.write(Level::Info, message, fields);
    }

    pub(crate) fn warn(self, message: &str, fields: &[(&str, &str)]) {
        self.write(Level::Warn, message, fields);
    }

    pub(crate) fn error(self, message: &str, fields: &[(&str, &str)]) {
        self.write(Level::Error, message, fields);
    }
}

struct LogEntry<'a> {
    date: &'a str,
    level: Level,
    message: &'a str,
    fields: &'a [(&'a str, &'a str)],
}

/// The line. Values come from others (the agent, the metadata, the job's id), so text quotes them as JSON does: no value can
/// end a line or start a second one.
fn line(format: LogFormat, entry: LogEntry<'_>) -> String {
    let LogEntry { date, level, message, fields } = entry;
    match format {
        LogFormat::Json => {
            let mut object = Map::new();
            let own = [("timestamp", date), ("level", level.name()), ("message", message)];
            for (name, value) in own.iter().chain(fields) {
                object.insert((*name).to_owned(), Value::from(*value));
            }
            format!("{}\n", Value::Object(object))
        }
        LogFormat::Text => {
            let mut text = format!("taskhold-run: {} {message}", level.name());
            for (name, value) in fields {
                text.push_str(&format!(" {name}={}", Value::from(*value)));
            }
            text.push('\n');
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(fields: &'a [(&'a str, &'a str)]) -> LogEntry<'a> {
        LogEntry { date: "2026-11-29T12:00:00Z", level: Level::Warn, message: "protection refused", fields }
    }

    #[test]
    fn a_value_cannot_break_out_of_its_line() {
        let fields = [("reason", "a\"b\nINFO done\u{1b}[2J")];
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = line(format, entry(&fields));
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert!(line.ends_with('\n') && !line.contains('\u{1b}'), "{line}");
        }
    }

    #[test]
    fn a_json_line_is_one_object() {
        let fields = [("reason", "DEPLOYMENT_BLOCKED")];
        let object: Value = serde_json::from_str(&line(LogFormat::Json, entry(&fields))).unwrap();
        assert_eq!(object["message"], "protection refused");
        assert_eq!(object["level"], "WARN");
        assert_eq!(object["reason"], "DEPLOYMENT_BLOCKED");
    }
}
