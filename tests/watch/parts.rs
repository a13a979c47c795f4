//! The handler's dependencies: ECS and the clock are those of the Region, and the queues and receivers record what
//! reaches them. Before and after each call an invocation can die ([`Stepped`]).

use async_trait::async_trait;
use ecs_sim::control_plane::Millis;
use ecs_sim::queue::{DELAY_SECONDS_MAX, SendMessage};
use ecs_sim::region::{RECHECK_QUEUE, SharedRegion};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use taskhold::lambda::dead_letter::{DeadLetter, DeadLetterQueue, REASON_ATTRIBUTE, ReceivedDeadLetter};
use taskhold::notify::message::AlertMessage;
use taskhold::notify::sink::{InterruptedJobQueue, Sink};
use taskhold::outbox::DeliveryError;
use taskhold::service::recheck::{Recheck, RecheckQueue};
use taskhold::sqs::SqsError;

/// The Region's queue of rechecks.
#[derive(Clone, Debug)]
pub(crate) struct Rechecks {
    pub(crate) region: SharedRegion,
    /// Disturbances of their delivery.
    pub(crate) disorder: Arc<Mutex<Disorder>>,
    /// Each sent recheck: the time, the content, and the number of deliveries.
    pub(crate) sent: Arc<Mutex<Vec<(Millis, Recheck, usize)>>>,
}

/// Copies and delays in a queue, drawn from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Disorder {
    pub(crate) random: fastrand::Rng,
    /// Number of deliveries of a message.
    pub(crate) copies: RangeInclusive<usize>,
    /// Maximum delay of a copy, in seconds. SQS allows a total delay of at most 15 minutes.
    pub(crate) late_max: u32,
}

impl Default for Disorder {
    /// Each message is delivered once, in time.
    fn default() -> Self {
        Self { random: fastrand::Rng::with_seed(0), copies: 1..=1, late_max: 0 }
    }
}

#[async_trait]
impl RecheckQueue for Rechecks {
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), SqsError> {
        let Disorder { random, copies, late_max } = &mut *locked(&self.disorder);
        let copies = random.usize(copies.clone());
        let mut region = self.region.lock();
        for _ in 0..copies {
            let delay = u32::try_from(delay.as_secs()).unwrap() + random.u32(0..=*late_max);
            let message = SendMessage::new(recheck.body()).delayed(delay.min(DELAY_SECONDS_MAX));
            region.queues.send(RECHECK_QUEUE, message).map_err(|error| SqsError::Failed(error.to_string()))?;
        }
        locked(&self.sent).push((region.now(), recheck.clone(), copies));
        Ok(())
    }
}

/// A delivered alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentNotice {
    pub(crate) at: Millis,
    pub(crate) service: String,
    /// Its key, the same from opening to resolution.
    pub(crate) incident: String,
    /// `KIND EVENT`.
    pub(crate) what: String,
    /// Whether its email says that there is nothing to do.
    pub(crate) asks_for_nothing: bool,
}

/// The receiver of alerts.
#[derive(Clone, Debug)]
pub(crate) struct Alerts {
    pub(crate) region: SharedRegion,
    pub(crate) notices: Arc<Mutex<Vec<SentNotice>>>,
}

#[async_trait]
impl Sink for Alerts {
    async fn send(&self, message: &AlertMessage) -> Result<(), DeliveryError> {
        let at = self.region.lock().now();
        let what = format!("{} {}", message.kind.as_str(), message.event.as_str());
        // For a stopped task, the service may be unknown.
        let service = message.service.as_ref().map(|service| service.name.clone()).unwrap_or_default();
        let asks_for_nothing = message.email.contains("\nDo first: nothing");
        let incident = message.incident.clone();
        locked(&self.notices).push(SentNotice { at, service, incident, what, asks_for_nothing });
        Ok(())
    }
}

/// The dead-lettered messages: the reason and the body.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeadLettered(pub(crate) Arc<Mutex<Vec<(String, String)>>>);

#[async_trait]
impl DeadLetterQueue for DeadLettered {
    async fn send_dead_letters(&self, messages: &[DeadLetter]) -> Vec<Result<(), SqsError>> {
        let reason = |message: &DeadLetter| {
            let named = message.attributes.iter().find(|(name, _)| *name == REASON_ATTRIBUTE);
            named.map(|(_, reason)| reason.clone()).unwrap_or_default()
        };
        locked(&self.0).extend(messages.iter().map(|message| (reason(message), message.body.clone())));
        vec![Ok(()); messages.len()]
    }

    async fn receive_dead_letters(&self, _: usize) -> Result<Vec<ReceivedDeadLetter>, SqsError> {
        unreachable!("nothing redrives here")
    }

    async fn delete_dead_letters(&self, _: &[String]) -> Vec<Result<(), SqsError>> {
        unreachable!("nothing redrives here")
    }
}

/// The bodies of the messages about interrupted jobs.
#[derive(Clone, Debug, Default)]
pub(crate) struct HandedOn(pub(crate) Arc<Mutex<Vec<String>>>);

#[async_trait]
impl InterruptedJobQueue for HandedOn {
    async fn send(&self, bodies: &[String]) -> Vec<Result<(), SqsError>> {
        locked(&self.0).extend(bodies.iter().cloned());
        vec![Ok(()); bodies.len()]
    }
}

pub(crate) fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
