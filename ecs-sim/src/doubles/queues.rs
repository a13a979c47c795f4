//! The function's clients of the queues that it sends to.

use crate::queue::{AttributeValue, MessageAttribute, ReceivedMessage, SendMessage, SendMessageEntry};
use crate::region::{DEAD_LETTER_QUEUE, INTERRUPTED_QUEUE, RECHECK_QUEUE, SharedRegion};
use async_trait::async_trait;
use std::time::Duration;
use taskhold::lambda::dead_letter::{DeadLetter, DeadLetterQueue, ReceivedDeadLetter};
use taskhold::notify::sink::InterruptedJobQueue;
use taskhold::service::recheck::{Recheck, RecheckQueue};
use taskhold::sqs::{MESSAGES_PER_SEND_MAX, SqsError};

/// Sends rechecks to their queue in a Region.
#[derive(Clone, Debug)]
pub struct SimulatedRecheckQueue(pub SharedRegion);

#[async_trait]
impl RecheckQueue for SimulatedRecheckQueue {
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), SqsError> {
        let message = SendMessage::new(recheck.body()).delayed(u32::try_from(delay.as_secs()).unwrap_or(u32::MAX));
        let sent = self.0.lock().queues.send(RECHECK_QUEUE, message);
        sent.map(drop).map_err(|error| SqsError::Failed(error.to_string()))
    }
}

/// Sends dead-lettered messages to their queue in a Region.
#[derive(Clone, Debug)]
pub struct SimulatedDeadLetterQueue(pub SharedRegion);

#[async_trait]
impl DeadLetterQueue for SimulatedDeadLetterQueue {
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), SqsError>> {
        let message = |dead_lettered: &DeadLetter| {
            let message = SendMessage::new(&dead_lettered.body);
            dead_lettered.attributes.iter().fold(message, |message, (name, value)| message.with_attribute(*name, value))
        };
        let left = self.0.lock().dead_letters_lost.checked_sub(1);
        if let Some(left) = left {
            self.0.lock().dead_letters_lost = left;
            return vec![Err(SqsError::Failed("no answer".to_owned())); messages.len()];
        }
        send_batch(&self.0, DEAD_LETTER_QUEUE, messages.iter().map(message).collect())
    }

    async fn receive_dead_letters(&self, max: usize) -> Result<Vec<ReceivedDeadLetter>, SqsError> {
        let received = self.0.lock().queues.receive(DEAD_LETTER_QUEUE, max);
        Ok(received.map_err(|error| SqsError::Failed(error.to_string()))?.iter().map(dead_letter).collect())
    }

    async fn delete_dead_letters(&self, receipt_handles: &[String]) -> Vec<Result<(), SqsError>> {
        let queues = &mut self.0.lock().queues;
        let delete = |handle: &String| queues.delete(DEAD_LETTER_QUEUE, handle);
        receipt_handles
            .iter()
            .map(delete)
            .map(|deleted| deleted.map_err(|error| SqsError::Failed(error.to_string())))
            .collect()
    }
}

fn dead_letter(received: &ReceivedMessage) -> ReceivedDeadLetter {
    let system_attributes = received.system_attributes().into_iter();
    let text = |(name, attribute): (&String, &MessageAttribute)| match &attribute.value {
        AttributeValue::String(text) => Some((name.clone(), text.clone())),
        AttributeValue::Binary(_) => None,
    };
    ReceivedDeadLetter {
        message_id: received.message.id.clone(),
        receipt_handle: received.receipt_handle.clone(),
        body: received.message.body.clone(),
        system_attributes: system_attributes.map(|(name, value)| (name.to_owned(), value)).collect(),
        attributes: received.message.attributes.iter().filter_map(text).collect(),
    }
}

/// Sends interrupted jobs to their queue in a Region.
#[derive(Clone, Debug)]
pub struct SimulatedInterruptedJobQueue(pub SharedRegion);

#[async_trait]
impl InterruptedJobQueue for SimulatedInterruptedJobQueue {
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), SqsError>> {
        let batches = bodies.chunks(MESSAGES_PER_SEND_MAX);
        let batch = |bodies: &[String]| bodies.iter().map(SendMessage::new).collect();
        batches.flat_map(|bodies| send_batch(&self.0, INTERRUPTED_QUEUE, batch(bodies))).collect()
    }
}

fn send_batch(region: &SharedRegion, queue: &str, messages: Vec<SendMessage>) -> Vec<Result<(), SqsError>> {
    let count = messages.len();
    let entry = |(at, message): (usize, SendMessage)| SendMessageEntry { id: at.to_string(), message };
    let entries = messages.into_iter().enumerate().map(entry).collect();
    match region.lock().queues.send_batch(queue, entries) {
        Ok(sent) => {
            sent.into_iter().map(|sent| sent.map(drop).map_err(|error| SqsError::Failed(error.to_string()))).collect()
        }
        Err(error) => vec![Err(SqsError::Failed(error.to_string())); count],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::Variants;
    use crate::region::Region;

    #[tokio::test]
    async fn interrupted_jobs_are_in_their_queue_in_order_and_nowhere_else() {
        let region = SharedRegion::new(Region::for_scenario(Variants::default()));
        let bodies: Vec<String> = (0..23).map(|at| format!("body {at}")).collect();
        let kept = SimulatedInterruptedJobQueue(region.clone()).send(&bodies).await;
        assert_eq!(kept, vec![Ok(()); 23]);
        let region = region.lock();
        let found = region.queues.messages(INTERRUPTED_QUEUE).unwrap();
        assert_eq!(found.into_iter().map(|message| message.body.clone()).collect::<Vec<_>>(), bodies);
        assert!(region.queues.messages(DEAD_LETTER_QUEUE).unwrap().is_empty());
    }
}
