//! Captures of log lines, by tests that run beside each other in one process.

use std::sync::LazyLock;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

/// A dispatcher for this subscriber, which gets every log line of the code that runs under it.
///
/// As long as a process has only one dispatcher, tracing asks the thread that reaches a log line first whether anyone
/// wants it, and keeps that answer. A second dispatcher, which wants nothing, makes it ask all of them.
pub fn dispatch(subscriber: impl tracing::Subscriber + Send + Sync) -> Dispatch {
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&SECOND);
    Dispatch::new(subscriber)
}
