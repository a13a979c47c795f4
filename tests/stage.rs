//! A Region with the function in process, for tests that control the payload, time and number of invocations.

use crate::block_on;
use ecs_sim::control_plane::{Millis, ServiceSpec, Setup};
use ecs_sim::doubles::clock::{SimulatedClock, timestamp};
use ecs_sim::doubles::ecs::SimulatedEcs;
use ecs_sim::doubles::parts::parts;
use ecs_sim::doubles::settings::config;
use ecs_sim::event_source::{EventSource, FunctionAnswer};
use ecs_sim::queue::{AttributeValue, SendMessage};
use ecs_sim::region::{CLUSTER, DEAD_LETTER_QUEUE, JOB_QUEUE, Region, SharedRegion};
use ecs_sim::scenario::{FUNCTION_TIMEOUT_MS, FunctionUnderTest, InProcess};
use serde_json::{Value, json};
use std::fmt::Display;
use std::sync::Arc;
use taskhold::lambda::dead_letter::REASON_ATTRIBUTE;
use taskhold::lambda::function::{Function, Parts};

/// A Region with one service, and the function.
pub(crate) struct StagedRegion<F = InProcess> {
    pub(crate) region: SharedRegion,
    pub(crate) function: F,
    /// The tasks of the service.
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

impl<F> StagedRegion<F> {
    /// A Region with this service, and the function that `create` makes there.
    pub(crate) fn of(service: ServiceSpec, create: impl FnOnce(&SharedRegion) -> F) -> Self {
        let region = SharedRegion::new(Region::new(Setup::default()));
        let tasks = region.lock().ecs.create_service(service).unwrap();
        Self { function: create(&region), region, tasks }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        let mut region = self.region.lock();
        let to = region.now() + seconds * 1000;
        region.advance_to(to);
    }

    /// The deadline of an invocation that begins now.
    fn deadline(&self) -> Millis {
        self.region.lock().now() + FUNCTION_TIMEOUT_MS
    }

    pub(crate) fn arn(&self, task: usize) -> String {
        format!("arn:aws:ecs:eu-west-1:111122223333:task/{CLUSTER}/{}", self.tasks[task])
    }

    /// A start of a job of this task, with changed members.
    pub(crate) fn job_message(&self, task: usize, changes: Value) -> Value {
        let (job, arn) = (format!("j-{task}"), self.arn(task));
        let mut message = json!({"version": 1, "type": "job.started", "jobId": job, "taskArn": arn});
        message.as_object_mut().unwrap().extend(changes.as_object().cloned().unwrap_or_default());
        message
    }

    pub(crate) fn message(&self, task: usize, changes: Value) -> String {
        self.job_message(task, changes).to_string()
    }

    pub(crate) fn protected(&self, task: usize) -> bool {
        self.region.lock().ecs.task(&self.tasks[task]).unwrap().is_protected()
    }

    /// The number of calls to these operations since the last clear.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.region.lock().calls.iter().filter(|call| call.operation == operation).count()
    }
}

impl StagedRegion<Function> {
    /// The function with these settings and changed parts, and this service.
    pub(crate) fn of_parts(
        service: ServiceSpec,
        settings: &[(&str, &str)],
        change: impl FnOnce(&SharedRegion, Parts) -> Parts,
    ) -> Self {
        Self::of(service, |region| {
            let config = config(&region.lock(), settings.iter().copied()).unwrap();
            let (ecs, clock) = (Arc::new(SimulatedEcs(region.clone())), Arc::new(SimulatedClock(region.clone())));
            Function::new(change(region, parts(ecs, clock, config)))
        })
    }

    pub(crate) fn invoke(&self, payload: &Value) -> Value {
        let (response, _) = block_on(self.function.handle(&payload.to_string(), timestamp(self.deadline()))).unwrap();
        serde_json::to_value(response).unwrap()
    }
}

impl StagedRegion {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        Self::in_process(ServiceSpec::new(CLUSTER, "web", 2), settings)
    }

    /// The function with these settings, and this service.
    pub(crate) fn in_process(service: ServiceSpec, settings: &[(&str, &str)]) -> Self {
        Self::of(service, |region| InProcess::new(region, settings.iter().copied()).unwrap())
    }

    pub(crate) fn invoke(&mut self, payload: impl Display) -> Value {
        let deadline = self.deadline();
        let answer = block_on(self.function.invoke(&payload.to_string(), deadline)).answer;
        assert!(self.region.lock().now() < deadline, "Lambda ends the invocation");
        match answer {
            FunctionAnswer::Answered(answer) => answer,
            FunctionAnswer::Failed => panic!("{payload} failed"),
        }
    }

    pub(crate) fn redrive_by_command(&mut self) -> Value {
        self.invoke(r#"{"redrive": {}}"#)["redrive"].clone()
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

    /// The reasons of the dead-lettered messages.
    pub(crate) fn dead_lettered(&self) -> Vec<String> {
        let region = self.region.lock();
        let reason = |value: &AttributeValue| match value {
            AttributeValue::String(text) => text.clone(),
            AttributeValue::Binary(_) => panic!("a reason is text"),
        };
        let messages = region.queues.messages(DEAD_LETTER_QUEUE).unwrap();
        messages.iter().map(|message| reason(&message.attributes[REASON_ATTRIBUTE].value)).collect()
    }
}
