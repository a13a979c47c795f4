//! The content of the first lines of a notification.

use crate::notify::notification::first_lines::FirstLines;
use crate::notify::notification::outlook::{Likelihood, Outlook, consequence, ends, outlook};
use crate::notify::notification::refused;
use crate::notify::notification::suggested_action::instruction;
use crate::notify::wording::{clock, count, time_from};
use crate::service::alert::{Alert, AlertKind, OwnAction};
use crate::service::blocking_task::{BlockingTask, ProtectedFor};
use crate::service::forecast::ForecastBasis;
use crate::service::suggested_action::SuggestedAction;
use crate::task::interruption::{Interruption, StopStage};

/// The first lines about an open incident of a service.
pub(crate) fn of_service(alert: &Alert) -> FirstLines {
    FirstLines { until: until(alert), waiting: waiting(alert), first: first(alert) }
}

/// The first lines about a task that stops while its jobs are running.
pub(crate) fn of_interruption(interruption: &Interruption) -> FirstLines {
    let (until, waiting) = match interruption.stage {
        StopStage::Stopped => (
            "the jobs are restarted. The task has stopped.",
            "nothing restarts the jobs, unless your own queue delivers them again.",
        ),
        StopStage::Stopping => (
            "the task stops: on Spot within two minutes, elsewhere within its stopTimeout.",
            "the jobs may still finish in that time. Nothing restarts the others, unless your own queue delivers \
             them again.",
        ),
    };
    let first = "restart the jobs that did not finish.".to_owned();
    FirstLines { until: until.to_owned(), waiting: waiting.to_owned(), first }
}

fn until(alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    match alert.kind {
        AlertKind::DeploymentBlocked | AlertKind::ScaleInBlocked | AlertKind::DeploymentAtRisk => ends(alert),
        AlertKind::ProtectionRefused => match refused::grantable_from(alert) {
            Some(first) => {
                format!("ECS grants the protection, perhaps {}, when another one ends.", time_from(first, alert.at))
            }
            None => "ECS grants the protection, or the jobs finish.".to_owned(),
        },
        AlertKind::ProtectionExpiring => match refused::tasks(alert).first().and_then(|first| first.protected_until) {
            Some(until) => format!("{}, when the first protection ends.", time_from(until, alert.at)),
            None => "ECS renews the protection, or the jobs finish.".to_owned(),
        },
        AlertKind::TooManyDeployments => "one of the deployments ends.".to_owned(),
        AlertKind::OrphanedProtection => match diagnosis.blocking_tasks.iter().map(|task| task.protected_until).max() {
            Some(until) => format!("{}, when the last protection ends.", time_from(until, alert.at)),
            None => "the protections end.".to_owned(),
        },
        // An interrupted task has first lines of its own: `of_interruption`.
        AlertKind::JobInterrupted => "the jobs are restarted.".to_owned(),
    }
}

fn waiting(alert: &Alert) -> String {
    match alert.kind {
        AlertKind::DeploymentBlocked | AlertKind::ScaleInBlocked | AlertKind::DeploymentAtRisk => {
            let unprotected = match refused::unprotected(alert) {
                0 => String::new(),
                1 => " Meanwhile 1 busy task runs unprotected.".to_owned(),
                many => format!(" Meanwhile {many} busy tasks run unprotected."),
            };
            format!("{}{unprotected}", consequence(alert))
        }
        AlertKind::ProtectionRefused => {
            format!("a deployment or scale-in may stop these tasks and interrupt {}.", jobs_at_stake(alert))
        }
        AlertKind::ProtectionExpiring => {
            format!(
                "from then on, a deployment or scale-in may stop these tasks and interrupt {}.",
                jobs_at_stake(alert)
            )
        }
        AlertKind::TooManyDeployments => "ECS refuses a sixth deployment of the service.".to_owned(),
        AlertKind::OrphanedProtection => "the next deployment or scale-in waits for these tasks.".to_owned(),
        AlertKind::JobInterrupted => "nothing restarts the jobs.".to_owned(),
    }
}

fn jobs_at_stake(alert: &Alert) -> String {
    match refused::tasks(alert).iter().map(|task| task.jobs.len()).sum() {
        0 => "their jobs".to_owned(),
        jobs => count(jobs, "job"),
    }
}

fn first(alert: &Alert) -> String {
    match alert.own_action {
        OwnAction::None => {}
        OwnAction::RaisedDesiredCount { from, to } => {
            return format!(
                "nothing. taskhold raised the desired count from {from} to {to}, and restores it when the service is \
                 steady. If you set another count, taskhold keeps yours."
            );
        }
        OwnAction::ReleasedIdle { tasks } => {
            return format!("nothing. taskhold has just released {}.", count(tasks, "idle task"));
        }
    }
    let diagnosis = &alert.diagnosis;
    let actions = &diagnosis.suggested_actions;
    let is_release = |action: &&SuggestedAction| matches!(action, SuggestedAction::ReleaseIdle { .. });
    if alert.kind != AlertKind::TooManyDeployments
        && let Some(release) = actions.iter().find(is_release)
    {
        return format!("{} No job needs the protection.", instruction(release, alert));
    }
    let act = actions.iter().find(|action| helps(action));
    let act_or = |other: &str| act.map_or_else(|| other.to_owned(), |action| instruction(action, alert));
    match (alert.kind, outlook(alert)) {
        (AlertKind::DeploymentBlocked | AlertKind::DeploymentAtRisk, outlook) => of_rollout(alert, outlook, act_or),
        (AlertKind::ScaleInBlocked, _) => match diagnosis.blocking_tasks.iter().any(is_foreign) {
            true => "ask the owner of the foreign protection whether it is still needed.".to_owned(),
            false => "check whether the jobs hang: they have run longer than expected.".to_owned(),
        },
        (AlertKind::ProtectionRefused | AlertKind::ProtectionExpiring, _) => match refused::by_ecs(alert) {
            0 => "let jobs of these tasks finish, or send new jobs to other tasks.".to_owned(),
            _ => act_or("tell the owner of the jobs. taskhold retries automatically."),
        },
        (AlertKind::TooManyDeployments, _) => "do not start another deployment of the service.".to_owned(),
        (AlertKind::OrphanedProtection, _) => "release the tasks that the status command lists as idle.".to_owned(),
        (AlertKind::JobInterrupted, _) => "restart the jobs.".to_owned(),
    }
}

fn is_foreign(task: &BlockingTask) -> bool {
    task.protected_for == ProtectedFor::Foreign
}

/// Whether an action helps now and interrupts no job.
fn helps(action: &SuggestedAction) -> bool {
    !matches!(
        action,
        SuggestedAction::Wait { .. } | SuggestedAction::DeferCleanUp { .. } | SuggestedAction::ReleaseByForce { .. }
    )
}

fn of_rollout(alert: &Alert, outlook: Outlook, act_or: impl Fn(&str) -> String) -> String {
    let Some(forecast) = alert.diagnosis.forecast else {
        return act_or("nothing. The block ends by itself.");
    };
    let check_again = clock(forecast.by_jobs, alert.at);
    match outlook {
        Outlook::Late { likelihood: Likelihood::Declared | Likelihood::Probable, .. } | Outlook::Passed => {
            act_or("choose between the deadline and the jobs: no action below saves both. See the runbook.")
        }
        Outlook::Open | Outlook::InTime { .. } if forecast.is_open_ended() => {
            "stop the old tasks from taking new jobs. A worker can ask taskhold-run before a job: GET /v1/admission."
                .to_owned()
        }
        Outlook::Late { .. } if forecast.basis == ForecastBasis::Maximum => {
            "find out when the jobs end: their workers report no expected end.".to_owned()
        }
        Outlook::Late { .. } => format!("nothing yet. Check again at {check_again}."),
        Outlook::InTime { late_at_the_latest: Some(_), .. } => format!("nothing. Check again at {check_again}."),
        Outlook::Open | Outlook::InTime { .. } => "nothing. The block ends by itself.".to_owned(),
    }
}
