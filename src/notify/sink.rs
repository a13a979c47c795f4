//! Delivery of alerts: a [`Sink`] accepts them in every format, and a [`Notifier`] lays out what the outbox delivers.

use crate::notify::json::job_message::job_messages;
use crate::notify::message::AlertMessage;
use crate::notify::sender::Sender;
use crate::outbox::{Deliver, DeliveryError};
use crate::service::alert::Alert;
use crate::sqs::SqsError;
use crate::task::interruption::InterruptedTask;
use async_trait::async_trait;
use std::sync::Arc;

/// Delivers alerts to people and machines.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Sends one alert. The same alert may be sent more than once.
    ///
    /// # Errors
    /// The sink did not accept it.
    async fn send(&self, alert: &AlertMessage) -> Result<(), DeliveryError>;
}

/// Lays out alerts and interrupted tasks in every format, and sends them to a sink.
#[derive(Clone)]
pub struct Notifier {
    /// Accepts the texts.
    pub sink: Arc<dyn Sink>,
    /// The function, which the texts name.
    pub sender: Sender,
}

#[async_trait]
impl Deliver<Alert> for Notifier {
    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        self.sink.send(&AlertMessage::of(alert, &self.sender)).await
    }
}

#[async_trait]
impl Deliver<InterruptedTask> for Notifier {
    async fn deliver(&self, interrupted: &InterruptedTask) -> Result<(), DeliveryError> {
        self.sink.send(&AlertMessage::of(interrupted, &self.sender)).await
    }
}

/// A queue for messages about interrupted jobs, for machines.
#[async_trait]
pub trait InterruptedJobQueue: Send + Sync {
    /// Sends any number of message bodies. Returns for each, in order, whether the queue has stored it.
    ///
    /// A body is text that SQS accepts: not empty, at most [`crate::sqs::MESSAGE_BYTES_MAX`], and without characters
    /// that XML does not allow (SQS API Reference, "SendMessage").
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), SqsError>>;
}

/// Renders each job of an interrupted task as a message and sends it to a queue.
pub struct JobForwarder(pub Arc<dyn InterruptedJobQueue>);

#[async_trait]
impl Deliver<InterruptedTask> for JobForwarder {
    async fn deliver(&self, interrupted: &InterruptedTask) -> Result<(), DeliveryError> {
        let sent = self.0.send(&job_messages(interrupted)).await;
        let failure = sent.into_iter().find_map(Result::err);
        failure.map_or(Ok(()), |why| Err(DeliveryError::InterruptedJobs(why)))
    }
}
