//! What an invocation counts, and the metrics that come of it.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, during one invocation.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Counts so many more.
    pub fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// How many it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one invocation counts. The names are those of the metrics, in CloudWatch's embedded metric format.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages that are done.
    pub done: Count,
    /// Messages that come again.
    pub retried: Count,
    /// Messages that were parked.
    pub parked: Count,
    /// Payloads and bodies that were not recognized, and acknowledged.
    pub unrecognized: Count,
    /// `UpdateTaskProtection` calls that were sent.
    pub protection_calls: Count,
    /// Those of them that were throttled.
    pub throttled_calls: Count,
    /// Tasks that ECS refused to protect or to release.
    pub refused: Count,
}

/// Where the metrics go.
pub const METRIC_NAMESPACE: &str = "taskhold";

impl Counts {
    /// The counts as a line in the embedded metric format, without those that are zero; `None` if all are.
    /// No dimensions: every value of one is a metric that is paid for.
    pub fn metric_line(&self, now: Timestamp) -> Option<Value> {
        let named = [
            ("MessagesDone", &self.done),
            ("MessagesRetried", &self.retried),
            ("MessagesParked", &self.parked),
            ("Unrecognized", &self.unrecognized),
            ("ProtectionCalls", &self.protection_calls),
            ("ProtectionCallsThrottled", &self.throttled_calls),
            ("ProtectionsRefused", &self.refused),
        ];
        let counted: Vec<(&str, u64)> =
            named.iter().map(|(name, count)| (*name, count.get())).filter(|(_, count)| *count > 0).collect();
        if counted.is_empty() {
            return None;
        }
        let metrics: Vec<Value> = counted.iter().map(|(name, _)| json!({"Name": name, "Unit": "Count"})).collect();
        let mut line = json!({"_aws": {"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [
            {"Namespace": METRIC_NAMESPACE, "Dimensions": [[]], "Metrics": metrics}]}});
        for (name, count) in counted {
            line[name] = json!(count);
        }
        Some(line)
    }
}
