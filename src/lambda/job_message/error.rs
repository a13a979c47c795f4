//! The rule that a job message breaks.

use crate::config::clusters::NameError;
use std::borrow::Cow;

/// The rule that a message breaks, with the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobMessageError {
    /// The body is not a JSON object.
    #[error("the body is not a JSON object: {0}")]
    NotAnObject(String),
    /// The body is larger than any valid job message.
    #[error("the body has {0} bytes; a job message has at most {1}")]
    TooLarge(usize, usize),
    /// A required field is missing.
    #[error("`{0}` is missing; it must be {1}")]
    Missing(&'static str, &'static str),
    /// A required field is missing, and an unknown one has a similar name.
    #[error("`{0}` is missing; it must be {1}. The message has `{2}`")]
    Misnamed(&'static str, &'static str, String),
    /// A field has an invalid value.
    #[error("`{field}` is {found}; it must be {rule}")]
    Wrong {
        /// The name in the message, such as `maxDurationMinutes` or `labels.episode`.
        field: Cow<'static, str>,
        /// The value, shortened for display.
        found: String,
        /// The rule for the field.
        rule: &'static str,
    },
    /// The task does not belong to a configured cluster.
    #[error("`{field}`: {source}")]
    Task {
        /// `taskArn`, or `taskId` if no ARN was given.
        field: &'static str,
        /// The reason.
        source: NameError,
    },
}
