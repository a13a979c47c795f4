//! A task that stops, or is about to stop, in the middle of jobs, and the report of it until it is delivered.

use crate::ecs::arn::Task;
use crate::ecs::task::{ContainerExit, StopCause};
use crate::outbox::Delivery;
use crate::task::job::{JobKey, Labels};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How far the stop of a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopStage {
    /// ECS has asked it to stop and it still runs: for two minutes on Spot, for `stopTimeout` elsewhere.
    Stopping,
    /// It has stopped.
    Stopped,
}

impl StopStage {
    /// The name in logs and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// An interruption together with its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterruptedTask {
    /// The task.
    pub task: Task,
    /// The interruption.
    pub interruption: Interruption,
}

/// A job that was live when its task stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterruptedJob {
    /// Identifies the job.
    #[serde(flatten)]
    pub key: JobKey,
    /// The declared end of the job.
    pub until: Timestamp,
    /// Short texts from the worker, shown to people.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// What ECS reports about the stop of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStop {
    /// How far it has come.
    pub stage: StopStage,
    /// The name of its service, if ECS still reports it.
    pub service: Option<String>,
    /// The cause.
    pub cause: StopCause,
}

/// An interruption and its delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedInterruption {
    /// The interruption. It stays in the record after its delivery, so that none of its jobs is reported again.
    pub what: Interruption,
    /// Its delivery; `None` once every receiver has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Whether the jobs were sent to the queue for interrupted jobs. A failed alert does not send them again.
    #[serde(default)]
    pub forwarded: bool,
}

impl TrackedInterruption {
    /// An interruption that is not reported yet.
    pub(crate) fn new(what: Interruption) -> Self {
        Self { what, delivery: Some(Delivery::default()), forwarded: false }
    }
}

/// A stop of a task in the middle of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interruption {
    /// How far the stop had come.
    pub stage: StopStage,
    /// When taskhold recorded it.
    pub at: Timestamp,
    /// The name of its service, if ECS still reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The jobs that were live then, without those of an earlier interruption of the same task.
    pub jobs: Vec<InterruptedJob>,
    /// ECS's `stopCode`, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_code: Option<String>,
    /// ECS's `stoppedReason`, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_reason: Option<String>,
    /// The exit codes of the task's containers. Containers without an exit code are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exit_codes: Vec<ContainerExit>,
    /// Until when ECS had confirmed protection, if that time had not passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_until: Option<Timestamp>,
    /// Whether the worker has reported that protection: the task protects itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_reported_by_worker: bool,
    /// When ECS last reported that protection. Another writer may have cleared it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection_reported_at: Option<Timestamp>,
    /// When ECS reported less protection than it had confirmed, although taskhold had cleared none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protection_lost_at: Option<Timestamp>,
}

/// How close to the stop ECS must have reported protection to say that ECS stopped a protected task.
const CLOSE_TO_THE_STOP: SignedDuration = SignedDuration::from_secs(60);

impl Interruption {
    /// Whether the interruption names the job.
    pub fn names(&self, key: &JobKey) -> bool {
        self.jobs.iter().any(|job| job.key == *key)
    }

    /// Whether the service scheduler stopped the task although ECS reported its protection close to the stop.
    pub fn was_protected_in_vain(&self) -> bool {
        let is_close = |reported_at: Timestamp| self.at.duration_since(reported_at) <= CLOSE_TO_THE_STOP;
        self.protected_until.is_some()
            && self.protection_reported_at.is_some_and(is_close)
            && self.stop_code.as_deref() == Some("ServiceSchedulerInitiated")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_service_scheduler_stops_in_vain_what_ecs_reported_protected_just_before() {
        let minute = |minute: i64| Timestamp::from_second(1_700_000_000 + minute * 60).unwrap();
        let was_in_vain = |stop_code: &str, protected_until, reported_minutes_before: i64| {
            let interruption = Interruption {
                stage: StopStage::Stopped,
                at: minute(0),
                service: None,
                jobs: Vec::new(),
                stop_code: Some(stop_code.to_owned()),
                stopped_reason: None,
                exit_codes: Vec::new(),
                protected_until,
                protection_reported_at: Some(minute(-reported_minutes_before)),
                is_reported_by_worker: false,
                protection_lost_at: None,
            };
            interruption.was_protected_in_vain()
        };
        assert!(was_in_vain("ServiceSchedulerInitiated", Some(minute(5)), 1));
        assert!(!was_in_vain("ServiceSchedulerInitiated", Some(minute(5)), 2));
        assert!(!was_in_vain("ServiceSchedulerInitiated", None, 0));
        assert!(!was_in_vain("SpotInterruption", Some(minute(5)), 0));
    }
}
