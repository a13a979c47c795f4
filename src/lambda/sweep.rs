//! The sweep: compares the task records with ECS, reconciles every service of the configured clusters, and so finds
//! what no event reported.
//!
//! A recheck continues the part that does not fit into one invocation. Without a recheck queue each sweep begins at
//! another service, so that no service is always last.

pub mod tasks;

use crate::api::answer::{SweepReport, SweptService};
use crate::budget::Budget;
use crate::budget::CALL_TIME;
use crate::ecs::arn::ClusterArn;
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use crate::lambda::function::Function;
use crate::service::recheck::{Recheck, ServicesLeft, SweepPlace};
use crate::service::reconciler::Reconciled;
use crate::service::reconciler::SERVICES_AT_ONCE;
use crate::service::schedule::Reason;
use crate::service::snapshot::services::list_services;
use crate::task::outcome::RetryReason;
use crate::text::shown_time;
use futures_util::StreamExt;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// Maximum number of services swept per cluster: ECS's quota ("Amazon ECS service quotas": services per cluster,
/// 5,000).
const SERVICES_SWEPT_MAX: usize = 5_000;
/// Maximum time of one invocation's part: the sweep shares ECS's limits, and perhaps its instance, with job messages.
const SWEEP_TIME: SignedDuration = SignedDuration::from_secs(10);
/// Maximum time of a whole sweep. Meanwhile the schedule begins others, which share ECS's limits with it.
const SWEEP_MAX: SignedDuration = SignedDuration::from_mins(15);
/// The buckets of ECS's reads refill by 20 calls a second, up to 100 (aws-facts "ECS: the protection API").
const THROTTLED_PAUSE: Duration = Duration::from_secs(5);
/// Maximum number of store pages read to find service records: more than any cluster fills.
const STORE_PAGES_MAX: usize = 1_000;

/// One invocation's part of a sweep.
pub(crate) struct Part<'a> {
    /// When it begins nothing new any more.
    end: Timestamp,
    budget: Budget<'a>,
    /// Whether ECS throttled it.
    is_throttled: bool,
    report: SweepReport,
}

/// The result of one invocation's part of a sweep.
struct SweptPart {
    report: SweepReport,
    /// Whether the recheck for the rest was sent, if one is needed.
    rest: Result<(), RetryReason>,
}

impl SweptPart {
    /// A part without a recheck: nothing is left, or the next sweep takes it.
    fn whole(report: SweepReport) -> Self {
        Self { report, rest: Ok(()) }
    }
}

impl Function {
    /// Sweeps until everything is reconciled or the time is up. A failure is logged, and the sweep continues.
    pub(crate) async fn sweep(&self, budget: Budget<'_>) -> SweepReport {
        let place = SweepPlace::Tasks { page: None };
        self.sweep_from(place, self.clock().now(), budget).await.report
    }

    /// Continues a sweep that began at `started_at`.
    pub(crate) async fn continue_sweep(
        &self,
        started_at: Timestamp,
        place: SweepPlace,
        budget: Budget<'_>,
    ) -> Result<(), RetryReason> {
        if self.clock().now().duration_since(started_at) >= SWEEP_MAX {
            warn!(started = shown_time(started_at), "ending a sweep that has taken too long; later ones continue");
            return Ok(());
        }
        self.sweep_from(place, started_at, budget).await.rest
    }

    /// Sweeps from a place on.
    async fn sweep_from(&self, place: SweepPlace, started_at: Timestamp, budget: Budget<'_>) -> SweptPart {
        let deadline = budget.deadline;
        let end = deadline.saturating_sub(CALL_TIME).unwrap_or(deadline).min(self.clock().now() + SWEEP_TIME);
        let mut part = Part { end, budget, is_throttled: false, report: SweepReport::default() };
        let Some(place) = self.sweep_part(place, &mut part).await else { return SweptPart::whole(part.report) };
        let Some(queue) = &self.services.rechecks else { return SweptPart::whole(part.report) };
        // Immediately, but behind job messages that arrived meanwhile; after throttling, once ECS accepts calls again.
        let delay = if part.is_throttled { THROTTLED_PAUSE } else { Duration::ZERO };
        let sent = queue.send(&Recheck::Sweep { started_at, place }, delay).await;
        part.report.continues = sent.is_ok();
        let rest = sent.map_err(|error| {
            warn!(failure = %error, "could not schedule the rest of the sweep");
            RetryReason::RecheckNotSent(error)
        });
        SweptPart { report: part.report, rest }
    }

    /// Sweeps until the end of the part. Returns where to continue, if anything is left.
    async fn sweep_part(&self, place: SweepPlace, part: &mut Part<'_>) -> Option<SweepPlace> {
        let (mut begin_at, mut rest) = match place {
            SweepPlace::Services { cluster, rest } => (Some(cluster), rest),
            SweepPlace::Tasks { page } => match self.sweep_tasks(page, part).await {
                Some(place) => return Some(place),
                None => (None, None),
            },
        };
        for cluster in self.config().clusters.iter() {
            if begin_at.as_ref().is_some_and(|begin_at| begin_at != cluster) {
                continue;
            }
            begin_at = None;
            let place = self.sweep_services(cluster, rest.take(), part).await;
            if place.is_some() {
                return place;
            }
        }
        None
    }

    /// Reconciles the services of a cluster, or the rest of them. Returns where to continue, if anything is left.
    async fn sweep_services(
        &self,
        cluster: &Arc<ClusterArn>,
        rest: Option<ServicesLeft>,
        part: &mut Part<'_>,
    ) -> Option<SweepPlace> {
        let place = |rest| SweepPlace::Services { cluster: cluster.clone(), rest };
        if self.clock().now() >= part.end {
            return Some(place(rest));
        }
        let services = match self.services_to_sweep(cluster, rest).await {
            Ok(services) => services,
            Err(error) => {
                warn!(cluster = %cluster.name, failure = %error, "could not list the services of the cluster");
                part.report.failed += 1;
                return None;
            }
        };
        let throttled = Cell::new(false);
        let sweeps = services.iter().map(|service| self.sweep_service(service, part.end, &throttled, part.budget));
        let swept: Vec<SweptService> = stream::iter(sweeps).buffered(SERVICES_AT_ONCE).collect().await;
        part.is_throttled |= throttled.get();
        swept.iter().for_each(|swept| part.report.count(*swept));
        let next = swept.iter().position(|swept| *swept == SweptService::NotInTime)?;
        let left = ServicesLeft { next: services[next].name.clone(), count: services.len() - next };
        Some(place(Some(left)))
    }

    async fn sweep_service(
        &self,
        service: &ServiceArn,
        end: Timestamp,
        throttled: &Cell<bool>,
        budget: Budget<'_>,
    ) -> SweptService {
        if self.clock().now() >= end || throttled.get() {
            return SweptService::NotInTime;
        }
        match self.services.check(service, Reason::Routine, budget).await {
            Ok(Reconciled::Done { alerts }) => SweptService::Reconciled { alerts },
            Ok(Reconciled::Later | Reconciled::NotNeeded) => SweptService::Reconciled { alerts: 0 },
            Err(RetryReason::OutOfTime) => SweptService::NotInTime,
            Err(RetryReason::Ecs(EcsError::Throttled)) => {
                throttled.set(true);
                SweptService::NotInTime
            }
            Err(error) => {
                warn!(%service, failure = %error, "could not reconcile the service");
                SweptService::Failed
            }
        }
    }

    /// The services of a cluster that ECS lists, and those with an open record: ECS no longer lists a service that was
    /// deleted in the middle of a rollout. Sorted by name, but beginning with another service each minute, or where the
    /// rest begins.
    async fn services_to_sweep(
        &self,
        cluster: &Arc<ClusterArn>,
        rest: Option<ServicesLeft>,
    ) -> Result<Vec<ServiceArn>, RetryReason> {
        let mut services = list_services(&*self.services.tasks.ecs, cluster, SERVICES_SWEPT_MAX).await?.services;
        services.extend(self.open_services(cluster).await?);
        services.sort();
        services.dedup();
        if services.is_empty() {
            return Ok(services);
        }
        let (begin, left) = match rest {
            Some(ServicesLeft { next, count }) => {
                (services.partition_point(|service| service.name < next) % services.len(), count)
            }
            None => (self.begin_at(services.len()), services.len()),
        };
        services.rotate_left(begin);
        services.truncate(left);
        Ok(services)
    }

    /// Scrambled, because sweeps an hour apart would otherwise begin with the same one of sixty services.
    fn begin_at(&self, services: usize) -> usize {
        let minute = self.clock().now().as_second().unsigned_abs() / 60;
        let mixed = minute.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        usize::try_from(mixed).unwrap_or(0) % services
    }

    async fn open_services(&self, cluster: &Arc<ClusterArn>) -> Result<Vec<ServiceArn>, RetryReason> {
        let mut open = Vec::new();
        let mut token = None;
        for _ in 0..STORE_PAGES_MAX {
            let page = self.services.store.page(token.as_deref()).await?;
            let of_cluster = page.items.into_iter().filter(|(service, _)| service.cluster == *cluster);
            open.extend(of_cluster.filter(|(_, versioned)| versioned.record.is_open()).map(|(service, _)| service));
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(open)
    }
}
