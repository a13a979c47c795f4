//! The JSON that operators and CI steps get. Its shapes are published in `schemas/answers.schema.json`.

use crate::api::command::CommandError;
use crate::api::service_answer::{PreflightReport, ServiceReport};
use crate::ecs::service::ServiceArn;
use crate::notify::view::parts::bounded;

use serde::Serialize;

/// All of an answer takes at most so many bytes, but for some hundred kilobytes of errors: Lambda answers a direct invocation
/// with at most 6 MB (AWS Lambda Developer Guide, "Lambda quotas").
pub const ANSWER_BYTES_MAX: usize = 5 * 1024 * 1024;

/// The answer to a command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// To `status`.
    Status {
        /// One for each service that could be read.
        services: Vec<ServiceReport>,
        /// One for each that could not.
        failed: Vec<FailedService>,
        /// Whether the cluster has more services than were reported.
        more: bool,
    },
    /// To `preflight`.
    Preflight(Box<PreflightReport>),
    /// To `sweep`.
    Sweep(SweepReport),
    /// To `release`.
    Release {
        /// One for each task, in the order of their ids.
        tasks: Vec<ReleasedTask>,
    },
    /// To a command that could not be carried out.
    Error(ErrorReport),
}

/// What became of a task that was to be released.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleasedTask {
    /// Which.
    pub task_arn: String,
    /// In a word.
    pub outcome: ReleaseOutcome,
    /// Why, where it was not released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a task was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseOutcome {
    /// ECS protects it no more.
    Released,
    /// It has live jobs: only `force` releases it.
    Busy,
    /// The state store knows nothing of it, so somebody else protects it, if anybody does: only `force` releases it.
    Foreign,
    /// It should have been released, and was not.
    Failed,
}

/// What a sweep came to, in services and alerts.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// Tasks of the state store that are busy, or of which something is open.
    pub tasks: usize,
    /// Those of them that had lost their protection or had not got it, were idle and not released, or were gone, and for
    /// which that was set right.
    pub tasks_repaired: usize,
    /// Those of them for which it could not be set right yet.
    pub tasks_unsettled: usize,
    /// Services that were looked at.
    pub services_reconciled: usize,
    /// Services that the time did not suffice for.
    pub services_remaining: usize,
    /// Services and clusters that could not be looked at; why is in the log.
    pub failed: usize,
    /// Alerts that were sent.
    pub alerts: usize,
    /// Whether a recheck goes on with what the time did not suffice for.
    pub continues: bool,
}

/// Why a command could not be carried out.
#[derive(Debug, Serialize)]
pub struct ErrorReport {
    /// For machines.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// A service of several that could not be read.
#[derive(Debug, Serialize)]
pub struct FailedService {
    service: String,
    error: ErrorReport,
}

impl FailedService {
    /// Why this service could not be read. What ECS says at length is shortened, since there can be many of these.
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

/// What became of one service in a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// It was looked at, and so many alerts were sent.
    At {
        /// Alerts.
        alerts: usize,
    },
    /// It could not be looked at.
    Failed,
    /// The time did not suffice.
    NotInTime,
}

impl SweepReport {
    pub(crate) fn count(&mut self, looked: Looked) {
        match looked {
            Looked::At { alerts } => {
                self.services_reconciled += 1;
                self.alerts += alerts;
            }
            Looked::Failed => self.failed += 1,
            Looked::NotInTime => self.services_remaining += 1,
        }
    }
}
