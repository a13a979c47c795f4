//! Jobs that were interrupted, handed on to whoever starts them again: [`InterruptedJobQueue`]. What is said of a job is not
//! decided here.

use std::convert::Infallible;
use std::future::Future;

/// Takes messages about interrupted jobs, for machines.
pub trait InterruptedJobQueue: Send + Sync {
    /// Sends any number of messages, by their bodies. Answers for each, in their order, whether it is kept now.
    ///
    /// A body is text that SQS takes: not empty, of at most [`crate::dead_letter::MESSAGE_BYTES_MAX`], and without the characters that
    /// XML does not have (SQS API Reference, "SendMessage").
    fn send(&self, bodies: &[String]) -> impl Future<Output = Vec<Result<(), String>>> + Send;
}

/// A queue that there is none of: for `None`.
impl InterruptedJobQueue for Infallible {
    async fn send(&self, _: &[String]) -> Vec<Result<(), String>> {
        match *self {}
    }
}
