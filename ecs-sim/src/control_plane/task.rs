//! A task as the control plane knows it.

use serde::Serialize;

use super::Millis;

/// How long a task takes from PENDING to RUNNING. An assumption: image pulls take anything from seconds to minutes.
pub const START_DELAY_MS: Millis = 30_000;
/// How long a task takes from the wish to stop it to STOPPED. An assumption: the default stop timeout would be 30 s for a
/// container that ignores SIGTERM (aws-facts "Containers on ECS").
pub const STOP_DELAY_MS: Millis = 10_000;
/// How long a task runs on after a Spot interruption notice.
///
/// aws-facts: "EventBridge": Spot gives two minutes.
pub const SPOT_NOTICE_MS: Millis = 120_000;
/// How long a stopped task is remembered; then it is MISSING.
pub const STOPPED_TASK_REMEMBERED_MS: Millis = 60 * 60 * 1000;

/// `lastStatus`, and without PENDING `desiredStatus`. The states between these are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// Being started.
    Pending,
    /// Running, or wanted so.
    Running,
    /// Stopped, or wanted so.
    Stopped,
}

/// Why a task was stopped.
///
/// aws-facts: "EventBridge": the values of `stopCode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum StopCode {
    /// Its essential container ended by itself.
    EssentialContainerExited,
    /// StopTask.
    UserInitiated,
    /// The service scheduler: a scale-in or a deployment.
    ServiceSchedulerInitiated,
    /// The Spot capacity under it was taken back.
    SpotInterruption,
    /// It never ran.
    TaskFailedToStart,
}

/// A task of a service, or a standalone one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The long form, with the cluster.
    pub arn: String,
    /// The cluster's name.
    pub cluster: String,
    /// The service's name; none for a standalone task.
    pub service: Option<String>,
    /// `startedBy`: the deployment that started it, `ecs-svc/N`; none for a standalone task.
    pub deployment: Option<String>,
    /// Family and revision.
    pub task_definition: String,
    /// RUNNING or STOPPED.
    pub desired_status: TaskStatus,
    /// Where it really is.
    pub last_status: TaskStatus,
    /// Until when it is protected from scale-in. Always after now: at its time it is cleared.
    pub protected_until: Option<Millis>,
    /// Counts the changes of its status, from 1.
    pub version: u64,
    /// When it became PENDING.
    pub created_at: Millis,
    /// When it became RUNNING.
    pub started_at: Option<Millis>,
    /// When it was first wanted stopped.
    pub stopping_at: Option<Millis>,
    /// When it became STOPPED.
    pub stopped_at: Option<Millis>,
    /// Why it was stopped.
    pub stop_code: Option<StopCode>,
    /// Why it was stopped, in words.
    pub stopped_reason: Option<String>,
    /// Its container's exit code, once stopped, if it ever ran.
    pub exit_code: Option<i32>,
    /// Since when the scheduler has wanted to stop it, for [`StopDelay::Late`](super::StopDelay::Late).
    pub(super) stoppable_since: Option<Millis>,
    /// The key of its service.
    pub(super) service_key: Option<u64>,
}

impl Task {
    /// Whether it is protected from scale-in now.
    pub fn is_protected(&self) -> bool {
        self.protected_until.is_some()
    }

    /// Whether it is wanted: PENDING or RUNNING, and nothing has asked it to stop.
    pub fn is_live(&self) -> bool {
        self.desired_status == TaskStatus::Running
    }

    /// `group`: `service:NAME`, or `family:NAME` for a standalone task.
    pub fn group(&self) -> String {
        match &self.service {
            Some(service) => format!("service:{service}"),
            None => format!("family:{}", self.family()),
        }
    }

    /// The family of its task definition.
    pub fn family(&self) -> &str {
        self.task_definition.split(':').next().unwrap_or_default()
    }

    /// What the container ends with: assumed 1 for a crash, 0 for a worker that ends on SIGTERM, nothing if it never ran.
    pub(super) fn exit_code_on_stop(&self) -> Option<i32> {
        self.started_at?;
        Some(i32::from(self.stop_code == Some(StopCode::EssentialContainerExited)))
    }
}
