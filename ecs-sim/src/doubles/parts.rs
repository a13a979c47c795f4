//! The parts of a function that a test does not care about.

use super::no_services::NoAutoscaling;
use async_trait::async_trait;
use std::sync::Arc;
use taskhold::clock::Clock;
use taskhold::config::settings::Config;
use taskhold::ecs::EcsClient;
use taskhold::lambda::function::Parts;
use taskhold::notify::message::AlertMessage;
use taskhold::notify::sink::Sink;
use taskhold::outbox::DeliveryError;
use taskhold::store::memory::MemoryStore;
use taskhold::task::rate_limit::RateLimit;

/// Takes every alert, which then appears only in the log.
struct LogOnly;

#[async_trait]
impl Sink for LogOnly {
    async fn send(&self, _: &AlertMessage) -> Result<(), DeliveryError> {
        Ok(())
    }
}

/// A function with this ECS, clock and settings. Its records are in memory, it has no queues, and its alerts appear
/// only in the log. Replace single parts with `Parts { rechecks: …, ..parts(…) }`.
pub fn parts(ecs: Arc<dyn EcsClient>, clock: Arc<dyn Clock>, config: Config) -> Parts {
    let records = Arc::new(MemoryStore::new(clock.clone()));
    Parts {
        ecs,
        autoscaling: Arc::new(NoAutoscaling),
        task_records: records.clone(),
        service_records: records,
        dead_letters: None,
        rechecks: None,
        interrupted: None,
        alerts: Arc::new(LogOnly),
        clock,
        config,
        rate_limit: RateLimit::default(),
    }
}
