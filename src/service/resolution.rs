//! How an incident ended, for its last notification: the end of its rollout, the deadline, and the outcome of each
//! task. Pure.

use crate::ecs::arn::TaskId;
use crate::service::forecast::Deadline;
use crate::service::snapshot::ServiceSnapshot;
use crate::task::job::JobKey;
use crate::task::record::TaskRecord;
use jiff::Timestamp;

/// The end of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// When a snapshot first showed the problem over.
    pub at: Timestamp,
    /// How the rollout ended.
    pub rollout: RolloutEnd,
    /// The last deadline of the rollout, if it had one.
    pub deadline: Option<Deadline>,
    /// The outcomes of the refused tasks, if the incident was about them.
    pub tasks: Vec<TaskEnd>,
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutEnd {
    /// The service was deleted.
    ServiceDeleted,
    /// The deployment failed, and ECS rolled nothing back.
    Failed,
    /// The deployment is in place.
    Finished,
    /// Another deployment is in place or in progress: a rollback, or a newer one.
    Replaced,
    /// It is still in progress.
    GoesOn,
}

/// A refused task at the end of the incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEnd {
    /// The task.
    pub task: TaskId,
    /// Its outcome.
    pub fate: TaskFate,
}

/// The outcome of a refused task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskFate {
    /// ECS protects it until then.
    Protected(Timestamp),
    /// It runs these jobs unprotected.
    Unprotected(Vec<JobKey>),
    /// Its jobs have finished.
    Finished,
    /// It was stopped in the middle of these jobs.
    Stopped {
        /// The jobs.
        jobs: Vec<JobKey>,
        /// When its protection had ended, if it had.
        protection_ended: Option<Timestamp>,
    },
}

/// The outcome of a refused task, from a snapshot of its service and the task record.
pub(crate) fn task_end(task: &TaskId, snapshot: &ServiceSnapshot, record: &TaskRecord) -> TaskEnd {
    let seen = snapshot.tasks.iter().find(|seen| seen.id == *task);
    let mut jobs: Vec<JobKey> = record.live_jobs(snapshot.at).map(|(key, _)| key.clone()).collect();
    let fate = match seen.map(|seen| seen.protected_until) {
        Some(Some(until)) => TaskFate::Protected(until),
        Some(None) if jobs.is_empty() => TaskFate::Finished,
        Some(None) => TaskFate::Unprotected(jobs),
        None => {
            let interrupted = record.interruptions.iter().flat_map(|interruption| &interruption.what.jobs);
            let interrupted: Vec<JobKey> = interrupted.map(|job| job.key.clone()).collect();
            jobs.retain(|job| !interrupted.contains(job));
            jobs.extend(interrupted);
            let protection_ended = record.protection.confirmed_until.filter(|until| *until <= snapshot.at);
            if jobs.is_empty() { TaskFate::Finished } else { TaskFate::Stopped { jobs, protection_ended } }
        }
    };
    TaskEnd { task: task.clone(), fate }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::snapshot::fixture;
    use crate::task::job::Job;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn a_task_that_is_gone_with_live_jobs_was_stopped_with_them() {
        let mut snapshot = fixture::service(at(10));
        snapshot.tasks.clear();
        let task: TaskId = format!("{:032x}", 7).parse().unwrap();
        let mut record = TaskRecord::default();
        assert_eq!(task_end(&task, &snapshot, &record).fate, TaskFate::Finished);
        let key = JobKey { job_id: "j-1".to_owned(), attempt: 1 };
        let live = Job { started_at: Some(at(0)), declared_until: Some(at(60)), ..Job::default() };
        record.merge_job(&key, &live);
        record.protection.confirmed_until = Some(at(5));
        let fate = TaskFate::Stopped { jobs: vec![key], protection_ended: Some(at(5)) };
        assert_eq!(task_end(&task, &snapshot, &record).fate, fate);
    }
}
