//! A task that ended, or is about to end, in the middle of jobs: what is to be told of it, until it has been told.

use crate::ecs::arn::Task;
use crate::ecs::task::StopCause;
use crate::task::job::{JobKey, Labels};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far the end of a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopStage {
    /// It was told to stop and still runs: two minutes on Spot, `stopTimeout` elsewhere.
    Stopping,
    /// It has stopped.
    Stopped,
}

/// A task that ends in the middle of jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterruptedTask {
    /// Which.
    pub task: Task,
    /// What is known of its end.
    pub interruption: Interruption,
}

/// A job that was alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterruptedJob {
    /// Which.
    #[serde(flatten)]
    pub key: JobKey,
    /// Until when it might have lasted, as declared.
    pub until: Timestamp,
    /// Short texts of its worker's, shown to people.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// What ECS says of the end of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStop {
    /// How far it has come.
    pub stage: StopStage,
    /// The name of its service, if ECS still knew it.
    pub service: Option<String>,
    /// Why.
    pub cause: StopCause,
}

/// An interruption, and whether it has been told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedInterruption {
    /// What happened.
    pub what: Interruption,
    /// Until then whoever claimed it is telling it; after that somebody else may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<Timestamp>,
    /// Whether each job was handed on: what people could not be told is no reason to hand them on again.
    #[serde(default)]
    pub forwarded: bool,
    /// When it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<Timestamp>,
}

impl TrackedInterruption {
    /// Whether it has still to be told, and nobody is telling it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.notified_at.is_none() && self.claimed_until.is_none_or(|until| until <= now)
    }
}

/// A task that ends in the middle of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interruption {
    /// How far it has come.
    pub stage: StopStage,
    /// When taskhold learned of it.
    pub at: Timestamp,
    /// The name of its service, if ECS still knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The jobs that were alive then, and that no earlier one of the same task names.
    pub jobs: Vec<InterruptedJob>,
    /// ECS's `stopCode`, if it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_code: Option<String>,
    /// ECS's sentence about it, if it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_reason: Option<String>,
    /// Exit codes by the containers' names, of those that have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exit_codes: Vec<(String, i32)>,
    /// Until when ECS had confirmed that it protects the task, if that was not over. Beside a `stopCode` of the service
    /// scheduler that is a finding about protection: ECS scaled in what it protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_until: Option<Timestamp>,
}

impl Interruption {
    /// Whether the job is one of those that were alive.
    pub fn names(&self, key: &JobKey) -> bool {
        self.jobs.iter().any(|job| job.key == *key)
    }

    /// Whether ECS itself scaled the task in while taskhold counted it as protected.
    pub fn was_protected_in_vain(&self) -> bool {
        self.protected_until.is_some() && self.stop_code.as_deref() == Some("ServiceSchedulerInitiated")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_service_scheduler_stops_in_vain_what_is_protected() {
        let minute = |minute: i64| Timestamp::from_second(1_700_000_000 + minute * 60).unwrap();
        let was_in_vain = |stop_code: &str, protected_until| {
            let interruption = Interruption {
                stage: StopStage::Stopped,
                at: minute(0),
                service: None,
                jobs: Vec::new(),
                stop_code: Some(stop_code.to_owned()),
                stopped_reason: None,
                exit_codes: Vec::new(),
                protected_until,
            };
            interruption.was_protected_in_vain()
        };
        assert!(was_in_vain("ServiceSchedulerInitiated", Some(minute(5))));
        assert!(!was_in_vain("ServiceSchedulerInitiated", None));
        assert!(!was_in_vain("SpotInterruption", Some(minute(5))));
    }
}
