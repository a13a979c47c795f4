//! Reconciles services: reads a service, reconciles the snapshot, stores the record and carries out the result.

use crate::budget::Budget;
use crate::ecs::arn::TaskId;
use crate::ecs::autoscaling::Autoscaling;
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use crate::outbox::Deliver;
use crate::service::alert::Alert;
use crate::service::denial::DenialWarning;
use crate::service::forecast::DiagnosisPolicy;
use crate::service::incident::AlertPolicy;
use crate::service::lookups::{EventOrigin, LookupLimit};
use crate::service::policy::ServicePolicy;
use crate::service::recheck::{Recheck, RecheckQueue, delay_until};
use crate::service::reconcile::{self, Findings};
use crate::service::record::ServiceRecord;
use crate::service::remediation::{CarriedOut, RemediationPolicy};
use crate::service::schedule::{self, OnTrigger, Reason};
use crate::service::snapshot::ServiceSnapshot;
use crate::service::snapshot::read::read_service;
use crate::service::trigger::{ServiceTrigger, Trigger};
use crate::store::error::StoreError;
use crate::store::{self, Changed, StorePages};
use crate::task::outcome::Unsettled;
use crate::task::reconciler::TaskReconciler;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::warn;

/// Reconciles services with the given adapters.
pub struct ServiceReconciler {
    /// The reconciler of tasks, which sets and clears protection.
    pub tasks: TaskReconciler,
    /// Application Auto Scaling.
    pub autoscaling: Arc<dyn Autoscaling>,
    /// Service records.
    pub store: Arc<dyn StorePages<ServiceRecord>>,
    /// Sends alerts.
    pub notifier: Arc<dyn Deliver<Alert>>,
    /// Where the function sends its rechecks; `None` leaves them to the sweep.
    pub rechecks: Option<Arc<dyn RecheckQueue>>,
    /// Limits the reads about services that no record proves to exist.
    pub lookups: LookupLimit,
    /// Whether it has warned of a missing permission.
    pub denial: DenialWarning,
}

/// Maximum number of services reconciled concurrently; each costs several reads, whose buckets give 20 calls a second
/// after a burst of 100 (aws-facts "ECS: the protection API").
pub(crate) const SERVICES_AT_ONCE: usize = 4;

/// The result of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reconciled {
    /// The service was reconciled.
    Done {
        /// The number of alerts that were delivered.
        alerts: usize,
    },
    /// A recheck will reconcile it.
    Later,
    /// Nothing is in progress, or another reconcile is already due.
    NotNeeded,
}

/// The findings about a service whose record is stored.
struct StoredFindings {
    findings: Findings,
    /// Whether the recheck that the record names is on its way.
    recheck: Result<(), Unsettled>,
}

impl ServiceReconciler {
    /// Handles an event about a service: reconciles now, leaves it to a recheck, or ignores it.
    pub(crate) async fn on_trigger(
        &self,
        trigger: &ServiceTrigger,
        origin: EventOrigin,
        budget: Budget<'_>,
    ) -> Result<Reconciled, Unsettled> {
        let ServiceTrigger { service, name } = trigger;
        let policy = self.policy();
        if name.trigger() == Trigger::Nothing {
            return Ok(Reconciled::NotNeeded);
        }
        budget.allows_a_call(&*self.tasks.clock)?;
        let known = self.store.load(service).await?;
        let now = self.tasks.clock.now();
        if known.version == 0 && !self.lookups.may_be_recorded(&*self.tasks.ecs, service, origin, now).await? {
            return Ok(Reconciled::NotNeeded);
        }
        let triggered = store::update(&*self.store, service, Some(&known), |record: &mut ServiceRecord| {
            let now = self.tasks.clock.now();
            let on_trigger = schedule::on_trigger(record, name.trigger(), now, &policy);
            Changed { result: on_trigger, keep_until: ServiceRecord::keep_until(now) }
        });
        match triggered.await?.result {
            OnTrigger::Nothing => Ok(Reconciled::NotNeeded),
            // The record names the moment before its recheck is sent. If sending fails, the event is retried, or the
            // next reconcile after the moment notices that it has passed.
            OnTrigger::RecheckAt(due) => self.send_check(service, due).await.map(|()| Reconciled::Later),
            OnTrigger::Reconcile => {
                let reason = if name.trigger() == Trigger::Reconcile { Reason::Begun } else { Reason::Routine };
                match self.check(service, reason, budget).await {
                    Err(failure) if self.rechecks.is_some() => self.put_off(service, &failure).await,
                    checked => checked,
                }
            }
        }
    }

    /// Schedules a recheck after an event's reconcile failed. The event is not retried; the recheck is, until it
    /// succeeds.
    pub(crate) async fn put_off(&self, service: &ServiceArn, failure: &Unsettled) -> Result<Reconciled, Unsettled> {
        warn!(%service, %failure, "could not reconcile the service; a recheck will");
        let put_off = store::update(&*self.store, service, None, |record: &mut ServiceRecord| {
            let now = self.tasks.clock.now();
            Changed { result: schedule::put_off(record, now), keep_until: ServiceRecord::keep_until(now) }
        });
        let due = put_off.await?.result;
        self.send_check(service, due).await.map(|()| Reconciled::Later)
    }

    /// Handles the recheck of a service; ignores one that is out of date.
    pub(crate) async fn check_again(
        &self,
        service: &ServiceArn,
        due: Timestamp,
        budget: Budget<'_>,
    ) -> Result<Reconciled, Unsettled> {
        let record = self.store.load(service).await?.record;
        if !schedule::is_awaited(&record, due, self.tasks.clock.now()) {
            return Ok(Reconciled::NotNeeded);
        }
        self.check(service, Reason::Recheck(due), budget).await
    }

    /// Reads a service. `None` if ECS does not know it. `known` is its service record.
    ///
    /// # Errors
    /// The service itself could not be described.
    pub(crate) async fn read(
        &self,
        service: &ServiceArn,
        known: &ServiceRecord,
    ) -> Result<Option<ServiceSnapshot>, EcsError> {
        let TaskReconciler { ecs, store, clock, .. } = &self.tasks;
        let snapshot = read_service(&**ecs, &**store, &**clock, service, known).await?;
        if let Some(snapshot) = &snapshot {
            self.denial.warn_once(snapshot);
        }
        Ok(snapshot)
    }

    /// Reconciles a service now. Boxed: it is by far the largest future, and most invocations never await it.
    pub(crate) fn check<'a>(
        &'a self,
        service: &'a ServiceArn,
        reason: Reason,
        budget: Budget<'a>,
    ) -> LocalBoxFuture<'a, Result<Reconciled, Unsettled>> {
        self.check_unboxed(service, reason, budget).boxed_local()
    }

    async fn check_unboxed(
        &self,
        service: &ServiceArn,
        reason: Reason,
        budget: Budget<'_>,
    ) -> Result<Reconciled, Unsettled> {
        budget.allows_a_call(&*self.tasks.clock)?;
        let known = self.store.load(service).await?.record;
        let refused = &known.refused;
        if reason != Reason::Begun {
            self.request_again(service, refused, budget).await;
        }
        let snapshot = self.read(service, &known).await?;
        let mut snapshot = snapshot.unwrap_or_else(|| ServiceSnapshot::gone(service, self.tasks.clock.now()));
        self.repair_lost(&mut snapshot, budget).await;
        if snapshot.is_throttled() && !matches!(reason, Reason::Recheck(_)) {
            // An incomplete snapshot is not worth its calls, and the trigger is retried. A recheck uses what it has.
            return Err(Unsettled::Ecs(EcsError::Throttled));
        }
        let StoredFindings { mut findings, recheck } = self.store_reconciled(service, &snapshot, reason).await?;
        self.await_releases(&snapshot, &findings.diagnosis).await;
        let mut done = CarriedOut { state: findings.remediation.clone(), released: Vec::new() };
        if let Some(action) = &findings.action {
            done = self.act(service, action, budget).await?;
            // ECS may have room for the refused tasks now.
            let states = self.request_again(service, refused, budget).await;
            let granted = refused.iter().zip(&states).filter(|(_, state)| self.is_granted(state));
            let granted: BTreeSet<TaskId> = granted.map(|(task, _)| task.clone()).collect();
            self.withdraw_refusals(&snapshot, &known, &granted, &mut findings).await?;
        }
        let alerts = self.notify_all(&snapshot, &findings, &done).await?;
        recheck.map(|()| Reconciled::Done { alerts })
    }

    pub(crate) fn policy(&self) -> ServicePolicy {
        let config = &self.tasks.config;
        ServicePolicy {
            diagnosis: DiagnosisPolicy::of(config),
            alerts: AlertPolicy {
                blocked_after: config.blocked_after,
                scale_in_blocked_after: config.scale_in_blocked_after,
                repeat_after: config.repeat_after,
            },
            remediations: RemediationPolicy {
                policy: config.policy,
                allowed: config.remediations,
                release_grace: config.release_grace,
                raise_cool_down: config.raise_cool_down,
            },
            has_recheck_queue: self.rechecks.is_some(),
        }
    }

    /// Stores the reconciled record.
    ///
    /// The recheck is sent before the record names its moment. A crash in between leaves a recheck that no watch waits
    /// for, and never a watch that waits for a missing recheck. If the recheck cannot be sent, the watch ends and the
    /// next trigger begins a new one; notifications are sent all the same.
    async fn store_reconciled(
        &self,
        service: &ServiceArn,
        snapshot: &ServiceSnapshot,
        reason: Reason,
    ) -> Result<StoredFindings, StoreError> {
        let policy = self.policy();
        let due = |record: &ServiceRecord| record.watch.as_ref().and_then(|watch| watch.due);
        let mut sent = None;
        let change = |_: &ServiceRecord, record: &mut ServiceRecord| {
            let findings = reconcile::reconcile_snapshot(record, snapshot, reason, &policy);
            let result = StoredFindings { findings, recheck: Ok(()) };
            Changed { result, keep_until: ServiceRecord::keep_until(snapshot.at) }
        };
        let send_recheck = async |before: &ServiceRecord, after: &mut ServiceRecord, stored: &mut StoredFindings| {
            // The recheck that arrived is used up, even if it came a moment early and the record keeps its moment.
            let is_used_up = due(before).is_some_and(|due| reason == Reason::Recheck(due));
            let next = due(after).filter(|next| is_used_up || due(before) != Some(*next));
            if let Some(next) = next
                && sent != Some(next)
            {
                stored.recheck = self.send_check(service, next).await;
                match stored.recheck {
                    Ok(()) => sent = Some(next),
                    Err(_) => after.watch = None,
                }
            }
        };
        let stored = store::update_after(&*self.store, service, None, change, send_recheck).await;
        stored.map(|updated| updated.result)
    }

    async fn send_check(&self, service: &ServiceArn, due: Timestamp) -> Result<(), Unsettled> {
        let Some(queue) = &self.rechecks else { return Ok(()) };
        let delay = delay_until(due, self.tasks.clock.now());
        let recheck = Recheck::Check { service: service.clone(), due };
        queue.send(&recheck, delay).await.map_err(|error| {
            warn!(%service, failure = %error, "could not schedule the recheck of the service; the sweep reconciles it");
            Unsettled::RecheckNotSent(error)
        })
    }
}
