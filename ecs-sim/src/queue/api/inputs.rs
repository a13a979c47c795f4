//! The input of each operation, by SQS's names.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::messages::MessageInput;
use crate::queue::QueueError;

/// An input that names only a queue, by its URL.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueInput {
    pub(super) queue_url: Option<String>,
}

impl QueueInput {
    /// The queue's name: the part after the last slash of its URL. Host and account are ignored, so that a URL stays
    /// valid when a server restarts on another port.
    pub(super) fn queue(&self) -> Result<String, QueueError> {
        let url = required(self.queue_url.as_deref(), "QueueUrl")?;
        Ok(url.rsplit('/').next().unwrap_or(url).to_owned())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueueInput {
    pub(super) queue_name: Option<String>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueuesInput {
    #[serde(default)]
    pub(super) queue_name_prefix: String,
    pub(super) max_results: Option<usize>,
    /// The first name of the page. Opaque to callers.
    #[serde(default)]
    pub(super) next_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueAttributesInput {
    #[serde(flatten)]
    pub(super) queue: QueueInput,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct SendMessageInput {
    #[serde(flatten)]
    pub(super) queue: QueueInput,
    #[serde(flatten)]
    pub(super) message: MessageInput,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchInput<Entry> {
    pub(super) queue_url: Option<String>,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEntryInput {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) message: MessageInput,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEntryInput {
    pub(super) id: String,
    pub(super) receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessageInput {
    #[serde(flatten)]
    pub(super) queue: QueueInput,
    pub(super) max_number_of_messages: Option<usize>,
    pub(super) visibility_timeout: Option<u32>,
    /// The older name of `message_system_attribute_names`; clients send either.
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiptInput {
    #[serde(flatten)]
    pub(super) queue: QueueInput,
    pub(super) receipt_handle: Option<String>,
    pub(super) visibility_timeout: Option<u32>,
}

pub(super) fn parse<Input: DeserializeOwned>(input: &Value) -> Result<Input, QueueError> {
    Input::deserialize(input).map_err(|error| QueueError::Serialization { reason: error.to_string() })
}

pub(super) fn required<T>(value: Option<T>, name: &'static str) -> Result<T, QueueError> {
    value.ok_or(QueueError::MissingParameter { name })
}
