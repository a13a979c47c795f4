//! Captures the log of a function in process.

use super::function::LogLine;
use crate::doubles::log;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::Dispatch;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::SubscriberExt;

/// Keeps log lines, with the same fields as the function's JSON lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Captured(Arc<Mutex<Vec<LogLine>>>);

impl Captured {
    /// The dispatcher that captures the logs of the code that runs under it.
    pub(super) fn dispatch(&self) -> Dispatch {
        log::dispatch(tracing_subscriber::registry().with(self.clone()))
    }

    /// The log lines since the last call.
    pub(super) fn take(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Captured {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut fields = CapturedFields(Map::new());
        event.record(&mut fields);
        let message = fields.0.remove("message").and_then(|message| message.as_str().map(str::to_owned));
        let level = event.metadata().level().to_string();
        let line = LogLine { level, message: message.unwrap_or_default(), fields: fields.0 };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

struct CapturedFields(Map<String, Value>);

impl Visit for CapturedFields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), json!(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), json!(value));
    }
}
