//! The parking queue by the SDK.

use crate::park::{ParkedMessage, ParkingQueue};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};

/// A real queue, by its URL.
#[derive(Clone, Debug)]
pub struct AwsParkingQueue {
    client: Client,
    queue_url: String,
}

impl AwsParkingQueue {
    /// A client that shares its connections between all sends.
    pub fn new(config: &SdkConfig, queue_url: String) -> Self {
        Self { client: Client::new(config), queue_url }
    }
}

impl ParkingQueue for AwsParkingQueue {
    async fn park(&self, messages: &[ParkedMessage]) -> Vec<Result<(), String>> {
        let unanswered = || Err("sqs did not answer for it".to_owned());
        let mut kept: Vec<Result<(), String>> = messages.iter().map(|_| unanswered()).collect();
        let entries: Result<Vec<_>, BuildError> =
            messages.iter().enumerate().map(|(at, message)| entry(at, message)).collect();
        let sent = match entries {
            Ok(entries) => {
                let call = self.client.send_message_batch().queue_url(&self.queue_url);
                call.set_entries(Some(entries)).send().await.map_err(|error| super::told(&error))
            }
            Err(error) => Err(error.to_string()),
        };
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => return vec![Err(error); messages.len()],
        };
        let place = |id: &str| id.parse::<usize>().ok().filter(|at| *at < messages.len());
        for at in answer.successful().iter().filter_map(|sent| place(sent.id())) {
            kept[at] = Ok(());
        }
        for failed in answer.failed() {
            if let Some(at) = place(failed.id()) {
                kept[at] = Err(format!("{}: {}", failed.code(), failed.message().unwrap_or("no message")));
            }
        }
        kept
    }
}

/// Entries are told apart by their place in the send.
fn entry(at: usize, message: &ParkedMessage) -> Result<SendMessageBatchRequestEntry, BuildError> {
    let mut entry = SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(&message.body);
    for (name, value) in &message.attributes {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
        entry = entry.message_attributes(*name, value);
    }
    entry.build()
}
