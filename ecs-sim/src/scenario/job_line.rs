//! What a worker does: the words of a line about a job.

use crate::control_plane::Millis;

/// What a worker reports about protection that it requested from the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentReport {
    /// ECS granted it for this many minutes.
    Protected(u32),
    /// ECS refused it.
    Refused,
}

/// A worker's message about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLine {
    /// The job's id.
    pub job: String,
    /// The kind of message.
    pub verb: Verb,
    /// The task, by its letters.
    pub task: Option<String>,
    /// For one such job on each task up to this one; the jobs are named after the tasks, `j-a`, `j-b` and so on.
    pub through: Option<String>,
    /// `attempt`.
    pub attempt: u32,
    /// `maxDurationMinutes`.
    pub minutes: Option<u32>,
    /// `expectedDurationMinutes`.
    pub expected_minutes: Option<u32>,
    /// `heartbeatMinutes`.
    pub heartbeat_minutes: Option<u32>,
    /// `kind`.
    pub kind: Option<String>,
    /// `protection`: the task protects itself for this job.
    pub agent: Option<AgentReport>,
    /// What reports the job.
    pub reporter: JobReporter,
    /// How long the message is delayed on its way.
    pub late: Millis,
}

impl JobLine {
    /// The line with nothing but its first words.
    pub(super) fn new(job: String, verb: Verb) -> Self {
        Self {
            job,
            verb,
            task: None,
            through: None,
            attempt: 1,
            minutes: None,
            expected_minutes: None,
            heartbeat_minutes: None,
            kind: None,
            agent: None,
            reporter: JobReporter::Worker,
            late: 0,
        }
    }
}

/// What reports a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobReporter {
    /// The worker itself.
    #[default]
    Worker,
    /// `taskhold-run`, which also protects the task.
    TaskholdRun,
}

/// The kind of a job message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `job.started`
    Starts,
    /// `job.heartbeat`
    Beats,
    /// `job.finished`
    Finishes,
}
