//! How invocations begin and end, and how a run comes to rest after the storm.

use super::Broken;
use super::model::{JobModel, Tells};
use super::rules::Sabotage;
use super::run::{INVOCATIONS_AT_ONCE, Invocation, Run, Work};
use super::stage::SWEEP_EVERY_MS;
use super::workers::short;
use super::world::World;
use crate::control_plane::{Millis, RolloutState};
use crate::event_source::{EventSource, FunctionAnswer};
use crate::region::{CLUSTER, FOLLOW_UP_QUEUE, JOB_QUEUE};
use crate::story::FUNCTION_TIMEOUT_MS;
use crate::story::in_process::timestamp;
use serde_json::Value;
use taskhold::handler::{HandlerError, Response};

/// As in template.yaml, and as the event source mapping of a small queue sends them.
const BATCH_SIZE_MAX: usize = 10;
/// So long after the storm all that is not refused has to be in order: two messages that came to nothing in it come again,
/// three sweeps look.
const IN_ORDER_MS: Millis = 16 * 60_000;
/// A sweep interval, and time for its looks.
pub(super) const LOOKED_AT_MS: Millis = 6 * 60_000;
/// So long after the last job, and the last protection of anybody, everything has to be at rest: watches may wait for 15
/// minutes from look to look, deployments bake for ten, and what comes of one may come after the other.
const AT_REST_MS: Millis = 3 * 3_600_000;
/// A deployment of which more tasks failed will never come right, and without a circuit breaker it never ends.
const FAILED_TASKS_MAX: u32 = 6;
/// More steps than this in calm are a loop.
const STEPS_MAX: usize = 30_000;

impl World {
    /// Whether job messages and follow-ups are visible.
    pub(super) fn visible(&self) -> (bool, bool) {
        let region = self.region.lock();
        let any = |queue: &str| region.queues.counts(queue).is_ok_and(|counts| counts.visible > 0);
        (any(JOB_QUEUE), any(FOLLOW_UP_QUEUE))
    }

    /// What an invocation had comes again: messages by their visibility timeout, events by Lambda's retry.
    pub(super) fn came_to_nothing(&mut self, work: Work) {
        if let Work::Event(event) = work {
            self.event_failed(event);
        }
    }

    /// The function's answer arrives.
    pub(super) fn answered(&mut self, number: usize, work: Work, answer: Result<Response, HandlerError>) {
        self.tell(|_| match &answer {
            Ok(Response::Event { taskhold }) => format!("#{number} answers: {taskhold}"),
            Ok(Response::Batch(batch)) => format!("#{number} answers: {} come again", batch.batch_item_failures.len()),
            Ok(Response::Command(_)) => format!("#{number} has swept"),
            Err(error) => format!("#{number} fails: {error}"),
        });
        match (work, answer) {
            (Work::Batch(queue, batch), Ok(response)) => {
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
                let settled = settled.expect("the queue is there");
                self.counts.add_many("messages retried", settled.kept.len() as u64);
                if queue == JOB_QUEUE {
                    settled.deleted.iter().for_each(|id| self.acknowledged(number, id));
                }
            }
            (Work::Event(event), Err(_)) => self.event_failed(event),
            (Work::Batch(..), Err(_)) => self.break_off(Broken::Loss, "a batch fails as a whole".to_owned()),
            (Work::Event(_) | Work::Sweep, _) => {}
        }
        self.take_notice();
    }

    fn acknowledged(&mut self, number: usize, id: &str) {
        let Some(message) = self.model.messages.get_mut(id) else { return };
        if message.parked_by.contains(&number) {
            self.counts.add("messages parked");
            self.tell(|_| format!("  {} is parked", short(id)));
            return self.check_parked_rightly(id);
        }
        message.is_done = true;
        let tells = message.tells;
        self.counts.add("messages done");
        self.tell(|_| format!("  {} is done", short(id)));
        self.check_done(id);
        if let Tells::Job { task, job, ends } = tells {
            self.model.tasks[task].jobs[job].acknowledged(ends);
        }
    }
}

impl Run<'_> {
    pub(super) fn deliver_jobs(&mut self) {
        self.deliver_batch(JOB_QUEUE);
    }

    pub(super) fn deliver_follow_ups(&mut self) {
        self.deliver_batch(FOLLOW_UP_QUEUE);
    }

    fn deliver_batch(&mut self, queue: &'static str) {
        let batch = {
            let mut world = self.sim.world();
            let size = if world.is_calm { BATCH_SIZE_MAX } else { 1 + world.choices.below(BATCH_SIZE_MAX) };
            let is_reversed = world.fault(30);
            let source = EventSource::new(queue, size);
            let batch = source.poll(&mut world.region.lock().queues).expect("the queue is there");
            let Some(mut batch) = batch else { return };
            if is_reversed && let Some(records) = batch.event["Records"].as_array_mut() {
                records.reverse();
            }
            for received in batch.messages() {
                let calm = u32::from(world.is_calm);
                if let Some(message) = world.model.messages.get_mut(&received.message.id) {
                    message.deliveries_in_calm += calm;
                }
            }
            world.counts.add(if queue == JOB_QUEUE { "batches of job messages" } else { "batches of follow-ups" });
            batch
        };
        let ids: Vec<String> = batch.messages().iter().map(|received| short(&received.message.id)).collect();
        let payload = batch.event.to_string();
        self.begin((payload, format!("{queue} {}", ids.join(" "))), Work::Batch(queue, batch));
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
        self.begin((event.payload.to_string(), format!("event {what}")), Work::Event(event));
    }

    /// The schedule's sweep, unless it is missed.
    pub(super) fn sweep(&mut self) {
        {
            let mut world = self.sim.world();
            let now = world.now();
            if world.sweep_at > now {
                return;
            }
            world.sweep_at = now + SWEEP_EVERY_MS;
            if world.fault(25) {
                world.counts.add("sweeps missed");
                return world.tell(|_| "a sweep is missed".to_owned());
            }
            world.counts.add("sweeps");
        }
        self.begin((r#"{"sweep": {}}"#.to_owned(), "sweep".to_owned()), Work::Sweep);
    }

    fn begin(&mut self, (payload, told): (String, String), work: Work) {
        self.begun += 1;
        let number = self.begun;
        let deadline = {
            let mut world = self.sim.world();
            world.counts.add("invocations");
            world.tell(|_| format!("#{number} begins: {told}"));
            world.now() + FUNCTION_TIMEOUT_MS
        };
        let (function, until) = (self.function, timestamp(deadline));
        let answering = Box::pin(async move { function.handle(&payload, until).await.map(|(response, _)| response) });
        self.running.push(Invocation { number, work, deadline, answering });
        self.sim.world().counts.at_least("invocations at once, at most", self.running.len() as u64);
        self.poll(number);
    }

    /// After the storm: everything takes its course, comes into order, and then to rest.
    pub(super) fn come_to_rest(&mut self) {
        if self.is_broken() {
            return;
        }
        self.sim.world().calm_down();
        let begun_at = self.sim.world().now();
        self.drain(begun_at + IN_ORDER_MS - LOOKED_AT_MS);
        let neglected = self.sim.world().neglected();
        self.drain(begun_at + IN_ORDER_MS);
        if self.is_broken() {
            return;
        }
        self.sim.world().check_order(&neglected);
        self.sim.world().finish_all();
        self.sim.world().others_let_go();
        let (jobs_over, all_over) = self.sim.world().over_at();
        let limit = all_over + AT_REST_MS;
        while !self.is_broken() {
            let now = self.sim.world().now();
            if now >= limit || now >= jobs_over && self.is_at_rest() {
                break;
            }
            self.sim.world().mend_failed();
            self.drain((now + SWEEP_EVERY_MS).min(limit));
        }
        let now = self.sim.world().now();
        self.drain(now + LOOKED_AT_MS);
        if !self.is_broken() {
            self.sim.world().check_rest();
        }
    }

    fn is_at_rest(&self) -> bool {
        self.running.is_empty() && self.sim.world().restless().is_none()
    }

    /// Delivers everything that is due, until this moment.
    fn drain(&mut self, until: Millis) {
        for _ in 0..STEPS_MAX {
            if self.is_broken() {
                return;
            }
            let has_room = self.running.len() < INVOCATIONS_AT_ONCE;
            let goes_on = !self.running.is_empty();
            let begins = has_room && (!goes_on || self.sim.world().choices.chance(20));
            if begins && self.deliver_any() {
                continue;
            }
            if goes_on {
                self.pass();
                continue;
            }
            let next = self.sim.world().next_due();
            if next > until {
                return self.advance(until);
            }
            self.advance(next);
        }
        let why = format!("there is no end to it: {STEPS_MAX} steps without coming to rest");
        self.sim.world().break_off(Broken::Convergence, why);
    }

    fn deliver_any(&mut self) -> bool {
        let (jobs, follow_ups, event, sweep) = {
            let world = self.sim.world();
            let (now, (jobs, follow_ups)) = (world.now(), world.visible());
            (jobs, follow_ups, world.events.next().is_some_and(|at| at <= now), world.sweep_at <= now)
        };
        match (event, jobs, follow_ups, sweep) {
            (true, ..) => self.deliver_event(),
            (_, true, ..) => self.deliver_jobs(),
            (_, _, true, _) => self.deliver_follow_ups(),
            (.., true) => self.sweep(),
            (false, false, false, false) => return false,
        }
        true
    }
}

impl World {
    /// No new faults. Those that have happened take their course.
    fn calm_down(&mut self) {
        (self.is_calm, self.calm_at) = (true, self.now());
        self.tell(|_| "THE STORM IS OVER".to_owned());
        self.mend_failed();
    }

    /// Somebody mends what has failed; else the service stays as it is for ever.
    fn mend_failed(&mut self) {
        let names: Vec<String> = self.model.services.keys().cloned().collect();
        for name in names {
            let mut region = self.region.lock();
            let has_failed = region.ecs.service(CLUSTER, &name).is_some_and(|service| {
                let primary = service.primary();
                primary.rollout_state == RolloutState::Failed || primary.failed_tasks > FAILED_TASKS_MAX
            });
            if has_failed {
                // Of five deployments none can be begun; one of them ends first.
                let _ = region.ecs.deploy(CLUSTER, &name);
            }
        }
    }

    /// Whoever else protects tasks lets them go.
    fn others_let_go(&mut self) {
        for task in self.running_tasks() {
            let is_protected = {
                let region = self.region.lock();
                region.ecs.task(&self.model.tasks[task].id).is_some_and(|task| task.is_protected())
            };
            let known = &self.model.tasks[task];
            if is_protected && !known.is_set_by_taskhold && known.jobs.iter().all(|job| !job.is_live_at(self.now())) {
                self.protect_itself(task, None);
            }
        }
    }

    /// When the last job ends, by what was declared, and when the last protection of anybody does too.
    fn over_at(&self) -> (Millis, Millis) {
        let region = self.region.lock();
        let jobs = self.model.tasks.iter().flat_map(|task| &task.jobs).filter(|job| !job.finish_sent);
        let jobs_over = jobs.filter_map(JobModel::until).max().unwrap_or(0).max(region.now());
        let protections = region.ecs.tasks().filter_map(|task| task.protected_until);
        (jobs_over, protections.max().unwrap_or(0).max(jobs_over))
    }

    /// The next moment at which anything happens by itself.
    fn next_due(&self) -> Millis {
        let region = self.region.lock().next_due();
        let others = [region, self.events.next(), self.next_late()];
        others.into_iter().flatten().chain([self.sweep_at]).min().expect("a sweep comes").max(self.now())
    }
}

/// The payloads of follow-ups that wait.
pub(super) fn follow_ups(world: &World) -> Vec<Value> {
    let region = world.region.lock();
    let waiting = region.queues.messages(FOLLOW_UP_QUEUE).expect("the queue is there");
    waiting.into_iter().filter_map(|message| serde_json::from_str(&message.body).ok()).collect()
}
