//! A Region with the function in process, for tests that send single messages: when, by whom, and how often.

use crate::block_on;
use ecs_sim::control_plane::{ServiceSpec, Variants};
use ecs_sim::event_source::{EventSource, FunctionAnswer};
use ecs_sim::queue::{AttributeValue, SendMessage};
use ecs_sim::region::{DEAD_LETTER_QUEUE, JOB_QUEUE, Region, SharedRegion};
use ecs_sim::scenario::{FunctionUnderTest, InProcess};
use serde_json::{Value, json};

/// A Region with a service of two tasks, and the function.
pub(crate) struct Stage {
    pub(crate) region: SharedRegion,
    pub(crate) function: InProcess,
    pub(crate) tasks: Vec<String>,
}

/// The two ways to redrive the dead-letter queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RedrivenBy {
    /// The function's command.
    Command,
    /// SQS's StartMessageMoveTask to the job queue.
    Sqs,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let region = SharedRegion::new(Region::for_scenario(Variants::default()));
        let spec = ServiceSpec::new("video", "web", 2);
        let tasks = region.lock().ecs.create_service(spec).unwrap();
        let function = InProcess::new(&region, settings.iter().copied()).unwrap();
        Self { region, function, tasks }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        let mut region = self.region.lock();
        let to = region.now() + seconds * 1000;
        region.advance_to(to);
    }

    pub(crate) fn redrive_by_command(&mut self) -> Value {
        let deadline = self.region.lock().now() + 30_000;
        match block_on(self.function.invoke(r#"{"redrive": {}}"#, deadline)).answer {
            FunctionAnswer::Answered(answer) => answer["redrive"].clone(),
            FunctionAnswer::Failed => panic!("the command is not answered"),
        }
    }

    /// Redrives all dead letters. SQS sends each as a new message, with its attributes and another sender.
    pub(crate) fn redrive(&mut self, by: RedrivenBy) {
        match by {
            RedrivenBy::Command => drop(self.redrive_by_command()),
            RedrivenBy::Sqs => {
                {
                    let queues = &mut self.region.lock().queues;
                    for received in queues.receive(DEAD_LETTER_QUEUE, 100).unwrap() {
                        let mut message = SendMessage::new(&received.message.body).from_sender("AROAEXAMPLE:operator");
                        message.attributes.clone_from(&received.message.attributes);
                        queues.send(JOB_QUEUE, message).unwrap();
                        queues.delete(DEAD_LETTER_QUEUE, &received.receipt_handle).unwrap();
                    }
                }
                self.deliver(30_000);
            }
        }
    }

    pub(crate) fn send_from(&self, sender: &str, body: &str) {
        self.region.lock().queues.send(JOB_QUEUE, SendMessage::new(body).from_sender(sender)).unwrap();
    }

    pub(crate) fn message(&self, task: usize, changes: Value) -> String {
        let arn = format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{}", self.tasks[task]);
        let mut message = json!({"version": 1, "type": "job.started", "jobId": format!("j-{task}"), "taskArn": arn});
        message.as_object_mut().unwrap().extend(changes.as_object().cloned().unwrap_or_default());
        message.to_string()
    }

    pub(crate) fn send(&self, body: &str) {
        self.region.lock().queues.send(JOB_QUEUE, SendMessage::new(body)).unwrap();
    }

    /// Delivers the waiting messages in one batch with this much time, and returns the number of messages to retry.
    pub(crate) fn deliver(&mut self, time_ms: i64) -> usize {
        let source = EventSource::new(JOB_QUEUE, 10_000);
        let batch = source.poll(&mut self.region.lock().queues).unwrap().unwrap();
        let deadline = self.region.lock().now() + time_ms;
        let answer = block_on(self.function.invoke(&batch.event.to_string(), deadline)).answer;
        source.settle(&mut self.region.lock().queues, &batch, &answer).unwrap().kept.len()
    }

    pub(crate) fn protected(&self, task: usize) -> bool {
        self.region.lock().ecs.task(&self.tasks[task]).unwrap().is_protected()
    }

    /// The reasons of the dead-lettered messages.
    pub(crate) fn dead_lettered(&self) -> Vec<String> {
        let region = self.region.lock();
        let reason = |value: &AttributeValue| match value {
            AttributeValue::String(text) => text.clone(),
            AttributeValue::Binary(_) => panic!("a reason is text"),
        };
        let messages = region.queues.messages(DEAD_LETTER_QUEUE).unwrap();
        messages.iter().map(|message| reason(&message.attributes["taskhold.reason"].value)).collect()
    }
}
