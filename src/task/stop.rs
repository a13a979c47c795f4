//! A task that stops: verifies the stop with ECS, and reports the jobs that it interrupts.

use crate::budget::Budget;
use crate::ecs::arn::{Task, TaskId};
use crate::ecs::error::EcsError;
use crate::ecs::task::{StopCause, TaskDescription};
use crate::ecs::{ProtectionAnswer, by_read};
use crate::outbox::{DeliveryError, DeliveryOutcome};
use crate::store::{self, Changed, RECORDS_AT_ONCE};
use crate::task::change::EcsProtection;
use crate::task::interruption::{InterruptedTask, Interruption, StopStage, TaskStop, TrackedInterruption};
use crate::task::job::JobReport;
use crate::task::outcome::{ReconciledTask, TaskState, Unsettled, joined};
use crate::task::reconciler::TaskReconciler;
use crate::task::record::TaskRecord;
use crate::text::listed;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;
use tracing::{error, info, warn};

/// A report that a task is stopping or has stopped. It only triggers a read of ECS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStopEvent {
    /// The task.
    pub task: Task,
    /// The name of its service, if reported.
    pub service: Option<String>,
    /// The cause, as far as reported.
    pub cause: StopCause,
}

/// A stop that a message reports.
pub(crate) struct ReportedStop<'a> {
    pub(crate) stop: &'a TaskStopEvent,
    /// The jobs of the task that the same batch reports.
    pub(crate) jobs: &'a [JobReport],
}

/// Maximum number of stops that are read concurrently. Each may cost a read of protection, whose bucket gives 20 calls a
/// second after a burst of 100 (aws-facts "ECS: the protection API").
const STOPS_AT_ONCE: usize = 8;

/// What ECS says about a stop.
pub(crate) struct StopReport {
    /// `None` while it may still turn out that the jobs have finished.
    pub(crate) end: Option<TaskStop>,
    /// The protection that ECS reports, if it was asked.
    pub(crate) protection: EcsProtection,
}

/// A task whose interruption could not be reported.
pub(crate) struct UnreportedInterruption {
    pub(crate) task: Task,
    pub(crate) failure: Unsettled,
}

impl TaskReconciler {
    /// Returns the stop of a task that has live jobs. `None` if the task has no live job or does not stop. An event proves
    /// nothing, so this asks ECS.
    pub(crate) async fn read_stop(
        &self,
        stop: &TaskStopEvent,
        budget: Budget<'_>,
    ) -> Result<Option<StopReport>, Unsettled> {
        let task = &stop.task;
        let Some(record) = self.with_live_jobs(stop, &[]).await? else { return Ok(None) };
        budget.allows_a_call(&*self.clock)?;
        let described = self.ecs.describe_tasks(&task.cluster, std::slice::from_ref(&task.id)).await?;
        Ok(self.report_of(stop, &record, described.into_iter().find(|described| described.id == task.id)).await)
    }

    /// Like [`Self::read_stop`], for stops that messages report, each of another task. The results have the order of
    /// `stops`. Every principal that may send to the job queue can report stops, so up to a hundred tasks share a
    /// read, and the reads have the rate of those about tasks that ECS may not know. Job messages of the batch must not
    /// wait: without a token, the stops are retried.
    pub(crate) async fn read_stops(
        &self,
        stops: &[ReportedStop<'_>],
        budget: Budget<'_>,
    ) -> Vec<Result<Option<StopReport>, Unsettled>> {
        let loads = stops.iter().map(|reported| self.with_live_jobs(reported.stop, reported.jobs));
        let records: Vec<_> = stream::iter(loads).buffered(RECORDS_AT_ONCE).collect().await;
        let found = stops.iter().zip(&records).filter(|(_, record)| matches!(record, Ok(Some(_))));
        let mut busy: Vec<&Task> = found.map(|(reported, _)| &reported.stop.task).collect();
        busy.sort();
        let mut described = HashMap::new();
        for tasks in by_read(&busy, |task| task) {
            let answer = self.describe_at_limited_rate(tasks, budget).await;
            let of = |task: &Task| match &answer {
                Ok(described) => Ok(described.iter().find(|described| described.id == task.id).cloned()),
                Err(failure) => Err(failure.clone()),
            };
            described.extend(tasks.iter().map(|task| (*task, of(task))));
        }
        let mut answered = Vec::with_capacity(stops.len());
        for (ReportedStop { stop, .. }, record) in stops.iter().zip(records) {
            answered.push((*stop, record, described.remove(&stop.task)));
        }
        let reports = answered.into_iter().map(async |(stop, record, described)| match (record, described) {
            (Err(failure), _) | (Ok(Some(_)), Some(Err(failure))) => Err(failure),
            (Ok(Some(record)), Some(Ok(described))) => Ok(self.report_of(stop, &record, described).await),
            (Ok(_), _) => Ok(None),
        });
        stream::iter(reports).buffered(STOPS_AT_ONCE).collect().await
    }

    async fn describe_at_limited_rate(
        &self,
        tasks: &[&Task],
        budget: Budget<'_>,
    ) -> Result<Vec<TaskDescription>, Unsettled> {
        budget.allows_a_call(&*self.clock)?;
        if !self.lookups.take_without_waiting(self.clock.now()) {
            info!(
                tasks = tasks.len(),
                "deferring task stops that messages report: the read limit is reached, and SQS redelivers the events"
            );
            return Err(Unsettled::Ecs(EcsError::Throttled));
        }
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id.clone()).collect();
        Ok(self.ecs.describe_tasks(&tasks[0].cluster, &ids).await?)
    }

    /// The record of the task, with the jobs that are reported beside its stop. `None` if it has no live job: that is not
    /// worth a call. Its finished jobs are marked for the next sweep.
    async fn with_live_jobs(
        &self,
        stop: &TaskStopEvent,
        reported: &[JobReport],
    ) -> Result<Option<TaskRecord>, Unsettled> {
        let mut record = self.store.load(&stop.task).await?.record;
        reported.iter().for_each(|report| record.merge_job(&report.key, &report.job));
        if record.live_jobs(self.clock.now()).next().is_some() {
            return Ok(Some(record));
        }
        if record.has_durations() && record.durations_for.is_none() {
            self.leave_durations(stop).await?;
        }
        Ok(None)
    }

    /// What the answer of ECS says about the stop of a task. `None` if the task does not stop.
    async fn report_of(
        &self,
        stop: &TaskStopEvent,
        record: &TaskRecord,
        described: Option<TaskDescription>,
    ) -> Option<StopReport> {
        let task = &stop.task;
        let Some(end) = end_of(described, stop) else {
            warn!(%task, "ignoring a stop event for a running task");
            return None;
        };
        let is_scale_in = end.cause.code.as_deref() == Some("ServiceSchedulerInitiated");
        let now = self.clock.now();
        let protection = match record.protection.confirmed_until.max(record.agent_until(now)) {
            Some(until) if is_scale_in && until > now => self.protection_at_stop(task).await,
            _ => EcsProtection::NotAsked,
        };
        // A worker that protects its task clears that when its last job has finished, and the task may stop before the
        // message arrives. The event of the stopped task settles it.
        let is_cleared = protection == EcsProtection::Unprotected && record.agent_until(now).is_some();
        let waits = is_cleared && end.stage == StopStage::Stopping;
        Some(StopReport { end: Some(end).filter(|_| !waits), protection })
    }

    /// Leaves the finished jobs of a task to the next sweep: one write of the task record, which other instances hardly
    /// use any more.
    async fn leave_durations(&self, stop: &TaskStopEvent) -> Result<(), Unsettled> {
        let retention = self.config.finished_job_retention;
        let stored = store::update(&*self.store, &stop.task, None, |record: &mut TaskRecord| {
            // A message of the same batch may be the first about the task; it creates the record.
            if *record != TaskRecord::default() {
                record.leave_durations_to(stop.service.as_deref());
            }
            Changed { result: (), keep_until: record.keep_until(self.clock.now(), retention) }
        });
        Ok(stored.await.map(drop)?)
    }

    /// The protection that ECS reports of a task that its scheduler stops. A read that fails, or says that the task is
    /// gone, proves nothing.
    async fn protection_at_stop(&self, task: &Task) -> EcsProtection {
        let answer = self.ecs.get_task_protection(&task.cluster, std::slice::from_ref(&task.id)).await;
        let is_listed = |answer: &ProtectionAnswer| answer.protected_tasks.iter().any(|one| one.task_id == task.id);
        match answer.ok().filter(is_listed).map(|answer| answer.protected_until(&task.id)) {
            Some(Ok(Some(until))) => EcsProtection::Until(until),
            Some(Ok(None)) => EcsProtection::Unprotected,
            Some(Err(_)) | None => EcsProtection::NotAsked,
        }
    }

    /// Reports interruptions, each once. Returns the tasks for which that failed.
    pub(crate) async fn report_interruptions<'a>(
        &self,
        reconciled: impl Iterator<Item = ReconciledTask<'a>>,
    ) -> Vec<UnreportedInterruption> {
        let now = self.clock.now();
        let has_unreported = |state: &TaskState| match state {
            TaskState::Known(record, _) => {
                record.pending_interruptions().any(|delivery| delivery.is_due(now) || delivery.is_backing_off(now))
            }
            TaskState::NotStored(_) => false,
        };
        let mut unreported = Vec::new();
        for ReconciledTask { task, .. } in reconciled.filter(|reconciled| has_unreported(reconciled.state)) {
            if let Err(failure) = self.report_interruptions_of(task).await {
                unreported.push(UnreportedInterruption { task: task.clone(), failure });
            }
        }
        unreported
    }

    /// Reports all interruptions of a task that are due.
    ///
    /// # Errors
    /// A receiver did not take one, now or before, so that it waits for its next attempt: the caller's message is
    /// retried until then.
    pub(crate) async fn report_interruptions_of(&self, task: &Task) -> Result<(), Unsettled> {
        let retention = self.config.finished_job_retention;
        loop {
            let claimed = store::update(&*self.store, task, None, |record: &mut TaskRecord| {
                let now = self.clock.now();
                let claimed = record.claim_interruption(now);
                let backs_off = record.pending_interruptions().any(|delivery| delivery.is_backing_off(now));
                Changed { result: (claimed, backs_off), keep_until: record.keep_until(now, retention) }
            });
            match claimed.await?.result {
                (Some(tracked), _) => self.report_interruption(task, tracked).await?,
                (None, true) => return Err(Unsettled::InterruptionBacksOff),
                (None, false) => return Ok(()),
            }
        }
    }

    /// Reports an interruption that this instance has claimed, and records the result.
    async fn report_interruption(&self, task: &Task, tracked: TrackedInterruption) -> Result<(), Unsettled> {
        let is_first = tracked.delivery.is_none_or(|delivery| delivery.failures == 0);
        if is_first {
            log_interruption(task, &tracked.what);
        }
        let interrupted = InterruptedTask { task: task.clone(), interruption: tracked.what };
        let forwarded = match &self.interrupted {
            Some(queue) if !tracked.forwarded => queue.deliver(&interrupted).await,
            Some(_) | None => Ok(()),
        };
        let notified = self.notifier.deliver(&interrupted).await;
        let is_forwarded = forwarded.is_ok();
        let failures: Vec<DeliveryError> = [forwarded, notified].into_iter().filter_map(Result::err).collect();
        let outcome = if failures.is_empty() { DeliveryOutcome::Acknowledged } else { DeliveryOutcome::Failed };
        store::update(&*self.store, task, None, |record: &mut TaskRecord| {
            let now = self.clock.now();
            let this = record.interruptions.iter_mut().find(|known| known.what == interrupted.interruption);
            if let Some(tracked) = this {
                tracked.forwarded |= is_forwarded;
                tracked.delivery = tracked.delivery.and_then(|delivery| delivery.settle(outcome, now));
            }
            Changed { result: (), keep_until: record.keep_until(now, self.config.finished_job_retention) }
        })
        .await?;
        match outcome {
            DeliveryOutcome::Acknowledged => Ok(()),
            DeliveryOutcome::Failed => {
                let failure = joined(&failures);
                match is_first {
                    true => error!(%task, failure, "could not report interrupted jobs; taskhold will retry"),
                    false => info!(%task, failure, "still could not report interrupted jobs"),
                }
                Err(Unsettled::InterruptionNotReported(failures))
            }
        }
    }
}

fn log_interruption(task: &Task, what: &Interruption) {
    let jobs = listed(what.jobs.iter().map(|job| job.key.to_string()));
    let code = what.stop_code.as_deref().unwrap_or_default();
    let reason = what.stopped_reason.as_deref().unwrap_or_default();
    let service = what.service.as_deref().unwrap_or_default();
    let stage = what.stage.as_str();
    warn!(%task, service, stage, jobs, code, reason, "jobs interrupted");
}

/// The stop as ECS describes it, or as the event reported it if ECS no longer knows the task. A task that ECS
/// has forgotten (`MISSING`) has stopped: ECS forgets no running task.
pub(crate) fn end_of(described: Option<TaskDescription>, stop: &TaskStopEvent) -> Option<TaskStop> {
    let Some(described) = described else {
        return Some(TaskStop { stage: StopStage::Stopped, service: stop.service.clone(), cause: stop.cause.clone() });
    };
    let stage = match (described.last_status.as_str(), described.desired_status.as_str()) {
        ("STOPPED" | "DELETED", _) => StopStage::Stopped,
        (_, "STOPPED") => StopStage::Stopping,
        _ => return None,
    };
    Some(TaskStop { stage, service: described.service.or_else(|| stop.service.clone()), cause: described.stop })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::clusters::Clusters;
    use crate::ecs::task::StopCause;

    fn stage(last_status: &str, desired_status: &str) -> Option<StopStage> {
        let clusters =
            Clusters::new(vec!["arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap()]).unwrap();
        let task = clusters.task_in("video", "6b777c1809a94925ab48098fa09824de").unwrap();
        let described = TaskDescription {
            id: task.id.clone(),
            service: None,
            started_by: None,
            last_status: last_status.to_owned(),
            desired_status: desired_status.to_owned(),
            stop: StopCause::default(),
        };
        let stop = TaskStopEvent { task, service: None, cause: StopCause::default() };
        assert_eq!(end_of(None, &stop).map(|end| end.stage), Some(StopStage::Stopped), "forgotten by ECS");
        end_of(Some(described), &stop).map(|end| end.stage)
    }

    #[test]
    fn the_statuses_of_a_task_tell_whether_it_runs_is_about_to_stop_or_has_stopped() {
        for (last_status, desired_status, expected) in [
            ("RUNNING", "RUNNING", None),
            ("FROM_THE_FUTURE", "RUNNING", None),
            ("", "", None),
            ("RUNNING", "STOPPED", Some(StopStage::Stopping)),
            ("DEPROVISIONING", "STOPPED", Some(StopStage::Stopping)),
            ("STOPPED", "STOPPED", Some(StopStage::Stopped)),
            ("STOPPED", "", Some(StopStage::Stopped)),
            ("DELETED", "STOPPED", Some(StopStage::Stopped)),
        ] {
            assert_eq!(stage(last_status, desired_status), expected, "{last_status} {desired_status}");
        }
    }
}
