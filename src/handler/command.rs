//! Operator commands: look, judge, answer. They change nothing in ECS.

use super::Handler;
use crate::alert::AlertSink;
use crate::clock::Clock;
use crate::decide::{WatchPolicy, diagnose, preflight};
use crate::ecs::{ClusterArn, ServiceArn, ServiceReads, ServiceStatus};
use crate::event::{Command, CommandError, Scope};
use crate::ledger::{Ledger, ServiceEntry};
use crate::observe::{Observed, list_services, observe};
use crate::report::{Answer, PreflightReport, ServiceReport};
use jiff::Timestamp;
use std::sync::Arc;

/// A cluster-wide status describes this many services at most, each with its tasks; the answer says if there are more.
const SERVICES_REPORTED_MAX: usize = 100;

impl<E, L, Q, C, A> Handler<E, L, Q, C, A>
where
    E: ServiceReads,
    L: Ledger + Ledger<ServiceEntry>,
    C: Clock,
    A: AlertSink,
{
    pub(super) async fn handle_command(&self, command: Result<Command, CommandError>, deadline: Timestamp) -> Answer {
        let answered = match command {
            Ok(Command::Status(Scope::Service(service))) => {
                self.status(&service).await.map(|report| Answer::Status { services: vec![report], more: false })
            }
            Ok(Command::Status(Scope::Cluster(cluster))) => self.status_of_all(&cluster).await,
            Ok(Command::Sweep) => Ok(Answer::Sweep(self.sweep(deadline).await)),
            Ok(Command::Preflight(service)) => self.preflight(&service).await,
            Err(error) => Err(error),
        };
        answered.unwrap_or_else(Answer::from)
    }

    async fn status(&self, service: &ServiceArn) -> Result<ServiceReport, CommandError> {
        let observed = self.look(service).await?;
        let diagnosis = diagnose(&observed, None, &self.watch_policy());
        Ok(ServiceReport::new(&observed, &diagnosis))
    }

    async fn status_of_all(&self, cluster: &Arc<ClusterArn>) -> Result<Answer, CommandError> {
        let (services, more) = list_services(&self.ecs, cluster, SERVICES_REPORTED_MAX).await?;
        let mut reports = Vec::with_capacity(services.len());
        for service in &services {
            match self.status(service).await {
                Ok(report) => reports.push(report),
                // It was deleted since it was listed.
                Err(CommandError::ServiceNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Answer::Status { services: reports, more })
    }

    async fn preflight(&self, service: &ServiceArn) -> Result<Answer, CommandError> {
        let observed = self.look(service).await?;
        let judged = preflight(&observed, &self.watch_policy());
        Ok(Answer::Preflight(Box::new(PreflightReport::new(&observed, &judged))))
    }

    async fn look(&self, service: &ServiceArn) -> Result<Observed, CommandError> {
        let observed = observe((&self.ecs, &self.ledger, &self.clock), service).await?;
        // ECS describes a deleted service for a while.
        let observed = observed.filter(|observed| observed.service.status != ServiceStatus::Inactive);
        observed.ok_or_else(|| CommandError::ServiceNotFound(service.clone()))
    }

    fn watch_policy(&self) -> WatchPolicy {
        WatchPolicy { deadline: self.config.deadline }
    }
}
