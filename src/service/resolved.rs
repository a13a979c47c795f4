//! Finds out how an incident ended. Pure.

use crate::ecs::deployment::{DeploymentStatus, RolloutState};
use crate::ecs::service::ServiceStatus;
use crate::service::diagnosis::Diagnosis;
use crate::service::incident::Incident;
use crate::service::resolution::{Resolution, RolloutEnd, TaskEnd};
use crate::service::snapshot::ServiceSnapshot;

/// How the incident ended; `None` if it is open. `snapshot` may be later than its end.
pub(crate) fn resolution(
    incident: &Incident,
    snapshot: &ServiceSnapshot,
    diagnosis: &Diagnosis,
    tasks: Vec<TaskEnd>,
) -> Option<Resolution> {
    let at = incident.state.resolved_at()?;
    let rollout = rollout_end(incident, snapshot, diagnosis);
    Some(Resolution { at, rollout, deadline: incident.scope.last_deadline, tasks })
}

fn rollout_end(incident: &Incident, snapshot: &ServiceSnapshot, diagnosis: &Diagnosis) -> RolloutEnd {
    let service = &snapshot.service;
    if service.status == ServiceStatus::Inactive {
        return RolloutEnd::ServiceDeleted;
    }
    let newest = incident.scope.deployments.last().map(String::as_str);
    if diagnosis.rollout.id() == newest && newest.is_some() && !diagnosis.rollout.is_clean_up() {
        return RolloutEnd::GoesOn;
    }
    let primary = service.deployments.iter().find(|it| it.status == DeploymentStatus::Primary);
    let primary_set = service.task_sets.iter().find(|it| it.status == DeploymentStatus::Primary);
    match (primary_set, primary) {
        (Some(set), _) if Some(set.id.as_str()) == newest => RolloutEnd::Finished,
        (None, Some(primary)) if Some(primary.id.as_str()) == newest => match primary.rollout_state {
            RolloutState::Failed => RolloutEnd::Failed,
            RolloutState::InProgress => RolloutEnd::GoesOn,
            RolloutState::Completed | RolloutState::NotReported | RolloutState::Other(_) => RolloutEnd::Finished,
        },
        _ => RolloutEnd::Replaced,
    }
}
