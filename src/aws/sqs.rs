//! The adapter to queues that receive messages in batches.

use crate::aws::lazy::Lazy;
use crate::lambda::dead_letter::{DeadLetter, DeadLetterQueue};
use crate::notify::sink::InterruptedJobQueue;
use crate::outbox::DeliveryError;
use crate::sqs::sends;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::builders::SendMessageBatchRequestEntryBuilder;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use futures_util::stream::{self, StreamExt};

/// Most batches of one list of messages in flight at once.
const BATCHES_AT_ONCE: usize = 8;

/// A queue, identified by its URL: the dead-letter queue or the queue for interrupted jobs.
#[derive(Clone, Debug)]
pub struct AwsQueue {
    client: Lazy<Client>,
    queue_url: String,
}

type Entries = Result<Vec<SendMessageBatchRequestEntry>, BuildError>;

impl AwsQueue {
    /// Makes a client that shares its connections between all sends.
    pub fn new(config: &SdkConfig, queue_url: String) -> Self {
        Self { client: Lazy::new(config, Client::new), queue_url }
    }

    /// Sends `count` entries; the id of each is its index. Returns for each whether SQS accepted it.
    async fn send_batch(&self, count: usize, entries: Entries) -> Vec<Result<(), DeliveryError>> {
        let sent = match entries {
            Ok(entries) => {
                let call = self.client.client().send_message_batch().queue_url(&self.queue_url);
                call.set_entries(Some(entries))
                    .send()
                    .await
                    .map_err(|error| DeliveryError(crate::aws::on_one_line(&error)))
            }
            Err(error) => Err(DeliveryError(error.to_string())),
        };
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => return vec![Err(error); count],
        };
        let mut kept = vec![Err(DeliveryError("SQS did not answer for it".to_owned())); count];
        let place = |id: &str| id.parse::<usize>().ok().filter(|at| *at < count);
        for at in answer.successful().iter().filter_map(|sent| place(sent.id())) {
            kept[at] = Ok(());
        }
        for failed in answer.failed() {
            if let Some(at) = place(failed.id()) {
                kept[at] =
                    Err(DeliveryError(format!("{}: {}", failed.code(), failed.message().unwrap_or("no message"))));
            }
        }
        kept
    }
}

#[async_trait]
impl DeadLetterQueue for AwsQueue {
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), DeliveryError>> {
        self.send_batch(messages.len(), messages.iter().enumerate().map(dead_lettered).collect()).await
    }
}

#[async_trait]
impl InterruptedJobQueue for AwsQueue {
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), DeliveryError>> {
        let batch = |bodies: &[String]| {
            let entry = |(at, body): (usize, &String)| of_id(at).message_body(body).build();
            self.send_batch(bodies.len(), bodies.iter().enumerate().map(entry).collect())
        };
        // Collected before the first is polled: the compiler cannot infer a closure over borrowed batches in
        // a stream.
        let batches: Vec<_> = sends(bodies, String::len).into_iter().map(batch).collect();
        stream::iter(batches).buffered(BATCHES_AT_ONCE).concat().await
    }
}

/// Entries are identified by their index in the batch.
fn of_id(at: usize) -> SendMessageBatchRequestEntryBuilder {
    SendMessageBatchRequestEntry::builder().id(at.to_string())
}

fn dead_lettered((at, message): (usize, &DeadLetter)) -> Result<SendMessageBatchRequestEntry, BuildError> {
    let mut entry = of_id(at).message_body(&message.body);
    for (name, value) in &message.attributes {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
        entry = entry.message_attributes(*name, value);
    }
    entry.build()
}
