//! The second part of the sweep: describes the services of a cluster ten at a time, and reconciles those in which
//! something is in progress or open. Only these cost reads of tasks and protection.

use crate::api::answer::SweptService;
use crate::ecs::SERVICES_PER_READ_MAX;
use crate::ecs::arn::ClusterArn;
use crate::ecs::error::EcsError;
use crate::ecs::service::{Service, ServiceArn};
use crate::lambda::function::Function;
use crate::lambda::sweep::open_records::OpenServices;
use crate::lambda::sweep::pace::Reads;
use crate::lambda::sweep::part::Part;
use crate::service::in_progress::may_be_in_progress;
use crate::service::recheck::{ServicesLeft, SweepPlace};
use crate::service::reconciler::{Reconciled, SERVICES_AT_ONCE};
use crate::service::schedule::Reason;
use crate::service::snapshot::services::list_services_paced;
use crate::task::outcome::Unsettled;
use futures_util::StreamExt;
use futures_util::stream;
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::warn;

/// Maximum number of services swept per cluster: ECS's quota ("Amazon ECS service quotas": services per cluster,
/// 5,000).
const SERVICES_SWEPT_MAX: usize = 5_000;

/// The services of a cluster that a part sweeps, in order.
struct ServicesToSweep {
    services: Vec<ServiceArn>,
    /// Those that follow, if their names had no room in the recheck.
    then: ServicesLeft,
}

/// The answer of ECS about up to ten services.
enum Described {
    /// The services that ECS knows.
    Known(Vec<Service>),
    /// The call failed: each is read by itself.
    Failed,
    /// The call did not begin in time, or was throttled.
    NotInTime,
}

impl Function {
    /// Sweeps the services of a cluster, or the rest of them. Returns where to continue, if anything is left.
    pub(crate) async fn sweep_services(
        &self,
        cluster: &Arc<ClusterArn>,
        rest: Option<ServicesLeft>,
        part: &mut Part<'_>,
    ) -> Option<SweepPlace> {
        let place = |rest| SweepPlace::Services { cluster: cluster.clone(), rest };
        if part.share.allows_a_call(self.clock()).is_err() {
            return Some(place(rest));
        }
        let (work, open) = match self.work_of(cluster, rest.as_ref(), part).await {
            Ok(begun) => begun,
            Err(Unsettled::OutOfTime) => return Some(place(rest)),
            Err(error) => {
                warn!(cluster = %cluster.name, failure = %error, "could not list the services of the cluster");
                part.report.failed += 1;
                return None;
            }
        };
        if work.services.is_empty() {
            return None;
        }
        let mut rest = work.services.as_slice();
        let open = match self.with_open_tasks(open, cluster, part).await {
            Ok(open) => open,
            Err(Unsettled::OutOfTime | Unsettled::Ecs(EcsError::Throttled)) => {
                part.is_throttled.set(true);
                let left = ServicesLeft::of(rest, &work.then);
                part.report.services_remaining += left.len();
                return Some(place(Some(left)));
            }
            Err(error) => {
                warn!(failure = %error, "could not list task records");
                part.report.failed += 1;
                return None;
            }
        };
        while let Some(batch) = rest.chunks(SERVICES_PER_READ_MAX).next() {
            let swept = self.sweep_batch(cluster, batch, &open, part).await;
            let done = swept.iter().position(|swept| *swept == SweptService::NotInTime);
            swept[..done.unwrap_or(swept.len())].iter().for_each(|swept| part.report.count(*swept));
            rest = &rest[done.unwrap_or(batch.len())..];
            if done.is_some() {
                break;
            }
        }
        let left = ServicesLeft::of(rest, &work.then);
        part.report.services_remaining += left.len();
        (left.len() > 0).then(|| place(Some(left)))
    }

    /// The services to sweep, and which of them have open records of their own.
    async fn work_of(
        &self,
        cluster: &Arc<ClusterArn>,
        rest: Option<&ServicesLeft>,
        part: &Part<'_>,
    ) -> Result<(ServicesToSweep, BTreeSet<ServiceArn>), Unsettled> {
        let open = self.open_service_records(cluster).await?;
        let work = match rest.filter(|rest| !rest.names.is_empty()) {
            Some(rest) => {
                let named = rest.names.iter().filter_map(|name| ServiceArn::new(cluster.clone(), name).ok());
                ServicesToSweep { services: named.collect(), then: ServicesLeft { names: Vec::new(), ..rest.clone() } }
            }
            None => {
                let services = self.listed_services(cluster, &open, rest, part).await?;
                ServicesToSweep { services, then: ServicesLeft::default() }
            }
        };
        Ok((work, open))
    }

    /// The services of a cluster that ECS lists, and those with an open record: ECS no longer lists a service that was
    /// deleted in the middle of a rollout. Sorted by name, but beginning with another service each minute, or where the
    /// rest begins.
    async fn listed_services(
        &self,
        cluster: &Arc<ClusterArn>,
        open: &BTreeSet<ServiceArn>,
        rest: Option<&ServicesLeft>,
        part: &Part<'_>,
    ) -> Result<Vec<ServiceArn>, Unsettled> {
        let before_page = async || Ok::<_, Unsettled>(part.pace.keep(Reads::SERVICES, part.share, self.clock()).await?);
        let ecs = &*self.services.tasks.ecs;
        let mut services = list_services_paced(ecs, cluster, SERVICES_SWEPT_MAX, before_page).await?.services;
        services.extend(open.iter().cloned());
        services.sort();
        services.dedup();
        if services.is_empty() {
            return Ok(services);
        }
        let (begin, left) = match rest {
            Some(ServicesLeft { next, count, .. }) => {
                (services.partition_point(|service| service.name < *next) % services.len(), *count)
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

    /// Describes up to ten services together and reconciles those that need it.
    async fn sweep_batch(
        &self,
        cluster: &Arc<ClusterArn>,
        batch: &[ServiceArn],
        open: &OpenServices,
        part: &mut Part<'_>,
    ) -> Vec<SweptService> {
        let described = self.describe_batch(cluster, batch, part).await;
        // The number of tasks of a service that must be read whole.
        let tasks_of = |service: &ServiceArn| match &described {
            Described::Known(services) => {
                let known = services.iter().find(|known| known.arn == *service);
                let tasks = known.map_or(0, |known| known.running_count.saturating_add(known.pending_count));
                (open.contains(service) || known.is_some_and(may_be_in_progress)).then_some(tasks)
            }
            Described::Failed => Some(0),
            Described::NotInTime => None,
        };
        if matches!(described, Described::NotInTime) {
            return vec![SweptService::NotInTime; batch.len()];
        }
        let shared = &*part;
        let sweeps = batch.iter().map(|service| {
            let tasks = tasks_of(service);
            async move {
                match tasks {
                    Some(tasks) => self.sweep_service(service, tasks, shared).await,
                    None => SweptService::Reconciled { alerts: 0 },
                }
            }
        });
        let swept = stream::iter(sweeps).buffered(SERVICES_AT_ONCE).collect().await;
        if let Described::Known(services) = &described {
            self.learn_from_stopped_tasks(services, part).await;
        }
        swept
    }

    /// Hands the finished jobs of stopped tasks to their services, which ECS has just described.
    async fn learn_from_stopped_tasks(&self, services: &[Service], part: &mut Part<'_>) {
        for service in services {
            if part.share.allows_a_call(self.clock()).is_err() {
                return;
            }
            if let Some(finished) = part.open_tasks.finished.remove(&service.arn) {
                self.services.learn_from(&service.arn, finished).await;
            }
        }
    }

    async fn describe_batch(&self, cluster: &ClusterArn, batch: &[ServiceArn], part: &mut Part<'_>) -> Described {
        if part.pace.keep(Reads::SERVICES, part.share, self.clock()).await.is_err() {
            return Described::NotInTime;
        }
        match self.services.tasks.ecs.describe_services(cluster, batch).await {
            Ok(services) => Described::Known(services),
            Err(EcsError::Throttled) => {
                part.is_throttled.set(true);
                Described::NotInTime
            }
            Err(failure) => {
                warn!(cluster = %cluster.name, %failure, "could not describe services together; reading each by itself");
                Described::Failed
            }
        }
    }

    async fn sweep_service(&self, service: &ServiceArn, tasks: u32, part: &Part<'_>) -> SweptService {
        if part.is_throttled.get()
            || part.pace.keep(Reads::whole_service(tasks), part.share, self.clock()).await.is_err()
        {
            return SweptService::NotInTime;
        }
        match self.services.check(service, Reason::Routine, part.budget).await {
            Ok(Reconciled::Done { alerts }) => SweptService::Reconciled { alerts },
            Ok(Reconciled::Later | Reconciled::NotNeeded) => SweptService::Reconciled { alerts: 0 },
            Err(Unsettled::OutOfTime) => SweptService::NotInTime,
            Err(Unsettled::Ecs(EcsError::Throttled)) => {
                part.is_throttled.set(true);
                SweptService::NotInTime
            }
            Err(error) => {
                warn!(%service, failure = %error, "could not reconcile the service");
                SweptService::Failed
            }
        }
    }
}
