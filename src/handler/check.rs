//! One look at one service, whatever the reason: observe, take in, tell, and say when to look again.

use super::{Handler, Parts, Within};
use crate::alert::incident::{self, Told};
use crate::alert::{Alert, AlertKind, AlertSink, Notification, Transition};
use crate::apply::CALL_TIME;
use crate::clock::Clock;
use crate::decide::diagnose::of_orphans;
use crate::decide::remediation::{RemediationNote, RemediationPolicy};
use crate::decide::watch::{self, OnTrigger, Reason, Seen, ServicePolicy};
use crate::decide::{DeadlinePolicy, RetryReason};
use crate::ecs::{EcsError, ServiceArn};
use crate::event::{ServiceTrigger, Trigger};
use crate::recheck::{Recheck, RecheckQueue};
use crate::snapshot::{ServiceSnapshot, read_service};
use crate::store::{self, CONFLICTS_MAX, ServiceRecord, Store, StoreError, Stored};
use crate::telemetry;
use futures_util::FutureExt;
use jiff::Timestamp;
use std::time::Duration;

/// What became of a reason to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reconciled {
    /// It was looked at, and so many alerts were sent.
    Done {
        /// Alerts.
        alerts: usize,
    },
    /// A recheck will look.
    Later,
    /// There was nothing to look for, or somebody else does.
    NotNeeded,
}

impl<P: Parts> Handler<P> {
    /// An event about a service: looks, lets a recheck look, or does nothing.
    pub(super) async fn on_trigger(
        &self,
        prompt: &ServiceTrigger,
        within: Within<'_>,
    ) -> Result<Reconciled, RetryReason> {
        let ServiceTrigger { service, name } = prompt;
        let policy = self.check_policy();
        if name.prompt() == Trigger::Nothing {
            return Ok(Reconciled::NotNeeded);
        }
        self.in_time(within)?;
        let heeded = store::update(&self.store, service, None, |record: &mut ServiceRecord| {
            let now = self.clock.now();
            let on_trigger = watch::on_trigger(record, name.prompt(), (now, &policy));
            (on_trigger, ServiceRecord::keep_until(now))
        });
        match heeded.await?.0 {
            OnTrigger::Nothing => Ok(Reconciled::NotNeeded),
            // The state store names the moment before its recheck is on its way. Should that fail, the event comes again, or
            // whoever comes after the moment sees that it has passed.
            OnTrigger::At(due) => self.send_check(service, due).await.map(|()| Reconciled::Later),
            OnTrigger::Look => {
                let reason = if name.prompt() == Trigger::Reconcile { Reason::Begun } else { Reason::Routine };
                match self.check(service, reason, within).await {
                    Err(failure) if self.rechecks.is_some() => self.put_off(service, &failure).await,
                    checked => checked,
                }
            }
        }
    }

    /// An event whose look failed need not come again: a recheck looks, and that comes again until it has.
    pub(super) async fn put_off(&self, service: &ServiceArn, failure: &RetryReason) -> Result<Reconciled, RetryReason> {
        telemetry::look_failed(service, &failure.to_string());
        let put_off = store::update(&self.store, service, None, |record: &mut ServiceRecord| {
            let now = self.clock.now();
            (watch::put_off(record, now), ServiceRecord::keep_until(now))
        });
        let due = put_off.await?.0;
        self.send_check(service, due).await.map(|()| Reconciled::Later)
    }

    /// A recheck to look at a service; one that is out of date is passed over.
    pub(super) async fn check_again(
        &self,
        service: &ServiceArn,
        due: Timestamp,
        within: Within<'_>,
    ) -> Result<Reconciled, RetryReason> {
        let record = Store::<ServiceRecord>::load(&self.store, service).await?.record;
        if !watch::is_awaited(&record, due, self.clock.now()) {
            return Ok(Reconciled::NotNeeded);
        }
        self.check(service, Reason::Recheck(due), within).await
    }

    /// Looks at a service now.
    pub(super) async fn check(
        &self,
        service: &ServiceArn,
        reason: Reason,
        within: Within<'_>,
    ) -> Result<Reconciled, RetryReason> {
        self.in_time(within)?;
        let refused = Store::<ServiceRecord>::load(&self.store, service).await?.record.refused;
        if reason != Reason::Begun {
            self.ask_again(service, &refused, within).await;
        }
        // Boxed: a look is by far the largest thing that an invocation can wait for, and most wait for none.
        let snapshot = read_service((&self.ecs, &self.store, &self.clock), service, &refused).boxed_local().await?;
        let snapshot = snapshot.unwrap_or_else(|| ServiceSnapshot::gone(service, self.clock.now()));
        if snapshot.is_throttled() && !matches!(reason, Reason::Recheck(_)) {
            // Half a picture is not worth what it took; whoever asked for it comes again. A watch goes on with what it has.
            return Err(RetryReason::Ecs(EcsError::Throttled));
        }
        let (seen, recheck) = self.take_in(service, (&snapshot, reason)).await?;
        self.await_releases(&snapshot, &seen.diagnosis).await;
        let mut remediations = seen.notes.clone();
        if let Some(action) = &seen.action {
            remediations = self.act(service, action, within).await?;
            // There may be room now.
            self.ask_again(service, &refused, within).await;
        }
        let alerts = self.tell_all(&snapshot, &seen, &remediations).await?;
        recheck.map(|()| Reconciled::Done { alerts })
    }

    pub(super) fn in_time(&self, within: Within<'_>) -> Result<(), RetryReason> {
        let time_is_short = within.deadline.duration_since(self.clock.now()) < CALL_TIME;
        if time_is_short { Err(RetryReason::OutOfTime) } else { Ok(()) }
    }

    fn check_policy(&self) -> ServicePolicy {
        let config = &self.config;
        ServicePolicy {
            watch: DeadlinePolicy { deadline: config.deadline },
            alerts: incident::AlertPolicy { blocked_after: config.blocked_after, repeat_after: config.repeat_after },
            remediations: RemediationPolicy {
                policy: config.policy,
                allowed: config.remediations,
                release_grace: config.release_grace,
                raise_cool_down: config.raise_cool_down,
            },
            follows_up: self.rechecks.is_some(),
        }
    }

    /// Stores what a look means, and answers whether the recheck that goes with it is on its way.
    ///
    /// The recheck is sent before the state store names its moment. So a crash in between leaves a recheck that nobody waits
    /// for, and never a watch that waits for none. One that cannot be sent ends the watch, which whoever comes next begins
    /// anew, and keeps nobody from being told.
    async fn take_in(
        &self,
        service: &ServiceArn,
        look: (&ServiceSnapshot, Reason),
    ) -> Result<(Seen, Result<(), RetryReason>), StoreError> {
        let policy = self.check_policy();
        let due = |record: &ServiceRecord| record.watch.as_ref().and_then(|watch| watch.due);
        let mut sent = None;
        for _ in 0..CONFLICTS_MAX {
            let before = store::Store::<ServiceRecord>::load(&self.store, service).await?;
            let mut after = before.clone();
            let seen = watch::take_in(&mut after.record, look, &policy);
            // The recheck that has come is used up, even if it came a moment before its time and the moment stays.
            let is_used_up = due(&before.record).is_some_and(|due| look.1 == Reason::Recheck(due));
            let next = due(&after.record).filter(|next| is_used_up || due(&before.record) != Some(*next));
            let mut recheck = Ok(());
            if let Some(next) = next
                && sent != Some(next)
            {
                recheck = self.send_check(service, next).await;
                match recheck {
                    Ok(()) => sent = Some(next),
                    Err(_) => after.record.watch = None,
                }
            }
            if after.record == before.record {
                return Ok((seen, recheck));
            }
            let keep_until = ServiceRecord::keep_until(look.0.at);
            if let Stored::As(_) = self.store.put(service, &after, keep_until).await? {
                return Ok((seen, recheck));
            }
        }
        Err(StoreError::Contended(service.to_string(), CONFLICTS_MAX))
    }

    async fn send_check(&self, service: &ServiceArn, due: Timestamp) -> Result<(), RetryReason> {
        let Some(queue) = &self.rechecks else { return Ok(()) };
        // Rounded up: a check that comes before its moment would find that nothing is due yet.
        let millis = due.duration_since(self.clock.now()).as_millis().max(0).unsigned_abs();
        let delay = Duration::from_secs(u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX));
        let recheck = Recheck::Check { service: service.clone(), due };
        queue.send(&recheck, delay).await.map_err(|error| {
            telemetry::recheck_not_sent(service, &error);
            RetryReason::RecheckNotSent(error)
        })
    }

    async fn tell_all(
        &self,
        snapshot: &ServiceSnapshot,
        seen: &Seen,
        remediations: &[RemediationNote],
    ) -> Result<usize, StoreError> {
        let mut sent = 0;
        for (key, incident, event) in &seen.to_tell {
            let diagnosis = match incident.kind {
                AlertKind::OrphanedProtection => of_orphans(snapshot, &seen.diagnosis),
                _ => seen.diagnosis.clone(),
            };
            let alert = Alert {
                incident: key.clone(),
                kind: incident.kind,
                event: *event,
                service: snapshot.service.arn.clone(),
                since: incident.since,
                at: snapshot.at,
                diagnosis,
                remediations: remediations.to_vec(),
            };
            sent += usize::from(self.tell(&alert).await? == Told::Sent);
        }
        Ok(sent)
    }

    async fn tell(&self, alert: &Alert) -> Result<Told, StoreError> {
        telemetry::alert(alert);
        let told = match self.alerts.send(&Notification::of(alert)).await {
            Ok(()) => Told::Sent,
            Err(error) => {
                telemetry::alert_not_sent(alert, &error);
                Told::Failed
            }
        };
        let outcome: (Transition, Told, Timestamp) = (alert.event, told, self.clock.now());
        store::update(&self.store, &alert.service, None, |record: &mut ServiceRecord| {
            incident::told(&mut record.incidents, &alert.incident, outcome);
            ((), ServiceRecord::keep_until(alert.at))
        })
        .await?;
        Ok(told)
    }
}
