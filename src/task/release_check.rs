//! Asks ECS before a release which protection each task has, and lets through only protection that taskhold set.
//!
//! ECS clears the protection of any writer, so a release without this check would also end the protection that a
//! worker set for itself. The release is recorded before the read: a call of another invocation that begins meanwhile
//! overlaps it, and then the read proves nothing. Another writer can still act between the read and the call.

use crate::ecs::arn::{ClusterArn, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::{ProtectionAnswer, TASKS_PER_READ_MAX};
use crate::task::call::{THROTTLED_PAUSE, THROTTLED_RETRIES_MAX, jitter};
use crate::task::outcome::Unsettled;
use crate::task::protection::CallResult;
use crate::task::reconcile::Reconcile;
use crate::task::stage::{BoxedStage, CallOutcome, CalledStage, CheckedReleases, Stage};
use crate::text::listed;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::warn;

impl Reconcile<'_> {
    /// Reads the protection of tasks that are about to be released, up to a hundred with each call.
    pub(crate) async fn check_releases(&self, stages: Vec<BoxedStage>) -> CheckedReleases {
        let mut by_cluster: BTreeMap<Arc<ClusterArn>, Vec<BoxedStage>> = BTreeMap::new();
        for stage in stages {
            by_cluster.entry(stage.task.cluster.clone()).or_default().push(stage);
        }
        let mut checked = CheckedReleases::default();
        for (cluster, mut stages) in by_cluster {
            // The order in which the state store answered must not show in the call.
            stages.sort_by(|one, other| one.task.cmp(&other.task));
            while !stages.is_empty() {
                let rest = stages.split_off(stages.len().min(TASKS_PER_READ_MAX));
                let ids: Vec<TaskId> = stages.iter().map(|stage| stage.task.id.clone()).collect();
                let answer = self.read_protection(&cluster, &ids).await;
                if let Err(failure) = &answer {
                    let tasks = listed(ids.iter().map(TaskId::as_str));
                    warn!(cluster = %cluster.name, tasks, %failure, "could not read task protection before a release");
                }
                for stage in std::mem::replace(&mut stages, rest) {
                    match outcome_of(&stage, &answer) {
                        Some(outcome) => checked.decided.push(CalledStage { stage, outcome }),
                        None => checked.to_send.push(stage),
                    }
                }
            }
        }
        checked
    }

    async fn read_protection(&self, cluster: &ClusterArn, ids: &[TaskId]) -> Result<ProtectionAnswer, Unsettled> {
        self.rate_limit.keep(self.clock).await;
        let mut pause = THROTTLED_PAUSE;
        for _ in 0..THROTTLED_RETRIES_MAX {
            self.budget.allows_a_call(self.clock)?;
            match self.ecs.get_task_protection(cluster, ids).await {
                Err(EcsError::Throttled) => self.budget.counts.throttled_calls.add(1),
                answer => return Ok(answer?),
            }
            let turn = self.rate_limit.throttled(self.clock.now());
            self.clock.sleep(turn.max(pause + jitter(pause, &ids[0]))).await;
            pause *= 2;
        }
        self.budget.allows_a_call(self.clock)?;
        Ok(self.ecs.get_task_protection(cluster, ids).await?)
    }
}

/// The outcome of a release that must not be sent. `None` if ECS reports protection that taskhold set.
fn outcome_of(stage: &Stage, answer: &Result<ProtectionAnswer, Unsettled>) -> Option<CallOutcome> {
    let reported = match answer {
        Ok(answer) => answer.protected_until(&stage.task.id).map_err(Unsettled::Ecs),
        Err(error) => Err(error.clone()),
    };
    let (result, unsettled) = match reported {
        Ok(Some(until)) if stage.versioned.record.protection.is_own(until) => return None,
        Ok(Some(until)) => (CallResult::Foreign(until), None),
        // Nothing to clear: it has expired, another writer has cleared it, or the task is gone.
        Ok(None) => (CallResult::Cleared, None),
        Err(error) => (CallResult::WithoutEffect, Some(error)),
    };
    Some(CallOutcome { result, unsettled })
}
