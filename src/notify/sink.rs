//! Where notifications go: [`Sink`] carries rendered texts, and [`Notifier`] renders what is to be delivered.

use crate::notify::interrupted::job_message::job_messages;
use crate::notify::notification::Notification;
use crate::outbox::{Deliver, DeliveryError};
use crate::service::alert::Alert;
use crate::task::interruption::InterruptedTask;
use std::convert::Infallible;
use std::future::Future;

/// Carries notifications to people and machines.
pub trait Sink: Send + Sync {
    /// Sends one notification, to wherever the implementation sends. A notification that was sent may be sent again.
    ///
    /// # Errors
    /// It was not taken.
    fn send(&self, notification: &Notification) -> impl Future<Output = Result<(), DeliveryError>> + Send;
}

/// Sends notifications nowhere: they are only logged.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOnly;

impl Sink for LogOnly {
    async fn send(&self, _: &Notification) -> Result<(), DeliveryError> {
        Ok(())
    }
}

/// Renders alerts and interrupted tasks, and sends them to a sink.
#[derive(Clone, Debug)]
pub struct Notifier<S>(pub S);

impl<S: Sink> Deliver<Alert> for Notifier<S> {
    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        self.0.send(&Notification::of(alert)).await
    }
}

impl<S: Sink> Deliver<InterruptedTask> for Notifier<S> {
    async fn deliver(&self, task: &InterruptedTask) -> Result<(), DeliveryError> {
        self.0.send(&Notification::of_interruption(task)).await
    }
}

/// Takes messages about interrupted jobs, for machines.
pub trait InterruptedJobQueue: Send + Sync {
    /// Sends any number of messages, by their bodies. Answers for each, in their order, whether it is kept now.
    ///
    /// A body is text that SQS takes: not empty, of at most [`crate::sqs::MESSAGE_BYTES_MAX`], and without the characters
    /// that XML does not have (SQS API Reference, "SendMessage").
    fn send(&self, bodies: &[String]) -> impl Future<Output = Vec<Result<(), DeliveryError>>> + Send;
}

/// For `None`: there is no queue.
impl InterruptedJobQueue for Infallible {
    async fn send(&self, _: &[String]) -> Vec<Result<(), DeliveryError>> {
        match *self {}
    }
}

/// Renders each job of an interrupted task as a message, and sends it to a queue.
#[derive(Clone, Debug)]
pub struct JobForwarder<Q>(pub Q);

impl<Q: InterruptedJobQueue> Deliver<InterruptedTask> for JobForwarder<Q> {
    async fn deliver(&self, task: &InterruptedTask) -> Result<(), DeliveryError> {
        let sent = self.0.send(&job_messages(&task.task, &task.interruption)).await;
        let failure = sent.into_iter().find_map(Result::err);
        failure.map_or(Ok(()), |why| Err(DeliveryError(format!("the queue of interrupted jobs: {why}"))))
    }
}
