//! Batches as Lambda delivers them.

use serde_json::{Value, json};
use std::ops::Range;
use taskhold::ecs::arn::TaskId;

/// Maximum number of records in a batch (aws-facts "Lambda and SQS").
pub const RECORDS_MAX: usize = 10_000;
/// Maximum number of bytes in a batch (aws-facts "Lambda and SQS").
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// The time of all events.
pub const NOW_MS: i64 = 1_790_000_000_000;
/// The cluster of all tasks.
pub const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";

/// The tasks and durations of the records in a batch.
#[derive(Clone, Copy, Debug)]
pub enum Tasks {
    /// This many tasks in turn; jobs from one minute to two days.
    Shared(usize),
    /// A separate task for each record; all jobs take two hours.
    Own,
    /// One task for all records; all jobs take two hours.
    One,
}

/// The id of a task.
pub(super) fn task(number: usize) -> TaskId {
    format!("{number:032x}").parse().expect("32 hexadecimal digits")
}

/// Starts of the jobs with these numbers. In the largest batch, receipt handles are as long as Lambda's limit
/// permits. This is shorter than in SQS, where fewer records would fill a batch.
pub fn batch(jobs: Range<usize>, tasks: Tasks) -> String {
    let whole = |receipt_handle: &str| {
        let records: Vec<Value> = jobs.clone().map(|number| record(number, tasks, receipt_handle)).collect();
        json!({"Records": records}).to_string()
    };
    if jobs.len() < RECORDS_MAX {
        return whole("AQEB827137ab8e43ca17ef3239b36c047d929590ac423b962ca6b8762ae218a5bf51");
    }
    let room = PAYLOAD_BYTES_MAX.checked_sub(whole("").len()).expect("without receipt handles they fit");
    whole(&"A".repeat(room / RECORDS_MAX))
}

fn record(number: usize, tasks: Tasks, receipt_handle: &str) -> Value {
    let (task, minutes) = match tasks {
        // A step without a common divisor with 2880 reaches all durations.
        Tasks::Shared(tasks) => (number % tasks, 1 + number * 7919 % 2880),
        Tasks::Own => (number, 120),
        Tasks::One => (0, 120),
    };
    let body = json!({"version": 1, "type": "job.started", "jobId": format!("job-{number}"), "cluster": "video",
        "taskId": self::task(task).as_str(), "maxDurationMinutes": minutes});
    json!({
        "messageId": format!("827137ab-8e43-4a17-af32-{number:012x}"),
        "receiptHandle": receipt_handle,
        "body": body.to_string(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": NOW_MS.to_string(),
            "SenderId": "AROAEXAMPLEWORKERROLE:4f0c2a9be1d84763a5c07be214d95f3a",
            "ApproximateFirstReceiveTimestamp": NOW_MS.to_string(),
        },
        "messageAttributes": {},
        "md5OfBody": "4260a5286f251fa1df6c0ce8f7103def",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:jobs",
        "awsRegion": "eu-west-1",
    })
}
