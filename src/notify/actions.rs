//! The suggested actions of an alert.

use crate::service::suggested_action::SuggestedAction;

/// The commands of a suggested action.
pub(crate) fn commands(action: &SuggestedAction) -> &[String] {
    match action {
        SuggestedAction::Wait { .. } => &[],
        SuggestedAction::ReleaseIdle { commands, .. } => commands,
        SuggestedAction::RaiseDesiredCount { command, .. } | SuggestedAction::RaiseMaximumPercent { command, .. } => {
            std::slice::from_ref(command)
        }
    }
}
