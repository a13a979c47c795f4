//! Executes operator commands. `status` and `preflight` only read; `release` and `sweep` may change ECS.

use crate::api::answer::{ANSWER_BYTES_MAX, Answer, FailedService};
use crate::api::command::{CommandError, Scope, ServiceCommand};
use crate::api::service_answer::{PreflightReport, ServiceReport};
use crate::budget::Budget;
use crate::budget::CALL_TIME;
use crate::ecs::arn::ClusterArn;
use crate::ecs::service::{ServiceArn, ServiceStatus};
use crate::service::diagnosis::{Remembered, diagnose};
use crate::service::forecast::DiagnosisPolicy;
use crate::service::preflight::preflight;
use crate::service::reconciler::{SERVICES_AT_ONCE, ServiceReconciler};
use crate::service::record::ServiceRecord;
use crate::service::snapshot::read::read_service;
use crate::service::snapshot::services::{ListedServices, list_services};
use crate::service::snapshot::{Gap, ServiceSnapshot};
use futures_util::future::{Either, select};
use futures_util::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of services in the status of a cluster, each with its tasks; the answer says if there are more.
const SERVICES_REPORTED_MAX: usize = 100;
/// Time reserved to serialize and return the answer.
const ANSWER_TIME: SignedDuration = SignedDuration::from_secs(2);

/// Answers operator commands with the reconcilers.
pub(crate) struct Commands<'a> {
    /// Reads services, and releases tasks.
    pub(crate) services: &'a ServiceReconciler,
}

impl Commands<'_> {
    /// Answers a command that asks about services or releases tasks.
    pub(crate) async fn answer(&self, command: ServiceCommand, budget: Budget<'_>) -> Answer {
        let answered = match command {
            ServiceCommand::Status(Scope::Service(service)) => {
                let report = self.status(&service, ANSWER_BYTES_MAX).await;
                report.map(|report| Answer::Status { services: vec![report], failed: Vec::new(), more: false })
            }
            ServiceCommand::Status(Scope::Cluster(cluster)) => self.status_of_all(&cluster, budget.deadline).await,
            ServiceCommand::Release(release) => Ok(self.release(release, budget).await),
            ServiceCommand::Preflight(service) => self.preflight(&service).await,
        };
        answered.unwrap_or_else(Answer::from)
    }

    async fn status(&self, service: &ServiceArn, bytes_max: usize) -> Result<ServiceReport, CommandError> {
        let (known, snapshot) = self.known_and_snapshot(service).await?;
        let policy = self.diagnosis_policy();
        let rollout = diagnose(&snapshot, Remembered::default(), &policy).rollout;
        let remembered = known.as_ref().map(|known| known.remembered(rollout.id())).unwrap_or_default();
        let mut diagnosis = diagnose(&snapshot, remembered, &policy);
        if let Some(known) = &known {
            known.remediation.leave_to_taskhold(&mut diagnosis.suggested_actions);
        }
        Ok(ServiceReport::new(&snapshot, &diagnosis, known.as_ref(), bytes_max))
    }

    /// The status of all services of a cluster. A service that cannot be read is listed as failed, and each service
    /// gets an equal share of the answer's size.
    async fn status_of_all(&self, cluster: &Arc<ClusterArn>, deadline: Timestamp) -> Result<Answer, CommandError> {
        let ListedServices { services, mut more } =
            list_services(&*self.services.tasks.ecs, cluster, SERVICES_REPORTED_MAX).await?;
        let bytes_max = ANSWER_BYTES_MAX / services.len().max(1);
        let reads = services.iter().map(|service| self.status_in_time(service, bytes_max, deadline));
        let read: Vec<_> = stream::iter(reads).buffered(SERVICES_AT_ONCE).collect().await;
        let (mut reports, mut failed) = (Vec::new(), Vec::new());
        for (service, report) in services.iter().zip(read) {
            match report {
                Some(Ok(report)) => reports.push(report),
                // The service was deleted after it was listed.
                Some(Err(CommandError::ServiceNotFound(_))) => {}
                Some(Err(error)) => failed.push(FailedService::new(service, &error)),
                None => more = true,
            }
        }
        Ok(Answer::Status { services: reports, failed, more })
    }

    /// `None` if the time is up: no read begins shortly before the deadline, and one that would reach it is abandoned,
    /// because a late answer would lose the other services too.
    async fn status_in_time(
        &self,
        service: &ServiceArn,
        bytes_max: usize,
        deadline: Timestamp,
    ) -> Option<Result<ServiceReport, CommandError>> {
        let left = deadline.duration_since(self.services.tasks.clock.now());
        if left < CALL_TIME {
            return None;
        }
        let time_left = Duration::try_from(left - ANSWER_TIME).unwrap_or_default();
        // Polled only when the read waits: a simulated clock lets the time pass as soon as it is polled.
        let too_late = async { self.services.tasks.clock.sleep(time_left).await }.boxed_local();
        match select(self.status(service, bytes_max).boxed_local(), too_late).await {
            Either::Left((report, _)) => Some(report),
            Either::Right(_) => None,
        }
    }

    async fn preflight(&self, service: &ServiceArn) -> Result<Answer, CommandError> {
        let (_, snapshot) = self.known_and_snapshot(service).await?;
        let preflight = preflight(&snapshot, &self.diagnosis_policy());
        Ok(Answer::Preflight(Box::new(PreflightReport::new(&snapshot, &preflight))))
    }

    /// The record, and a snapshot in which an unreadable record is a gap.
    async fn known_and_snapshot(
        &self,
        service: &ServiceArn,
    ) -> Result<(Option<ServiceRecord>, ServiceSnapshot), CommandError> {
        let (known, gap) = match self.services.store.load(service).await {
            Ok(versioned) => (Some(versioned.record), None),
            Err(error) => (None, Some(Gap::Incidents(error))),
        };
        let none = ServiceRecord::default();
        let mut snapshot = self.snapshot_of(service, known.as_ref().unwrap_or(&none)).await?;
        snapshot.gaps.extend(gap);
        Ok((known, snapshot))
    }

    async fn snapshot_of(&self, service: &ServiceArn, known: &ServiceRecord) -> Result<ServiceSnapshot, CommandError> {
        let snapshot = read_service(
            &*self.services.tasks.ecs,
            &*self.services.tasks.store,
            &*self.services.tasks.clock,
            service,
            known,
        )
        .await?;
        // ECS describes a deleted service for a while.
        let snapshot = snapshot.filter(|snapshot| snapshot.service.status != ServiceStatus::Inactive);
        snapshot.ok_or_else(|| CommandError::ServiceNotFound(service.clone()))
    }

    fn diagnosis_policy(&self) -> DiagnosisPolicy {
        DiagnosisPolicy::of(&self.services.tasks.config)
    }
}
