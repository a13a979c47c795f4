//! A backend of the simulated queues, topics and scalable targets, and of an ECS that the caller supplies.

use serde_json::Value;

use super::backend::{AwsService, Backend, ServiceAnswer, ServiceCall};
use super::topics::Topics;
use crate::autoscaling::ScalableTargets;
use crate::control_plane::ControlPlane;
use crate::queue::{self, Queues};

/// The ECS behind the server.
pub trait EcsBackend: Send + 'static {
    /// Answers a call made at `now_ms`, in milliseconds since the epoch.
    fn call(&mut self, now_ms: i64, operation: &str, input: &Value) -> ServiceAnswer;
}

impl<F: FnMut(i64, &str, &Value) -> ServiceAnswer + Send + 'static> EcsBackend for F {
    fn call(&mut self, now_ms: i64, operation: &str, input: &Value) -> ServiceAnswer {
        self(now_ms, operation, input)
    }
}

impl EcsBackend for ControlPlane {
    fn call(&mut self, now_ms: i64, operation: &str, input: &Value) -> ServiceAnswer {
        self.advance_to(now_ms);
        ControlPlane::call(self, operation, input).into()
    }
}

/// ECS, SQS, SNS and Application Auto Scaling under one clock, which is read for every call.
pub struct Services<E> {
    /// ECS.
    pub ecs: E,
    /// SQS.
    pub queues: Queues,
    /// SNS.
    pub topics: Topics,
    /// Application Auto Scaling. Here it sets no counts.
    pub autoscaling: ScalableTargets,
    clock: Box<dyn FnMut() -> i64 + Send>,
}

impl<E: EcsBackend> Services<E> {
    /// These services under this clock, in milliseconds since the epoch: [`wall_clock`] for an interactive server, a
    /// simulated one for tests.
    pub fn new(ecs: E, queues: Queues, clock: impl FnMut() -> i64 + Send + 'static) -> Self {
        let (topics, autoscaling) = (Topics::default(), ScalableTargets::default());
        Self { ecs, queues, topics, autoscaling, clock: Box::new(clock) }
    }

    /// Advances the queues to the clock's time, and returns it.
    pub fn advance(&mut self) -> i64 {
        self.queues.advance_to((self.clock)());
        self.autoscaling.advance_to(self.queues.now());
        self.queues.now()
    }
}

impl<E> std::fmt::Debug for Services<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { queues, topics, autoscaling, .. } = self;
        let mut shown = f.debug_struct("Services");
        shown.field("queues", queues).field("topics", topics).field("autoscaling", autoscaling).finish_non_exhaustive()
    }
}

impl<E: EcsBackend> Backend for Services<E> {
    fn call(&mut self, call: ServiceCall) -> ServiceAnswer {
        let now_ms = self.advance();
        let ServiceCall { service, operation, body, access_key_id } = call;
        match service {
            AwsService::Ecs => self.ecs.call(now_ms, &operation, &body),
            AwsService::Sqs => queue::api::call(&mut self.queues, access_key_id.as_deref(), &operation, &body).into(),
            AwsService::Sns => self.topics.call(&operation, &body).into(),
            AwsService::ApplicationAutoScaling => self.autoscaling.call(&operation, &body).into(),
        }
    }
}

/// The machine's time, in milliseconds since the epoch, for servers that run in real time. Nothing else in this crate
/// reads a clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "an interactive server runs in real time")]
pub fn wall_clock() -> i64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let since_epoch = since_epoch.expect("no machine that runs this is set before 1970");
    i64::try_from(since_epoch.as_millis()).expect("milliseconds fit for 292 million years")
}
