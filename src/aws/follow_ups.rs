//! The follow-up queue by the SDK.

use super::seldom::Seldom;
use crate::follow_up::{DELAY_SECONDS_MAX, FollowUp, FollowUpQueue};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use std::time::Duration;

/// A real queue, by its URL.
#[derive(Clone, Debug)]
pub struct AwsFollowUpQueue {
    client: Seldom<Client>,
    queue_url: String,
}

impl AwsFollowUpQueue {
    /// A client that shares its connections between all sends.
    pub fn new(config: &SdkConfig, queue_url: String) -> Self {
        Self { client: Seldom::new(config, Client::new), queue_url }
    }
}

impl FollowUpQueue for AwsFollowUpQueue {
    async fn send(&self, follow_up: &FollowUp, delay: Duration) -> Result<(), String> {
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX).min(DELAY_SECONDS_MAX);
        let call = self.client.client().send_message().queue_url(&self.queue_url).message_body(follow_up.body());
        call.delay_seconds(seconds).send().await.map(drop).map_err(|error| super::told(&error))
    }
}
