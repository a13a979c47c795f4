//! The SNS topic for alerts.

use crate::aws::lazy::Lazy;
use crate::notify::message::AlertMessage;
use crate::notify::published;
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::MessageAttributeValue;
use std::collections::HashMap;

/// A topic, identified by its ARN.
#[derive(Clone, Debug)]
pub(crate) struct AlertTopic {
    client: Lazy<Client>,
    topic_arn: String,
}

impl AlertTopic {
    pub(crate) fn new(config: &SdkConfig, topic_arn: String) -> Self {
        Self { client: Lazy::new(config, Client::new), topic_arn }
    }

    /// Publishes an alert with a text for each protocol (aws-facts "SNS and chat": MessageStructure `json`).
    pub(crate) async fn publish(&self, message: &AlertMessage) -> Result<(), String> {
        let attributes = attributes(message).map_err(|error| error.to_string())?;
        let call = self.client.client().publish().topic_arn(&self.topic_arn).subject(&message.subject);
        let call = call.message_structure("json").message(published::message(message));
        let call = call.set_message_attributes(Some(attributes));
        call.send().await.map(drop).map_err(|error| crate::aws::on_one_line(&error))
    }
}

fn attributes(message: &AlertMessage) -> Result<HashMap<String, MessageAttributeValue>, BuildError> {
    let text = |text| MessageAttributeValue::builder().data_type("String").string_value(text).build();
    message.attributes().map(|(name, value)| Ok((name.to_owned(), text(value)?))).collect()
}
