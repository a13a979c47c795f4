//! Alerts by the SDK: to an SNS topic, to an SQS queue, to both or to neither.

pub mod queue;
pub mod topic;

use crate::aws::alerts::queue::AlertQueue;
use crate::aws::alerts::topic::AlertTopic;
use crate::notify::notification::Notification;
use crate::notify::sink::Sink;
use crate::outbox::DeliveryError;
use aws_config::SdkConfig;
use futures_util::future::{OptionFuture, join};

/// Tells the topic and the queue that are configured.
///
/// One attempt each: an alert that was not taken stays untold in the state store, and the next look at the service sends it. So
/// what SNS takes while SQS fails is published again with it, which is harmless: it has the same incident and event.
#[derive(Clone, Debug)]
pub struct AwsAlertSink {
    topic: Option<AlertTopic>,
    queue: Option<AlertQueue>,
}

impl AwsAlertSink {
    /// Clients for what there is: the topic's ARN, the queue's URL. Without either, every alert counts as sent, because the
    /// log line, which is written elsewhere, is then all that is wanted.
    pub fn new(config: &SdkConfig, topic_arn: Option<String>, queue_url: Option<String>) -> Self {
        Self {
            topic: topic_arn.map(|arn| AlertTopic::new(config, arn)),
            queue: queue_url.map(|url| AlertQueue::new(config, url)),
        }
    }
}

impl Sink for AwsAlertSink {
    async fn send(&self, message: &Notification) -> Result<(), DeliveryError> {
        let published = OptionFuture::from(self.topic.as_ref().map(|topic| topic.publish(message)));
        let sent = OptionFuture::from(self.queue.as_ref().map(|queue| queue.send(message)));
        // At once: one that does not answer costs the other none of the invocation's time.
        let (published, sent) = join(published, sent).await;
        let told = [("alert topic", published), ("alert queue", sent)];
        let failures: Vec<String> = told
            .into_iter()
            .filter_map(|(which, told)| told?.err().map(|why| format!("the {which} did not take it: {why}")))
            .collect();
        if failures.is_empty() { Ok(()) } else { Err(DeliveryError(failures.join("; "))) }
    }
}

/// What subscribers filter by and consumers sort by without reading the text. The same for topic and queue. A service that
/// is not known has no attribute, since SNS and SQS take none that is empty.
fn attributes(message: &Notification) -> impl Iterator<Item = (&'static str, String)> {
    let kind = ("kind", message.kind.as_str().to_owned());
    let event = ("event", message.event.as_str().to_owned());
    let service = message.service.as_ref().map(|service| ("service", service.to_string()));
    [kind, event].into_iter().chain(service)
}
