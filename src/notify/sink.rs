//! Delivery of alerts: a [`Sink`] accepts them in every format, and a [`Notifier`] lays out what the outbox delivers.

use crate::notify::json::job_message::job_messages;
use crate::notify::message::AlertMessage;
use crate::outbox::{Deliver, DeliveryError};
use crate::service::alert::Alert;
use crate::task::interruption::InterruptedTask;
use std::convert::Infallible;
use std::future::Future;

/// Delivers alerts to people and machines.
pub trait Sink: Send + Sync {
    /// Sends one alert. The same alert may be sent more than once.
    ///
    /// # Errors
    /// The sink did not accept it.
    fn send(&self, alert: &AlertMessage) -> impl Future<Output = Result<(), DeliveryError>> + Send;
}

/// A sink that sends nothing: alerts appear only in the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOnly;

impl Sink for LogOnly {
    async fn send(&self, _: &AlertMessage) -> Result<(), DeliveryError> {
        Ok(())
    }
}

/// Lays out alerts and interrupted tasks in every format, and sends them to a sink.
#[derive(Clone, Debug)]
pub struct Notifier<S>(pub S);

impl<S: Sink> Deliver<Alert> for Notifier<S> {
    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        self.0.send(&AlertMessage::of(alert)).await
    }
}

impl<S: Sink> Deliver<InterruptedTask> for Notifier<S> {
    async fn deliver(&self, interrupted: &InterruptedTask) -> Result<(), DeliveryError> {
        self.0.send(&AlertMessage::of(interrupted)).await
    }
}

/// A queue for messages about interrupted jobs, for machines.
pub trait InterruptedJobQueue: Send + Sync {
    /// Sends any number of message bodies. Returns for each, in order, whether the queue has stored it.
    ///
    /// A body is text that SQS accepts: not empty, at most [`crate::sqs::MESSAGE_BYTES_MAX`], and without characters
    /// that XML does not allow (SQS API Reference, "SendMessage").
    fn send(&self, bodies: &[String]) -> impl Future<Output = Vec<Result<(), DeliveryError>>> + Send;
}

/// The queue type of a function without a queue for interrupted jobs.
impl InterruptedJobQueue for Infallible {
    async fn send(&self, _: &[String]) -> Vec<Result<(), DeliveryError>> {
        match *self {}
    }
}

/// Renders each job of an interrupted task as a message and sends it to a queue.
#[derive(Clone, Debug)]
pub struct JobForwarder<Q>(pub Q);

impl<Q: InterruptedJobQueue> Deliver<InterruptedTask> for JobForwarder<Q> {
    async fn deliver(&self, interrupted: &InterruptedTask) -> Result<(), DeliveryError> {
        let sent = self.0.send(&job_messages(interrupted)).await;
        let failure = sent.into_iter().find_map(Result::err);
        failure.map_or(Ok(()), |why| Err(DeliveryError(format!("the queue of interrupted jobs: {why}"))))
    }
}
