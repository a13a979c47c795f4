//! Reads a service: one `DescribeServices`, then pages of a hundred tasks.

use super::{Gap, Jobs, Observed, ObservedJob, ObservedTask};
use crate::clock::Clock;
use crate::ecs::{EcsError, ServiceArn, ServiceReads, Task, TaskDescription, TaskId};
use crate::ledger::{Ledger, TaskEntry};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use std::collections::HashMap;

/// Tasks of one service that are looked at: ECS's own quota ("Amazon ECS service quotas": tasks per service, 5,000).
pub const TASKS_OBSERVED_MAX: usize = 5_000;
/// Most tasks of one `DescribeTasks` and one `GetTaskProtection` (aws-facts "ECS: the protection API").
const TASKS_PER_READ_MAX: usize = 100;
/// Pages are read so many at once: their buckets give 20 calls a second after a burst of 100.
const READS_AT_ONCE: usize = 4;
/// Ledger entries are read so many at once.
const LEDGER_AT_ONCE: usize = 32;

/// Looks at a service. `None` if ECS knows no such service.
///
/// It takes 1 + 3 × ⌈tasks / 100⌉ reads of ECS, and one read of the ledger for each protected task.
///
/// # Errors
/// The service itself could not be described. Everything else that fails is a gap in the picture.
pub async fn observe<E: ServiceReads, L: Ledger, C: Clock>(
    with: (&E, &L, &C),
    arn: &ServiceArn,
) -> Result<Option<Observed>, EcsError> {
    let (ecs, ledger, clock) = with;
    let Some(service) = ecs.describe_service(arn).await? else { return Ok(None) };
    let mut observed = Observed { at: clock.now(), service, tasks: Vec::new(), gaps: Vec::new() };
    let ids = list(ecs, arn, &mut observed.gaps).await;
    observed.tasks = describe(ecs, arn, (&ids, &mut observed.gaps)).await;
    add_protection(ecs, arn, &mut observed).await;
    add_jobs(ledger, arn, &mut observed).await;
    Ok(Some(observed))
}

async fn list<E: ServiceReads>(ecs: &E, arn: &ServiceArn, gaps: &mut Vec<Gap>) -> Vec<TaskId> {
    let mut ids = Vec::new();
    let mut token = None;
    loop {
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
        if ids.len() >= TASKS_OBSERVED_MAX {
            gaps.push(Gap::TooManyTasks(TASKS_OBSERVED_MAX));
            return ids;
        }
    }
}

async fn describe<E: ServiceReads>(ecs: &E, arn: &ServiceArn, what: (&[TaskId], &mut Vec<Gap>)) -> Vec<ObservedTask> {
    let (ids, gaps) = what;
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

/// A task that is wanted running. What is stopping holds nothing up.
fn wanted(task: TaskDescription) -> Option<ObservedTask> {
    (task.desired_status == "RUNNING").then(|| ObservedTask {
        id: task.id,
        deployment: task.started_by,
        is_running: task.last_status == "RUNNING",
        protected_until: None,
        jobs: Jobs::Unread,
    })
}

async fn add_protection<E: ServiceReads>(ecs: &E, arn: &ServiceArn, observed: &mut Observed) {
    let ids: Vec<TaskId> = observed.tasks.iter().map(|task| task.id.clone()).collect();
    let reads = ids.chunks(TASKS_PER_READ_MAX).map(|ids| ecs.get_task_protection(&arn.cluster, ids));
    let pages: Vec<_> = stream::iter(reads).buffered(READS_AT_ONCE).collect().await;
    let mut protected: HashMap<TaskId, Timestamp> = HashMap::new();
    for page in pages {
        match page {
            Ok(answer) => protected.extend(answer.protected_tasks.into_iter().filter_map(|task| {
                let until = task.expiration_date.filter(|_| task.protection_enabled)?;
                Some((task.task_id, until))
            })),
            Err(error) => observed.gaps.push(Gap::Protection(error)),
        }
    }
    for task in &mut observed.tasks {
        task.protected_until = protected.get(&task.id).copied();
    }
}

async fn add_jobs<L: Ledger>(ledger: &L, arn: &ServiceArn, observed: &mut Observed) {
    let protected = observed.tasks.iter().enumerate().filter(|(_, task)| task.protected_until.is_some());
    let protected: Vec<(usize, Task)> =
        protected.map(|(at, task)| (at, Task { cluster: arn.cluster.clone(), id: task.id.clone() })).collect();
    let reads = protected.into_iter().map(|(at, task)| async move { (at, ledger.load(&task).await) });
    let read: Vec<_> = stream::iter(reads).buffer_unordered(LEDGER_AT_ONCE).collect().await;
    for (at, entry) in read {
        match entry {
            Ok(versioned) => observed.tasks[at].jobs = jobs(&versioned.entry, observed.at),
            Err(error) => observed.gaps.push(Gap::Jobs(error)),
        }
    }
}

fn jobs(entry: &TaskEntry, now: Timestamp) -> Jobs {
    if *entry == TaskEntry::default() {
        return Jobs::Unknown;
    }
    let job = |(key, until)| {
        let expected = entry.jobs.get(key).and_then(|job| job.expected_until.as_ref());
        ObservedJob { key: key.clone(), until, expected_until: expected.map(|told| told.value) }
    };
    Jobs::Known(entry.live_jobs(now).map(job).collect())
}
