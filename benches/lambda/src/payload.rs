//! Batches of job messages as Lambda delivers them. Every record starts a job on a separate task, which is the most
//! work: nothing is merged, and each task needs a call or a place in one.

use serde_json::json;
use std::sync::Arc;

/// Maximum number of records in a batch (aws-facts "Lambda and SQS").
pub(crate) const RECORDS_MAX: usize = 10_000;
/// Chosen so that the largest batch reaches Lambda's limit: real SQS receipt handles are longer, and fewer such
/// records would fit.
const RECEIPT_HANDLE_CHARS: usize = 14;

/// Creates batches. No two of its records concern the same task.
#[derive(Debug, Default)]
pub(crate) struct BatchMaker {
    records: u64,
    now_ms: u128,
}

impl BatchMaker {
    /// Records that were sent at `now_ms`, in milliseconds since 1970.
    pub(crate) fn sent_at(now_ms: u128) -> Self {
        Self { records: 0, now_ms }
    }

    /// A batch of this many new records.
    pub(crate) fn batch(&mut self, records: usize) -> Arc<Vec<u8>> {
        let records: Vec<_> = (0..records).map(|_| self.record()).collect();
        Arc::new(json!({"Records": records}).to_string().into_bytes())
    }

    fn record(&mut self) -> serde_json::Value {
        self.records += 1;
        let (number, sent) = (self.records, self.now_ms.to_string());
        let body = json!({"version": 1, "type": "job.started", "jobId": format!("job-{number}"), "cluster": "video",
            "taskId": format!("{number:032x}"), "maxDurationMinutes": 120});
        json!({
            "messageId": format!("827137ab-8e43-4a17-af32-{number:012x}"),
            "receiptHandle": "A".repeat(RECEIPT_HANDLE_CHARS),
            "body": body.to_string(),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": sent,
                "SenderId": "AROAEXAMPLEWORKERROLE:4f0c2a9be1d84763a5c07be214d95f3a",
                "ApproximateFirstReceiveTimestamp": sent,
            },
            "messageAttributes": {},
            "md5OfBody": "4260a5286f251fa1df6c0ce8f7103def",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:jobs",
            "awsRegion": "eu-west-1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maximum number of bytes in a batch (aws-facts "Lambda and SQS").
    const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;

    #[test]
    fn the_largest_batch_is_as_large_as_lambda_lets_it_be() {
        let bytes = BatchMaker::sent_at(1_790_000_000_000).batch(RECORDS_MAX).len();
        assert!(bytes <= PAYLOAD_BYTES_MAX, "{bytes} bytes are too many");
        assert!(bytes > PAYLOAD_BYTES_MAX * 98 / 100, "{bytes} bytes leave room");
    }

    #[test]
    fn no_record_comes_twice() {
        let mut payloads = BatchMaker::sent_at(1_790_000_000_000);
        assert_ne!(payloads.batch(1), payloads.batch(1));
    }
}
