//! Errors of the state store, and the disposition of a message that needed it.

use crate::ecs::error::Disposition;

/// Why a record could not be read or stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Other instances stored the record first, many times in a row.
    #[error("the state store record of `{0}` was changed by another instance {1} times in a row")]
    Contended(String, u32),
    /// The store throttled the call, which did nothing.
    #[error("the state store throttled the call")]
    Throttled,
    /// The record of this key has more bytes (second) than the store accepts (third). Nothing was stored.
    #[error(
        "the state store record of `{0}` would have {1} bytes, and the state store accepts {2}: the task has had too many jobs to \
         remember; lower TASKHOLD_FINISHED_JOB_RETENTION_HOURS, or replace the task"
    )]
    TooLarge(String, usize, usize),
    /// This version of the function cannot read the item under this key, for this reason.
    #[error(
        "the state store record of `{0}` cannot be read: {1}; deploy the version that wrote it, or delete the item"
    )]
    Unreadable(String, String),
    /// Any other failure of the store.
    #[error("the state store failed: {0}")]
    Unexpected(String),
}

impl StoreError {
    /// The disposition of the message. A record that is too large stays too large for days, until the
    /// retention of its first jobs ends, so retries would be useless. Every other failure passes by itself or
    /// is repaired by an operator while the message waits.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::TooLarge(..) => Disposition::DeadLetter,
            Self::Contended(..) | Self::Throttled | Self::Unreadable(..) | Self::Unexpected(_) => Disposition::Retry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_that_is_too_large_is_not_tried_again() {
        let key = || "arn:aws:ecs:eu-west-1:111122223333:task/video/6b777c1809a94925ab48098fa09824de".to_owned();
        for (error, disposition) in [
            (StoreError::Contended(key(), 8), Disposition::Retry),
            (StoreError::Throttled, Disposition::Retry),
            (StoreError::TooLarge(key(), 400_000, 380_000), Disposition::DeadLetter),
            (StoreError::Unreadable(key(), "no version".to_owned()), Disposition::Retry),
            (StoreError::Unexpected("connection reset".to_owned()), Disposition::Retry),
        ] {
            assert_eq!(error.disposition(), disposition, "{error}");
        }
    }

    #[test]
    fn a_record_that_is_too_large_is_reported_with_its_task_its_size_and_the_suggested_action() {
        let text = StoreError::TooLarge("TASK".to_owned(), 400_000, 380_000).to_string();
        for part in ["`TASK`", "400000 bytes", "380000", "TASKHOLD_FINISHED_JOB_RETENTION_HOURS"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
