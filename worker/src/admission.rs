//! Whether a task may take work: not while another deployment replaces it.

use crate::clock;
use crate::log::Log;
use crate::queue::TaskService;
use std::time::Duration;
use tokio::sync::Mutex;

/// Why a task takes no work.
pub(crate) const REPLACED: &str = "another deployment replaces this task";

/// Reads the deployments of the task's service when a client asks, at most once per interval.
#[derive(Debug)]
pub(crate) struct DeploymentCheck {
    service: Option<TaskService>,
    /// How long an answer is valid.
    interval: Duration,
    last: Mutex<LastRead>,
    log: Log,
}

#[derive(Debug, Default)]
struct LastRead {
    at: Option<Duration>,
    /// `false` after a failed read, which admits work.
    is_replaced: bool,
    has_warned: bool,
}

impl DeploymentCheck {
    pub(crate) fn new(service: Option<TaskService>, interval: Duration, log: Log) -> Self {
        Self { service, interval, last: Mutex::default(), log }
    }

    /// Whether another deployment replaces the task, as far as ECS says so.
    pub(crate) async fn is_replaced(&self) -> bool {
        let Some(service) = &self.service else {
            return false;
        };
        // Clients that ask meanwhile wait for the same answer.
        let mut last = self.last.lock().await;
        if last.at.is_some_and(|at| clock::uptime() < at + self.interval) {
            return last.is_replaced;
        }
        let answer = service.replaces_task().await;
        last.at = Some(clock::uptime());
        if let (Err(problem), false) = (&answer, last.has_warned) {
            let fields =
                [("problem", problem.as_str()), ("fix", "allow the task role to describe its service and tasks")];
            self.log.warn("cannot read the task's deployment; admitting work", &fields);
        }
        last.has_warned |= answer.is_err();
        last.is_replaced = answer.unwrap_or(false);
        last.is_replaced
    }
}
