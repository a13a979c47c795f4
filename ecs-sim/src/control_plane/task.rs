//! A task in the control plane.

use serde::Serialize;

use super::time::Millis;

/// How long a task takes from PENDING to RUNNING. An assumption: image pulls take anything from seconds to minutes.
pub const START_DELAY_MS: Millis = 30_000;
/// How long a task takes from the request to stop it to STOPPED. An assumption: the default stop timeout would be 30 s
/// for a container that ignores SIGTERM (aws-facts "Containers on ECS").
pub const STOP_DELAY_MS: Millis = 10_000;
/// How long a task continues after a Spot interruption notice.
///
/// aws-facts: "EventBridge": Spot gives two minutes.
pub const SPOT_NOTICE_MS: Millis = 120_000;
/// How long a stopped task is described; then it is MISSING.
pub const STOPPED_TASK_REMEMBERED_MS: Millis = 60 * 60 * 1000;

/// `lastStatus`, and without PENDING `desiredStatus`. A task passes the states between RUNNING and STOPPED only when its
/// host fails; those of other stops are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// Being started.
    Pending,
    /// Running, or to be started.
    Running,
    /// Leaves its load balancer.
    Deactivating,
    /// Its containers stop.
    Stopping,
    /// Its network interface is removed.
    Deprovisioning,
    /// Stopped, or to be stopped.
    Stopped,
}

impl TaskStatus {
    /// The next state on the way from RUNNING to STOPPED.
    pub(super) fn next_of_stop(self) -> Self {
        match self {
            Self::Pending | Self::Running => Self::Deactivating,
            Self::Deactivating => Self::Stopping,
            Self::Stopping => Self::Deprovisioning,
            Self::Deprovisioning | Self::Stopped => Self::Stopped,
        }
    }
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
    /// Its Spot capacity was reclaimed.
    SpotInterruption,
    /// It failed to start.
    TaskFailedToStart,
    /// Its host failed.
    InfrastructureHealth,
}

/// A task of a service, or a standalone one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedTask {
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
    /// Its actual status.
    pub last_status: TaskStatus,
    /// Until when it is protected from scale-in. Always in the future: it is cleared when the time comes.
    pub protected_until: Option<Millis>,
    /// Counts the changes of its status, from 1.
    pub version: u64,
    /// When it became PENDING.
    pub created_at: Millis,
    /// When it became RUNNING.
    pub started_at: Option<Millis>,
    /// When it was first asked to stop.
    pub stopping_at: Option<Millis>,
    /// When it became STOPPED.
    pub stopped_at: Option<Millis>,
    /// Why it was stopped.
    pub stop_code: Option<StopCode>,
    /// The reason as text.
    pub stopped_reason: Option<String>,
    /// Its container's exit code, once stopped, if it ever ran.
    pub exit_code: Option<i32>,
    /// Since when the scheduler has been able to stop it, for [`StopDelay::Late`](super::StopDelay::Late).
    pub(super) stoppable_since: Option<Millis>,
    /// The key of its service.
    pub(super) service_key: Option<u64>,
}

impl SimulatedTask {
    /// Whether it is protected from scale-in now.
    pub fn is_protected(&self) -> bool {
        self.protected_until.is_some()
    }

    /// Whether it is PENDING or RUNNING and not asked to stop.
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

    /// The container's exit code: assumed 1 for a crash, 0 for a worker that ends on SIGTERM, `None` if it never ran.
    pub(super) fn exit_code_on_stop(&self) -> Option<i32> {
        self.started_at?;
        Some(i32::from(self.stop_code == Some(StopCode::EssentialContainerExited)))
    }
}

/// Numbers of tasks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TaskNumbers {
    /// `PENDING`.
    pub(super) pending: usize,
    /// `RUNNING`.
    pub(super) running: usize,
    /// Not asked to stop.
    pub(super) live: usize,
}
