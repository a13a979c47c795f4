//! Executes operator commands. `status` and `preflight` only read; `release` and `sweep` may change ECS.

use crate::api::answer::{ANSWER_BYTES_MAX, Answer, FailedService};
use crate::api::command::{CommandError, Scope, ServiceCommand};
use crate::api::service_answer::{PreflightReport, ServiceReport};
use crate::budget::{Budget, OutOfTime};
use crate::ecs::arn::ClusterArn;
use crate::ecs::service::{ServiceArn, ServiceStatus};
use crate::service::diagnosis::{Remembered, diagnose};
use crate::service::forecast::DiagnosisPolicy;
use crate::service::preflight::preflight;
use crate::service::reconciler::{SERVICES_AT_ONCE, ServiceReconciler};
use crate::service::record::ServiceRecord;
use crate::service::snapshot::services::{ListedServices, list_services};
use crate::service::snapshot::{Gap, ServiceSnapshot};
use futures_util::{StreamExt, stream};
use jiff::SignedDuration;
use std::sync::Arc;

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
            ServiceCommand::Status(Scope::Cluster(cluster)) => self.status_of_all(&cluster, budget).await,
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
    async fn status_of_all(&self, cluster: &Arc<ClusterArn>, budget: Budget<'_>) -> Result<Answer, CommandError> {
        let ListedServices { services, mut more } =
            list_services(&*self.services.tasks.ecs, cluster, SERVICES_REPORTED_MAX).await?;
        let bytes_max = ANSWER_BYTES_MAX / services.len().max(1);
        let clock = &*self.services.tasks.clock;
        // A read that ends too late is abandoned: a late answer would lose the other services too.
        let reads = services.iter().map(|service| budget.in_time(clock, ANSWER_TIME, self.status(service, bytes_max)));
        let read: Vec<_> = stream::iter(reads).buffered(SERVICES_AT_ONCE).collect().await;
        let (mut reports, mut failed) = (Vec::new(), Vec::new());
        for (service, report) in services.iter().zip(read) {
            match report {
                Ok(Ok(report)) => reports.push(report),
                // The service was deleted after it was listed.
                Ok(Err(CommandError::ServiceNotFound(_))) => {}
                Ok(Err(error)) => failed.push(FailedService::new(service, &error)),
                Err(OutOfTime) => more = true,
            }
        }
        Ok(Answer::Status { services: reports, failed, more })
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
        let snapshot = self.services.read(service, known).await?;
        // ECS describes a deleted service for a while.
        let snapshot = snapshot.filter(|snapshot| snapshot.service.status != ServiceStatus::Inactive);
        snapshot.ok_or_else(|| CommandError::ServiceNotFound(service.clone()))
    }

    fn diagnosis_policy(&self) -> DiagnosisPolicy {
        DiagnosisPolicy::of(&self.services.tasks.config)
    }
}
