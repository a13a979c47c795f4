//! The input of a task's reconcile: changes reported by a batch of messages, an event or a command.

use crate::ecs::arn::Task;
use crate::task::interruption::TaskStop;
use crate::task::job::JobReport;
use crate::task::record::TaskRecord;
use jiff::{SignedDuration, Timestamp};

/// What the messages of one batch report about one task.
#[derive(Clone, Debug)]
pub struct TaskChange {
    /// The task.
    pub task: Task,
    /// Its jobs.
    pub jobs: Vec<JobReport>,
    /// Its stop, if ECS reports one.
    pub end: Option<TaskStop>,
    /// The protection that ECS reports, if it was asked.
    pub protection: EcsProtection,
    /// Whether a refused protection is requested again at once.
    pub refusal: RefusedBefore,
    /// Whether to clear the protection of an idle task that taskhold has not set, or of a busy one.
    pub release: ReleaseRule,
}

/// Whether to clear the protection of a task although taskhold did not set it or its jobs are live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReleaseRule {
    /// No: the jobs decide.
    #[default]
    ByJobs,
    /// Yes, if the task is idle and taskhold set the protection that ECS reports, even if the task record does not say
    /// so: a person asks for it.
    IfIdle,
    /// Yes, if the task is idle, whichever writer set the protection: the service's tag allows it.
    IfIdleByAnyWriter,
    /// Yes, whichever writer set the protection: its jobs count as finished.
    ByForce,
}

impl ReleaseRule {
    /// Whether a release clears only protection that taskhold set, so that ECS is asked first.
    pub fn clears_own_only(self) -> bool {
        match self {
            Self::ByJobs | Self::IfIdle => true,
            Self::IfIdleByAnyWriter | Self::ByForce => false,
        }
    }
}

/// What a recent refusal means for the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefusedBefore {
    /// ECS would refuse again, so the request waits for the pause to end.
    #[default]
    Stands,
    /// The blocking deployment may be over, so protection is requested at once.
    MayBeOver,
}

/// The protection that ECS reports for a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EcsProtection {
    /// ECS was not asked.
    #[default]
    NotAsked,
    /// ECS does not protect the task.
    Unprotected,
    /// ECS protects the task until then.
    Until(Timestamp),
}

impl TaskChange {
    /// A change that only triggers a reconcile.
    pub fn none(task: Task) -> Self {
        Self {
            task,
            jobs: Vec::new(),
            end: None,
            protection: EcsProtection::NotAsked,
            refusal: RefusedBefore::Stands,
            release: ReleaseRule::ByJobs,
        }
    }
}

impl TaskRecord {
    /// Merges everything that a change reports.
    #[inline]
    pub(crate) fn merge_change(&mut self, change: &TaskChange, linger: SignedDuration, now: Timestamp) {
        let TaskChange { task: _, jobs, end, protection, refusal, release } = change;
        self.linger_after(jobs, linger);
        self.add_reports(jobs, now);
        self.end_linger(*release);
        self.record_agent_report(*protection, now);
        self.forget_agent_protection(*protection, now);
        match protection {
            EcsProtection::NotAsked => {}
            EcsProtection::Unprotected => self.protection.record_report(None, now),
            EcsProtection::Until(until) => self.protection.record_report(Some(*until), now),
        }
        if let Some(end) = end {
            self.end(end, *protection, now);
        }
        if *release == ReleaseRule::ByForce {
            self.finish_jobs(now);
        }
        if *refusal == RefusedBefore::MayBeOver {
            self.protection.allow_retry();
        }
    }
}
