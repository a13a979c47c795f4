//! The handler's dependencies: ECS, the clock and the queues are those of the Region, and the queue of rechecks and the
//! receiver of alerts record what reaches them. Before and after each call an invocation can die ([`Stepped`]).

use async_trait::async_trait;
use ecs_sim::control_plane::Millis;
use ecs_sim::doubles::queues::SimulatedRecheckQueue;
use ecs_sim::queue::DELAY_SECONDS_MAX;
use ecs_sim::region::SharedRegion;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use taskhold::notify::message::AlertMessage;
use taskhold::notify::sink::Sink;
use taskhold::outbox::DeliveryError;
use taskhold::service::recheck::{Recheck, RecheckQueue};
use taskhold::sqs::SqsError;

/// The Region's queue of rechecks.
#[derive(Clone, Debug)]
pub(crate) struct RecordedRechecks {
    pub(crate) queue: SimulatedRecheckQueue,
    /// Disturbances of their delivery.
    pub(crate) disorder: Arc<Mutex<QueueDisorder>>,
    /// Each sent recheck: the time, the content, and the number of deliveries.
    pub(crate) sent: Arc<Mutex<Vec<(Millis, Recheck, usize)>>>,
}

/// Copies and delays in a queue, drawn from a seed.
#[derive(Clone, Debug)]
pub(crate) struct QueueDisorder {
    pub(crate) random: fastrand::Rng,
    /// Number of deliveries of a message.
    pub(crate) copies: RangeInclusive<usize>,
    /// Maximum delay of a copy, in seconds. SQS allows a total delay of at most 15 minutes.
    pub(crate) late_max: u32,
}

impl Default for QueueDisorder {
    /// Each message is delivered once, in time.
    fn default() -> Self {
        Self { random: fastrand::Rng::with_seed(0), copies: 1..=1, late_max: 0 }
    }
}

#[async_trait]
impl RecheckQueue for RecordedRechecks {
    async fn send(&self, recheck: &Recheck, delay: Duration) -> Result<(), SqsError> {
        let delays: Vec<Duration> = {
            let QueueDisorder { random, copies, late_max } = &mut *locked(&self.disorder);
            let late = |random: &mut fastrand::Rng| Duration::from_secs(random.u32(0..=*late_max).into());
            let copies = random.usize(copies.clone());
            (0..copies).map(|_| (delay + late(random)).min(Duration::from_secs(DELAY_SECONDS_MAX.into()))).collect()
        };
        for delay in &delays {
            self.queue.send(recheck, *delay).await?;
        }
        let now = self.queue.0.lock().now();
        locked(&self.sent).push((now, recheck.clone(), delays.len()));
        Ok(())
    }
}

/// A delivered alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentNotification {
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
    pub(crate) notices: Arc<Mutex<Vec<SentNotification>>>,
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
        locked(&self.notices).push(SentNotification { at, service, incident, what, asks_for_nothing });
        Ok(())
    }
}

pub(crate) fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
