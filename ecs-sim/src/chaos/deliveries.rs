//! How messages, events and sweeps reach invocations, and how these end. Events of ECS come late, twice, reordered, or
//! not at all.

use super::broken::Broken;
use super::events::Event;
use super::model::Content;
use super::rules::{Focus, Sabotage};
use super::run::{Run, RunningInvocation, Work};
use super::workers::short;
use super::world::{SWEEP_EVERY_MS, VisibleMessages, World};
use crate::control_plane::Millis;
use crate::doubles::clock::timestamp;
use crate::event_source::{Batch, EventSource, FunctionAnswer};
use crate::queue::ReceivedMessage;
use crate::region::{JOB_QUEUE, RECHECK_QUEUE};
use serde_json::Value;
use taskhold::lambda::function::{FunctionError, Response};

/// As in template.yaml, and as the event source mapping of a small queue sends them.
const BATCH_SIZE_MAX: usize = 10;

/// A message that is delivered more often than this after the storm counts as never ending. Calls of the storm may take
/// effect for two more minutes, which is less than one visibility timeout: the first delivery may find them in flight,
/// and the second may conflict with another invocation that settles them.
const DELIVERIES_IN_CALM_MAX: u32 = 3;

/// The detail-type of the events that also reach the function through its queue, where a rule names it as the target.
const TASK_EVENT: &str = "ECS Task State Change";

/// Delays of events. EventBridge promises no time (aws-facts "EventBridge").
const LATE_MS: [Millis; 5] = [0, 0, 1_500, 20_000, 90_000];
/// Lambda runs a failed asynchronous invocation twice more, after one minute and after two (AWS Lambda Developer Guide,
/// "How Lambda handles errors and retries with asynchronous invocation").
const RETRIES_MS: [Millis; 2] = [60_000, 120_000];

impl World {
    /// Puts the events that ECS has emitted on their way.
    pub(super) fn take_events(&mut self) {
        let emitted = self.region.lock().ecs.take_events();
        let now = self.now();
        for payload in emitted.into_iter().filter(is_subscribed) {
            if self.fault(self.rules.events_lost_percent) {
                self.counts.strike("events lost");
                continue;
            }
            let may_be_queued = self.rules.focus == Focus::Protection && payload["detail-type"] == TASK_EVENT;
            if may_be_queued && self.choices.chance(50) {
                self.counts.add("events through the queue");
                self.send_message(payload.to_string(), Content::Stop, 0);
                continue;
            }
            let late = if self.is_calm { 0 } else { self.choices.one_of(&LATE_MS) };
            if late > 0 {
                self.counts.strike("events late");
            }
            let is_doubled = self.fault(15);
            if is_doubled {
                self.counts.strike("events doubled");
                self.events.add(now + LATE_MS[3], Event { payload: payload.clone(), failures: 0 });
            }
            self.events.add(now + late, Event { payload, failures: 0 });
        }
    }

    /// An invocation with an event failed or was cut off.
    fn event_failed(&mut self, event: Event) {
        let Some(pause) = RETRIES_MS.get(event.failures) else {
            self.counts.add("events dropped after retries");
            return;
        };
        let at = self.now() + pause;
        self.events.add(at, Event { failures: event.failures + 1, ..event });
    }

    /// What an invocation could receive now.
    pub(super) fn visible(&self) -> VisibleMessages {
        let region = self.region.lock();
        let any = |queue: &str| region.queues.counts(queue).is_ok_and(|counts| counts.visible > 0);
        VisibleMessages { jobs: any(JOB_QUEUE), rechecks: any(RECHECK_QUEUE) }
    }

    /// Returns the work of a failed invocation for retry: messages by their visibility timeout, events by Lambda's
    /// retry.
    pub(super) fn return_work(&mut self, work: Work) {
        if let Work::Event(event) = work {
            self.event_failed(event);
        }
    }

    /// Takes the function's answer.
    pub(super) fn answered(&mut self, number: usize, work: Work, answer: Result<Response, FunctionError>) {
        self.narrate(|_| match &answer {
            Ok(Response::Event { taskhold }) => format!("#{number} answers: {taskhold}"),
            Ok(Response::Batch(batch)) => format!("#{number} answers: {} to retry", batch.batch_item_failures.len()),
            Ok(Response::Command(_)) => format!("#{number} completes the sweep"),
            Ok(Response::Hook(answer)) => format!("#{number} answers a hook: {}", answer.status()),
            Err(error) => format!("#{number} fails: {error}"),
        });
        match (work, answer) {
            (Work::Batch(queue, batch), Ok(response)) => {
                self.check_names_its_messages(&batch, &response);
                let mut answer = serde_json::to_value(response).expect("a response is JSON");
                if self.rules.sabotage == Sabotage::FailedMessageTakenForDone
                    && let Some(failures) = answer["batchItemFailures"].as_array_mut()
                    && !failures.is_empty()
                {
                    failures.remove(0);
                }
                let source = EventSource::new(queue, BATCH_SIZE_MAX);
                let answer = FunctionAnswer::Answered(answer);
                let settled = source.settle(&mut self.region.lock().queues, &batch, &answer);
                let settled = settled.expect("the queue exists");
                self.counts.add_many("messages retried", settled.kept.len() as u64);
                if queue == JOB_QUEUE {
                    settled.deleted.iter().for_each(|id| self.acknowledged(number, id));
                }
            }
            (Work::Event(event), Err(_)) => self.event_failed(event),
            (Work::Batch(..), Err(_)) => self.break_off(Broken::Loss, "a whole batch failed".to_owned()),
            (Work::Sweep, Err(error)) => self.break_off(Broken::Convergence, format!("a sweep fails: {error}")),
            (Work::Event(_), Ok(Response::Event { .. })) | (Work::Sweep, Ok(Response::Command(_))) => {}
            (Work::Event(_) | Work::Sweep, Ok(response)) => {
                self.break_off(Broken::Loss, format!("an event or a sweep is answered {response:?}"));
            }
        }
        self.observe_ecs();
    }

    /// A failure that names no message of the batch fails the whole batch.
    fn check_names_its_messages(&mut self, batch: &Batch, response: &Response) {
        let Response::Batch(response) = response else {
            return self.break_off(Broken::Loss, format!("a batch is answered {response:?}"));
        };
        let mut failures = response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str());
        let is_unknown = |id: &&str| batch.messages().iter().all(|received| received.message.id != **id);
        if let Some(unknown) = failures.find(is_unknown) {
            self.break_off(Broken::Loss, format!("`{unknown}` is reported as failed and was not in the batch"));
        }
    }

    /// Counts a delivery of a message that a worker sent.
    fn was_received(&mut self, received: &ReceivedMessage) {
        let task = self.model.messages.get(&received.message.id).and_then(|message| message.content.task());
        // The event of a stopped task ends when its interrupted jobs are forwarded, which waits longer after a failure.
        let is_counted = self.is_calm && task.is_some_and(|task| self.is_granted(task));
        let Some(message) = self.model.messages.get_mut(&received.message.id) else { return };
        // Each copy of a message has its own count, and the function decides by the copy that it got.
        message.receives = message.receives.max(received.receive_count);
        message.deliveries_in_calm += u32::from(is_counted);
        if message.deliveries_in_calm > DELIVERIES_IN_CALM_MAX * message.copies {
            let why = format!("{} does not end after the storm", short(&received.message.id));
            self.break_off(Broken::Convergence, why);
        }
    }

    fn acknowledged(&mut self, number: usize, id: &str) {
        let Some(message) = self.model.messages.get_mut(id) else { return };
        if message.dead_lettered_by.contains(&number) {
            self.counts.add("messages dead-lettered");
            self.narrate(|_| format!("  {} is dead-lettered", short(id)));
            return self.check_dead_lettered_rightly(id);
        }
        message.is_done = true;
        let content = message.content;
        self.counts.add("messages done");
        self.narrate(|_| format!("  {} is done", short(id)));
        self.check_done(id);
        if let Content::Job { task, job, ends } = content {
            let now = self.now();
            self.model.tasks[task].jobs[job].acknowledged(ends, now);
        }
    }
}

impl Run<'_> {
    pub(super) fn deliver_jobs(&mut self) {
        self.deliver_batch(JOB_QUEUE);
    }

    pub(super) fn deliver_rechecks(&mut self) {
        self.deliver_batch(RECHECK_QUEUE);
    }

    fn deliver_batch(&mut self, queue: &'static str) {
        let batch = {
            let mut world = self.sim.world();
            let size = if world.is_calm { BATCH_SIZE_MAX } else { 1 + world.choices.below(BATCH_SIZE_MAX) };
            let is_reversed = world.fault(30);
            let source = EventSource::new(queue, size);
            let batch = source.poll(&mut world.region.lock().queues).expect("the queue exists");
            let Some(mut batch) = batch else { return };
            if is_reversed && let Some(records) = batch.event["Records"].as_array_mut() {
                records.reverse();
                world.counts.strike("batches in reverse order");
            }
            for received in batch.messages() {
                world.was_received(received);
            }
            world.counts.add(if queue == JOB_QUEUE { "batches of job messages" } else { "batches of rechecks" });
            batch
        };
        let ids: Vec<String> = batch.messages().iter().map(|received| short(&received.message.id)).collect();
        let payload = batch.event.to_string();
        self.begin(payload, &format!("{queue} {}", ids.join(" ")), Work::Batch(queue, batch));
    }

    pub(super) fn deliver_event(&mut self) {
        let taken = {
            let mut world = self.sim.world();
            let now = world.now();
            world.events.take(now)
        };
        let Some(event) = taken else { return };
        self.sim.world().counts.add("events delivered");
        let detail = &event.payload["detail"];
        let what = detail["eventName"].as_str().or(detail["taskArn"].as_str()).unwrap_or_default().to_owned();
        self.begin(event.payload.to_string(), &format!("event {what}"), Work::Event(event));
    }

    /// The schedule's sweep, unless it is missed.
    pub(super) fn sweep(&mut self) {
        {
            let mut world = self.sim.world();
            let now = world.now();
            if world.sweep_at > now && !world.rules.is_sweeping_any_time {
                return;
            }
            world.sweep_at = now + SWEEP_EVERY_MS;
            if world.fault(25) {
                world.counts.strike("sweeps missed");
                return world.narrate(|_| "a sweep is missed".to_owned());
            }
            world.counts.add("sweeps");
        }
        self.begin(r#"{"sweep": {}}"#.to_owned(), "sweep", Work::Sweep);
    }

    fn begin(&mut self, payload: String, description: &str, work: Work) {
        self.begun += 1;
        let number = self.begun;
        let deadline = {
            let mut world = self.sim.world();
            world.counts.add("invocations");
            world.narrate(|_| format!("#{number} begins: {description}"));
            world.now() + world.rules.function_timeout_ms
        };
        let (function, until) = (self.function, timestamp(deadline));
        let answering = Box::pin(async move { function.handle(&payload, until).await.map(|(response, _)| response) });
        self.running.push(RunningInvocation { number, work, deadline, answering });
        self.sim.world().counts.at_least("concurrent invocations, at most", self.running.len() as u64);
        self.poll(number);
    }
}

/// Whether the rules of template.yaml match the event.
fn is_subscribed(event: &Value) -> bool {
    event["detail-type"] != TASK_EVENT || event["detail"]["desiredStatus"] == "STOPPED"
}
