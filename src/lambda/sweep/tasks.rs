//! The first part of the sweep: compares the protection in task records with ECS, and retries pending requests.

use crate::ecs::arn::{Task, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::task::StopCause;
use crate::ecs::{FailureReason, by_read};
use crate::lambda::function::Function;
use crate::lambda::sweep::part::Part;
use crate::service::recheck::SweepPlace;
use crate::task::attention::{Attention, attention, is_lost};
use crate::task::change::{EcsProtection, TaskChange};
use crate::task::outcome::{ReconciledTask, TaskState, Unsettled};
use crate::task::record::RecordedTask;
use crate::task::stop::{TaskStopEvent, UnreportedInterruption, end_of};
use crate::text::shown_time;
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use tracing::{debug, info, warn};

/// Maximum number of concurrent reads of ECS.
const READS_AT_ONCE: usize = 4;

impl Function {
    /// Sweeps the task records from a page on. Returns where to continue if the time is up.
    pub(crate) async fn sweep_tasks(&self, page: Option<String>, part: &mut Part<'_>) -> Option<SweepPlace> {
        let begins = page.is_none();
        let mut token = page;
        loop {
            if part.share.allows_a_call(self.clock()).is_err() {
                return Some(SweepPlace::Tasks { page: token });
            }
            let page = match self.services.tasks.store.page(token.as_deref()).await {
                Ok(page) => page,
                Err(error) => {
                    warn!(failure = %error, "could not list task records");
                    part.report.failed += 1;
                    return None;
                }
            };
            let records = page.items.iter().map(|(task, versioned)| RecordedTask { task, record: &versioned.record });
            page.items.iter().for_each(|(task, versioned)| part.open_tasks.add(task, versioned));
            self.repair(records, part).await;
            part.open_tasks.is_complete = begins && page.next_token.is_none();
            token = Some(page.next_token?);
        }
    }

    async fn repair(&self, records: impl Iterator<Item = RecordedTask<'_>>, part: &mut Part<'_>) {
        let now = self.clock().now();
        let mut changes = Vec::new();
        let mut to_compare: Vec<Compared<'_>> = Vec::new();
        let (mut to_verify, mut refused, mut left) = (Vec::new(), Vec::new(), Vec::new());
        // The record may be of a cluster that is no longer configured.
        let is_ours =
            |recorded: &RecordedTask<'_>| self.config().clusters.iter().any(|ours| *ours == recorded.task.cluster);
        for RecordedTask { task, record } in records.filter(is_ours) {
            match attention(record, now) {
                Attention::None => {}
                Attention::Open => changes.push(TaskChange::none(task.clone())),
                Attention::Verify => {
                    // Only its worker knows of the refusal, and reports it once.
                    refused.extend(record.refused_since(now).map(|_| task));
                    to_verify.push(AbsentTask { task: task.clone(), was_known: record.protection.is_known });
                }
                Attention::LeftOver => left.push(RecordedTask { task, record }),
                Attention::Compare { until } => to_compare.push(Compared { task, until }),
            }
        }
        part.report.tasks += changes.len() + to_compare.len() + to_verify.len() + left.len();
        // At once: the answer would be old after the reads below.
        let gone = self.not_left_protected(left, part).await;
        let mut missing = self.carry_out_changes(gone, part).await;
        to_compare.sort();
        let reads = by_read(&to_compare, |compared| compared.task);
        let compared = stream::iter(reads.map(|tasks| self.compare(tasks)));
        for compared in compared.buffer_unordered(READS_AT_ONCE).collect::<Vec<_>>().await {
            match compared {
                Ok(lost) => changes.extend(lost),
                Err(error) => {
                    warn!(failure = %error, "could not compare the protection of busy tasks with ECS");
                    part.report.failed += 1;
                }
            }
        }
        let ended = self.ended(to_verify, part).await;
        refused.retain(|task| ended.iter().all(|change| change.task != **task));
        changes.extend(refused.into_iter().cloned().map(TaskChange::none).chain(ended));
        missing.extend(self.carry_out_changes(changes, part).await);
        let ended = self.ended(missing, part).await;
        // Already counted when ECS reported them missing.
        part.report.tasks_unsettled -= ended.len();
        self.carry_out_changes(ended, part).await;
    }

    /// Asks ECS for the protection of idle tasks whose workers reported protection. Returns the tasks for which ECS no
    /// longer reports that protection.
    async fn not_left_protected(&self, mut idle: Vec<RecordedTask<'_>>, part: &mut Part<'_>) -> Vec<TaskChange> {
        idle.sort_by_key(|idle| idle.task);
        let (now, mut changes) = (self.clock().now(), Vec::new());
        for tasks in by_read(&idle, |idle| idle.task) {
            let ids: Vec<TaskId> = tasks.iter().map(|idle| idle.task.id.clone()).collect();
            let answer = match self.services.tasks.ecs.get_task_protection(&tasks[0].task.cluster, &ids).await {
                Ok(answer) => answer,
                Err(error) => {
                    warn!(failure = %error, "could not check whether workers have cleared their protection");
                    part.report.failed += 1;
                    continue;
                }
            };
            for RecordedTask { task, record } in tasks {
                if let Ok(seen) = answer.protected_until(&task.id)
                    && !record.is_left_protected(seen, now)
                {
                    let protection = seen.map_or(EcsProtection::Unprotected, EcsProtection::Until);
                    changes.push(TaskChange { protection, ..TaskChange::none((*task).clone()) });
                }
            }
        }
        changes
    }

    /// Reconciles tasks. Returns those that ECS reports `MISSING`.
    async fn carry_out_changes(&self, changes: Vec<TaskChange>, part: &mut Part<'_>) -> Vec<AbsentTask> {
        let tasks: Vec<Task> = changes.iter().map(|change| change.task.clone()).collect();
        let states = self.services.tasks.reconcile(changes, part.budget).await;
        self.services.process_results(ReconciledTask::all(&tasks, &states), part.budget).await;
        let unreported = self.services.tasks.report_interruptions(ReconciledTask::all(&tasks, &states)).await;
        for UnreportedInterruption { task, failure } in unreported {
            debug!(%task, %failure, "interrupted jobs wait to be reported");
        }
        let unsettled = |state: &&TaskState| matches!(state, TaskState::NotStored(_) | TaskState::Known(_, Some(_)));
        let unsettled = states.iter().filter(unsettled).count();
        part.report.tasks_unsettled += unsettled;
        part.report.tasks_repaired += states.len() - unsettled;
        let missing = |(task, state): (Task, &TaskState)| match state {
            TaskState::Known(record, Some(Unsettled::Refused(refusal)))
                if refusal.reason == FailureReason::Missing && !record.jobs.is_empty() =>
            {
                Some(AbsentTask { task, was_known: record.protection.is_known })
            }
            _ => None,
        };
        tasks.into_iter().zip(&states).filter_map(missing).collect()
    }

    /// Describes tasks that may have stopped. The jobs of a stopped or stopping task are over, and no message or event
    /// may arrive to say so. A task that ECS has never known may still be starting.
    async fn ended(&self, mut absent: Vec<AbsentTask>, part: &mut Part<'_>) -> Vec<TaskChange> {
        absent.sort_by(|one, other| one.task.cmp(&other.task));
        let mut ended = Vec::new();
        for tasks in by_read(&absent, |absent| &absent.task) {
            let ids: Vec<TaskId> = tasks.iter().map(|missing| missing.task.id.clone()).collect();
            let described = match self.services.tasks.ecs.describe_tasks(&tasks[0].task.cluster, &ids).await {
                Ok(described) => described,
                Err(error) => {
                    warn!(failure = %error, "could not check whether busy tasks are still running");
                    part.report.failed += 1;
                    continue;
                }
            };
            for AbsentTask { task, was_known } in tasks {
                let found = described.iter().find(|described| described.id == task.id).cloned();
                let end = if found.is_some() || *was_known { end_of(found, &unreported_stop(task)) } else { None };
                ended.extend(end.map(|end| TaskChange { end: Some(end), ..TaskChange::none(task.clone()) }));
            }
        }
        ended
    }

    /// Compares tasks of one cluster that count as protected with ECS. Returns those that are not.
    async fn compare(&self, tasks: &[Compared<'_>]) -> Result<Vec<TaskChange>, EcsError> {
        let ids: Vec<TaskId> = tasks.iter().map(|compared| compared.task.id.clone()).collect();
        let answer = self.services.tasks.ecs.get_task_protection(&tasks[0].task.cluster, &ids).await?;
        let mut lost = Vec::new();
        for compared in tasks {
            match answer.protected_until(&compared.task.id) {
                Ok(seen) => lost.extend(is_lost(compared.until, seen).map(|protection| (*compared, protection))),
                Err(error) => warn!(failure = %error, "could not compare the protection of busy tasks with ECS"),
            }
        }
        if lost.is_empty() {
            return Ok(Vec::new());
        }
        // Only a running task has lost its protection; the jobs of a stopped one are over.
        let ids: Vec<TaskId> = lost.iter().map(|(compared, _)| compared.task.id.clone()).collect();
        let described = self.services.tasks.ecs.describe_tasks(&tasks[0].task.cluster, &ids).await?;
        let change = |(Compared { task, until }, protection): (Compared<'_>, EcsProtection)| {
            let found = described.iter().find(|described| described.id == task.id).cloned();
            let end = end_of(found, &unreported_stop(task));
            let until = shown_time(until);
            match &end {
                None => warn!(%task, until, "busy task lost its protection; requesting it again"),
                Some(_) => info!(%task, until, "busy task stopped or stopping; closing its jobs"),
            }
            TaskChange { end, protection, ..TaskChange::none(task.clone()) }
        };
        Ok(lost.into_iter().map(change).collect())
    }
}

/// A task whose record says that it is protected, to be compared with ECS.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Compared<'a> {
    task: &'a Task,
    /// Until when the record says so.
    until: Timestamp,
}

/// A task that may have stopped: ECS reports it `MISSING`, or the function makes no call that would show it.
struct AbsentTask {
    task: Task,
    /// Whether an earlier answer has proved that ECS knew it.
    was_known: bool,
}

/// A stop that no event reported.
fn unreported_stop(task: &Task) -> TaskStopEvent {
    TaskStopEvent { task: task.clone(), service: None, cause: StopCause::default() }
}
