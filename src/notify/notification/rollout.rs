//! The rollout of a service in sentences: when it can end, its deadline, and the task counts.

use crate::ecs::service_deployment::{HookAction, LifecycleStage};
use crate::notify::notification::Section;
use crate::notify::wording::clock;
use crate::service::alert::{Alert, AlertKind};
use crate::service::diagnosis::Diagnosis;
use crate::service::rollout::Rollout;
use crate::service::task_counts::{DEPLOYMENTS_MAX, TaskCounts};
use jiff::{SignedDuration, Timestamp};

/// The kind of rollout.
pub(crate) fn rollout(rollout: &Rollout) -> &'static str {
    match rollout {
        Rollout::None | Rollout::Deployment { .. } => "deployment",
        Rollout::CleanUp { .. } => "clean-up",
        Rollout::TaskSet { .. } => "task set change",
        Rollout::ScaleIn { .. } => "scale-in",
    }
}

/// The pause of the deployment, or that a hook held it.
pub(crate) fn pause(diagnosis: &Diagnosis, now: Timestamp) -> Option<String> {
    let Some(pause) = &diagnosis.pause else {
        let until = diagnosis.paused_until?;
        return Some(format!("A lifecycle hook held the deployment until about {}.", clock(until, now)));
    };
    let stage = match &pause.stage {
        // Any other word is AWS's, of any length.
        None | Some(LifecycleStage::Other(_)) => String::new(),
        Some(stage) => format!(" at the stage {}", stage.as_str()),
    };
    let then = match pause.timeout() {
        Some((at, HookAction::Continue)) => format!(" It continues by itself at {}.", clock(at, now)),
        Some((at, HookAction::Rollback)) => format!(" ECS rolls it back at {}.", clock(at, now)),
        Some((at, HookAction::Other(_))) => format!(" The pause ends at {}.", clock(at, now)),
        None => String::new(),
    };
    Some(format!("The deployment is paused{stage} and waits for a person.{then}"))
}

/// Rounded down like `marginMinutes`: a deadline missed by seconds is missed by a minute.
pub(crate) fn whole_minutes(margin: SignedDuration) -> SignedDuration {
    SignedDuration::from_mins(margin.as_secs().div_euclid(60))
}

/// The numbers behind an alert.
pub(crate) fn task_counts(alert: &Alert) -> Section {
    let TaskCounts { desired, lower_bound, upper_bound, live, protected, room, deployments } =
        alert.diagnosis.task_counts;
    let tasks = format!(
        "Tasks: {desired} desired, min {lower_bound}, max {upper_bound}; {live} live, {protected} of them protected."
    );
    let deployments = format!("Deployments: {deployments} of {DEPLOYMENTS_MAX}.");
    // Orphaned protection is listed as blocking tasks, but blocks nothing yet.
    let is_blocked = !alert.diagnosis.blocking_tasks.is_empty() && alert.kind != AlertKind::OrphanedProtection;
    let deployments = match room {
        _ if !is_blocked => deployments,
        0 => format!("No other task can run beside the blocking tasks. {deployments}"),
        1 => format!("Up to 1 task can run beside the blocking tasks. {deployments}"),
        many => format!("Up to {many} tasks can run beside the blocking tasks. {deployments}"),
    };
    Section::Lines(vec![tasks.into(), deployments.into()])
}
