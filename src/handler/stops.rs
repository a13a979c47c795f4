//! A task that stops: is it true, were there jobs on it, and who has been told?

use super::{Handler, Parts, Within};
use crate::alert::interrupted::job_messages;
use crate::alert::{AlertSink, Notification};
use crate::clock::Clock;
use crate::decide::{RetryReason, TaskState};
use crate::ecs::{ServiceReads, Task, TaskDescription};
use crate::event::TaskStopEvent;
use crate::interrupted::InterruptedJobQueue;
use crate::store;
use crate::store::{Interruption, Job, JobKey, StopStage, Store, TaskRecord, TaskStop};
use crate::telemetry;

impl<P: Parts> Handler<P> {
    /// The end of a task that is said to stop, if it has live jobs, those included that were told together with the stop,
    /// and does stop. Anybody who may send to the job queue can claim a stop, so ECS is asked; a task without live jobs is
    /// not worth the call.
    pub(super) async fn observe_stop(
        &self,
        stop: &TaskStopEvent,
        told: &[(JobKey, Job)],
        within: Within<'_>,
    ) -> Result<Option<TaskStop>, RetryReason> {
        let task = &stop.task;
        let mut record = Store::<TaskRecord>::load(&self.store, task).await?.record;
        told.iter().for_each(|(key, job)| record.merge_job(key, job));
        if record.live_jobs(self.clock.now()).next().is_none() {
            return Ok(None);
        }
        self.in_time(within)?;
        let described = self.ecs.describe_tasks(&task.cluster, std::slice::from_ref(&task.id)).await?;
        let end = end_of(described.into_iter().find(|told| told.id == task.id), stop);
        telemetry::stop_observed(stop, end.as_ref().map(|end| end.stage), (&record, self.clock.now()));
        Ok(end)
    }

    /// Tells of tasks that end in the middle of jobs, each once. Answers for which that failed, and why.
    pub(super) async fn tell_interruptions<'a>(
        &self,
        carried_out: impl Iterator<Item = (&'a Task, &'a TaskState)>,
    ) -> Vec<(Task, RetryReason)> {
        let now = self.clock.now();
        let is_open = |state: &TaskState| match state {
            TaskState::Known(record, _) => record.has_open_interruption(now),
            TaskState::NotStored(_) => false,
        };
        let mut untold = Vec::new();
        for (task, _) in carried_out.filter(|(_, state)| is_open(state)) {
            untold.extend(self.tell_interruption(task).await.err().map(|failure| (task.clone(), failure)));
        }
        untold
    }

    /// Tells of the end of a task in the middle of jobs, as often as there is news of it that nobody has told.
    pub(super) async fn tell_interruption(&self, task: &Task) -> Result<(), RetryReason> {
        while self.tell_next_interruption(task).await? {}
        Ok(())
    }

    /// Answers whether there was something to tell.
    async fn tell_next_interruption(&self, task: &Task) -> Result<bool, RetryReason> {
        let claimed = store::update(&self.store, task, None, |record: &mut TaskRecord| {
            let now = self.clock.now();
            (record.claim_interruption(now), record.keep_until(now, self.config.finished_job_retention))
        });
        let Some(news) = claimed.await?.0 else { return Ok(false) };
        telemetry::interruption(task, &news.what);
        let forwarded = if news.forwarded { Ok(()) } else { self.forward(task, &news.what).await };
        let told = self.alerts.send(&Notification::of_interruption(task, &news.what)).await;
        let failures = [&forwarded, &told].into_iter().filter_map(|result| result.as_ref().err().cloned());
        let failures: Vec<String> = failures.collect();
        store::update(&self.store, task, None, |record: &mut TaskRecord| {
            let now = self.clock.now();
            if let Some(news) = record.interruptions.iter_mut().find(|known| known.what == news.what) {
                news.forwarded |= forwarded.is_ok();
                (news.claimed_until, news.notified_at) = (None, failures.is_empty().then_some(now));
            }
            ((), record.keep_until(now, self.config.finished_job_retention))
        })
        .await?;
        if failures.is_empty() { Ok(true) } else { Err(RetryReason::InterruptionNotTold(failures.join("; "))) }
    }

    /// Hands each job on to whoever begins it again, where there is a queue for that.
    async fn forward(&self, task: &Task, what: &Interruption) -> Result<(), String> {
        let Some(queue) = &self.interrupted else { return Ok(()) };
        let sent = queue.send(&job_messages(task, what)).await;
        let failure = sent.into_iter().find_map(Result::err);
        failure.map_or(Ok(()), |why| Err(format!("the queue of interrupted jobs: {why}")))
    }
}

/// What ECS says of the end of a task, and where it says nothing any more, what the event said. A task that ECS has
/// forgotten (`MISSING`) has stopped: it forgets none that runs.
pub(super) fn end_of(described: Option<TaskDescription>, stop: &TaskStopEvent) -> Option<TaskStop> {
    let Some(told) = described else {
        return Some(TaskStop { stage: StopStage::Stopped, service: stop.service.clone(), cause: stop.cause.clone() });
    };
    let stage = match (told.last_status.as_str(), told.desired_status.as_str()) {
        ("STOPPED" | "DELETED", _) => StopStage::Stopped,
        (_, "STOPPED") => StopStage::Stopping,
        _ => return None,
    };
    Some(TaskStop { stage, service: told.service.or_else(|| stop.service.clone()), cause: told.stop })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Clusters;
    use crate::ecs::StopCause;

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
            started_at: None,
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
