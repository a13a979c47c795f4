//! What a server's protector is asked, and what it answers.

use crate::job::DeclaredJob;
use crate::watch::Expiry;
use std::time::Duration;

/// What the options say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProtectorSettings {
    pub(crate) agent: AgentPresence,
    /// How long protection outlasts the last job.
    pub(crate) linger: Duration,
    /// How long an applicant waits for an agent without an answer.
    pub(crate) start_timeout: Duration,
    /// How long after a request protection is checked.
    pub(crate) check_interval: Duration,
    /// How often a job is reported of which there is no news.
    pub(crate) heartbeat_interval: Duration,
}

/// Whether there is an agent, as everywhere on ECS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgentPresence {
    Present,
    Absent,
}

/// A worker's request to protect a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Application {
    pub(crate) job: DeclaredJob,
    /// Its longest duration, if the worker says so. Otherwise, a job that is at work already keeps its own.
    pub(crate) max: Option<Duration>,
    /// Which attempt it is, if the worker says so.
    pub(crate) attempt: Option<u32>,
    pub(crate) unprotected: Unprotected,
}

/// Whether the worker does a job that ECS does not protect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unprotected {
    /// The worker does not do it.
    Forgotten,
    /// The worker does it all the same.
    Recorded,
}

/// Identifies an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(pub(super) u64);

/// The answer to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Protection covers the job.
    Protected(Expiry),
    /// There is no ECS that could stop the task.
    OutsideEcs,
    /// ECS refuses to protect the task, in its words.
    Refused(String),
    /// It is unknown whether the task is protected.
    Unknown(String),
    /// The task is being stopped.
    Draining,
    /// There are too many jobs.
    TooMany,
    /// The job has ended in the meantime.
    Ended,
}

impl Verdict {
    /// Whether a job starts with this answer.
    pub(super) fn starts(&self, unprotected: Unprotected) -> bool {
        match self {
            Self::Protected(_) | Self::OutsideEcs => true,
            Self::Refused(_) | Self::Unknown(_) | Self::Draining => unprotected == Unprotected::Recorded,
            Self::TooMany | Self::Ended => false,
        }
    }
}

/// A call to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProtectorCall {
    Request { minutes: u64 },
    Check,
    Clear,
}

/// An application that is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DecidedApplication {
    pub(crate) ticket: Ticket,
    pub(crate) application: Application,
    pub(crate) verdict: Verdict,
}
