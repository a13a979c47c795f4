//! A simulated Region with the function in it. Time passes, and due deliveries are made as far as a test allows.

use super::counted::{InvocationCause, WatchedCalls};
use super::log::CapturedLog;
use super::parts::{Alerts, RecordedRechecks, locked};
use super::store::MeasuredStore;
use ecs_sim::control_plane::{ControlPlane, Millis, ServiceSpec, Setup};
use ecs_sim::doubles::clock::{SimulatedClock, timestamp};
use ecs_sim::doubles::ecs::SimulatedEcs;
use ecs_sim::doubles::parts::parts;
use ecs_sim::doubles::queues::{SimulatedDeadLetterQueue, SimulatedInterruptedJobQueue, SimulatedRecheckQueue};
use ecs_sim::doubles::settings::config;
use ecs_sim::doubles::stepped::Stepped;
use ecs_sim::doubles::steps::Steps;
use ecs_sim::event_source::{EventSource, FunctionAnswer};
use ecs_sim::region::{JOB_QUEUE, RECHECK_QUEUE, Region, SharedRegion};
use serde_json::Value;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use taskhold::config::settings::Config;
use taskhold::lambda::function::{Function, Parts};

pub(crate) const SECOND: Millis = 1000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;

/// As in template.yaml.
const FUNCTION_TIMEOUT: Millis = 30 * SECOND;
/// As in template.yaml.
const RECHECKS_AT_ONCE: usize = 10;
/// As in template.yaml.
const JOB_MESSAGES_AT_ONCE: usize = 1000;
/// Lambda retries a failed asynchronous invocation twice, after one minute and after two (AWS Lambda Developer
/// Guide, "How Lambda handles errors and retries with asynchronous invocation").
const EVENT_RETRIES: [Millis; 2] = [MINUTE, 2 * MINUTE];
/// More deliveries at one moment than this are a loop.
const DELIVERIES_MAX: usize = 10_000;

/// What reaches the function without an action of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivers {
    pub(crate) events: bool,
    pub(crate) rechecks: bool,
    pub(crate) sweep_every: Option<Millis>,
}

pub(crate) struct WatchedWorld {
    pub(crate) region: SharedRegion,
    pub(crate) function: Function,
    pub(crate) parts: WatchedParts,
    pub(crate) steps: Steps,
    /// The calls to ECS, as far as they have been counted.
    pub(super) counted: Mutex<WatchedCalls>,
    pub(crate) log: CapturedLog,
    pub(crate) delivers: Delivers,
    pub(crate) next_sweep: Millis,
    /// The point at which the next invocation for this reason dies.
    pub(crate) dies_at: Option<(InvocationCause, usize)>,
    /// The point at which an invocation has died.
    pub(crate) died: Option<String>,
    /// Invocations that failed or died.
    pub(crate) failures: usize,
    /// Events that reached the function, by name. Events about stopped tasks have none.
    pub(crate) events_delivered: BTreeMap<String, u64>,
    events: BTreeMap<(Millis, u64), (Value, usize)>,
    events_made: u64,
}

/// The parts of the function that a test looks into.
pub(crate) struct WatchedParts {
    pub(crate) store: Arc<Stepped<MeasuredStore>>,
    pub(crate) rechecks: Arc<Stepped<RecordedRechecks>>,
    pub(crate) alerts: Arc<Stepped<Alerts>>,
}

impl WatchedParts {
    fn function(&self, region: &SharedRegion, steps: &Steps, config: Config) -> Function {
        let ecs = Stepped::new(SimulatedEcs(region.clone()), steps);
        Function::new(Parts {
            task_records: self.store.clone(),
            service_records: self.store.clone(),
            dead_letters: Some(Arc::new(SimulatedDeadLetterQueue(region.clone()))),
            rechecks: Some(self.rechecks.clone()),
            interrupted: Some(Arc::new(SimulatedInterruptedJobQueue(region.clone()))),
            alerts: self.alerts.clone(),
            ..parts(Arc::new(ecs), Arc::new(SimulatedClock(region.clone())), config)
        })
    }
}

impl WatchedWorld {
    /// The function on an empty cluster, with these settings in addition to the required ones. Only events and
    /// rechecks reach it.
    pub(crate) fn new(setup: Setup, settings: &[(&str, &str)]) -> Self {
        let region = SharedRegion::new(Region::new(setup));
        let steps = Steps::default();
        let queue = SimulatedRecheckQueue(region.clone());
        let rechecks = RecordedRechecks { queue, disorder: Arc::default(), sent: Arc::default() };
        let alerts = Alerts { region: region.clone(), notices: Arc::default() };
        let parts = WatchedParts {
            store: Arc::new(Stepped::new(MeasuredStore::at(SimulatedClock(region.clone())), &steps)),
            rechecks: Arc::new(Stepped::new(rechecks, &steps)),
            alerts: Arc::new(Stepped::new(alerts, &steps)),
        };
        let config = config(&region.lock(), settings.iter().copied()).unwrap();
        let function = parts.function(&region, &steps, config);
        let now = region.lock().now();
        Self {
            region,
            function,
            parts,
            steps,
            counted: Mutex::default(),
            log: CapturedLog::begin(),
            delivers: Delivers { events: true, rechecks: true, sweep_every: None },
            next_sweep: now,
            dies_at: None,
            died: None,
            failures: 0,
            events_delivered: BTreeMap::new(),
            events: BTreeMap::new(),
            events_made: 0,
        }
    }

    /// Another instance of the function, with the same store, queues and receivers.
    pub(crate) fn another_instance(&self) -> Function {
        self.parts.function(&self.region, &self.steps, self.function.config().clone())
    }

    pub(crate) fn now(&self) -> Millis {
        self.region.lock().now()
    }

    /// A service that is already running. Returns the ids of its tasks.
    pub(crate) fn create(&mut self, spec: ServiceSpec) -> Vec<String> {
        self.region.lock().ecs.create_service(spec).unwrap()
    }

    /// Changes ECS. The function may learn of it when time passes.
    pub(crate) fn ecs<T>(&mut self, act: impl FnOnce(&mut ControlPlane) -> T) -> T {
        act(&mut self.region.lock().ecs)
    }

    /// These tasks protect themselves for this many minutes, or clear their protection.
    pub(crate) fn protect(&mut self, tasks: &[String], minutes: Option<i64>) {
        for task in tasks {
            let answer = self.ecs(|ecs| ecs.set_own_protection(task, minutes)).unwrap();
            assert!(answer.failures.is_empty(), "{:?}", answer.failures);
        }
    }

    /// Sweeps from now on at this interval, first after `pause`.
    pub(crate) fn sweep_every(&mut self, every: Millis, pause: Millis) {
        self.delivers.sweep_every = Some(every);
        self.next_sweep = self.now() + pause;
    }

    /// Lets time pass, from one due time to the next.
    pub(crate) fn advance(&mut self, by: Millis) {
        let until = self.now() + by;
        self.deliver();
        loop {
            let next = self.next_due().filter(|due| *due <= until).unwrap_or(until);
            self.region.lock().advance_to(next);
            self.deliver();
            if next >= until && self.next_due().is_none_or(|due| due > until) {
                return;
            }
        }
    }

    fn next_due(&self) -> Option<Millis> {
        let event = self.events.keys().next().map(|(at, _)| *at);
        let sweep = self.delivers.sweep_every.map(|_| self.next_sweep);
        self.region.lock().next_due().into_iter().chain(event).chain(sweep).min()
    }

    /// Delivers everything that is due until nothing is left.
    pub(crate) fn deliver(&mut self) {
        for _ in 0..DELIVERIES_MAX {
            self.hear();
            if !(self.deliver_event() || self.sweep() || self.deliver_batches()) {
                return;
            }
        }
        panic!("more than {DELIVERIES_MAX} deliveries at one moment");
    }

    /// Receives the events that ECS has sent and delivers those that match the template's rules.
    fn hear(&mut self) {
        let (now, events) = {
            let mut region = self.region.lock();
            (region.now(), region.ecs.take_events())
        };
        let of_tasks = |event: &Value| event["detail-type"] == "ECS Task State Change";
        let delivers = self.delivers.events;
        let passes = |event: &Value| delivers && (!of_tasks(event) || event["detail"]["lastStatus"] == "STOPPED");
        for event in events.into_iter().filter(passes) {
            self.send_event(event, now);
        }
    }

    /// Sends an event that arrives at this time.
    pub(crate) fn send_event(&mut self, event: Value, arrives_at: Millis) {
        self.events_made += 1;
        self.events.insert((arrives_at, self.events_made), (event, 0));
    }

    /// Removes the events in transit and returns them.
    pub(crate) fn take_events(&mut self) -> Vec<Value> {
        self.hear();
        std::mem::take(&mut self.events).into_values().map(|(event, _)| event).collect()
    }

    fn deliver_event(&mut self) -> bool {
        let now = self.now();
        if self.events.keys().next().is_none_or(|(at, _)| *at > now) {
            return false;
        }
        let Some((_, (event, attempt))) = self.events.pop_first() else { return false };
        let name = event["detail"]["eventName"].as_str().unwrap_or("a task has stopped");
        *self.events_delivered.entry(name.to_owned()).or_default() += 1;
        if self.invoke(&json(&event), InvocationCause::Event) == FunctionAnswer::Failed
            && let Some(pause) = EVENT_RETRIES.get(attempt)
        {
            self.events_made += 1;
            self.events.insert((self.now() + pause, self.events_made), (event, attempt + 1));
        }
        true
    }

    fn sweep(&mut self) -> bool {
        let Some(every) = self.delivers.sweep_every.filter(|_| self.next_sweep <= self.now()) else { return false };
        self.next_sweep += every;
        self.invoke(r#"{"sweep": {}}"#, InvocationCause::Sweep);
        true
    }

    fn deliver_batches(&mut self) -> bool {
        let rechecks = self.delivers.rechecks && self.deliver_batch(RECHECK_QUEUE, RECHECKS_AT_ONCE);
        rechecks || self.deliver_batch(JOB_QUEUE, JOB_MESSAGES_AT_ONCE)
    }

    fn deliver_batch(&mut self, queue: &str, size: usize) -> bool {
        let source = EventSource::new(queue, size);
        let Some(batch) = source.poll(&mut self.region.lock().queues).unwrap() else { return false };
        let cause = if queue == RECHECK_QUEUE { InvocationCause::Recheck } else { InvocationCause::Job };
        let answer = self.invoke(&json(&batch.event), cause);
        source.settle(&mut self.region.lock().queues, &batch, &answer).unwrap();
        true
    }

    /// Invokes the function, which dies on the way if the test wants it to.
    pub(crate) fn invoke(&mut self, payload: &str, cause: InvocationCause) -> FunctionAnswer {
        self.counted().cause = cause;
        let dies_at = self.dies_at.take_if(|(of, _)| *of == cause).map(|(_, point)| point);
        let stepped_anyway = self.steps.is_on();
        if dies_at.is_some() {
            self.steps.enable();
        }
        let deadline = timestamp(self.now() + FUNCTION_TIMEOUT);
        let mut invocation = pin!(self.function.handle(payload, deadline));
        let mut context = Context::from_waker(Waker::noop());
        let mut points = 0;
        let answer = loop {
            match invocation.as_mut().poll(&mut context) {
                Poll::Ready(Ok((response, _))) => {
                    break FunctionAnswer::Answered(serde_json::to_value(response).unwrap());
                }
                Poll::Ready(Err(_)) => break FunctionAnswer::Failed,
                Poll::Pending => points += 1,
            }
            if dies_at == Some(points) {
                self.died = Some(self.steps.last());
                break FunctionAnswer::Failed;
            }
        };
        if !stepped_anyway {
            self.steps.disable();
        }
        drop(self.counted()); // of this cause
        self.failures += usize::from(answer == FunctionAnswer::Failed);
        answer
    }
}

/// Replaces a shared value: for tests that reach into a part.
pub(crate) fn set<T>(shared: &Arc<Mutex<T>>, value: T) {
    *locked(shared) = value;
}

/// As text. Not by `to_string`, which takes several times as long in a debug build.
fn json(value: &Value) -> String {
    serde_json::to_string(value).unwrap()
}
