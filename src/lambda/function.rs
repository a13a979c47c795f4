//! One invocation from top to bottom: recognize the payload, reconcile tasks and services, respond.

use crate::api::answer::Answer;
use crate::api::command::Command;
use crate::api::commands::Commands;
use crate::api::gatekeeper::Gatekeeper;
use crate::api::hook::HookAnswer;
use crate::budget::Budget;
use crate::clock::Clock;
use crate::config::settings::Config;
use crate::ecs::EcsClient;
use crate::ecs::autoscaling::Autoscaling;
use crate::lambda::dead_letter::DeadLetterQueue;
use crate::lambda::ecs_event::EcsEvent;
use crate::lambda::payload::Invocation;
use crate::metrics::Counts;
use crate::notify::sender::Sender;
use crate::notify::sink::{InterruptedJobQueue, JobForwarder, Notifier, Sink};
use crate::outbox::Deliver;
use crate::service::denial::DenialWarning;
use crate::service::lookups::{EventOrigin, LookupLimit};
use crate::service::recheck::RecheckQueue;
use crate::service::reconciler::{Reconciled, ServiceReconciler};
use crate::service::record::ServiceRecord;
use crate::service::trigger::ServiceTrigger;
use crate::store::StorePages;
use crate::task::change::TaskChange;
use crate::task::interruption::StopStage;
use crate::task::outcome::{TaskState, Unsettled};
use crate::task::rate_limit::RateLimit;
use crate::task::reconciler::TaskReconciler;
use crate::task::record::TaskRecord;
use crate::task::stop::{StopReport, TaskStopEvent};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use tracing::{debug, info, warn};

/// The function with its adapters.
pub struct Function {
    /// The reconciler of services, which contains the reconciler of tasks.
    pub services: ServiceReconciler,
    /// The dead-letter queue; `None` leaves failed messages to the source queue's own redrive policy.
    pub dead_letters: Option<Arc<dyn DeadLetterQueue>>,
}

/// The adapters and settings of which a function is assembled: AWS services and the system clock, or simulated ones.
pub struct Parts {
    /// ECS.
    pub ecs: Arc<dyn EcsClient>,
    /// Application Auto Scaling.
    pub autoscaling: Arc<dyn Autoscaling>,
    /// Task records.
    pub task_records: Arc<dyn StorePages<TaskRecord>>,
    /// Service records.
    pub service_records: Arc<dyn StorePages<ServiceRecord>>,
    /// The dead-letter queue; `None` leaves failed messages to the source queue's own redrive policy.
    pub dead_letters: Option<Arc<dyn DeadLetterQueue>>,
    /// The recheck queue; `None` leaves rechecks to the sweep.
    pub rechecks: Option<Arc<dyn RecheckQueue>>,
    /// The queue for interrupted jobs; `None` leaves them to the alert.
    pub interrupted: Option<Arc<dyn InterruptedJobQueue>>,
    /// Delivers alerts.
    pub alerts: Arc<dyn Sink>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub config: Config,
    /// The rate limit of protection calls.
    pub rate_limit: RateLimit,
}

/// The function's response.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// To an SQS batch: the messages to retry.
    Batch(SqsBatchResponse),
    /// To a command.
    Command(Answer),
    /// To a deployment lifecycle hook.
    Hook(HookAnswer),
    /// To an event: the result in words. EventBridge ignores it; it helps when you invoke the function by hand.
    Event {
        /// One sentence.
        taskhold: String,
    },
}

/// A payload could not be handled, and Lambda retries the invocation.
///
/// SQS messages do not end here, since each has its own outcome, unless the batch cannot be parsed at all.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// The messages of a batch cannot be parsed.
    #[error("cannot read the messages of the payload: {0}")]
    UnreadableBatch(String),
    /// Messages that no queue delivers again must be retried.
    #[error("{failed} of {all} messages must be retried; the log says why, and the invoker must send them again")]
    Messages {
        /// The number of messages to retry.
        failed: usize,
        /// The number of messages in the payload.
        all: usize,
    },
    /// ECS or the state store failed.
    #[error("could not close the jobs of stopping task `{0}`: {1}")]
    Stop(String, Unsettled),
    /// ECS, the state store or the recheck queue failed.
    #[error("could not reconcile service `{0}`: {1}")]
    Reconcile(String, Unsettled),
}

impl FunctionError {
    /// The `errorType` of the failed invocation.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::UnreadableBatch(_) => "UnreadableMessages",
            Self::Messages { .. } => "MessagesToRetry",
            Self::Stop(..) => "TaskNotReconciled",
            Self::Reconcile(..) => "ServiceNotReconciled",
        }
    }
}

impl Function {
    /// Assembles a function.
    pub fn new(parts: Parts) -> Self {
        let Parts { ecs, autoscaling, dead_letters, rechecks, clock, config, rate_limit, .. } = parts;
        let sender = Sender { function: config.function_name.clone() };
        let notifier = Arc::new(Notifier { sink: parts.alerts, sender });
        let interrupted = parts.interrupted.map(|queue| Arc::new(JobForwarder(queue)) as Arc<dyn Deliver<_>>);
        let tasks = TaskReconciler {
            ecs,
            store: parts.task_records,
            interrupted,
            notifier: notifier.clone(),
            clock,
            config,
            rate_limit,
            lookups: RateLimit::of_lookups(),
        };
        let (store, lookups, denial) = (parts.service_records, LookupLimit::default(), DenialWarning::default());
        let services = ServiceReconciler { tasks, autoscaling, store, notifier, rechecks, lookups, denial };
        Self { services, dead_letters }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.services.tasks.config
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.services.tasks.clock
    }

    /// Handles one payload. `deadline` is when Lambda ends the invocation; work that is not done by then is retried.
    ///
    /// # Errors An ECS event could not be handled, or an SQS batch could not be parsed at all.
    pub async fn handle(&self, payload: &str, deadline: Timestamp) -> Result<(Response, Counts), FunctionError> {
        let counts = Counts::default();
        let budget = Budget { deadline, counts: &counts };
        let response = match Invocation::parse(payload, &self.config().clusters) {
            Invocation::Sqs(batch) => Response::Batch(self.handle_batch(batch, budget).await),
            Invocation::Messages(messages) => self.handle_messages(messages, budget).await.inspect_err(log_failure)?,
            Invocation::Ecs(event) => {
                let handled = self.handle_event(event, budget).await;
                Response::Event { taskhold: handled.inspect_err(log_failure)? }
            }
            Invocation::Command(Ok(Command::Sweep)) => {
                Response::Command(Answer::Sweep(self.sweep(budget).boxed_local().await))
            }
            Invocation::Command(Ok(Command::Redrive(command))) => {
                Response::Command(self.redrive(command, budget).boxed_local().await)
            }
            Invocation::Command(Ok(Command::Services(command))) => {
                Response::Command(Commands { services: &self.services }.answer(command, budget).await)
            }
            Invocation::Command(Err(error)) => Response::Command(Answer::from(error)),
            Invocation::Hook(input) => {
                Response::Hook(Gatekeeper { services: &self.services }.answer(&input, budget).await)
            }
            Invocation::UnreadableBatch(what) => {
                let error = FunctionError::UnreadableBatch(what);
                log_failure(&error);
                return Err(error);
            }
            Invocation::Unrecognized(what) => {
                info!(what, "acknowledging an unrecognized payload");
                counts.unrecognized.add(1);
                Response::Event { taskhold: format!("unrecognized, nothing done: {what}") }
            }
        };
        Ok((response, counts))
    }

    async fn handle_messages(&self, messages: SqsEvent, budget: Budget<'_>) -> Result<Response, FunctionError> {
        let all = messages.records.len();
        match self.handle_batch(messages, budget).await.batch_item_failures.len() {
            0 => Ok(Response::Event { taskhold: format!("handled {all} messages") }),
            failed => Err(FunctionError::Messages { failed, all }),
        }
    }

    async fn handle_event(&self, event: EcsEvent, budget: Budget<'_>) -> Result<String, FunctionError> {
        match event {
            EcsEvent::TaskStopEvent(stop) => self.handle_stop(&stop, budget).await,
            EcsEvent::Service(trigger) => self.handle_trigger(&trigger, budget).await,
            EcsEvent::Ignored(what) => {
                debug!(what, "acknowledging an event that requires no action");
                budget.counts.unrecognized.add(1);
                Ok(format!("nothing to do for {what}"))
            }
        }
    }

    async fn handle_stop(&self, stop: &TaskStopEvent, budget: Budget<'_>) -> Result<String, FunctionError> {
        let task = &stop.task;
        let failed = |reason: Unsettled| FunctionError::Stop(task.to_string(), reason);
        let end = self.services.tasks.read_stop(stop, budget).await.map_err(failed)?;
        let Some(StopReport { end, protection }) = end else {
            // An earlier attempt may have left a pending notification.
            self.services.tasks.report_interruptions_of(task).await.map_err(failed)?;
            return Ok(format!("nothing to do for task {task}"));
        };
        let did = match end.as_ref().map(|end| end.stage) {
            None => format!(
                "leaving the jobs of task {task}, whose worker has cleared its protection, until it has stopped"
            ),
            Some(StopStage::Stopping) => format!("reported that task {task} is stopping with running jobs"),
            Some(StopStage::Stopped) => format!("closed the jobs of task {task}"),
        };
        let change = TaskChange { end, protection, ..TaskChange::none(task.clone()) };
        if let Some(TaskState::NotStored(reason)) = self.services.tasks.reconcile(vec![change], budget).await.pop() {
            return Err(failed(reason));
        }
        self.services.tasks.report_interruptions_of(task).await.map_err(failed)?;
        Ok(did)
    }

    async fn handle_trigger(&self, trigger: &ServiceTrigger, budget: Budget<'_>) -> Result<String, FunctionError> {
        let ServiceTrigger { service, name } = trigger;
        match self.services.on_trigger(trigger, EventOrigin::EventBridge, budget).await {
            Ok(Reconciled::Done { alerts }) => Ok(format!("reconciled service {service}: {alerts} alerts")),
            Ok(Reconciled::Later) => Ok(format!("a recheck reconciles service {service} soon")),
            Ok(Reconciled::NotNeeded) => Ok(format!("nothing to do for {} of service {service}", name.as_str())),
            Err(reason) => Err(FunctionError::Reconcile(service.to_string(), reason)),
        }
    }
}

fn log_failure(failure: &FunctionError) {
    warn!(%failure, "could not handle an event; Lambda retries it");
}
