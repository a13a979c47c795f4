//! A simulated Amazon SNS that keeps publications and delivers nothing. Any topic exists.

use serde_json::{Value, json};

use crate::queue::check_entry_ids;
use crate::service_error::ServiceError;

/// The largest message: 256 KiB, SNS's default limit (aws-facts "SNS and chat").
const MESSAGE_BYTES_MAX: usize = 262_144;
/// The longest Subject, in characters, all of them printable ASCII (aws-facts "SNS and chat").
const SUBJECT_CHARS_MAX: usize = 100;

/// A published message.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// MessageId, shaped like a UUID.
    pub message_id: String,
    /// The topic.
    pub topic_arn: String,
    /// The subject line of emails, if there is one.
    pub subject: Option<String>,
    /// The message; with MessageStructure `json` an object with a text for each protocol.
    pub message: String,
    /// The whole input, for other checks of tests.
    pub input: Value,
}

/// All topics.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    publications: Vec<Publication>,
    /// Numbers the messages; keeps counting when publications are taken.
    sequence: u64,
}

impl Topics {
    /// The publications that were not taken yet, in order.
    #[must_use]
    pub fn publications(&self) -> &[Publication] {
        &self.publications
    }

    /// Takes the publications, in order.
    pub fn take_publications(&mut self) -> Vec<Publication> {
        std::mem::take(&mut self.publications)
    }

    /// Performs one operation and returns its output.
    ///
    /// # Errors
    /// `InvalidParameter` for a request that SNS refuses, `InvalidAction` for an operation that is not simulated.
    pub fn call(&mut self, operation: &str, input: &Value) -> Result<Value, ServiceError> {
        match operation {
            "Publish" => {
                let message_id = self.publish(text(input, "TopicArn")?, input)?;
                Ok(json!({ "MessageId": message_id }))
            }
            "PublishBatch" => self.publish_batch(input),
            _ => Err(ServiceError::client(
                "InvalidAction",
                format!(
                    "action `{operation}` is not simulated; in the query protocol, only SNS's Publish and PublishBatch \
                     are: call SQS with AWS CLI 2.13.34, AWS CLI 1.29.81 or newer, which speak JSON"
                ),
            )),
        }
    }

    fn publish(&mut self, topic_arn: &str, input: &Value) -> Result<String, ServiceError> {
        let message = text(input, "Message")?;
        let subject = input["Subject"].as_str();
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(invalid(format!("message has more than {MESSAGE_BYTES_MAX} bytes")));
        }
        let printable = |subject: &str| subject.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        if subject.is_some_and(|it| it.is_empty() || it.len() > SUBJECT_CHARS_MAX || !printable(it)) {
            return Err(invalid(format!("subject is not 1 to {SUBJECT_CHARS_MAX} printable ASCII characters")));
        }
        if input["MessageStructure"] == "json" {
            let texts: Option<Value> = serde_json::from_str(message).ok();
            if !texts.is_some_and(|texts| texts["default"].is_string()) {
                return Err(invalid("message structure needs a JSON object with a `default` text".to_owned()));
            }
        }
        self.sequence += 1;
        let message_id = format!("00000000-0000-4000-a000-{:012x}", self.sequence);
        self.publications.push(Publication {
            message_id: message_id.clone(),
            topic_arn: topic_arn.to_owned(),
            subject: subject.map(str::to_owned),
            message: message.to_owned(),
            input: input.clone(),
        });
        Ok(message_id)
    }

    fn publish_batch(&mut self, input: &Value) -> Result<Value, ServiceError> {
        let topic_arn = text(input, "TopicArn")?;
        let entries = input["PublishBatchRequestEntries"].as_array().map(Vec::as_slice).unwrap_or_default();
        // SNS API Reference, "PublishBatch": the same rules and errors as for a batch of SQS's.
        check_entry_ids(entries.iter().map(|entry| entry["Id"].as_str().unwrap_or_default()))?;
        let bytes: usize = entries.iter().filter_map(|entry| entry["Message"].as_str()).map(str::len).sum();
        if bytes > MESSAGE_BYTES_MAX {
            let message = format!("messages have {bytes} bytes together, more than {MESSAGE_BYTES_MAX}");
            return Err(ServiceError::client("BatchRequestTooLong", message));
        }
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = text(entry, "Id")?;
            match self.publish(topic_arn, entry) {
                Ok(message_id) => successful.push(json!({ "Id": id, "MessageId": message_id })),
                Err(ServiceError { code, message, .. }) => {
                    failed.push(json!({ "Id": id, "Code": code, "Message": message, "SenderFault": true }));
                }
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }
}

fn text<'a>(input: &'a Value, name: &str) -> Result<&'a str, ServiceError> {
    let text = input[name].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| invalid(format!("parameter `{name}` is missing")))
}

fn invalid(message: String) -> ServiceError {
    ServiceError::client("InvalidParameter", message)
}
