//! The warnings of the function.

use super::parts::locked;
use ecs_sim::doubles::log::dispatch;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::dispatcher::DefaultGuard;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Its log lines of level WARN and ERROR, each as `LEVEL message field=value …`. Lower levels are not even
/// formatted.
pub(crate) struct CapturedLog {
    lines: Arc<Mutex<Vec<String>>>,
    _subscriber: DefaultGuard,
}

impl CapturedLog {
    /// Starts to record the log lines of this thread.
    pub(crate) fn begin() -> Self {
        let lines = Arc::default();
        let subscriber = tracing_subscriber::registry().with(WarningLayer(Arc::clone(&lines))).with(LevelFilter::WARN);
        Self { lines, _subscriber: tracing::dispatcher::set_default(&dispatch(subscriber)) }
    }

    /// The lines since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.lines))
    }
}

struct WarningLayer(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for WarningLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = LineFields { message: String::new(), fields: String::new() };
        event.record(&mut line);
        locked(&self.0).push(format!("{} {}{}", event.metadata().level(), line.message, line.fields));
    }
}

struct LineFields {
    message: String,
    fields: String,
}

impl Visit for LineFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields += &format!(" {name}={value:?}"),
        }
    }
}
