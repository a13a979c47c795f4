//! The adapter to the recheck queue.

use crate::aws::lazy::Lazy;
use crate::service::recheck::{DELAY_SECONDS_MAX, Recheck, RecheckQueue};
use crate::sqs::SqsError;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use std::time::Duration;

/// A queue, identified by its URL.
#[derive(Clone, Debug)]
pub struct AwsRecheckQueue {
    client: Lazy<Client>,
    queue_url: String,
}

impl AwsRecheckQueue {
    /// Makes a client that shares its connections between all sends.
    pub fn new(config: &SdkConfig, queue_url: String) -> Self {
        Self { client: Lazy::new(config, Client::new), queue_url }
    }
}

#[async_trait]
impl RecheckQueue for AwsRecheckQueue {
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), SqsError> {
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX).min(DELAY_SECONDS_MAX);
        let call = self.client.client().send_message().queue_url(&self.queue_url).message_body(recheck.body());
        call.delay_seconds(seconds)
            .send()
            .await
            .map(drop)
            .map_err(|error| SqsError::Failed(crate::aws::on_one_line(&error)))
    }
}
