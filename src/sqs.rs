//! SQS's limits for sending messages (aws-facts "Lambda and SQS"), and the error of its queues.

/// Most bytes of a message, body and attributes together. Also the limit for all messages of one send
/// (aws-facts "Lambda and SQS").
pub const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// Most messages of one send.
pub const MESSAGES_PER_SEND_MAX: usize = 10;

/// A queue did not send, return or delete a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqsError {
    /// The call failed, or SQS refused the message; the text says why.
    #[error("{0}")]
    Failed(String),
    /// The answer does not mention the message.
    #[error("the answer of SQS does not mention the message")]
    Unanswered,
}

/// Splits messages into sends that SQS accepts. `bytes_of` gives the size that counts against
/// [`MESSAGE_BYTES_MAX`]. A message that exceeds the limit gets a send of its own, which SQS refuses.
pub(crate) fn sends<M>(messages: &[M], bytes_of: impl Fn(&M) -> usize) -> Vec<&[M]> {
    let mut sends = Vec::new();
    let mut rest = messages;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |message: &&M| {
            bytes += bytes_of(message);
            bytes <= MESSAGE_BYTES_MAX
        };
        let count = rest.iter().take(MESSAGES_PER_SEND_MAX).take_while(fits).count().max(1);
        let (send, remaining) = rest.split_at(count);
        sends.push(send);
        rest = remaining;
    }
    sends
}
