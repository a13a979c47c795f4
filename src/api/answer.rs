//! The JSON answers for operators and CI steps. Their shapes are published in `schemas/answers.schema.json`.

use crate::api::command::CommandError;
pub use crate::api::service_answer::ANSWER_BYTES_MAX;
use crate::api::service_answer::{PreflightReport, ServiceReport};
use crate::ecs::service::ServiceArn;
use crate::notify::json::values::bounded;

use serde::Serialize;

/// The answer to a command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// Answers `status`.
    Status {
        /// The services that could be read.
        services: Vec<ServiceReport>,
        /// The services that could not be read.
        failed: Vec<FailedService>,
        /// Whether the cluster has more services than the answer.
        more: bool,
    },
    /// Answers `preflight`.
    Preflight(Box<PreflightReport>),
    /// Answers `sweep`.
    Sweep(SweepReport),
    /// Answers `release`.
    Release {
        /// One entry per task, sorted by id.
        tasks: Vec<ReleasedTask>,
    },
    /// Answers `redrive`.
    Redrive(RedriveReport),
    /// Answers a command that failed.
    Error(ErrorReport),
}

/// The result of `release` for one task.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleasedTask {
    /// The task.
    pub task_arn: String,
    /// The outcome.
    pub outcome: ReleaseOutcome,
    /// Why the task was not released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a task was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseOutcome {
    /// ECS no longer protects it.
    Released,
    /// It has live jobs: only `force` releases it.
    Busy,
    /// The state store does not know it, so any protection was set without taskhold: only `force` releases it.
    Foreign,
    /// The release was requested and failed.
    Failed,
}

/// The result of a sweep.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// Tasks in the state store that are busy or need attention.
    pub tasks: usize,
    /// Tasks among them that were repaired: they had lost or lacked protection, were idle but not released, or were
    /// gone.
    pub tasks_repaired: usize,
    /// Tasks among them that could not be repaired yet.
    pub tasks_unsettled: usize,
    /// Services that were reconciled.
    pub services_reconciled: usize,
    /// Services left when the time was up.
    pub services_remaining: usize,
    /// Services and clusters that could not be read; the log says why.
    pub failed: usize,
    /// Alerts that were delivered.
    pub alerts: usize,
    /// Whether a recheck continues with the rest.
    pub continues: bool,
}

/// The result of a redrive.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RedriveReport {
    /// Messages received from the dead-letter queue.
    pub received: usize,
    /// Messages among them that were carried out and deleted.
    pub carried_out: usize,
    /// Messages among them that were deleted because later sweeps have done their work.
    pub discarded: usize,
    /// Messages among them that stay in the dead-letter queue.
    pub kept: Vec<KeptMessage>,
    /// Whether the dead-letter queue may hold more messages.
    pub more: bool,
}

/// A message that stays in the dead-letter queue.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptMessage {
    /// Its id in the dead-letter queue.
    pub message_id: String,
    /// Why it stays.
    pub reason: String,
}

impl KeptMessage {
    /// Bounds the reason, since there can be many.
    pub fn new(message_id: &str, reason: &str) -> Self {
        Self { message_id: message_id.to_owned(), reason: bounded(reason) }
    }
}

/// Why a command failed.
#[derive(Debug, Serialize)]
pub struct ErrorReport {
    /// The error code, for machines.
    pub code: &'static str,
    /// The error message, for people.
    pub message: String,
}

/// A service that could not be read, among several.
#[derive(Debug, Serialize)]
pub struct FailedService {
    service: String,
    error: ErrorReport,
}

impl FailedService {
    /// Records why a service could not be read. Long messages from ECS are shortened, since there can be many.
    pub fn new(service: &ServiceArn, error: &CommandError) -> Self {
        let error = ErrorReport { code: error.code(), message: bounded(&error.to_string()) };
        Self { service: service.to_string(), error }
    }
}

impl From<CommandError> for Answer {
    fn from(error: CommandError) -> Self {
        Self::Error(ErrorReport { code: error.code(), message: error.to_string() })
    }
}

/// The result for one service in a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweptService {
    /// The service was reconciled.
    Reconciled {
        /// The number of alerts that were delivered.
        alerts: usize,
    },
    /// The service could not be read.
    Failed,
    /// The time was up.
    NotInTime,
}

impl SweepReport {
    pub(crate) fn count(&mut self, service: SweptService) {
        match service {
            SweptService::Reconciled { alerts } => {
                self.services_reconciled += 1;
                self.alerts += alerts;
            }
            SweptService::Failed => self.failed += 1,
            SweptService::NotInTime => self.services_remaining += 1,
        }
    }
}
