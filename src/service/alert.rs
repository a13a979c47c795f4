//! Alerts about one service: their kinds, their transitions and the data that each carries.
//!
//! An [`Alert`] has no wording. The formatters of `notify/` render it for email, chat and machines. When an
//! alert is due is decided by [`crate::service::incident`].

use crate::ecs::service::ServiceArn;
use crate::service::diagnosis::Diagnosis;
use crate::service::remediation::RemediationNote;
use crate::service::resolution::Resolution;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// Protected tasks have blocked a deployment or a change of task sets for longer than the configured delay.
    DeploymentBlocked,
    /// The deployment is expected to miss its deadline.
    DeploymentAtRisk,
    /// A scale-in has waited for protected tasks much longer than their jobs were expected to run, or waits for tasks
    /// that are protected without a job.
    ScaleInBlocked,
    /// ECS refuses to protect tasks with live jobs.
    ProtectionRefused,
    /// ECS refuses to renew the protection of tasks, which will expire before their jobs end.
    ProtectionExpiring,
    /// Four or five of the five deployments that ECS allows are in progress.
    TooManyDeployments,
    /// ECS protects tasks whose jobs have all ended.
    OrphanedProtection,
    /// A task stopped, or is about to stop, with jobs running. The incident opens and is never resolved: nothing undoes
    /// it.
    JobInterrupted,
}

impl AlertKind {
    /// Whether it is about a deployment and its deadline.
    pub(crate) fn is_about_a_deployment(self) -> bool {
        matches!(self, Self::DeploymentBlocked | Self::DeploymentAtRisk)
    }

    /// Whether it is about tasks that ECS refuses to protect for long enough.
    pub(crate) fn is_about_refusals(self) -> bool {
        matches!(self, Self::ProtectionRefused | Self::ProtectionExpiring)
    }

    /// All kinds, the most severe first.
    pub const ALL: [Self; 8] = [
        Self::JobInterrupted,
        Self::ProtectionRefused,
        Self::ProtectionExpiring,
        Self::DeploymentBlocked,
        Self::DeploymentAtRisk,
        Self::ScaleInBlocked,
        Self::TooManyDeployments,
        Self::OrphanedProtection,
    ];

    /// The name in texts, message attributes and the state store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeploymentBlocked => "deployment-blocked",
            Self::DeploymentAtRisk => "deployment-at-risk",
            Self::ScaleInBlocked => "scale-in-blocked",
            Self::ProtectionRefused => "protection-refused",
            Self::ProtectionExpiring => "protection-expiring",
            Self::TooManyDeployments => "too-many-deployments",
            Self::OrphanedProtection => "orphaned-protection",
            Self::JobInterrupted => "job-interrupted",
        }
    }
}

/// The step of an incident's life that a notification reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// The incident is reported for the first time.
    Opened,
    /// 50 %, 80 % or 100 % of the time to the deadline has passed.
    Escalated,
    /// The problem persists.
    Repeated,
    /// The problem is over.
    Resolved,
}

impl Transition {
    /// The name in texts and message attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
        }
    }
}

/// One notification about a service, before it is formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The incident's stable key: service and kind. Consumers group by it, for example into one chat
    /// thread.
    pub incident: String,
    /// The kind of problem.
    pub kind: AlertKind,
    /// The step of the incident's life.
    pub event: Transition,
    /// The service.
    pub service: ServiceArn,
    /// When the problem began.
    pub since: Timestamp,
    /// The earlier deployments of the incident, the oldest first. The deployment of the diagnosis superseded them, unless
    /// the problem was over in between.
    pub superseded: Vec<String>,
    /// When the problem last came back after it was over.
    pub came_back_at: Option<Timestamp>,
    /// The end of its jobs as it was expected when the scale-in began to wait.
    pub first_expected_end: Option<Timestamp>,
    /// When the snapshot behind the alert was taken.
    pub at: Timestamp,
    /// The diagnosis of that snapshot.
    pub diagnosis: Diagnosis,
    /// Recent remediations, and those that were not applied with the reason; the newest last.
    pub remediations: Vec<RemediationNote>,
    /// What taskhold has done by itself and people need not do.
    pub own_action: OwnAction,
    /// How the incident ended; `None` unless it is resolved.
    pub resolution: Option<Resolution>,
}

/// What taskhold has done by itself about a problem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnAction {
    /// Nothing, or nothing that is still in effect.
    #[default]
    None,
    /// It raised the desired count, and will restore it unless a person sets another count.
    RaisedDesiredCount {
        /// The count before.
        from: u32,
        /// The raised count.
        to: u32,
    },
    /// It has just released all idle blocking tasks.
    ReleasedIdle {
        /// Their number.
        tasks: usize,
    },
}
