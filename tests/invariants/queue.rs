//! A simulated SQS queue (at-least-once delivery, any order, batches, a visibility timeout) and the dead-letter queue.

use super::promise::Told;
use super::world::{Broken, Sim, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use taskhold::lambda::dead_letter::{DeadLetter, DeadLetterQueue, MESSAGE_ID_ATTRIBUTE, REASON_ATTRIBUTE};
use taskhold::lambda::function::{FunctionError, Response};
use taskhold::outbox::DeliveryError;

/// As in template.yaml.
const VISIBILITY_TIMEOUT: SignedDuration = SignedDuration::from_secs(180);

#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) messages: Vec<Message>,
    /// Stopped tasks whose event EventBridge delivers by invoking the function, until that succeeds.
    pub(crate) events: Vec<usize>,
}

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) body: String,
    pub(crate) told: Told,
    pub(crate) sent_at: Timestamp,
    pub(crate) receives: u32,
    /// `None` once it is deleted.
    pub(crate) visible_from: Option<Timestamp>,
    /// Whether an invocation has acknowledged it as done.
    pub(crate) done: bool,
    /// The invocations that dead-lettered it.
    pub(crate) dead_lettered_by: Vec<usize>,
    deliveries_after_storm: u32,
}

/// The input of an invocation.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Messages, by number.
    Batch(Vec<usize>),
    /// The stop of this task.
    Event(usize),
    /// A comparison of the state store with ECS.
    Sweep,
}

fn id_of(message: usize) -> String {
    format!("m-{message}")
}

impl World {
    pub(crate) fn enqueue(&mut self, body: String, told: Told) {
        let number = self.queue.messages.len();
        self.record(format!("{} is sent to the queue", id_of(number)));
        self.queue.messages.push(Message {
            body,
            told,
            sent_at: self.now,
            receives: 0,
            visible_from: Some(self.now),
            done: false,
            dead_lettered_by: Vec::new(),
            deliveries_after_storm: 0,
        });
    }

    pub(crate) fn visible(&self) -> Vec<usize> {
        let messages = self.queue.messages.iter().enumerate();
        let visible = messages.filter(|(_, message)| message.visible_from.is_some_and(|from| from <= self.now));
        visible.map(|(number, _)| number).collect()
    }

    /// Up to ten messages in any order, and now and then one that another invocation has or that was deleted.
    pub(crate) fn batch(&mut self) -> Vec<usize> {
        let mut batch = self.visible();
        self.rng.shuffle(&mut batch);
        batch.truncate(self.rng.usize(1..=10));
        if !self.calm && !self.queue.messages.is_empty() && self.percent(15) {
            let again = self.rng.usize(..self.queue.messages.len());
            if !batch.contains(&again) {
                batch.push(again);
            }
        }
        batch
    }

    /// The payload of a batch. Makes its messages invisible.
    pub(crate) fn deliver(&mut self, batch: &[usize]) -> String {
        let records: Vec<Value> = batch.iter().map(|number| self.record_of(*number)).collect();
        json!({"Records": records}).to_string()
    }

    fn record_of(&mut self, number: usize) -> Value {
        let message = &mut self.queue.messages[number];
        message.receives += 1;
        message.visible_from = Some(self.now + VISIBILITY_TIMEOUT);
        if self.calm {
            message.deliveries_after_storm += 1;
            let most = self.stats.deliveries_after_storm_max.max(message.deliveries_after_storm);
            self.stats.deliveries_after_storm_max = most;
        }
        json!({
            "messageId": id_of(number),
            "receiptHandle": "r",
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": message.receives.to_string(),
                "SentTimestamp": message.sent_at.as_millisecond().to_string(),
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:jobs",
            "awsRegion": "eu-west-1",
        })
    }

    /// The function's answer arrives.
    pub(crate) fn answered(&mut self, number: usize, work: &Work, answer: &Result<Response, FunctionError>) {
        let (batch, response) = match (work, answer) {
            (Work::Batch(batch), Ok(Response::Batch(response))) => (batch, response),
            (Work::Event(_), Ok(Response::Event { taskhold })) => {
                return self.record(format!("#{number} answers: {taskhold}"));
            }
            (Work::Event(task), Err(error)) => {
                self.queue.events.push(*task);
                return self.record(format!("#{number} fails: {error}"));
            }
            (Work::Sweep, Ok(Response::Command(report))) => {
                return self.record(format!("#{number} has swept: {report:?}"));
            }
            (work, answer) => unreachable!("{work:?} is answered {answer:?}"),
        };
        let failures: Vec<&str> =
            response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
        if let Some(unknown) = failures.iter().find(|failure| batch.iter().all(|message| id_of(*message) != **failure))
        {
            self.break_off(Broken::Loss, format!("`{unknown}` is reported as failed and was not in the batch"));
        }
        for message in batch {
            if failures.contains(&id_of(*message).as_str()) {
                self.stats.retried += 1;
                self.record(format!("#{number} ends {}: retry", id_of(*message)));
            } else {
                self.acknowledged(number, *message);
            }
        }
    }

    fn acknowledged(&mut self, invocation: usize, number: usize) {
        // SQS may deliver a deleted message once more.
        let is_redelivered = !self.calm && self.percent(3);
        let message = &mut self.queue.messages[number];
        if !is_redelivered {
            message.visible_from = None;
        }
        if message.dead_lettered_by.contains(&invocation) {
            self.stats.dead_lettered += 1;
            self.record(format!("#{invocation} ends {}: dead-lettered", id_of(number)));
            return self.check_dead_lettered_rightly(number);
        }
        message.done = true;
        self.stats.done += 1;
        self.record(format!("#{invocation} ends {}: done", id_of(number)));
        self.promise_done(number);
    }

    fn check_dead_lettered_rightly(&mut self, number: usize) {
        let message = &self.queue.messages[number];
        let stopped = message.told.task().is_some_and(|task| self.ecs.tasks[task].stopped);
        let hopeless = matches!(message.told, Told::Nothing) || stopped;
        if !hopeless && message.receives < self.rules.receives_max {
            self.break_off(Broken::Loss, format!("{} was dead-lettered without need", id_of(number)));
        }
    }

    /// Whether every message and event has ended.
    pub(crate) fn is_drained(&self) -> bool {
        self.queue.events.is_empty() && self.queue.messages.iter().all(|message| message.visible_from.is_none())
    }
}

/// The function's client of the dead-letter queue.
#[derive(Debug)]
pub(crate) struct FakeParking(pub(crate) Sim);

impl DeadLetterQueue for FakeParking {
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), DeliveryError>> {
        self.0.gate().await;
        let kept = {
            let mut world = self.0.world();
            messages.iter().map(|message| world.dead_letter(message)).collect()
        };
        self.0.gate().await;
        kept
    }
}

impl World {
    fn dead_letter(&mut self, message: &DeadLetter) -> Result<(), DeliveryError> {
        let attribute =
            |name: &str| message.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        let id = attribute(MESSAGE_ID_ATTRIBUTE).cloned().unwrap_or_default();
        let Some(number) = id.strip_prefix("m-").and_then(|number| number.parse::<usize>().ok()) else {
            return Err(DeliveryError("a message without its id was dead-lettered".to_owned()));
        };
        let Some(reason) = attribute(REASON_ATTRIBUTE) else {
            self.break_off(Broken::Loss, format!("{id} is dead-lettered without a reason"));
            return Ok(());
        };
        let fault = self.fault();
        if fault && self.rng.bool() {
            return Err(DeliveryError("the queue is not there".to_owned()));
        }
        self.record(format!("  #{} dead-letters {id}: {reason}", self.polled));
        self.queue.messages[number].dead_lettered_by.push(self.polled);
        if fault { Err(DeliveryError("the answer was lost".to_owned())) } else { Ok(()) }
    }
}
