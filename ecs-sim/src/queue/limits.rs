//! SQS's own limits, and its unit of time.

/// Maximum visibility timeout: 12 hours, SQS's own limit.
pub const VISIBILITY_TIMEOUT_SECONDS_MAX: u32 = 43_200;

/// The milliseconds of this many seconds.
pub(super) fn seconds_ms(seconds: u32) -> i64 {
    i64::from(seconds) * 1000
}

/// The longest delay of a message: 15 minutes, SQS's own limit.
pub const DELAY_SECONDS_MAX: u32 = 900;

/// The largest message and the largest batch, attributes included: 1 MiB, SQS's own limit.
pub const MESSAGE_BYTES_MAX: usize = 1_048_576;
