//! The adapter to the queues to which the function sends.

use crate::aws::lazy::Lazy;
use crate::lambda::dead_letter::{DeadLetter, DeadLetterQueue, ReceivedDeadLetter};
use crate::notify::message::AlertMessage;
use crate::notify::sink::InterruptedJobQueue;
use crate::service::recheck::{DELAY_SECONDS_MAX, Recheck, RecheckQueue};
use crate::sqs::{SqsError, sends};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::builders::SendMessageBatchRequestEntryBuilder;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    SendMessageBatchRequestEntry,
};
use futures_util::stream::{self, StreamExt};
use std::collections::HashMap;
use std::time::Duration;

/// Most batches of one list of messages in flight at once.
const BATCHES_AT_ONCE: usize = 8;

/// How long a received message is invisible to others: longer than an invocation, so that one redrive does not receive a
/// message twice, and short enough for a person who wants to read what stayed.
const INVISIBLE_SECONDS: i32 = 120;
/// Long polling asks all servers of the queue (SQS Developer Guide, "Amazon SQS short and long polling"): without it, an
/// empty answer would not mean that the queue is empty.
const WAIT_SECONDS: i32 = 1;

/// A queue, identified by its URL.
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
    async fn send_batch(&self, count: usize, entries: Entries) -> Vec<Result<(), SqsError>> {
        let sent = match entries {
            Ok(entries) => {
                let call = self.client.client().send_message_batch().queue_url(&self.queue_url);
                call.set_entries(Some(entries))
                    .send()
                    .await
                    .map_err(|error| SqsError::Failed(crate::aws::on_one_line(&error)))
            }
            Err(error) => Err(SqsError::Failed(error.to_string())),
        };
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => return vec![Err(error); count],
        };
        by_place(count, answer.successful().iter().map(|sent| sent.id()), answer.failed())
    }

    /// Sends an alert in its JSON form.
    pub(crate) async fn send_alert(&self, message: &AlertMessage) -> Result<(), String> {
        let attributes = message.attributes().map(|(name, value)| Ok((name.to_owned(), string(&value)?)));
        let attributes =
            attributes.collect::<Result<HashMap<_, _>, BuildError>>().map_err(|error| error.to_string())?;
        let call = self.client.client().send_message().queue_url(&self.queue_url).message_body(&message.json);
        let call = call.set_message_attributes(Some(attributes));
        call.send().await.map(drop).map_err(|error| crate::aws::on_one_line(&error))
    }

    async fn receive(&self, max: usize) -> Result<Vec<ReceivedDeadLetter>, SqsError> {
        let call = self.client.client().receive_message().queue_url(&self.queue_url);
        let call = call
            .max_number_of_messages(i32::try_from(max).unwrap_or(i32::MAX))
            .visibility_timeout(INVISIBLE_SECONDS)
            .wait_time_seconds(WAIT_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let received = call.send().await.map_err(|error| SqsError::Failed(crate::aws::on_one_line(&error)))?;
        Ok(received.messages.unwrap_or_default().into_iter().map(dead_letter).collect())
    }

    /// Deletes messages; the id of each entry is its index. Returns for each whether SQS deleted it.
    async fn delete_batch(&self, receipt_handles: &[String]) -> Vec<Result<(), SqsError>> {
        let entry = |(at, handle): (usize, &String)| {
            DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(handle).build()
        };
        let all = |why: SqsError| vec![Err(why); receipt_handles.len()];
        let entries = match receipt_handles.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>() {
            Ok(entries) => entries,
            Err(error) => return all(SqsError::Failed(error.to_string())),
        };
        let call = self.client.client().delete_message_batch().queue_url(&self.queue_url);
        let answer = match call.set_entries(Some(entries)).send().await {
            Ok(answer) => answer,
            Err(error) => return all(SqsError::Failed(crate::aws::on_one_line(&error))),
        };
        by_place(receipt_handles.len(), answer.successful().iter().map(|deleted| deleted.id()), answer.failed())
    }
}

/// The result of each of `count` entries. SQS answers in any order; the id of an entry is its index.
fn by_place<'a>(
    count: usize,
    successful: impl Iterator<Item = &'a str>,
    failed: &[BatchResultErrorEntry],
) -> Vec<Result<(), SqsError>> {
    let mut results = vec![Err(SqsError::Unanswered); count];
    let place = |id: &str| id.parse::<usize>().ok().filter(|at| *at < count);
    for at in successful.filter_map(place) {
        results[at] = Ok(());
    }
    for failed in failed {
        if let Some(at) = place(failed.id()) {
            results[at] =
                Err(SqsError::Failed(format!("{}: {}", failed.code(), failed.message().unwrap_or("no message"))));
        }
    }
    results
}

#[async_trait]
impl RecheckQueue for AwsQueue {
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), SqsError> {
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX).min(DELAY_SECONDS_MAX);
        let call = self.client.client().send_message().queue_url(&self.queue_url).message_body(recheck.body());
        let sent = call.delay_seconds(seconds).send().await;
        sent.map(drop).map_err(|error| SqsError::Failed(crate::aws::on_one_line(&error)))
    }
}

#[async_trait]
impl DeadLetterQueue for AwsQueue {
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), SqsError>> {
        self.send_batch(
            messages.len(),
            messages.iter().enumerate().map(|(at, message)| dead_lettered(at, message)).collect(),
        )
        .await
    }

    async fn receive_dead_letters(&self, max: usize) -> Result<Vec<ReceivedDeadLetter>, SqsError> {
        self.receive(max).await
    }

    async fn delete_dead_letters(&self, receipt_handles: &[String]) -> Vec<Result<(), SqsError>> {
        self.delete_batch(receipt_handles).await
    }
}

#[async_trait]
impl InterruptedJobQueue for AwsQueue {
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), SqsError>> {
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

fn dead_lettered(at: usize, message: &DeadLetter) -> Result<SendMessageBatchRequestEntry, BuildError> {
    let mut entry = of_id(at).message_body(&message.body);
    for (name, value) in &message.attributes {
        entry = entry.message_attributes(*name, string(value)?);
    }
    entry.build()
}

fn string(value: &str) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder().data_type("String").string_value(value).build()
}

fn dead_letter(message: Message) -> ReceivedDeadLetter {
    let system_attributes = message.attributes.unwrap_or_default().into_iter();
    let attributes = message.message_attributes.unwrap_or_default().into_iter();
    ReceivedDeadLetter {
        message_id: message.message_id.unwrap_or_default(),
        receipt_handle: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        system_attributes: system_attributes.map(|(name, value)| (name.as_str().to_owned(), value)).collect(),
        attributes: attributes.filter_map(|(name, value)| Some((name, value.string_value?))).collect(),
    }
}
