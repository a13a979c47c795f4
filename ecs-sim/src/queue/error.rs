//! Errors of SQS, by its own names.

/// Why a queue refused. The code that a client sees is [`QueueError::code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the names are SQS's own and each text says what it means")]
pub enum QueueError {
    #[error("queue `{queue}` does not exist")]
    QueueDoesNotExist { queue: String },
    #[error("queue `{queue}` already exists with other attributes")]
    QueueNameExists { queue: String },
    #[error("queue `{queue}` does not know the message `{id}`")]
    MessageDoesNotExist { queue: String, id: String },
    #[error("message body has a character that XML does not allow")]
    InvalidMessageContents,
    #[error("receipt handle `{receipt_handle}` is not from this queue")]
    ReceiptHandleIsInvalid { receipt_handle: String },
    #[error("message `{id}` is not in flight")]
    MessageNotInflight { id: String },
    #[error("parameter `{name}` is missing")]
    MissingParameter { name: &'static str },
    #[error("parameter `{name}` is invalid: {reason}")]
    InvalidParameterValue { name: &'static str, reason: String },
    #[error("attribute `{name}` is unknown")]
    InvalidAttributeName { name: String },
    #[error("attribute `{name}` is invalid: {reason}")]
    InvalidAttributeValue { name: String, reason: String },
    #[error("batch has no entries")]
    EmptyBatchRequest,
    #[error("batch has {entries} entries, more than 10")]
    TooManyEntriesInBatchRequest { entries: usize },
    #[error("batch entry id `{id}` is not 1 to 80 letters, digits, hyphens or underscores")]
    InvalidBatchEntryId { id: String },
    #[error("batch entry id `{id}` occurs twice")]
    BatchEntryIdsNotDistinct { id: String },
    #[error("batch has {bytes} bytes, more than {bytes_max}")]
    BatchRequestTooLong { bytes: usize, bytes_max: usize },
    #[error("operation `{operation}` is not simulated")]
    UnknownOperation { operation: String },
    #[error("request body does not have the operation's shape: {reason}")]
    Serialization { reason: String },
}

impl QueueError {
    /// The error's name in the AWS JSON protocol.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::QueueDoesNotExist { .. } => "QueueDoesNotExist",
            Self::QueueNameExists { .. } => "QueueNameExists",
            Self::InvalidMessageContents => "InvalidMessageContents",
            Self::ReceiptHandleIsInvalid { .. } => "ReceiptHandleIsInvalid",
            Self::MessageNotInflight { .. } => "MessageNotInflight",
            Self::MissingParameter { .. } => "MissingParameter",
            // SQS has no code for a message that it no longer has; a client cannot cause this error.
            Self::MessageDoesNotExist { .. } | Self::InvalidParameterValue { .. } => "InvalidParameterValue",
            Self::InvalidAttributeName { .. } => "InvalidAttributeName",
            Self::InvalidAttributeValue { .. } => "InvalidAttributeValue",
            Self::EmptyBatchRequest => "EmptyBatchRequest",
            Self::TooManyEntriesInBatchRequest { .. } => "TooManyEntriesInBatchRequest",
            Self::InvalidBatchEntryId { .. } => "InvalidBatchEntryId",
            Self::BatchEntryIdsNotDistinct { .. } => "BatchEntryIdsNotDistinct",
            Self::BatchRequestTooLong { .. } => "BatchRequestTooLong",
            Self::UnknownOperation { .. } => "UnknownOperationException",
            Self::Serialization { .. } => "SerializationException",
        }
    }
}
