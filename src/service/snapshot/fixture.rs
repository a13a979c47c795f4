//! A service built by hand, for the rules of the pure core.

use crate::ecs::deployment::{Deployment, DeploymentStatus, RolloutState};
use crate::ecs::service::{Service, ServiceArn, ServiceStatus};
use crate::service::snapshot::ServiceSnapshot;
use jiff::Timestamp;
use std::sync::Arc;

/// Service `web` of cluster `video` with two desired and running tasks, 100 to 200 percent, and nothing else.
pub(crate) fn service(at: Timestamp) -> ServiceSnapshot {
    let cluster = Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().expect("a cluster's ARN"));
    let arn = ServiceArn::new(cluster, "web").expect("a service's name");
    let service = Service { status: ServiceStatus::Active, desired_count: 2, running_count: 2, ..Service::gone(arn) };
    ServiceSnapshot::of(service, at)
}

/// A deployment that began at `at`, with two desired and running tasks.
pub(crate) fn deployment(id: &str, status: DeploymentStatus, rollout_state: RolloutState, at: Timestamp) -> Deployment {
    Deployment {
        id: id.to_owned(),
        status,
        rollout_state,
        desired_count: 2,
        running_count: 2,
        pending_count: 0,
        created_at: at,
        updated_at: at,
    }
}
