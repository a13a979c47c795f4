//! SQS's limits for what is sent to a queue (aws-facts "Lambda and SQS").

/// SQS's limit for a message: body and attributes together, and for all messages of one send (aws-facts "Lambda and SQS").
pub const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// SQS's limit for the messages of one send.
pub const MESSAGES_PER_SEND_MAX: usize = 10;
/// Splits messages into sends that SQS takes, by what each counts against [`MESSAGE_BYTES_MAX`]. One that is larger goes
/// alone, and SQS refuses it.
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
