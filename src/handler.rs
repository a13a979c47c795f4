//! One invocation, top to bottom: `parse → observe → decide → apply → respond`.

mod batch;
mod check;
mod command;
mod refusals;
mod release;
mod remediations;
mod stops;
mod sweep;

use crate::alert::AlertSink;
use crate::apply::{Apply, RateLimit, TaskChange};
use crate::autoscaling::Autoscaling;
use crate::clock::Clock;
use crate::config::Config;
use crate::dead_letter::DeadLetterQueue;
use crate::decide::{RetryReason, TaskState};
use crate::ecs::{Ecs, ServiceReads, ServiceUpdates};
use crate::event::{EcsEvent, Invocation, ServiceTrigger, TaskStopEvent};
use crate::interrupted::InterruptedJobQueue;
use crate::recheck::RecheckQueue;
use crate::report::Answer;
use crate::store::{ServiceRecord, StopStage, StorePages};
use crate::telemetry::{self, Counts};
use aws_lambda_events::sqs::SqsBatchResponse;
use check::Reconciled;
use jiff::Timestamp;
use serde::Serialize;

/// What the function works with, by kind: AWS's services and the system's clock, or simulated ones.
pub trait Parts {
    /// ECS.
    type Ecs: Ecs + ServiceReads + ServiceUpdates;
    /// Application Auto Scaling.
    type Autoscaling: Autoscaling;
    /// The state store of tasks and services.
    type Store: StorePages + StorePages<ServiceRecord>;
    /// Keeps what cannot be carried out.
    type DeadLetters: DeadLetterQueue;
    /// Carries what is to be done later.
    type Rechecks: RecheckQueue;
    /// Takes the jobs that were interrupted.
    type Interrupted: InterruptedJobQueue;
    /// Carries alerts.
    type Alerts: AlertSink;
    /// Tells the time.
    type Clock: Clock;
}

/// The function, with everything that it works with.
#[derive(Debug)]
pub struct Handler<P: Parts> {
    /// ECS.
    pub ecs: P::Ecs,
    /// Who else sets desired counts.
    pub autoscaling: P::Autoscaling,
    /// What taskhold knows.
    pub store: P::Store,
    /// Where messages go that cannot be carried out; `None` leaves them to the queue's own redrive policy.
    pub dead_letters: Option<P::DeadLetters>,
    /// Where the function tells itself what to do later; `None` leaves it to the sweep.
    pub rechecks: Option<P::Rechecks>,
    /// Where jobs are handed on that were interrupted; `None` leaves them to whoever is told of them.
    pub interrupted: Option<P::Interrupted>,
    /// Who is told of incidents.
    pub alerts: P::Alerts,
    /// The time.
    pub clock: P::Clock,
    /// The settings.
    pub config: Config,
    /// How fast protection calls are sent.
    pub rate_limit: RateLimit,
}

/// What the function answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To a batch of SQS: the messages that have to come again.
    Batch(SqsBatchResponse),
    /// To a command.
    Command(Answer),
    /// To an event: what was made of it. EventBridge does not read it, a person who tries things out does.
    Event {
        /// A sentence.
        taskhold: String,
    },
}

/// A payload could not be carried out; Lambda invokes again.
///
/// Messages of SQS do not end here, since each has an ending of its own, unless they cannot be told apart at all.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The messages of a batch cannot be told apart.
    #[error("a batch of sqs cannot be read: {0}")]
    UnreadableBatch(String),
    /// ECS or the state store failed.
    #[error("task `{0}` is said to stop, and its jobs could not be seen to: {1}")]
    Stop(String, RetryReason),
    /// ECS, the state store or the recheck queue failed.
    #[error("service `{0}` could not be looked at: {1}")]
    Look(String, RetryReason),
}

/// So many services are looked at at once, each by several reads: their buckets give 20 calls a second after a burst of 100
/// (aws-facts "ECS: the protection API").
const SERVICES_AT_ONCE: usize = 4;

/// What an invocation works within.
#[derive(Clone, Copy, Debug)]
struct Within<'a> {
    /// When Lambda ends it.
    deadline: Timestamp,
    /// What it counts.
    counts: &'a Counts,
}

impl<P: Parts> Handler<P> {
    /// Handles one payload. `deadline` is when Lambda ends the invocation; what is not done by then is told to come again.
    ///
    /// # Errors
    /// An event of ECS could not be carried out, or a batch of SQS could not be read at all.
    pub async fn handle(&self, payload: &str, deadline: Timestamp) -> Result<(Response, Counts), HandlerError> {
        let counts = Counts::default();
        let within = Within { deadline, counts: &counts };
        let response = match Invocation::parse(payload, &self.config.clusters) {
            Invocation::Sqs(batch) => Response::Batch(self.handle_batch(batch, within).await),
            Invocation::Ecs(event) => {
                let handled = self.handle_event(event, within).await;
                Response::Event { taskhold: handled.inspect_err(telemetry::event_failed)? }
            }
            Invocation::Command(command) => Response::Command(self.handle_command(command, within).await),
            Invocation::UnreadableBatch(what) => {
                let error = HandlerError::UnreadableBatch(what);
                telemetry::event_failed(&error);
                return Err(error);
            }
            Invocation::Unrecognized(what) => {
                telemetry::unrecognized(&what);
                counts.unrecognized.add(1);
                Response::Event { taskhold: format!("unrecognized, nothing done: {what}") }
            }
        };
        Ok((response, counts))
    }

    async fn handle_event(&self, event: EcsEvent, within: Within<'_>) -> Result<String, HandlerError> {
        match event {
            EcsEvent::TaskStopEvent(stop) => self.handle_stop(&stop, within).await,
            EcsEvent::Service(prompt) => self.handle_prompt(&prompt, within).await,
            EcsEvent::Ignored(what) => {
                telemetry::ignored(&what);
                within.counts.unrecognized.add(1);
                Ok(format!("nothing to do for {what}"))
            }
        }
    }

    async fn handle_stop(&self, stop: &TaskStopEvent, within: Within<'_>) -> Result<String, HandlerError> {
        let task = &stop.task;
        let failed = |reason: RetryReason| HandlerError::Stop(task.to_string(), reason);
        let end = self.observe_stop(stop, &[], within).await.map_err(failed)?;
        let Some(end) = end else {
            // What could not be told the last time has been left to this one.
            self.tell_interruption(task).await.map_err(failed)?;
            return Ok(format!("nothing to do for task {task}"));
        };
        let did = match end.stage {
            StopStage::Stopping => format!("told that task {task} is about to stop in the middle of its jobs"),
            StopStage::Stopped => format!("closed the jobs of task {task}"),
        };
        let change = TaskChange { end: Some(end), ..TaskChange::none(task.clone()) };
        if let Some(TaskState::NotStored(reason)) = self.apply(within).run(vec![change]).await.pop() {
            return Err(failed(reason));
        }
        self.tell_interruption(task).await.map_err(failed)?;
        Ok(did)
    }

    async fn handle_prompt(&self, prompt: &ServiceTrigger, within: Within<'_>) -> Result<String, HandlerError> {
        let ServiceTrigger { service, name } = prompt;
        match self.on_trigger(prompt, within).await {
            Ok(Reconciled::Done { alerts }) => Ok(format!("looked at service {service}: {alerts} alerts")),
            Ok(Reconciled::Later) => Ok(format!("service {service} is looked at in a moment")),
            Ok(Reconciled::NotNeeded) => Ok(format!("nothing to do for {} of service {service}", name.as_str())),
            Err(reason) => Err(HandlerError::Look(service.to_string(), reason)),
        }
    }

    fn apply<'a>(&'a self, within: Within<'a>) -> Apply<'a, P::Ecs, P::Store, P::Clock> {
        let (Self { ecs, store, clock, config, rate_limit, .. }, Within { deadline, counts }) = (self, within);
        Apply { ecs, store, clock, config, rate_limit, deadline, counts }
    }
}
