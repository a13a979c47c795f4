//! One look at one service, whatever the reason: observe, take in, tell, and say when to look again.

use super::{Handler, Parts, Within};
use crate::alert::incident::{self, Told};
use crate::alert::{Alert, AlertEvent, AlertKind, AlertSink, Message};
use crate::apply::CALL_TIME;
use crate::clock::Clock;
use crate::decide::diagnose::of_orphans;
use crate::decide::remedy::{RemedyNote, RemedyPolicy};
use crate::decide::watch::{self, CheckPolicy, Heed, Reason, Seen};
use crate::decide::{RetryReason, WatchPolicy};
use crate::ecs::{EcsError, ServiceArn};
use crate::event::{Prompt, ServicePrompt};
use crate::follow_up::{FollowUp, FollowUpQueue};
use crate::ledger::{self, CONFLICTS_MAX, Ledger, LedgerError, ServiceEntry, Stored};
use crate::observe::{Observed, observe};
use crate::telemetry;
use futures_util::FutureExt;
use jiff::Timestamp;
use std::time::Duration;

/// What became of a reason to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// It was looked at, and so many alerts were sent.
    Looked {
        /// Alerts.
        alerts: usize,
    },
    /// A follow-up will look.
    Later,
    /// There was nothing to look for, or somebody else does.
    NotNeeded,
}

impl<P: Parts> Handler<P> {
    /// An event about a service: looks, lets a follow-up look, or does nothing.
    pub(super) async fn heed(&self, prompt: &ServicePrompt, within: Within<'_>) -> Result<Checked, RetryReason> {
        let ServicePrompt { service, name } = prompt;
        let policy = self.check_policy();
        if name.prompt() == Prompt::Nothing {
            return Ok(Checked::NotNeeded);
        }
        self.in_time(within)?;
        let heeded = ledger::update(&self.ledger, service, None, |entry: &mut ServiceEntry| {
            let now = self.clock.now();
            let heed = watch::heed(entry, name.prompt(), (now, &policy));
            (heed, ServiceEntry::keep_until(now))
        });
        match heeded.await?.0 {
            Heed::Nothing => Ok(Checked::NotNeeded),
            // The ledger names the moment before its follow-up is on its way. Should that fail, the event comes again, or
            // whoever comes after the moment sees that it has passed.
            Heed::At(due) => self.send_check(service, due).await.map(|()| Checked::Later),
            Heed::Look => {
                let reason = if name.prompt() == Prompt::Look { Reason::Begun } else { Reason::Routine };
                match self.check(service, reason, within).await {
                    Err(failure) if self.follow_ups.is_some() => self.put_off(service, &failure).await,
                    checked => checked,
                }
            }
        }
    }

    /// An event whose look failed need not come again: a follow-up looks, and that comes again until it has.
    pub(super) async fn put_off(&self, service: &ServiceArn, failure: &RetryReason) -> Result<Checked, RetryReason> {
        telemetry::look_failed(service, &failure.to_string());
        let put_off = ledger::update(&self.ledger, service, None, |entry: &mut ServiceEntry| {
            let now = self.clock.now();
            (watch::put_off(entry, now), ServiceEntry::keep_until(now))
        });
        let due = put_off.await?.0;
        self.send_check(service, due).await.map(|()| Checked::Later)
    }

    /// A follow-up to look at a service; one that is out of date is passed over.
    pub(super) async fn check_again(
        &self,
        service: &ServiceArn,
        due: Timestamp,
        within: Within<'_>,
    ) -> Result<Checked, RetryReason> {
        let entry = Ledger::<ServiceEntry>::load(&self.ledger, service).await?.entry;
        if !watch::is_awaited(&entry, due, self.clock.now()) {
            return Ok(Checked::NotNeeded);
        }
        self.check(service, Reason::FollowUp(due), within).await
    }

    /// Looks at a service now.
    pub(super) async fn check(
        &self,
        service: &ServiceArn,
        reason: Reason,
        within: Within<'_>,
    ) -> Result<Checked, RetryReason> {
        self.in_time(within)?;
        let refused = Ledger::<ServiceEntry>::load(&self.ledger, service).await?.entry.refused;
        if reason != Reason::Begun {
            self.ask_again(service, &refused, within).await;
        }
        // Boxed: a look is by far the largest thing that an invocation can wait for, and most wait for none.
        let observed = observe((&self.ecs, &self.ledger, &self.clock), service, &refused).boxed_local().await?;
        let observed = observed.unwrap_or_else(|| Observed::gone(service, self.clock.now()));
        if observed.is_throttled() && !matches!(reason, Reason::FollowUp(_)) {
            // Half a picture is not worth what it took; whoever asked for it comes again. A watch goes on with what it has.
            return Err(RetryReason::Ecs(EcsError::Throttled));
        }
        let (seen, follow_up) = self.take_in(service, (&observed, reason)).await?;
        self.await_releases(&observed, &seen.diagnosis).await;
        let mut remedies = seen.notes.clone();
        if let Some(action) = &seen.action {
            remedies = self.act(service, action, within).await?;
            // There may be room now.
            self.ask_again(service, &refused, within).await;
        }
        let alerts = self.tell_all(&observed, &seen, &remedies).await?;
        follow_up.map(|()| Checked::Looked { alerts })
    }

    pub(super) fn in_time(&self, within: Within<'_>) -> Result<(), RetryReason> {
        let time_is_short = within.deadline.duration_since(self.clock.now()) < CALL_TIME;
        if time_is_short { Err(RetryReason::OutOfTime) } else { Ok(()) }
    }

    fn check_policy(&self) -> CheckPolicy {
        let config = &self.config;
        CheckPolicy {
            watch: WatchPolicy { deadline: config.deadline },
            alerts: incident::AlertPolicy { blocked_after: config.blocked_after, repeat_after: config.repeat_after },
            remedies: RemedyPolicy {
                policy: config.policy,
                allowed: config.remedies,
                release_grace: config.release_grace,
                raise_cool_down: config.raise_cool_down,
            },
            follows_up: self.follow_ups.is_some(),
        }
    }

    /// Stores what a look means, and answers whether the follow-up that goes with it is on its way.
    ///
    /// The follow-up is sent before the ledger names its moment. So a crash in between leaves a follow-up that nobody waits
    /// for, and never a watch that waits for none. One that cannot be sent ends the watch, which whoever comes next begins
    /// anew, and keeps nobody from being told.
    async fn take_in(
        &self,
        service: &ServiceArn,
        look: (&Observed, Reason),
    ) -> Result<(Seen, Result<(), RetryReason>), LedgerError> {
        let policy = self.check_policy();
        let due = |entry: &ServiceEntry| entry.watch.as_ref().and_then(|watch| watch.due);
        let mut sent = None;
        for _ in 0..CONFLICTS_MAX {
            let before = ledger::Ledger::<ServiceEntry>::load(&self.ledger, service).await?;
            let mut after = before.clone();
            let seen = watch::take_in(&mut after.entry, look, &policy);
            // The follow-up that has come is used up, even if it came a moment before its time and the moment stays.
            let is_used_up = due(&before.entry).is_some_and(|due| look.1 == Reason::FollowUp(due));
            let next = due(&after.entry).filter(|next| is_used_up || due(&before.entry) != Some(*next));
            let mut follow_up = Ok(());
            if let Some(next) = next
                && sent != Some(next)
            {
                follow_up = self.send_check(service, next).await;
                match follow_up {
                    Ok(()) => sent = Some(next),
                    Err(_) => after.entry.watch = None,
                }
            }
            if after.entry == before.entry {
                return Ok((seen, follow_up));
            }
            let keep_until = ServiceEntry::keep_until(look.0.at);
            if let Stored::As(_) = self.ledger.store(service, &after, keep_until).await? {
                return Ok((seen, follow_up));
            }
        }
        Err(LedgerError::Contended(service.to_string(), CONFLICTS_MAX))
    }

    async fn send_check(&self, service: &ServiceArn, due: Timestamp) -> Result<(), RetryReason> {
        let Some(queue) = &self.follow_ups else { return Ok(()) };
        // Rounded up: a check that comes before its moment would find that nothing is due yet.
        let millis = due.duration_since(self.clock.now()).as_millis().max(0).unsigned_abs();
        let delay = Duration::from_secs(u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX));
        let follow_up = FollowUp::Check { service: service.clone(), due };
        queue.send(&follow_up, delay).await.map_err(|error| {
            telemetry::follow_up_not_sent(service, &error);
            RetryReason::FollowUpNotSent(error)
        })
    }

    async fn tell_all(&self, observed: &Observed, seen: &Seen, remedies: &[RemedyNote]) -> Result<usize, LedgerError> {
        let mut sent = 0;
        for (key, incident, event) in &seen.to_tell {
            let diagnosis = match incident.kind {
                AlertKind::OrphanedProtection => of_orphans(observed, &seen.diagnosis),
                _ => seen.diagnosis.clone(),
            };
            let alert = Alert {
                incident: key.clone(),
                kind: incident.kind,
                event: *event,
                service: observed.service.arn.clone(),
                since: incident.since,
                at: observed.at,
                diagnosis,
                remedies: remedies.to_vec(),
            };
            sent += usize::from(self.tell(&alert).await? == Told::Sent);
        }
        Ok(sent)
    }

    async fn tell(&self, alert: &Alert) -> Result<Told, LedgerError> {
        telemetry::alert(alert);
        let told = match self.alerts.send(&Message::of(alert)).await {
            Ok(()) => Told::Sent,
            Err(error) => {
                telemetry::alert_not_sent(alert, &error);
                Told::Failed
            }
        };
        let outcome: (AlertEvent, Told, Timestamp) = (alert.event, told, self.clock.now());
        ledger::update(&self.ledger, &alert.service, None, |entry: &mut ServiceEntry| {
            incident::told(&mut entry.incidents, &alert.incident, outcome);
            ((), ServiceEntry::keep_until(alert.at))
        })
        .await?;
        Ok(told)
    }
}
