//! Tasks that ECS may not know: no message alone creates a record of one, and its jobs request nothing any more.
//!
//! `MISSING` proves little by itself, because ECS answers so for a task that has just stopped, too. `DescribeTasks`
//! still knows that one, and its jobs are then interrupted rather than given up.

use crate::config::settings::Mode;
use crate::ecs::arn::{Task, TaskId};
use crate::ecs::{FailureReason, TASKS_PER_READ_MAX};
use crate::task::outcome::{TaskState, Unsettled};
use crate::task::protection::{CallResult, Refusal};
use crate::task::reconcile::Reconcile;
use crate::task::stage::{BoxedStage, CalledStage, Existence, FoundRecord, Next};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tracing::{info, warn};

fn is_missing(result: &CallResult) -> bool {
    matches!(result, CallResult::Refused(refusal) if refusal.reason == FailureReason::Missing)
}

impl Reconcile<'_> {
    /// Makes the calls of `open`, and asks ECS beside them about tasks that would get a record without a call: a message
    /// about a task that does not exist delays no start. Then it merges the reports about those that ECS
    /// knows, and makes their calls.
    ///
    /// Boxed: it is large, and few messages await it.
    pub(crate) fn carry_out_and_prove<'a>(
        &'a self,
        states: &'a mut [Option<TaskState>],
        open: Vec<BoxedStage>,
        unproved: Vec<BoxedStage>,
    ) -> LocalBoxFuture<'a, ()> {
        async {
            let lookups = self.existence_of(unproved.iter().map(|stage| &stage.task));
            let ((), found) = join(self.carry_out(states, open), lookups).await;
            let known = self.merge_known(states, unproved, &found).await;
            self.carry_out(states, known).await;
        }
        .boxed_local()
    }

    /// Merges the reports about tasks that ECS knows. Returns the stages with a call to send.
    async fn merge_known(
        &self,
        states: &mut [Option<TaskState>],
        unproved: Vec<BoxedStage>,
        found: &HashMap<Task, Existence>,
    ) -> Vec<BoxedStage> {
        let mut known = Vec::new();
        for stage in unproved {
            let stage = *stage;
            let Next::Prove(change) = stage.next else { continue };
            match found.get(&stage.task) {
                Some(Existence::Known) => {
                    let found = FoundRecord { versioned: stage.versioned, existence: Existence::Known };
                    known.push(self.merge_and_plan(stage.at, *change, Some(found)));
                }
                Some(Existence::Unknown) => {
                    // Another invocation may have recorded the task meanwhile, with a call that is on its way. A finish
                    // must not be lost then.
                    match self.store.load(&stage.task).await {
                        Ok(versioned) if !versioned.record.is_blank() => {
                            let found = FoundRecord { versioned, existence: Existence::Unknown };
                            known.push(self.merge_and_plan(stage.at, *change, Some(found)));
                            continue;
                        }
                        Ok(_) => {}
                        Err(error) => {
                            states[stage.at] = Some(TaskState::NotStored(Unsettled::Store(error)));
                            continue;
                        }
                    }
                    info!(task = %stage.task, "recording nothing about a task that ECS does not know");
                    let reason = self.of_unknown_task(self.clock.now());
                    states[stage.at] = Some(TaskState::Known(stage.versioned.record, reason));
                }
                Some(Existence::Unproved) | None => {
                    // If the record already has jobs from other messages, it already contains this change.
                    states[stage.at] = Some(match stage.versioned.record.is_blank() {
                        true => TaskState::NotStored(Unsettled::Unanswered),
                        false => TaskState::Known(stage.versioned.record, Some(Unsettled::Unanswered)),
                    });
                }
            }
        }
        self.collect(states, known.into_iter()).await
    }

    /// The end of a reconcile of a task that ECS does not know. A dry run counts every message as done.
    pub(crate) fn of_unknown_task(&self, now: Timestamp) -> Option<Unsettled> {
        let missing = Refusal { reason: FailureReason::Missing, detail: None, at: now };
        (self.config.mode != Mode::DryRun).then_some(Unsettled::Refused(missing))
    }

    /// Asks ECS about the tasks of calls that it answered with `MISSING`, unless an earlier answer has proved that it
    /// knew them.
    pub(crate) async fn unknown_among(&self, called: &[CalledStage]) -> HashMap<Task, Existence> {
        let is_in_doubt = |called: &&CalledStage| {
            is_missing(&called.outcome.result) && !called.stage.versioned.record.protection.is_known
        };
        self.existence_of(called.iter().filter(is_in_doubt).map(|called| &called.stage.task)).await
    }

    async fn existence_of<'t>(&self, tasks: impl Iterator<Item = &'t Task>) -> HashMap<Task, Existence> {
        let mut by_cluster: BTreeMap<_, Vec<TaskId>> = BTreeMap::new();
        tasks.for_each(|task| by_cluster.entry(task.cluster.clone()).or_default().push(task.id.clone()));
        let mut existence = HashMap::new();
        for (cluster, ids) in by_cluster {
            for ids in ids.chunks(TASKS_PER_READ_MAX) {
                if !self.time_is_short() {
                    self.lookups.keep(self.clock).await;
                }
                let known: Option<BTreeSet<TaskId>> = match self.time_is_short() {
                    true => None,
                    false => match self.ecs.describe_tasks(&cluster, ids).await {
                        Ok(described) => Some(described.into_iter().map(|task| task.id).collect()),
                        Err(failure) => {
                            warn!(cluster = %cluster.name, %failure, "could not read whether ECS knows tasks");
                            None
                        }
                    },
                };
                existence.extend(ids.iter().map(|id| {
                    let found = known.as_ref().map_or(Existence::Unproved, |known| match known.contains(id) {
                        true => Existence::Known,
                        false => Existence::Unknown,
                    });
                    (Task { cluster: cluster.clone(), id: id.clone() }, found)
                }));
            }
        }
        existence
    }
}
