//! The SQS queue for alerts, for machines.

use crate::aws::lazy::Lazy;
use crate::notify::message::AlertMessage;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::MessageAttributeValue;
use std::collections::HashMap;

/// A queue, identified by its URL.
#[derive(Clone, Debug)]
pub(crate) struct AlertQueue {
    client: Lazy<Client>,
    queue_url: String,
}

impl AlertQueue {
    pub(crate) fn new(config: &SdkConfig, queue_url: String) -> Self {
        Self { client: Lazy::new(config, Client::new), queue_url }
    }

    /// Sends an alert in its JSON form.
    pub(crate) async fn send(&self, message: &AlertMessage) -> Result<(), String> {
        let attributes = attributes(message).map_err(|error| error.to_string())?;
        let call = self.client.client().send_message().queue_url(&self.queue_url).message_body(&message.json);
        let call = call.set_message_attributes(Some(attributes));
        call.send().await.map(drop).map_err(|error| crate::aws::on_one_line(&error))
    }
}

fn attributes(message: &AlertMessage) -> Result<HashMap<String, MessageAttributeValue>, BuildError> {
    let text = |text| MessageAttributeValue::builder().data_type("String").string_value(text).build();
    message.attributes().map(|(name, value)| Ok((name.to_owned(), text(value)?))).collect()
}
