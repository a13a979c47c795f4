//! What an invocation counts, and the CloudWatch metrics made from the counts.

use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter of one invocation; it only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `more`.
    pub fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// The current value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of one invocation. Their names are those of the metrics, in CloudWatch's embedded metric
/// format.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages that are done.
    pub done: Count,
    /// Messages that are retried.
    pub retried: Count,
    /// Messages that were dead-lettered.
    pub dead_lettered: Count,
    /// Payloads and bodies that were not recognized and therefore acknowledged.
    pub unrecognized: Count,
    /// Fields of job messages that seem to stand for another one, and are ignored.
    pub misnamed_fields: Count,
    /// `UpdateTaskProtection` calls that were sent.
    pub protection_calls: Count,
    /// Those of [`Self::protection_calls`] that ECS throttled.
    pub throttled_calls: Count,
    /// Tasks whose protection ECS refused to set or clear.
    pub refused: Count,
}

/// The namespace of the metrics.
pub const METRIC_NAMESPACE: &str = "taskhold";

/// The dimension of every metric: the clusters of the function, as `Clusters::names` joins them. Without it the
/// metrics of two stacks in one account and Region would merge. It is the only dimension, because CloudWatch
/// charges for each combination of values as a metric of its own; one invocation counts for all of its clusters,
/// since one batch can contain messages of several.
pub const METRIC_DIMENSION: &str = "Cluster";

/// Capacity for a line with all counts, each of many digits, and the name of a cluster.
const LINE_BYTES: usize = 1024;

impl Counts {
    /// Formats the counts as a line in the embedded metric format (aws-facts "CloudWatch"), without counts of
    /// zero. `None` if all are zero. `clusters` is the value of [`METRIC_DIMENSION`].
    pub fn metric_line(&self, clusters: &str, now: Timestamp) -> Option<String> {
        let named = [
            ("MessagesDone", &self.done),
            ("MessagesRetried", &self.retried),
            ("MessagesDeadLettered", &self.dead_lettered),
            ("Unrecognized", &self.unrecognized),
            ("MisnamedFields", &self.misnamed_fields),
            ("ProtectionCalls", &self.protection_calls),
            ("ProtectionCallsThrottled", &self.throttled_calls),
            ("ProtectionsRefused", &self.refused),
        ];
        // Concatenated by hand: nothing needs escaping, not even names of clusters, and building a `serde_json::Value` costs ten times as
        // much in each invocation.
        let counted = || named.iter().map(|(name, count)| (*name, count.get())).filter(|(_, count)| *count > 0);
        counted().next()?;
        let mut line = String::with_capacity(LINE_BYTES);
        let mut put = |pieces: &[&str]| pieces.iter().for_each(|piece| line.push_str(piece));
        let now = now.as_millisecond().to_string();
        put(&[r#"{"_aws":{"Timestamp":"#, &now, r#","CloudWatchMetrics":[{"Namespace":""#, METRIC_NAMESPACE]);
        put(&[r#"","Dimensions":[[""#, METRIC_DIMENSION, r#""]],"Metrics":["#]);
        for (place, (name, _)) in counted().enumerate() {
            put(&[if place == 0 { "" } else { "," }, r#"{"Name":""#, name, r#"","Unit":"Count"}"#]);
        }
        put(&[r#"]}]},""#, METRIC_DIMENSION, r#"":""#, clusters, r#"""#]);
        for (name, count) in counted() {
            put(&[r#",""#, name, r#"":"#, &count.to_string()]);
        }
        put(&["}"]);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_line_is_what_the_embedded_metric_format_asks_for_and_nothing_that_is_zero() {
        let counts = Counts::default();
        assert_eq!(counts.metric_line("video", Timestamp::UNIX_EPOCH), None);
        counts.done.add(12);
        counts.protection_calls.add(3);
        let line = counts.metric_line("video", Timestamp::from_second(7).unwrap()).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let metrics = json!([{"Name": "MessagesDone", "Unit": "Count"}, {"Name": "ProtectionCalls", "Unit": "Count"}]);
        let directive = json!({"Namespace": "taskhold", "Dimensions": [["Cluster"]], "Metrics": metrics});
        let expected = json!({"_aws": {"Timestamp": 7000, "CloudWatchMetrics": [directive]},
            "Cluster": "video", "MessagesDone": 12, "ProtectionCalls": 3});
        assert_eq!(line, expected);
    }
}
