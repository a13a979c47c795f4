//! Sends alerts to an SNS topic, to an SQS queue, to both or to neither.

pub mod topic;

use crate::aws::alerts::topic::AlertTopic;
use crate::aws::sqs::AwsQueue;
use crate::notify::message::AlertMessage;
use crate::notify::sink::Sink;
use crate::outbox::DeliveryError;
use async_trait::async_trait;
use aws_config::SdkConfig;
use futures_util::future::{OptionFuture, join};

/// Sends alerts to the configured topic and queue.
///
/// Each gets one attempt: an alert that failed stays pending in the state store, and the next reconcile of
/// the service sends it again. If SNS accepts an alert and SQS fails, the alert is therefore published twice,
/// which is harmless because both copies have the same incident and event.
#[derive(Clone, Debug)]
pub struct AwsAlertSink {
    topic: Option<AlertTopic>,
    queue: Option<AwsQueue>,
}

impl AwsAlertSink {
    /// Makes clients for the topic's ARN and the queue's URL. Without either, every alert counts as
    /// delivered: the log line, which is written elsewhere, is then sufficient.
    pub fn new(config: &SdkConfig, topic_arn: Option<String>, queue_url: Option<String>) -> Self {
        Self {
            topic: topic_arn.map(|arn| AlertTopic::new(config, arn)),
            queue: queue_url.map(|url| AwsQueue::new(config, url)),
        }
    }
}

#[async_trait]
impl Sink for AwsAlertSink {
    async fn send(&self, message: &AlertMessage) -> Result<(), DeliveryError> {
        let published = OptionFuture::from(self.topic.as_ref().map(|topic| topic.publish(message)));
        let sent = OptionFuture::from(self.queue.as_ref().map(|queue| queue.send_alert(message)));
        // Concurrently: an endpoint that does not answer must not cost the other one its time.
        let (published, sent) = join(published, sent).await;
        let results = [("alert topic", published), ("alert queue", sent)];
        let failures: Vec<String> = results
            .into_iter()
            .filter_map(|(which, result)| result?.err().map(|why| format!("the {which} did not take it: {why}")))
            .collect();
        if failures.is_empty() { Ok(()) } else { Err(DeliveryError::Alerts(failures.join("; "))) }
    }
}
