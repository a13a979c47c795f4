//! SQS's MD5 digests, which clients compare with their own (page "Calculating the MD5 message digest for message
//! attributes" of the SQS developer guide).

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use super::message::{AttributeValue, MessageAttribute};

/// MD5 of a body, in hex.
pub(crate) fn md5_of_text(text: &str) -> String {
    hex(Md5::digest(text))
}

/// MD5 of message attributes, in hex; `None` without attributes. Sorted by name. Each attribute contributes its name,
/// data type and value, each preceded by its length in four bytes, and one byte for the transport type of the value.
pub(crate) fn md5_of_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut md5 = Md5::new();
    for (name, attribute) in attributes {
        add(&mut md5, name.as_bytes());
        add(&mut md5, attribute.data_type.as_bytes());
        match &attribute.value {
            AttributeValue::String(value) => {
                md5.update([1]);
                add(&mut md5, value.as_bytes());
            }
            AttributeValue::Binary(value) => {
                md5.update([2]);
                add(&mut md5, value);
            }
        }
    }
    Some(hex(md5.finalize()))
}

fn add(md5: &mut Md5, part: &[u8]) {
    let bytes = u32::try_from(part.len()).expect("a message has at most 1 MiB");
    md5.update(bytes.to_be_bytes());
    md5.update(part);
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
