//! A service built by hand, for the rules of the pure core.

use crate::ecs::deployment::{Deployment, DeploymentStatus, RolloutState};
use crate::ecs::service::{Service, ServiceArn, ServiceStatus};
use crate::ecs::service_deployment::{LifecycleStage, ServiceDeployment, ServiceDeploymentStatus};
use crate::service::durations::Learned;
use crate::service::forecast::DiagnosisPolicy;
use crate::service::snapshot::{JobSnapshot, ServiceSnapshot, TaskSnapshot};
use crate::task::job::{JobKey, Labels};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// A deadline of three hours, no linger, and the function `taskhold`.
pub(crate) fn policy() -> DiagnosisPolicy {
    DiagnosisPolicy {
        deadline: SignedDuration::from_hours(3),
        linger: SignedDuration::ZERO,
        function: Some("taskhold".into()),
    }
}

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

/// A service deployment in progress, at this stage, without hooks.
pub(crate) fn service_deployment(stage: LifecycleStage) -> ServiceDeployment {
    let arn = "arn:aws:ecs:eu-west-1:111122223333:service-deployment/video/web/a1";
    ServiceDeployment {
        arn: arn.parse().expect("a service deployment's ARN"),
        status: ServiceDeploymentStatus::InProgress,
        finished_at: None,
        stage: Some(stage),
        hooks: Vec::new(),
        rollback_started_at: None,
        revisions: Vec::new(),
    }
}

/// A running task without protection, whose jobs were not read.
pub(crate) fn task(number: usize, deployment: &str) -> TaskSnapshot {
    TaskSnapshot::running(format!("{number:032x}").parse().expect("a task's id"), Some(deployment.to_owned()))
}

/// A job that declared to end at `until`, and of which nothing else is known.
pub(crate) fn job(id: &str, until: Timestamp) -> JobSnapshot {
    JobSnapshot {
        key: JobKey { job_id: id.to_owned(), attempt: 1 },
        until,
        expected_until: None,
        learned: Learned::Nothing,
        silent_since: None,
        labels: Labels::new(),
    }
}
