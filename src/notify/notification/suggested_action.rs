//! Suggested actions in words.

use crate::ecs::arn::TaskId;
use crate::notify::notification::Action;
use crate::notify::notification::outlook::{Likelihood, Outlook, outlook};
use crate::notify::notification::refused::lost_by_waiting;
use crate::notify::wording::{count, span, time, time_from};
use crate::service::alert::Alert;
use crate::service::blocking_task::ProtectedFor;
use crate::service::suggested_action::SuggestedAction;
use jiff::{SignedDuration, Timestamp};

/// The actions that would clear the problem, the least invasive first.
pub(crate) fn actions(alert: &Alert) -> Vec<Action> {
    let action = |action: &SuggestedAction| Action {
        text: text(action, alert),
        commands: commands(action).to_vec(),
        elsewhere: "the email and the status command have",
    };
    alert.diagnosis.suggested_actions.iter().map(action).collect()
}

/// The action as the end of a sentence, with a full stop.
pub(crate) fn instruction(action: &SuggestedAction, alert: &Alert) -> String {
    let text = text(action, alert);
    let text = text.trim_end_matches([':', '.']);
    let (first, rest) = text.split_at(text.len().min(1));
    let below = if commands(action).is_empty() { "" } else { " (command below)" };
    format!("{}{rest}{below}.", first.to_ascii_lowercase())
}

fn text(action: &SuggestedAction, alert: &Alert) -> String {
    let now = alert.at;
    match action {
        SuggestedAction::Wait { until, expected } => match lost_by_waiting(alert) {
            0 if is_open_ended(alert) => "Wait. No end is known while the old tasks take new jobs.".to_owned(),
            _ if matches!(outlook(alert), Outlook::Late { .. } | Outlook::Passed) => wait_past_deadline(*until, alert),
            0 if until == expected => format!("Wait until {}.", time_from(*until, now)),
            0 => format!("Wait. The expected end is {}, the latest {}.", time(*expected), time(*until)),
            lost => format!(
                "Wait until {}. That interrupts the jobs of {} whose protection ECS does not renew.",
                time_from(*until, now),
                count(lost, "task")
            ),
        },
        SuggestedAction::ReleaseIdle { tasks, .. } if tasks.len() == 1 => {
            "Release the task whose jobs have all ended:".to_owned()
        }
        SuggestedAction::ReleaseIdle { tasks, .. } => {
            format!("Release the {} tasks whose jobs have all ended:", tasks.len())
        }
        SuggestedAction::RaiseDesiredCount { to, .. } => {
            format!(
                "Raise the desired count to {to}, above the number of protected tasks, so that ECS grants the refused \
                 protection, unless Application Auto Scaling lowers the count. It costs tasks until you lower it:"
            )
        }
        SuggestedAction::RaiseMaximumPercent { to, .. } => {
            format!(
                "Raise maximumPercent to {to}, so that new tasks fit beside the protected ones. The deployment still waits \
                 for those:"
            )
        }
        SuggestedAction::ContinueDeployment { .. } => "Continue the paused deployment:".to_owned(),
        SuggestedAction::RollBackDeployment { .. } => "Roll the paused deployment back. Its new tasks stop:".to_owned(),
        SuggestedAction::ExtendDeadline { minutes, .. } => format!(
            "Give the deployment {} from its start. That interrupts nothing, but a tool that waits for the deployment \
             keeps its own limit:",
            span(SignedDuration::from_mins(*minutes))
        ),
        SuggestedAction::StopDeployment { .. } => {
            "Stop the deployment. ECS rolls it back, and the old tasks stay:".to_owned()
        }
        SuggestedAction::DeferCleanUp { .. } => {
            "Let the next deployments succeed without waiting for protected tasks (early success with DEFERRED \
             cleanup):"
                .to_owned()
        }
        SuggestedAction::ReleaseByForce { tasks, .. } => release_by_force(tasks, alert),
    }
}

fn is_open_ended(alert: &Alert) -> bool {
    alert.diagnosis.forecast.is_some_and(|forecast| forecast.is_open_ended())
}

/// What waiting means if the deadline passes before the jobs end.
fn wait_past_deadline(until: Timestamp, alert: &Alert) -> String {
    let diagnosis = &alert.diagnosis;
    let wait = format!("Wait until {} at the latest", time_from(until, alert.at));
    let misses = match outlook(alert) {
        Outlook::Late { likelihood: Likelihood::Declared, .. } => "misses",
        Outlook::Late { likelihood: Likelihood::Probable, .. } => "probably misses",
        Outlook::Late { likelihood: Likelihood::Possible, .. } => "may miss",
        Outlook::Passed | Outlook::Open | Outlook::InTime { .. } => return format!("{wait}. The deadline has passed."),
    };
    let avoids = |action: &SuggestedAction| match action {
        SuggestedAction::ReleaseIdle { tasks, .. } => tasks.len() == diagnosis.blocking_tasks.len(),
        SuggestedAction::RollBackDeployment { .. }
        | SuggestedAction::StopDeployment { .. }
        | SuggestedAction::ExtendDeadline { .. } => true,
        _ => false,
    };
    let by_force = |action: &SuggestedAction| matches!(action, SuggestedAction::ReleaseByForce { .. });
    let actions = &diagnosis.suggested_actions;
    match (actions.iter().any(avoids), actions.iter().any(by_force)) {
        (true, _) => format!("{wait}. That {misses} the deadline."),
        (false, true) => {
            format!("{wait}. That {misses} the deadline. Only an action that interrupts jobs can prevent this.")
        }
        (false, false) => format!("{wait}. That {misses} the deadline. No action below can prevent this."),
    }
}

/// Maximum number of jobs that a sentence names.
const JOBS_NAMED_MAX: usize = 3;

/// What a release by force costs. Job ids are the workers' words: a sentence names only harmless ones, and the list of
/// blocking tasks names all.
fn release_by_force(tasks: &[TaskId], alert: &Alert) -> String {
    let blocking = || alert.diagnosis.blocking_tasks.iter().filter(|task| tasks.contains(&task.task));
    let jobs: Vec<&str> = blocking().flat_map(|task| task.jobs()).map(|job| job.key.job_id.as_str()).collect();
    let is_harmless = |id: &&str| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let named: Vec<String> = jobs.iter().filter(|id| is_harmless(id)).map(|id| format!("\"{id}\"")).collect();
    let unknown = blocking().filter(|task| !matches!(task.protected_for, ProtectedFor::Jobs(_))).count();
    let cost = match jobs.len() {
        0 => "which interrupts their work".to_owned(),
        many if many <= JOBS_NAMED_MAX && named.len() == many => {
            format!("which interrupts {}: {}", count(many, "job"), named.join(", "))
        }
        many => format!("which interrupts {} of the tasks above", count(many, "job")),
    };
    let more = match unknown {
        1.. if !jobs.is_empty() => {
            format!(", and any work on {} that taskhold does not know of", count(unknown, "task"))
        }
        _ => String::new(),
    };
    format!("Clear the protection of {} by force. ECS then stops them, {cost}{more}:", count(tasks.len(), "task"))
}

/// The commands of a suggested action.
pub(crate) fn commands(action: &SuggestedAction) -> &[String] {
    match action {
        SuggestedAction::Wait { .. } => &[],
        SuggestedAction::ReleaseIdle { commands, .. }
        | SuggestedAction::ReleaseByForce { commands, .. }
        | SuggestedAction::ContinueDeployment { commands } => commands,
        SuggestedAction::RaiseDesiredCount { command, .. }
        | SuggestedAction::RaiseMaximumPercent { command, .. }
        | SuggestedAction::RollBackDeployment { command }
        | SuggestedAction::StopDeployment { command }
        | SuggestedAction::ExtendDeadline { command, .. }
        | SuggestedAction::DeferCleanUp { command } => std::slice::from_ref(command),
    }
}
