//! A service, its deployments and its event messages; and clusters.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::Millis;

/// aws-facts: "ECS: deployments and protection": `events[]` keeps the last 100 messages.
pub const SERVICE_EVENTS_KEPT: usize = 100;
/// aws-facts: "ECS: deployments and protection": a sixth deployment is refused.
pub const ACTIVE_DEPLOYMENTS_MAX: usize = 5;
/// How often ECS says again that protected tasks hold up a scale-in. An assumption.
pub const HOLD_REPEAT_MS: Millis = 10 * 60 * 1000;

/// What a service is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// Its name, unique in its cluster.
    pub name: String,
    /// The cluster's name.
    pub cluster: String,
    /// How many tasks.
    pub desired_count: u32,
    /// 0..=100; the share of the desired count that the scheduler keeps running, rounded up.
    pub minimum_healthy_percent: u32,
    /// 100..; the share of the desired count that the scheduler does not exceed, rounded down.
    pub maximum_percent: u32,
    /// Service tags.
    pub tags: BTreeMap<String, String>,
}

impl ServiceSpec {
    /// A service with ECS's default percentages, 100 and 200, and no tags.
    pub fn new(cluster: impl Into<String>, name: impl Into<String>, desired_count: u32) -> Self {
        Self {
            name: name.into(),
            cluster: cluster.into(),
            desired_count,
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            tags: BTreeMap::new(),
        }
    }
}

/// `rolloutState`. FAILED needs a circuit breaker or alarms, which are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RolloutState {
    /// Not yet at the desired count, or old deployments still have tasks.
    InProgress,
    /// Reached steady state at least once.
    Completed,
}

/// A rolling deployment. The first in [`Service::deployments`] is PRIMARY, the others are ACTIVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/` and 19 digits.
    pub id: String,
    /// How far it got.
    pub rollout_state: RolloutState,
    /// Family and revision of its tasks.
    pub task_definition: String,
    /// When it was created.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

/// One of `events[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// Shaped like a UUID.
    pub id: String,
    /// When it was said.
    pub created_at: Millis,
    /// What was said.
    pub message: String,
}

/// A scale-in, of a deployment or plain, that waits for protected tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    /// The deployments that wait, each announced once and then in every round.
    pub(super) task_sets: BTreeSet<String>,
    pub(super) repeats_at: Millis,
}

/// A service with rolling deployments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The cluster's name.
    pub cluster: String,
    /// How many tasks it should run.
    pub desired_count: u32,
    /// The share of the desired count that is kept running.
    pub minimum_healthy_percent: u32,
    /// The share of the desired count that is not exceeded.
    pub maximum_percent: u32,
    /// Service tags.
    pub tags: BTreeMap<String, String>,
    /// PRIMARY first, then ACTIVE ones, newest first. Never empty.
    pub deployments: Vec<Deployment>,
    /// The last messages, newest first.
    pub events: VecDeque<ServiceEvent>,
    /// When it was created.
    pub created_at: Millis,
    /// Whether it has the tasks it should have, all of them running and of one deployment.
    pub steady: bool,
    pub(super) hold: Option<Hold>,
    /// Keys of tasks that are not STOPPED yet, oldest first.
    pub(super) tasks: BTreeSet<u64>,
    /// Keys of STOPPED tasks that are remembered.
    pub(super) stopped_tasks: BTreeSet<u64>,
}

impl Service {
    /// The deployment that new tasks belong to.
    pub fn primary(&self) -> &Deployment {
        &self.deployments[0]
    }

    /// Whether protected tasks keep a scale-in or a deployment from going on.
    pub fn is_held_up(&self) -> bool {
        self.hold.is_some()
    }

    /// ⌈desired × min%⌉.
    ///
    /// aws-facts: "ECS: deployments and protection": so many running tasks are kept.
    pub fn lower_bound(&self) -> u32 {
        percentage(self.desired_count, self.minimum_healthy_percent, 99)
    }

    /// ⌊desired × max%⌋.
    ///
    /// aws-facts: "ECS: deployments and protection": at most so many tasks in total.
    pub fn upper_bound(&self) -> u32 {
        percentage(self.desired_count, self.maximum_percent, 0)
    }

    pub(super) fn is_primary(&self, deployment: Option<&str>) -> bool {
        deployment == Some(self.primary().id.as_str())
    }
}

fn percentage(count: u32, percent: u32, rounding: u64) -> u32 {
    let share = (u64::from(count) * u64::from(percent) + rounding) / 100;
    u32::try_from(share).unwrap_or(u32::MAX)
}

/// A cluster: a name for services and tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    pub(super) tags: BTreeMap<String, String>,
    /// Keys of its services, by name.
    pub(super) services: BTreeMap<String, u64>,
    /// Keys of its tasks, standalone ones included, as long as they are remembered.
    pub(super) tasks: BTreeSet<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_bound_rounds_up_and_the_upper_bound_rounds_down() {
        assert_eq!((percentage(3, 50, 99), percentage(3, 150, 0)), (2, 4));
        assert_eq!((percentage(4, 50, 99), percentage(4, 150, 0)), (2, 6));
        assert_eq!((percentage(0, 50, 99), percentage(0, 200, 0)), (0, 0));
    }
}
