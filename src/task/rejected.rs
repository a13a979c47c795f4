//! Starts for which a task record had no room.

use crate::task::agent_protection::AgentProtection;
use crate::task::job::{Job, JobKey, Reported};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Most rejected starts that a record names.
const REJECTED_NAMED_MAX: usize = 4;

/// Starts for which a record had no room. Their jobs run without protection of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedStarts {
    /// When the first of them was rejected.
    pub since: Timestamp,
    /// The jobs with the latest declared ends, at most four.
    pub jobs: Vec<RejectedJob>,
    /// The latest declared end of the jobs that are not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others_until: Option<Timestamp>,
}

/// A job whose start was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedJob {
    /// Identifies the job.
    #[serde(flatten)]
    pub key: JobKey,
    /// Its declared end.
    pub until: Timestamp,
    /// What its worker reported about the protection that the task sets itself, without the reason of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection: Option<Reported<AgentProtection>>,
}

impl RejectedStarts {
    /// None so far; the first is rejected at this moment.
    pub fn since(since: Timestamp) -> Self {
        Self { since, jobs: Vec::new(), others_until: None }
    }

    /// Adds a start. Of more than four the latest declared ends are named.
    pub fn add(&mut self, key: &JobKey, job: &Job, until: Timestamp) {
        self.remove(key);
        let mut protection = job.protection.clone();
        if let Some(report) = &mut protection {
            report.value.drop_reason();
        }
        self.jobs.push(RejectedJob { key: key.clone(), until, protection });
        self.jobs.sort_by(|one, other| (other.until, &one.key).cmp(&(one.until, &other.key)));
        for job in self.jobs.drain(REJECTED_NAMED_MAX.min(self.jobs.len())..) {
            self.others_until = self.others_until.max(Some(job.until));
        }
    }

    /// Removes a job that is recorded now, or has finished.
    pub(crate) fn remove(&mut self, key: &JobKey) {
        self.jobs.retain(|job| job.key != *key);
    }

    pub(crate) fn forget(&mut self, now: Timestamp) {
        self.jobs.retain(|job| job.until > now);
        self.others_until = self.others_until.filter(|until| *until > now);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.jobs.is_empty() && self.others_until.is_none()
    }
}
