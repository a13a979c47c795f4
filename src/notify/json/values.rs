//! Values of any JSON.

use crate::text::{escaped, is_printable};
use serde_json::Value;

/// For one failed read, or for an error message: AWS's text, of any length.
const TEXT_CHARS_MAX: usize = 500;

/// An object without the members that are `null`.
pub(crate) fn present(mut object: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.retain(|_, member| !member.is_null());
    }
    object
}

/// Foreign text, bounded and escaped for a reader.
pub(crate) fn bounded(text: &str) -> String {
    escaped(text, TEXT_CHARS_MAX, is_printable)
}
