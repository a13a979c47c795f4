//! Messages and their attributes, from JSON and to JSON.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::queue::{
    AttributeValue, MessageAttribute, QueueError, ReceivedMessage, SendMessage, md5_of_attributes, md5_of_text,
};

pub(super) type Attributes = BTreeMap<String, MessageAttribute>;

/// The common members of SendMessage and an entry of SendMessageBatch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MessageInput {
    message_body: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, AttributeInput>,
    delay_seconds: Option<u32>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeInput {
    #[serde(default)]
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<String>,
}

impl MessageInput {
    pub(super) fn into_message(self, sender_id: Option<&str>) -> Result<SendMessage, QueueError> {
        let mut attributes = Attributes::new();
        for (name, input) in self.message_attributes {
            let attribute = attribute(&name, input)?;
            attributes.insert(name, attribute);
        }
        Ok(SendMessage {
            body: self.message_body.unwrap_or_default(),
            attributes,
            delay_seconds: self.delay_seconds,
            sender_id: sender_id.map(str::to_owned),
            message_group_id: self.message_group_id,
            message_deduplication_id: self.message_deduplication_id,
        })
    }
}

fn attribute(name: &str, input: AttributeInput) -> Result<MessageAttribute, QueueError> {
    let invalid = |what: &str| QueueError::InvalidParameterValue {
        name: "MessageAttributes",
        reason: format!("attribute `{name}` {what}"),
    };
    let value = match (input.string_value, input.binary_value) {
        (Some(text), None) => AttributeValue::String(text),
        (None, Some(text)) => AttributeValue::Binary(STANDARD.decode(text).map_err(|_| invalid("is not base64"))?),
        (None, None) => return Err(invalid("has no value")),
        (Some(_), Some(_)) => return Err(invalid("has two values")),
    };
    Ok(MessageAttribute { data_type: input.data_type, value })
}

/// One message of a ReceiveMessage answer, with only the requested attributes and their digest.
pub(super) fn received_message(received: &ReceivedMessage, system_names: &[String], names: &[String]) -> Value {
    let message = &received.message;
    let mut output = Map::from_iter([
        ("MessageId".to_owned(), json!(message.id)),
        ("ReceiptHandle".to_owned(), json!(received.receipt_handle)),
        ("Body".to_owned(), json!(message.body)),
        ("MD5OfBody".to_owned(), json!(md5_of_text(&message.body))),
    ]);
    let mut system = received.system_attributes();
    system.retain(|name, _| system_names.iter().any(|wanted| wanted == "All" || wanted == name));
    if !system.is_empty() {
        output.insert("Attributes".to_owned(), json!(system));
    }
    let mut attributes = message.attributes.clone();
    attributes.retain(|name, _| names.iter().any(|wanted| is_wanted(name, wanted)));
    if let Some(md5) = md5_of_attributes(&attributes) {
        output.insert("MD5OfMessageAttributes".to_owned(), json!(md5));
        let attributes: Map<_, _> = attributes.iter().map(|(name, value)| (name.clone(), output_of(value))).collect();
        output.insert("MessageAttributes".to_owned(), Value::Object(attributes));
    }
    Value::Object(output)
}

/// SQS accepts `All`, a name, or a prefix as in `job.*`.
fn is_wanted(name: &str, wanted: &str) -> bool {
    let prefix = wanted.strip_suffix(".*");
    wanted == "All" || wanted == name || prefix.is_some_and(|prefix| name.starts_with(prefix))
}

fn output_of(attribute: &MessageAttribute) -> Value {
    match &attribute.value {
        AttributeValue::String(text) => {
            json!({ "DataType": attribute.data_type, "StringValue": text })
        }
        AttributeValue::Binary(bytes) => {
            json!({ "DataType": attribute.data_type, "BinaryValue": STANDARD.encode(bytes) })
        }
    }
}
