//! A service built by hand, for the rules of the pure core.

use crate::ecs::deployment::{DeploymentController, DeploymentStrategy};
use crate::ecs::service::{Service, ServiceArn, ServiceStatus};
use crate::service::snapshot::ServiceSnapshot;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Service `web` of cluster `video` with two desired and running tasks, 100 to 200 percent, and nothing else.
pub(crate) fn service(at: Timestamp) -> ServiceSnapshot {
    let cluster = Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().expect("a cluster's ARN"));
    let service = Service {
        arn: ServiceArn::new(cluster, "web").expect("a service's name"),
        status: ServiceStatus::Active,
        desired_count: 2,
        running_count: 2,
        pending_count: 0,
        controller: DeploymentController::Ecs,
        strategy: DeploymentStrategy::Rolling,
        old_tasks_kept: jiff::SignedDuration::ZERO,
        minimum_healthy_percent: 100,
        maximum_percent: 200,
        deployments: Vec::new(),
        task_sets: Vec::new(),
        events: Vec::new(),
        tags: BTreeMap::new(),
    };
    ServiceSnapshot { at, service, tasks: Vec::new(), gaps: Vec::new() }
}
