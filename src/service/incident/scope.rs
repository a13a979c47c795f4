//! What an incident is about: a problem, and over its whole life the deployments and tasks that had it.

use crate::ecs::arn::TaskId;
use crate::service::alert::AlertKind;
use crate::service::forecast::Deadline;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most deployments kept: the first one and the latest.
const DEPLOYMENTS_KEPT_MAX: usize = 10;
/// Most tasks kept. An incident with more of them does not notice one that joins.
const TASKS_KEPT_MAX: usize = 100;

/// What an incident is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentScope {
    /// The deployments or task sets that had the problem, the newest last. A later one superseded those before it, unless
    /// the problem was over in between.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<String>,
    /// The blocking tasks of the last snapshot, or the refused tasks of the last notification.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tasks: BTreeSet<TaskId>,
    /// When the problem last came back after it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_back_at: Option<Timestamp>,
    /// The last known deadline of the newest deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_deadline: Option<Deadline>,
}

/// A current problem of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: AlertKind,
    /// When it began.
    pub(crate) since: Timestamp,
    /// The deployment and the tasks.
    pub(crate) scope: IncidentScope,
    /// Until when an open incident about it neither escalates nor repeats, because there is nothing to do.
    pub(crate) quiet_until: Option<Timestamp>,
}

impl Problem {
    pub(crate) fn is_quiet(&self, now: Timestamp) -> bool {
        self.quiet_until.is_some_and(|until| until > now)
    }
}

impl IncidentScope {
    /// What a snapshot shows.
    pub(crate) fn new<'a>(deployment: Option<&str>, tasks: impl Iterator<Item = &'a TaskId>) -> Self {
        let deployments = deployment.map(str::to_owned).into_iter().collect();
        Self { deployments, tasks: tasks.take(TASKS_KEPT_MAX).cloned().collect(), ..Self::default() }
    }

    /// Whether a later snapshot shows the same deployment, or one of the same tasks.
    pub(crate) fn continues(&self, seen: &Self) -> bool {
        self.deployments.last() == seen.deployments.last() || !self.tasks.is_disjoint(&seen.tasks)
    }

    /// Adds the deployment of a later snapshot. Returns whether it superseded another.
    pub(crate) fn supersede(&mut self, seen: &Self) -> bool {
        let Some(deployment) = seen.deployments.last().filter(|deployment| self.deployments.last() != Some(deployment))
        else {
            return false;
        };
        let is_superseded = !self.deployments.is_empty();
        self.deployments.push(deployment.clone());
        if self.deployments.len() > DEPLOYMENTS_KEPT_MAX {
            self.deployments.remove(1);
        }
        is_superseded
    }

    /// The deployments before the newest.
    pub fn superseded(&self) -> &[String] {
        self.deployments.split_last().map_or(&[], |(_, earlier)| earlier)
    }

    /// Whether a later snapshot shows a task that is new.
    pub(crate) fn has_joined(&self, seen: &Self) -> bool {
        self.tasks.len() < TASKS_KEPT_MAX && !seen.tasks.is_subset(&self.tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(numbers: &[u8]) -> Vec<TaskId> {
        numbers.iter().map(|number| format!("{number:032x}").parse().unwrap()).collect()
    }

    fn scope(deployment: &str, numbers: &[u8]) -> IncidentScope {
        IncidentScope::new(Some(deployment), tasks(numbers).iter())
    }

    #[test]
    fn an_incident_continues_with_the_same_deployment_or_one_of_the_same_tasks() {
        let first = scope("1", &[1, 2]);
        assert!(first.continues(&scope("1", &[3])));
        assert!(first.continues(&scope("2", &[2, 3])));
        assert!(!first.continues(&scope("2", &[3])));
    }

    #[test]
    fn of_many_deployments_the_first_and_the_latest_are_kept() {
        let mut all = scope("1", &[1]);
        assert!(!all.supersede(&scope("1", &[1])));
        for number in 2..=40 {
            assert!(all.supersede(&scope(&number.to_string(), &[1])));
        }
        let kept: Vec<&str> = all.deployments.iter().map(String::as_str).collect();
        assert_eq!((kept.len(), kept[0], kept[1], kept[9]), (DEPLOYMENTS_KEPT_MAX, "1", "32", "40"));
    }

    #[test]
    fn a_task_joins_once() {
        let all = scope("1", &[1, 2]);
        assert!(all.has_joined(&scope("1", &[2, 3])));
        assert!(!all.has_joined(&scope("1", &[2])));
    }
}
