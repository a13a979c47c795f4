//! One invocation, top to bottom: `parse → observe → decide → apply → respond`.

mod batch;
mod check;
mod command;
mod sweep;

use crate::alert::AlertSink;
use crate::apply::{Apply, CALL_TIME, TaskChange};
use crate::clock::Clock;
use crate::config::Config;
use crate::decide::{RetryReason, TaskState};
use crate::ecs::{Ecs, ServiceReads, TaskPresence};
use crate::event::{EcsEvent, Invocation, ServicePrompt, TaskStopped};
use crate::follow_up::FollowUpQueue;
use crate::ledger::{Job, JobKey, Ledger, LedgerPages, ServiceEntry, TaskEntry};
use crate::park::ParkingQueue;
use crate::report::Answer;
use crate::telemetry::{self, Counts};
use aws_lambda_events::sqs::SqsBatchResponse;
use check::Checked;
use jiff::Timestamp;
use serde::Serialize;

/// What the function works with, by kind: AWS's services and the system's clock, or simulated ones.
pub trait Parts {
    /// ECS.
    type Ecs: Ecs + ServiceReads;
    /// The ledger of tasks and services.
    type Ledger: LedgerPages + LedgerPages<ServiceEntry>;
    /// Keeps what cannot be carried out.
    type Parking: ParkingQueue;
    /// Carries what is to be done later.
    type FollowUps: FollowUpQueue;
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
    /// What taskhold knows.
    pub ledger: P::Ledger,
    /// Where messages go that cannot be carried out; `None` leaves them to the queue's own redrive policy.
    pub parking: Option<P::Parking>,
    /// Where the function tells itself what to do later; `None` leaves it to the sweep.
    pub follow_ups: Option<P::FollowUps>,
    /// Who is told of incidents.
    pub alerts: P::Alerts,
    /// The time.
    pub clock: P::Clock,
    /// The settings.
    pub config: Config,
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
    /// ECS or the ledger failed.
    #[error("task `{0}` is said to have stopped, and its jobs could not be closed: {1}")]
    Stop(String, RetryReason),
    /// ECS, the ledger or the follow-up queue failed.
    #[error("service `{0}` could not be looked at: {1}")]
    Look(String, RetryReason),
}

/// What is to be done about a stop that was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopObserved {
    /// The task runs, or has no live jobs.
    NothingToClose,
    /// The task has stopped, and has live jobs.
    JobsToClose,
}

impl<P: Parts> Handler<P> {
    /// Handles one payload. `deadline` is when Lambda ends the invocation; what is not done by then is told to come again.
    ///
    /// # Errors
    /// An event of ECS could not be carried out, or a batch of SQS could not be read at all.
    pub async fn handle(&self, payload: &str, deadline: Timestamp) -> Result<(Response, Counts), HandlerError> {
        let counts = Counts::default();
        let response = match Invocation::parse(payload, &self.config.clusters) {
            Invocation::Sqs(batch) => Response::Batch(self.handle_batch(batch, deadline, &counts).await),
            Invocation::Ecs(event) => {
                let handled = self.handle_event(event, deadline, &counts).await;
                Response::Event { taskhold: handled.inspect_err(telemetry::event_failed)? }
            }
            Invocation::Command(command) => Response::Command(self.handle_command(command, deadline, &counts).await),
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

    async fn handle_event(
        &self,
        event: EcsEvent,
        deadline: Timestamp,
        counts: &Counts,
    ) -> Result<String, HandlerError> {
        let stopped = match event {
            EcsEvent::TaskStopped(stopped) => stopped,
            EcsEvent::Service(prompt) => return self.handle_prompt(&prompt, deadline).await,
            EcsEvent::Ignored(what) => {
                telemetry::ignored(&what);
                counts.unrecognized.add(1);
                return Ok(format!("nothing to do for {what}"));
            }
        };
        let failed = |reason: RetryReason| HandlerError::Stop(stopped.task.to_string(), reason);
        if self.observe_stop(&stopped, &[], deadline).await.map_err(failed)? == StopObserved::NothingToClose {
            return Ok(format!("nothing to do for task {}", stopped.task));
        }
        let change = TaskChange { presence: TaskPresence::Stopped, ..TaskChange::none(stopped.task.clone()) };
        match self.apply(deadline, counts).run(vec![change]).await.pop() {
            Some(TaskState::NotStored(reason)) => Err(failed(reason)),
            _ => Ok(format!("closed the jobs of task {}", stopped.task)),
        }
    }

    async fn handle_prompt(&self, prompt: &ServicePrompt, deadline: Timestamp) -> Result<String, HandlerError> {
        let ServicePrompt { service, name } = prompt;
        match self.heed(prompt, deadline).await {
            Ok(Checked::Looked { alerts }) => Ok(format!("looked at service {service}: {alerts} alerts")),
            Ok(Checked::Later) => Ok(format!("service {service} is looked at in a moment")),
            Ok(Checked::NotNeeded) => Ok(format!("nothing to do for {} of service {service}", name.as_str())),
            Err(reason) => Err(HandlerError::Look(service.to_string(), reason)),
        }
    }

    /// Whether a task that is said to have stopped has live jobs to be closed, those included that were told together with
    /// the stop, and has really stopped. Anybody who may send to the job queue can claim a stop, so ECS is asked; a task
    /// without live jobs is not worth the call.
    async fn observe_stop(
        &self,
        stopped: &TaskStopped,
        told: &[(JobKey, Job)],
        deadline: Timestamp,
    ) -> Result<StopObserved, RetryReason> {
        let task = &stopped.task;
        let mut entry = Ledger::<TaskEntry>::load(&self.ledger, task).await?.entry;
        told.iter().for_each(|(key, job)| entry.merge_job(key, job));
        if entry.live_jobs(self.clock.now()).next().is_none() {
            return Ok(StopObserved::NothingToClose);
        }
        if deadline.duration_since(self.clock.now()) < CALL_TIME {
            return Err(RetryReason::OutOfTime);
        }
        let presence = self.ecs.task_presence(task).await?;
        telemetry::stop_observed(stopped, presence, &entry, self.clock.now());
        Ok(match presence {
            TaskPresence::Running => StopObserved::NothingToClose,
            TaskPresence::Stopped => StopObserved::JobsToClose,
        })
    }

    fn apply<'a>(&'a self, deadline: Timestamp, counts: &'a Counts) -> Apply<'a, P::Ecs, P::Ledger, P::Clock> {
        let Self { ecs, ledger, clock, config, .. } = self;
        Apply { ecs, ledger, clock, config, deadline, counts }
    }
}
