//! Tasks that stopped after their jobs: no reconcile reads their records any more, so a sweep hands their finished jobs
//! to the service.
//!
//! That costs a read and a write of each such task record, which hardly anyone else uses, and at most one write of the
//! service record for each sweep.

use crate::ecs::arn::Task;
use crate::ecs::service::ServiceArn;
use crate::service::durations::LearnedDurations;
use crate::service::reconciler::ServiceReconciler;
use crate::service::record::ServiceRecord;
use crate::store::{self, Changed, RECORDS_AT_ONCE, Versioned};
use crate::task::record::TaskRecord;
use futures_util::StreamExt;
use futures_util::stream;
use tracing::{debug, warn};

/// Maximum number of stopped tasks per service whose jobs one sweep gathers. The next sweep continues.
const TASKS_MAX: usize = 1_000;

/// Stopped tasks of a service with the durations of their jobs.
#[derive(Debug, Default)]
pub(crate) struct FinishedTasks {
    durations: LearnedDurations,
    tasks: Vec<(Task, Versioned<TaskRecord>)>,
}

impl FinishedTasks {
    /// Adds a task whose record names the service as one that has yet to learn.
    pub(crate) fn add(&mut self, task: &Task, versioned: &Versioned<TaskRecord>) {
        if self.tasks.len() < TASKS_MAX {
            self.durations.gather(&task.id, &versioned.record);
            self.tasks.push((task.clone(), versioned.clone()));
        }
    }
}

impl ServiceReconciler {
    /// Stores the durations in the service record, and then removes the marks from the task records. After a crash in
    /// between, the next sweep adds the same durations again, which changes nothing. After a failure, it retries.
    pub(crate) async fn learn_from(&self, service: &ServiceArn, finished: FinishedTasks) {
        let FinishedTasks { durations, tasks } = finished;
        let learned = store::update(&*self.store, service, None, |record: &mut ServiceRecord| {
            record.durations.merge(&durations);
            Changed { result: (), keep_until: ServiceRecord::keep_until(self.tasks.clock.now()) }
        });
        if let Err(failure) = learned.await {
            warn!(%service, %failure, "could not store how long the jobs of stopped tasks took; the next sweep retries");
            return;
        }
        let dones = tasks.iter().map(|(task, seen)| self.clear_mark(task, seen));
        stream::iter(dones).buffer_unordered(RECORDS_AT_ONCE).collect::<Vec<()>>().await;
    }

    async fn clear_mark(&self, task: &Task, seen: &Versioned<TaskRecord>) {
        let retention = self.tasks.config.finished_job_retention;
        let marked = store::update(&*self.tasks.store, task, Some(seen), |record: &mut TaskRecord| {
            // A message may have reported a finish meanwhile.
            if record.jobs == seen.record.jobs {
                record.durations_for = None;
            }
            Changed { result: (), keep_until: record.keep_until(self.tasks.clock.now(), retention) }
        });
        if let Err(failure) = marked.await {
            debug!(%task, %failure, "the next sweep gathers the jobs of the stopped task again");
        }
    }
}
