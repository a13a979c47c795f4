//! What a person, a chat and a machine are told, and when.
//!
//! What lives here: the two things that are told, [`Alert`] of a service and the end of a task in the middle of jobs
//! ([`interrupted`]), in their texts ([`mail`], [`chat`], [`machine`]); incidents, which decide when ([`incident`]); and
//! [`AlertSink`], which carries a rendered [`Notification`]. What does not: what is wrong (`decide/diagnose.rs`).

use crate::ecs::service::ServiceArn;
use crate::service::diagnosis::Diagnosis;
use crate::service::remediation::RemediationNote;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// Protected tasks keep a deployment or a scale-in from its end, and have done so for a while.
    DeploymentBlocked,
    /// It will not be over before its deadline.
    DeploymentAtRisk,
    /// ECS refuses to protect tasks with live jobs.
    ProtectionRefused,
    /// ECS refuses to renew the protection of tasks, which will end before their jobs do.
    ProtectionExpiring,
    /// Four or five of the five deployments that ECS allows are under way.
    TooManyDeployments,
    /// ECS protects tasks whose jobs have all ended.
    OrphanedProtection,
    /// A task stopped, or is about to, in the middle of jobs. It opens and is never resolved, since nothing undoes it.
    JobInterrupted,
}

impl AlertKind {
    /// All of them, the gravest first.
    pub const ALL: [Self; 7] = [
        Self::JobInterrupted,
        Self::ProtectionRefused,
        Self::ProtectionExpiring,
        Self::DeploymentBlocked,
        Self::DeploymentAtRisk,
        Self::TooManyDeployments,
        Self::OrphanedProtection,
    ];

    /// As in texts, topics' attributes and the state store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeploymentBlocked => "deployment-blocked",
            Self::DeploymentAtRisk => "deployment-at-risk",
            Self::ProtectionRefused => "protection-refused",
            Self::ProtectionExpiring => "protection-expiring",
            Self::TooManyDeployments => "too-many-deployments",
            Self::OrphanedProtection => "orphaned-protection",
            Self::JobInterrupted => "job-interrupted",
        }
    }
}

/// Where in its life an incident is when it is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// For the first time.
    Opened,
    /// Half, or four fifths, of the time to the deadline has passed.
    Escalated,
    /// It is still so.
    Repeated,
    /// It is over.
    Resolved,
}

impl Transition {
    /// As in texts and topics' attributes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
        }
    }
}

/// One thing to tell of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The incident's stable key: service, deployment and kind. One thread of a chat, one record of a machine.
    pub incident: String,
    /// What is wrong.
    pub kind: AlertKind,
    /// Where in its life it is.
    pub event: Transition,
    /// Which service.
    pub service: ServiceArn,
    /// Since when it is so.
    pub since: Timestamp,
    /// When this was seen.
    pub at: Timestamp,
    /// How the service stood then.
    pub diagnosis: Diagnosis,
    /// What taskhold has done about it lately, and what it has not and why; the newest last.
    pub remediations: Vec<RemediationNote>,
}
