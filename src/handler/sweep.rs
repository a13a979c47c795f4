//! The sweep: looks at every service of the configured clusters, brings its incidents up to date, and tells what is new.
//!
//! It asks no event for permission: what no event told it finds. What it could not look at in the invocation's time comes
//! first the next time, because each sweep begins at another service.

use super::Handler;
use crate::alert::incident::{self, AlertPolicy, Told};
use crate::alert::{Alert, AlertEvent, AlertKind, AlertSink};
use crate::apply::CALL_TIME;
use crate::clock::Clock;
use crate::decide::diagnose::of_orphans;
use crate::decide::{Diagnosis, Standing, WatchPolicy, diagnose};
use crate::ecs::{ClusterArn, EcsError, ServiceArn, ServiceReads};
use crate::ledger::service::SeenBlocked;
use crate::ledger::{self, Ledger, LedgerError, ServiceEntry};
use crate::observe::{Observed, list_services, observe};
use crate::report::{Looked, SweepReport};
use crate::telemetry;
use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// Services of one cluster that are swept: ECS's own quota ("Amazon ECS service quotas": services per cluster, 5,000).
const SERVICES_SWEPT_MAX: usize = 5_000;

/// A sweep takes no longer than this: while it runs, job messages may have to wait for the instance. Services that were
/// not looked at then are among the first another time.
const SWEEP_TIME: SignedDuration = SignedDuration::from_secs(10);
/// So many services are looked at at once.
const LOOKS_AT_ONCE: usize = 4;

/// Why one service could not be swept.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error(transparent)]
    Ecs(#[from] EcsError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl<E, L, Q, C, A> Handler<E, L, Q, C, A>
where
    E: ServiceReads,
    L: Ledger + Ledger<ServiceEntry>,
    C: Clock,
    A: AlertSink,
{
    /// Sweeps until all is looked at or the time runs short. A service or cluster that fails is logged, and the others
    /// are looked at all the same.
    pub(super) async fn sweep(&self, deadline: Timestamp) -> SweepReport {
        let begun_at = self.clock.now();
        let end = deadline.saturating_sub(CALL_TIME).unwrap_or(deadline).min(begun_at + SWEEP_TIME);
        let mut report = SweepReport::default();
        for cluster in self.config.clusters.iter() {
            match self.services_to_sweep(cluster).await {
                Ok(services) => {
                    let looks = services.iter().map(|service| self.sweep_in_time(service, end));
                    let looked: Vec<_> = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE).collect().await;
                    looked.into_iter().for_each(|looked| report.count(looked));
                }
                Err(error) => {
                    telemetry::sweep_failed(cluster, &error);
                    report.failed += 1;
                }
            }
        }
        report
    }

    async fn sweep_in_time(&self, service: &ServiceArn, end: Timestamp) -> Looked {
        if self.clock.now() >= end {
            return Looked::NotInTime;
        }
        match self.sweep_service(service).await {
            Ok(alerts) => Looked::At { alerts },
            Err(error) => {
                telemetry::look_failed(service, &error.to_string());
                Looked::Failed
            }
        }
    }

    /// All services of a cluster, beginning with another one each minute, so that none is always the last.
    async fn services_to_sweep(&self, cluster: &Arc<ClusterArn>) -> Result<Vec<ServiceArn>, EcsError> {
        let (mut services, _) = list_services(&self.ecs, cluster, SERVICES_SWEPT_MAX).await?;
        services.sort();
        if !services.is_empty() {
            // Mixed, because sweeps an hour apart would otherwise begin with the same one of sixty.
            let minute = self.clock.now().as_second().unsigned_abs() / 60;
            let mixed = minute.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
            let begin = usize::try_from(mixed).unwrap_or(0) % services.len();
            services.rotate_left(begin);
        }
        Ok(services)
    }

    /// Looks at one service and tells what is new. Answers how many alerts were sent.
    async fn sweep_service(&self, service: &ServiceArn) -> Result<usize, SweepError> {
        let Some(observed) = observe((&self.ecs, &self.ledger, &self.clock), service).await? else {
            return Ok(0);
        };
        let policy = WatchPolicy { deadline: self.config.deadline };
        let alerts = AlertPolicy { blocked_after: self.config.blocked_after, repeat_after: self.config.repeat_after };
        let updated = ledger::update(&self.ledger, service, None, |entry: &mut ServiceEntry| {
            let first = diagnose(&observed, None, &policy);
            let diagnosis = diagnose(&observed, entry.blocked_since(first.movement.id()), &policy);
            remember(entry, &diagnosis);
            incident::advance(&mut entry.incidents, (&observed, &diagnosis), &alerts);
            let claimed = incident::claim(&mut entry.incidents, observed.at);
            ((claimed, diagnosis), ServiceEntry::keep_until(observed.at))
        });
        let ((claimed, diagnosis), _) = updated.await?;
        let mut sent = 0;
        for (key, incident, event) in claimed {
            let diagnosis = match incident.kind {
                AlertKind::OrphanedProtection => of_orphans(&observed, &diagnosis),
                _ => diagnosis.clone(),
            };
            let alert = Alert {
                incident: key,
                kind: incident.kind,
                event,
                service: service.clone(),
                since: incident.since,
                at: observed.at,
                diagnosis,
            };
            sent += usize::from(self.tell(&alert, &observed).await? == Told::Sent);
        }
        Ok(sent)
    }

    async fn tell(&self, alert: &Alert, observed: &Observed) -> Result<Told, LedgerError> {
        telemetry::alert(alert);
        let told = match self.alerts.send(alert).await {
            Ok(()) => Told::Sent,
            Err(error) => {
                telemetry::alert_not_sent(alert, &error);
                Told::Failed
            }
        };
        let outcome: (AlertEvent, Told, Timestamp) = (alert.event, told, self.clock.now());
        ledger::update(&self.ledger, &alert.service, None, |entry: &mut ServiceEntry| {
            incident::told(&mut entry.incidents, &alert.incident, outcome);
            ((), ServiceEntry::keep_until(observed.at))
        })
        .await?;
        Ok(told)
    }
}

/// Since when the movement has been seen blocked. What is not seen for want of a complete picture is not forgotten.
fn remember(entry: &mut ServiceEntry, diagnosis: &Diagnosis) {
    match (diagnosis.standing, diagnosis.movement.id(), diagnosis.blocked_since) {
        (Standing::Blocked, Some(movement), Some(since)) => {
            entry.blocked = Some(SeenBlocked { movement: movement.to_owned(), since });
        }
        (Standing::Unclear, ..) => {}
        _ => entry.blocked = None,
    }
}
