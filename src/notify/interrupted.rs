//! `job-interrupted`: a task stopped, or is about to stop, with jobs running. It is reported once, in the same formats
//! as alerts about services. Each job can also be a message of its own, for a queue whose consumer restarts it.

pub mod chat;
pub mod email;

use crate::ecs::arn::Task;
use crate::ecs::service::ServiceArn;
use crate::notify::json::interruption;
use crate::notify::notification::Notification;
use crate::notify::words::{count, time_from};
use crate::service::alert::{AlertKind, Transition};
use crate::service::forecast::longest_first;
use crate::service::snapshot::JobSnapshot;
use crate::task::interruption::{InterruptedJob, Interruption, StopStage};

pub(crate) const KIND: AlertKind = AlertKind::JobInterrupted;
/// Nothing undoes an interruption, so no other transition follows.
pub(crate) const EVENT: Transition = Transition::Opened;

/// The end of a task, as the texts need it.
pub(crate) struct InterruptionView<'a> {
    pub(crate) task: &'a Task,
    pub(crate) what: &'a Interruption,
    /// `None` if ECS no longer knew the task.
    pub(crate) service: Option<ServiceArn>,
    /// The job with the latest declared end first.
    pub(crate) jobs: Vec<JobSnapshot>,
}

pub(crate) fn message(task: &Task, what: &Interruption) -> Notification {
    let view = InterruptionView::new(task, what);
    Notification {
        incident: view.incident(),
        kind: KIND,
        event: EVENT,
        subject: email::subject(&view),
        mail: email::body(&view),
        chat: chat::message(&view),
        machine: interruption::message(&view),
        service: view.service,
    }
}

impl<'a> InterruptionView<'a> {
    pub(crate) fn new(task: &'a Task, what: &'a Interruption) -> Self {
        let job = |job: &InterruptedJob| JobSnapshot {
            key: job.key.clone(),
            until: job.until,
            expected_until: None,
            labels: job.labels.clone(),
        };
        let jobs: Vec<JobSnapshot> = what.jobs.iter().map(job).collect();
        // An invalid service name counts as unknown.
        let service = what.service.as_ref().and_then(|name| ServiceArn::new(task.cluster.clone(), name).ok());
        Self { task, what, service, jobs: longest_first(&jobs).into_iter().cloned().collect() }
    }

    /// The key contains only the task: its service may become known later, or never.
    pub(crate) fn incident(&self) -> String {
        format!("{}/-/{}/{}", self.task.cluster.name, self.task.id, KIND.as_str())
    }

    /// What happened, in ASCII and at most about 60 characters.
    fn phrase(&self) -> String {
        let deed = match (self.is_finding(), self.what.stage) {
            (true, StopStage::Stopped) => "ECS scaled in a protected task",
            (true, StopStage::Stopping) => "ECS is scaling in a protected task",
            (false, StopStage::Stopped) => "a task stopped",
            (false, StopStage::Stopping) => "a task is stopping",
        };
        let cause = cause(self.what).filter(|_| !self.is_finding());
        let cause = cause.map_or(String::new(), |cause| format!(": {}", cause.short));
        format!("{deed} during {}{cause}", count(self.jobs.len(), "job"))
    }

    fn stage(&self) -> &'static str {
        match self.what.stage {
            StopStage::Stopped => "It has stopped.",
            StopStage::Stopping => {
                "ECS is stopping it, and it still runs: on Spot for at most two minutes, elsewhere for its stopTimeout."
            }
        }
    }

    /// Whether ECS stopped the task although it was protected, which must not happen. A failed health check is
    /// excluded: the service scheduler stops the task for it as well, it has no `stopCode` of its own, and protection
    /// does not cover it.
    fn is_finding(&self) -> bool {
        let reason = self.what.stopped_reason.as_deref().unwrap_or_default().to_ascii_lowercase();
        self.what.was_protected_in_vain() && !reason.contains("health check")
    }

    /// How protection relates to the stop.
    fn protection(&self) -> String {
        let Some(until) = self.what.protected_until.map(|until| time_from(until, self.what.at)) else {
            return "ECS had confirmed no protection for it at that time.".to_owned();
        };
        if self.is_finding() {
            return format!(
                "ECS scaled in a task whose protection it had confirmed until {until}. That is a finding about protection, \
                 and not routine: keep this message, and look into it."
            );
        }
        match cause(self.what) {
            Some(_) => format!("ECS had confirmed its protection until {until}, which does not prevent such a stop."),
            None => format!("ECS had confirmed its protection until {until}."),
        }
    }

    /// What to do about the jobs.
    fn advice(&self) -> &'static str {
        match self.what.stage {
            StopStage::Stopped => {
                "Restart these jobs: nothing else does, unless your own queue redelivers them. One of them may have \
                 finished just before the task stopped."
            }
            StopStage::Stopping => {
                "Restart those jobs that do not finish before the task stops: nothing else does, unless your own queue \
                 redelivers them."
            }
        }
    }
}

/// A `stopCode` in words.
pub(crate) struct Cause {
    /// For a subject: ASCII, and short.
    short: &'static str,
    plain: &'static str,
}

/// Why the task stopped (aws-facts "EventBridge": the values of `stopCode`; and ECS API Reference, "Task"). `None` if
/// ECS gives no `stopCode`, or one that this version does not know.
fn cause(what: &Interruption) -> Option<Cause> {
    let (short, plain) = match what.stop_code.as_deref()? {
        "EssentialContainerExited" => {
            ("a container exited", "an essential container exited, and the task stopped with it")
        }
        "InfrastructureHealth" => ("unhealthy host", "its host was unhealthy"),
        "ServiceSchedulerInitiated" => (
            "by its service",
            "the scheduler of its service stopped it, for a scale-in, a deployment or a failed health check",
        ),
        "SpotInterruption" => ("Spot interruption", "AWS reclaimed its Spot capacity"),
        "TaskFailedToStart" => ("failed to start", "it failed to start"),
        "TerminationNotice" => {
            ("termination notice", "its host is about to be terminated, for example Spot capacity that AWS reclaims")
        }
        "UserInitiated" => ("by StopTask", "a call to StopTask stopped it"),
        _ => return None,
    };
    Some(Cause { short, plain })
}
