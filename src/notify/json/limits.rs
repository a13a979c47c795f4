//! The limits of an alert's JSON, and its form as a text that SNS and SQS accept.

use serde::Serialize;

/// The version of the shape. New fields do not change it.
pub const VERSION: u32 = 1;
/// Maximum size as a string within JSON, including quotes and escapes. Half of SNS's limit: email and chat share the
/// rest, and the envelope that SNS delivers escapes the message once more.
pub const ESCAPED_BYTES_MAX: usize = 128 * 1024;
/// Maximum number of blocking tasks; the `status` command returns more.
pub const BLOCKING_TASKS_MAX: usize = 500;
/// Maximum number of refused tasks, the same as of blocking tasks.
pub const REFUSED_MAX: usize = BLOCKING_TASKS_MAX;
/// Maximum number of commands of a suggested action, each for ten tasks, and of its tasks accordingly.
pub const COMMANDS_MAX: usize = 10;
/// Maximum number of failed reads; the first ones explain the rest.
pub const GAPS_MAX: usize = 20;
/// Maximum number of tags that taskhold ignores.
pub const TAG_PROBLEMS_MAX: usize = 10;

/// The document as text that SNS and SQS accept.
pub(crate) fn text(document: &impl Serialize) -> String {
    sendable(&serde_json::to_string(document).expect("plain data has a JSON form"))
}

/// The space that is left in an alert beside the document, in bytes.
pub(crate) fn bytes_left(document: &impl Serialize) -> usize {
    ESCAPED_BYTES_MAX.saturating_sub(escaped_bytes(&text(document)))
}

/// JSON without the two characters that SQS rejects although JSON allows them (SQS API reference, "SendMessage"). A job
/// id may contain them, and its alert must still be sent. They occur only in strings, where an escape is equivalent.
pub(crate) fn sendable(json: &str) -> String {
    json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

/// The length of a text as a string within JSON.
pub(crate) fn escaped_bytes(text: &str) -> usize {
    bytes(&text)
}

/// The length of a value as JSON, in bytes.
pub(crate) fn bytes(value: &impl Serialize) -> usize {
    serde_json::to_string(value).expect("plain data has a JSON form").len()
}
