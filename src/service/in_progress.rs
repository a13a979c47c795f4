//! Whether a service, as `DescribeServices` shows it, may have something in progress.
//!
//! Pure. A sweep reads the tasks and the protection of such services only, so a service passes as steady only if its
//! counts agree everywhere. A service in doubt is read.

use crate::ecs::deployment::{Deployment, DeploymentStatus, RolloutState, TaskSet};
use crate::ecs::service::{Service, ServiceStatus};
use crate::service::snapshot::managed::{Managed, is_managed};

/// Whether the tasks of a service must be read to judge it: a rollout or a scale-in may be in progress, tasks are missing
/// or starting, or the service is tagged as managed, so that any protection of its tasks may be left over.
pub fn may_be_in_progress(service: &Service) -> bool {
    service.status != ServiceStatus::Active
        || service.running_count != service.desired_count
        || service.pending_count > 0
        || service.deployments.len() > 1
        || service.deployments.iter().any(is_unsettled)
        || service.task_sets.len() > 1
        || service.task_sets.iter().any(is_unstable)
        || is_managed(service) == Managed::Yes
}

fn is_unsettled(deployment: &Deployment) -> bool {
    // A failed deployment ends where it is, and one without a state has nothing to report.
    let is_over = match deployment.rollout_state {
        RolloutState::Completed | RolloutState::Failed | RolloutState::NotReported => true,
        RolloutState::InProgress | RolloutState::Other(_) => false,
    };
    !is_over
        || deployment.status != DeploymentStatus::Primary
        || deployment.running_count != deployment.desired_count
        || deployment.pending_count > 0
}

fn is_unstable(set: &TaskSet) -> bool {
    !set.is_stable
        || set.status != DeploymentStatus::Primary
        || set.running_count != set.computed_desired_count
        || set.pending_count > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::snapshot::managed::MANAGED_TAG;
    use jiff::Timestamp;

    fn deployment() -> Deployment {
        Deployment {
            id: "ecs-svc/1".to_owned(),
            status: DeploymentStatus::Primary,
            rollout_state: RolloutState::Completed,
            desired_count: 2,
            running_count: 2,
            pending_count: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn set() -> TaskSet {
        TaskSet {
            id: "ecs-svc/1".to_owned(),
            status: DeploymentStatus::Primary,
            is_stable: true,
            computed_desired_count: 2,
            running_count: 2,
            pending_count: 0,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn steady() -> Service {
        let arn = "arn:aws:ecs:eu-west-1:111122223333:service/video/web".parse().unwrap();
        let counts = Service { desired_count: 2, running_count: 2, ..Service::gone(arn) };
        Service { status: ServiceStatus::Active, deployments: vec![deployment()], ..counts }
    }

    #[test]
    fn a_service_whose_counts_agree_everywhere_is_steady() {
        assert!(!may_be_in_progress(&steady()));
        let failed = Deployment { rollout_state: RolloutState::Failed, ..deployment() };
        assert!(!may_be_in_progress(&Service { deployments: vec![failed], ..steady() }));
        let of_sets = Service { deployments: Vec::new(), task_sets: vec![set()], ..steady() };
        assert!(!may_be_in_progress(&of_sets));
    }

    #[test]
    fn a_service_is_read_whole_if_anything_may_be_in_progress() {
        let with = |deployment: Deployment| Service { deployments: vec![deployment], ..steady() };
        let with_set = |set: TaskSet| Service { deployments: Vec::new(), task_sets: vec![set], ..steady() };
        let tags = [(MANAGED_TAG.to_owned(), "true".to_owned())].into();
        for service in [
            Service { status: ServiceStatus::Draining, ..steady() },
            Service { status: ServiceStatus::Other("NEW".to_owned()), ..steady() },
            Service { running_count: 3, ..steady() },
            Service { running_count: 1, ..steady() },
            Service { desired_count: 1, ..steady() },
            Service { pending_count: 1, ..steady() },
            Service { tags, ..steady() },
            Service { deployments: vec![deployment(), deployment()], ..steady() },
            with(Deployment { rollout_state: RolloutState::InProgress, ..deployment() }),
            with(Deployment { rollout_state: RolloutState::Other("NEW".to_owned()), ..deployment() }),
            with(Deployment { status: DeploymentStatus::Active, ..deployment() }),
            with(Deployment { running_count: 1, ..deployment() }),
            with(Deployment { desired_count: 1, ..deployment() }),
            with(Deployment { pending_count: 1, ..deployment() }),
            Service { task_sets: vec![set(), set()], ..steady() },
            with_set(TaskSet { is_stable: false, ..set() }),
            with_set(TaskSet { status: DeploymentStatus::Draining, ..set() }),
            with_set(TaskSet { running_count: 1, ..set() }),
            with_set(TaskSet { computed_desired_count: 1, ..set() }),
            with_set(TaskSet { pending_count: 1, ..set() }),
        ] {
            assert!(may_be_in_progress(&service), "{service:?}");
        }
    }
}
