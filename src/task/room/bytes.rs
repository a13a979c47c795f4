//! Counts the bytes of JSON that the parts of a task record take at most.

use crate::task::agent_protection::AgentProtection;
use crate::task::interruption::TrackedInterruption;
use crate::task::job::{Job, JobKey};
use std::io;

/// JSON of a moment with the longest name: `"presumed_until":"2026-01-05T10:00:00.123456789Z",`. The other names of a job's
/// moments are shorter, by 61 bytes together, and the difference covers `"heartbeat_minutes":2880,`.
const MOMENT_BYTES: usize = 50;
/// JSON of a job without texts and moments: `{"job_id":,"attempt":4294967295},`, and around the value of its
/// expectation, of its labels and of the report about protection: `"expected_until":{},`, `"labels":{},` and
/// `"protection":{"value":{}},`.
const JOB_BYTES: usize = 34 + 20 + 12 + 26;
/// JSON of an interrupted job without texts and its moment: `{"job_id":,"attempt":4294967295},` and `"labels":{},`.
const INTERRUPTED_BYTES: usize = 34 + 12;
/// The moments of a job, including those that heartbeats add. A finish adds one and removes five.
const MOMENTS_MAX: usize = 9;

/// JSON of a job at any time of its life, without the texts that it may get.
pub(super) fn job_bytes(key: &JobKey, job: &Job) -> usize {
    JOB_BYTES + text_bytes(&key.job_id) + MOMENTS_MAX * MOMENT_BYTES + kind_bytes(job) + shown_bytes(job)
}

/// JSON of a live job and of its interruption.
pub(super) fn live_bytes(key: &JobKey, job: &Job) -> usize {
    let twice = text_bytes(&key.job_id) + shown_bytes(job);
    JOB_BYTES + INTERRUPTED_BYTES + (MOMENTS_MAX + 1) * MOMENT_BYTES + kind_bytes(job) + 2 * twice
}

/// JSON of the kind of a job, with its name: `"kind":,`.
pub(super) fn kind_bytes(job: &Job) -> usize {
    job.kind.as_deref().map_or(0, |kind| 8 + text_bytes(kind))
}

/// JSON of the texts of a job that only people read.
pub(super) fn shown_bytes(job: &Job) -> usize {
    let label = |(name, value): (&String, &String)| text_bytes(name) + text_bytes(value) + 2;
    let labels: usize = job.labels.iter().flat_map(|labels| &labels.value).map(label).sum();
    labels + reason_bytes(job)
}

/// JSON of the reason for which the agent was refused.
fn reason_bytes(job: &Job) -> usize {
    match job.protection.as_ref().map(|report| &report.value) {
        // A refusal has no `until`, so the bytes reserved for that moment cover the quotes and `"reason":`.
        Some(AgentProtection::Refused { reason }) => text_bytes(reason) - 2,
        Some(AgentProtection::Until(_)) | None => 0,
    }
}

/// JSON of a text, with its quotes.
fn text_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    2 + text.bytes().map(escaped).sum::<usize>()
}

/// JSON of a list of interruptions.
pub(super) fn interruptions_bytes(interruptions: &[TrackedInterruption]) -> usize {
    if interruptions.is_empty() {
        return 0;
    }
    let mut counter = ByteCounter(0);
    serde_json::to_writer(&mut counter, interruptions).expect("an interruption is made of texts, numbers and lists");
    counter.0
}

/// Counts the bytes that are written to it.
struct ByteCounter(usize);

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
