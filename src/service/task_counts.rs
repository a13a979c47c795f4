//! The task counts of a service, and the bounds that its percentages set.

use crate::ecs::service::Service;
use crate::service::snapshot::ServiceSnapshot;

/// ECS's hard limit on concurrent deployments of a service (aws-facts "ECS: deployments and protection").
pub const DEPLOYMENTS_MAX: usize = 5;

/// The numbers behind a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskCounts {
    /// The desired count.
    pub desired: u32,
    /// ⌈desired × minimum percent⌉: ECS keeps at least this many tasks running.
    pub lower_bound: u32,
    /// ⌊desired × maximum percent⌋: ECS runs at most this many tasks.
    pub upper_bound: u32,
    /// Tasks with desired status `RUNNING`, of all deployments.
    pub live: u32,
    /// Protected tasks among them.
    pub protected: u32,
    /// New tasks that `maximumPercent` allows beside the blocking tasks.
    pub room: u32,
    /// Deployments in progress at once, of at most [`DEPLOYMENTS_MAX`].
    pub deployments: u32,
}

/// ⌊desired × maximum percent⌋.
pub(crate) fn upper_bound(service: &Service) -> u32 {
    share(service.desired_count, service.maximum_percent, 0)
}

fn share(desired: u32, percent: u32, rounding: u64) -> u32 {
    u32::try_from((u64::from(desired) * u64::from(percent) + rounding) / 100).unwrap_or(u32::MAX)
}

pub(crate) fn task_counts(snapshot: &ServiceSnapshot, blocking_tasks: usize) -> TaskCounts {
    let Service { desired_count: desired, minimum_healthy_percent, .. } = snapshot.service;
    let upper_bound = upper_bound(&snapshot.service);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    TaskCounts {
        desired,
        lower_bound: share(desired, minimum_healthy_percent, 99),
        upper_bound,
        live: count(snapshot.tasks.len()),
        protected: count(snapshot.protected().count()),
        room: upper_bound.saturating_sub(count(blocking_tasks)),
        deployments: count(snapshot.service.deployments.len().max(snapshot.service.task_sets.len())),
    }
}
