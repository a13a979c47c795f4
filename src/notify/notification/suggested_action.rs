//! Suggested actions in words.

use crate::notify::notification::Action;
use crate::notify::notification::refused::lost_by_waiting;
use crate::notify::wording::{count, time, time_from};
use crate::service::alert::Alert;
use crate::service::suggested_action::SuggestedAction;

/// The actions that would clear the problem, the least invasive first.
pub(crate) fn actions(alert: &Alert) -> Vec<Action> {
    let action = |action: &SuggestedAction| Action {
        text: text(action, alert),
        commands: commands(action).to_vec(),
        elsewhere: "the email and the status command have",
    };
    alert.diagnosis.suggested_actions.iter().map(action).collect()
}

fn text(action: &SuggestedAction, alert: &Alert) -> String {
    let now = alert.at;
    match action {
        SuggestedAction::Wait { until, expected } => match lost_by_waiting(alert) {
            0 if is_open_ended(alert) => "Wait. No end is known while the old tasks take new jobs.".to_owned(),
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
            format!("Raise the desired count to {to}, above the number of protected tasks:")
        }
        SuggestedAction::RaiseMaximumPercent { to, .. } => {
            format!("Raise maximumPercent to {to}, so that new tasks fit beside the protected ones:")
        }
        SuggestedAction::ContinueDeployment { .. } => "Continue the paused deployment:".to_owned(),
        SuggestedAction::RollBackDeployment { .. } => "Roll the paused deployment back:".to_owned(),
        SuggestedAction::StopDeployment { .. } => {
            "Stop the deployment. ECS rolls it back, and the old tasks stay:".to_owned()
        }
        SuggestedAction::DeferCleanUp { .. } => {
            "Let the next deployments succeed without waiting for protected tasks (early success with DEFERRED \
             cleanup):"
                .to_owned()
        }
    }
}

fn is_open_ended(alert: &Alert) -> bool {
    alert.diagnosis.forecast.is_some_and(|forecast| forecast.jobs_started > 0)
}

/// The commands of a suggested action.
pub(crate) fn commands(action: &SuggestedAction) -> &[String] {
    match action {
        SuggestedAction::Wait { .. } => &[],
        SuggestedAction::ReleaseIdle { commands, .. } | SuggestedAction::ContinueDeployment { commands } => commands,
        SuggestedAction::RaiseDesiredCount { command, .. }
        | SuggestedAction::RaiseMaximumPercent { command, .. }
        | SuggestedAction::RollBackDeployment { command }
        | SuggestedAction::StopDeployment { command }
        | SuggestedAction::DeferCleanUp { command } => std::slice::from_ref(command),
    }
}
