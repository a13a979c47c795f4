//! Reads a service: one `DescribeServices`, then pages of a hundred tasks, and the service deployment in progress.

use crate::clock::Clock;
use crate::ecs::arn::{Task, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use crate::ecs::task::TaskDescription;
use crate::ecs::{ServiceReads, TASKS_PER_READ_MAX};
use crate::service::durations::{Learned, LearnedDurations};
use crate::service::record::ServiceRecord;
use crate::service::rollout::{self, ReplacedTasks, Rollout};
use crate::service::snapshot::managed::{Managed, is_managed};
use crate::service::snapshot::service_deployment::add_service_deployment;
use crate::service::snapshot::{Gap, JobSnapshot, Jobs, LostTask, RejectedJobs, ServiceSnapshot, TaskSnapshot};
use crate::store::{RECORDS_AT_ONCE, Store};
use crate::task::attention::is_lost;
use crate::task::job::{Job, Labels};
use crate::task::record::TaskRecord;
use crate::task::rejected::RejectedJob;
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Maximum number of tasks read of one service: ECS's quota ("Amazon ECS service quotas": tasks per service, 5,000).
pub const TASKS_READ_MAX: usize = 5_000;
/// A longer list is taken for endless: twice the pages that [`TASKS_READ_MAX`] fills, since a page need not be full.
pub(crate) const LIST_PAGES_MAX: usize = 2 * TASKS_READ_MAX / TASKS_PER_READ_MAX;
/// Maximum number of concurrent page reads, whose buckets give 20 calls a second after a burst of 100.
const READS_AT_ONCE: usize = 4;

/// Reads a service. `None` if ECS does not know it. `known` is its service record.
///
/// It costs 1 + 3 × ⌈tasks / 100⌉ ECS calls, one more while a deployment is in progress, and one read of the state
/// store for each task that is protected or that ECS is known to have refused, and in a rollout for each running task.
///
/// # Errors The service itself could not be described. Any other failed read becomes a gap in the snapshot.
pub async fn read_service(
    ecs: &dyn ServiceReads,
    store: &dyn Store<TaskRecord>,
    clock: &dyn Clock,
    arn: &ServiceArn,
    known: &ServiceRecord,
) -> Result<Option<ServiceSnapshot>, EcsError> {
    let Some(service) = ecs.describe_service(arn).await? else { return Ok(None) };
    let mut snapshot = ServiceSnapshot::of(service, clock.now());
    let ids = list(ecs, arn, &mut snapshot.gaps).await;
    snapshot.tasks = describe(ecs, arn, &ids, &mut snapshot.gaps).await;
    add_service_deployment(ecs, &mut snapshot).await;
    add_protection(ecs, arn, &mut snapshot).await;
    add_jobs(store, arn, known, &mut snapshot).await;
    Ok(Some(snapshot))
}

async fn list(ecs: &dyn ServiceReads, arn: &ServiceArn, gaps: &mut Vec<Gap>) -> Vec<TaskId> {
    let mut ids = Vec::new();
    let mut token = None;
    for _ in 0..LIST_PAGES_MAX {
        match ecs.list_tasks(arn, token.as_deref()).await {
            Ok(page) => {
                ids.extend(page.items);
                token = page.next_token;
            }
            Err(error) => {
                gaps.push(Gap::Tasks(error));
                return ids;
            }
        }
        if token.is_none() {
            return ids;
        }
        if ids.len() >= TASKS_READ_MAX {
            gaps.push(Gap::TooManyTasks(TASKS_READ_MAX));
            return ids;
        }
    }
    let endless = format!("ListTasks answered {LIST_PAGES_MAX} pages with {} tasks and reported more", ids.len());
    gaps.push(Gap::Tasks(EcsError::Incomplete(endless)));
    ids
}

async fn describe(ecs: &dyn ServiceReads, arn: &ServiceArn, ids: &[TaskId], gaps: &mut Vec<Gap>) -> Vec<TaskSnapshot> {
    let reads = ids.chunks(TASKS_PER_READ_MAX).map(|ids| ecs.describe_tasks(&arn.cluster, ids));
    let pages: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).collect().await;
    let mut tasks = Vec::with_capacity(ids.len());
    for page in pages {
        match page {
            Ok(page) => tasks.extend(page.into_iter().filter_map(wanted)),
            Err(error) => gaps.push(Gap::Descriptions(error)),
        }
    }
    tasks
}

/// A task with desired status `RUNNING`. A stopping task blocks nothing.
fn wanted(task: TaskDescription) -> Option<TaskSnapshot> {
    let is_running = task.last_status == "RUNNING";
    (task.desired_status == "RUNNING")
        .then(|| TaskSnapshot { is_running, ..TaskSnapshot::running(task.id, task.started_by) })
}

async fn add_protection(ecs: &dyn ServiceReads, arn: &ServiceArn, snapshot: &mut ServiceSnapshot) {
    let ServiceSnapshot { tasks, gaps, .. } = snapshot;
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id.clone()).collect();
    let reads = ids.chunks(TASKS_PER_READ_MAX).map(|ids| ecs.get_task_protection(&arn.cluster, ids));
    let pages: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).collect().await;
    for (tasks, page) in tasks.chunks_mut(TASKS_PER_READ_MAX).zip(pages) {
        let read = page.and_then(|answer| {
            let mut failure = None;
            for task in tasks {
                match answer.protected_until(&task.id) {
                    Ok(until) => task.protected_until = until,
                    Err(error) => failure = Some(error),
                }
            }
            failure.map_or(Ok(()), Err)
        });
        gaps.extend(read.err().map(Gap::Protection));
    }
}

async fn add_jobs(
    store: &dyn Store<TaskRecord>,
    arn: &ServiceArn,
    known: &ServiceRecord,
    snapshot: &mut ServiceSnapshot,
) {
    // In a rollout, a task without protection may be the next to be stopped.
    let replaced = rollout::replaced(snapshot);
    let has_rollout = replaced.rollout != Rollout::None;
    let old_tasks = OldTasks::of(&replaced);
    let is_shown = |task: &TaskSnapshot| task.protected_until.is_some() || known.refused.contains(&task.id);
    let has_jobs_to_read = |task: &TaskSnapshot| is_shown(task) || has_rollout && task.is_running;
    let wanted = snapshot.tasks.iter().enumerate().filter(|(_, task)| has_jobs_to_read(task));
    let wanted: Vec<(usize, Task)> = wanted.map(|(at, task)| (at, arn.task(&task.id))).collect();
    let reads = wanted.into_iter().map(|(at, task)| async move { (at, store.load(&task).await) });
    let read: Vec<_> = stream::iter(reads).buffer_unordered(RECORDS_AT_ONCE).collect().await;
    snapshot.durations.clone_from(&known.durations);
    let mut finished = LearnedDurations::default();
    for (at, record) in &read {
        record.iter().for_each(|versioned| finished.gather(&snapshot.tasks[*at].id, &versioned.record));
    }
    snapshot.durations.merge(&finished);
    let managed = is_managed(&snapshot.service);
    for (at, record) in read {
        match record {
            Ok(versioned) => {
                snapshot.lost.extend(lost(&snapshot.tasks[at], &versioned.record, snapshot.at));
                if !is_shown(&snapshot.tasks[at]) {
                    continue;
                }
                let is_left = versioned.record.is_left_protected(snapshot.tasks[at].protected_until, snapshot.at);
                // The worker's reports show that this protection is left over, so the service needs no tag.
                let judged = if is_left { Managed::Yes } else { managed };
                let known = jobs(&versioned.record, snapshot.at, judged, &snapshot.durations);
                snapshot.tasks[at].jobs = known;
                snapshot.tasks[at].is_left_protected = is_left;
                snapshot.tasks[at].jobs_started = old_tasks.jobs_started(&snapshot.tasks[at].id, &versioned.record);
                snapshot.tasks[at].idle_since = versioned.record.idle_since(snapshot.at);
                snapshot.tasks[at].lingers_until = versioned.record.lingering_until(snapshot.at);
                snapshot.tasks[at].refused_since = versioned.record.refused_since(snapshot.at);
                snapshot.tasks[at].rejected = rejected_jobs(&versioned.record, snapshot.at);
                snapshot.tasks[at].is_awaited =
                    versioned.record.membership.as_ref().is_some_and(|membership| membership.is_awaited);
            }
            Err(error) => snapshot.gaps.push(Gap::Jobs(error)),
        }
    }
}

/// The tasks that a deployment or a task set change replaces. In a scale-in every task may go on taking jobs.
struct OldTasks {
    ids: BTreeSet<TaskId>,
    /// When the rollout began.
    since: Timestamp,
}

impl OldTasks {
    fn of(replaced: &ReplacedTasks<'_>) -> Self {
        let since = replaced.rollout.started_at().filter(|_| !replaced.rollout.is_scale_in());
        let ids = replaced.tasks.iter().map(|task| task.id.clone()).collect();
        Self { ids, since: since.unwrap_or(Timestamp::MAX) }
    }

    fn jobs_started(&self, task: &TaskId, record: &TaskRecord) -> usize {
        let is_new = |job: &Job| job.started_at.is_some_and(|at| at > self.since);
        if self.ids.contains(task) { record.jobs.values().filter(|job| is_new(job)).count() } else { 0 }
    }
}

fn rejected_jobs(record: &TaskRecord, now: Timestamp) -> Option<RejectedJobs> {
    let job = |job: &RejectedJob| JobSnapshot {
        key: job.key.clone(),
        until: job.until,
        expected_until: None,
        learned: Learned::Nothing,
        silent_since: None,
        labels: Labels::new(),
    };
    let jobs: Vec<JobSnapshot> = record.rejected_jobs(now).map(job).collect();
    let since = record.rejected_since(now).filter(|_| !jobs.is_empty())?;
    Some(RejectedJobs { since, jobs })
}

/// Whether a busy task lost the protection that ECS had confirmed. A call that began after the reads of the snapshot,
/// or that may still take effect, makes them worthless.
fn lost(task: &TaskSnapshot, record: &TaskRecord, at: Timestamp) -> Option<LostTask> {
    let protection = &record.protection;
    record.wanted_until(at)?;
    let until = protection.confirmed_until.filter(|until| *until > at)?;
    let is_newer = protection.own.iter().any(|own| own.asked_at >= at) || !protection.in_flight.is_empty();
    let reported = is_lost(until, task.protected_until).filter(|_| !is_newer)?;
    Some(LostTask { task: task.id.clone(), until, reported })
}

/// The jobs of a protected task in the state store. A protection that taskhold has not set and that no live job
/// explains counts as left over only if taskhold may judge it.
pub(crate) fn jobs(record: &TaskRecord, now: Timestamp, managed: Managed, durations: &LearnedDurations) -> Jobs {
    let is_ours = record.protection.is_set() || managed == Managed::Yes;
    if *record == TaskRecord::default() || !is_ours && !record.is_busy(now) {
        return Jobs::Unknown;
    }
    let job = |(key, until)| {
        let job = record.jobs.get(key);
        let expected = job.and_then(|job| job.expected_until.as_ref());
        let labels = job.and_then(|job| job.labels.as_ref());
        JobSnapshot {
            key: key.clone(),
            until,
            expected_until: expected.map(|expected| expected.value),
            learned: job.map(|job| durations.of(job, now)).unwrap_or_default(),
            silent_since: job.and_then(|job| job.silent_since(now)),
            labels: labels.map(|labels| labels.value.clone()).unwrap_or_default(),
        }
    };
    Jobs::Known(record.busy_jobs(now).into_iter().map(job).collect())
}
