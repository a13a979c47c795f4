//! Limits the reads about services that no record proves to exist.
//!
//! Every principal that may send to the job queue can name services that do not exist. Each costs a `DescribeServices`,
//! whose bucket the account shares (aws-facts "ECS: the protection API").

use crate::ecs::ServiceReads;
use crate::ecs::error::EcsError;
use crate::ecs::service::ServiceArn;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, PoisonError};
use tracing::info;

/// Most lookups a minute and instance: a twentieth of what the bucket gives.
pub const LOOKUPS_PER_MINUTE: u32 = 60;

/// Where an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventOrigin {
    /// EventBridge: the services exist.
    EventBridge,
    /// A message of the job queue, which may name anything.
    Queue,
}

/// The lookups of the current minute.
#[derive(Debug)]
pub struct LookupLimit(Mutex<Minute>);

#[derive(Debug)]
struct Minute {
    began_at: Timestamp,
    lookups: u32,
}

impl Default for LookupLimit {
    fn default() -> Self {
        Self(Mutex::new(Minute { began_at: Timestamp::MIN, lookups: 0 }))
    }
}

impl LookupLimit {
    /// Whether a service without a record may get one because of an event. An event from EventBridge is about a service
    /// that exists; what the job queue says about a service counts only if ECS knows the service.
    ///
    /// # Errors
    /// The service could not be described.
    pub(crate) async fn may_be_recorded(
        &self,
        ecs: &dyn ServiceReads,
        service: &ServiceArn,
        origin: EventOrigin,
        now: Timestamp,
    ) -> Result<bool, EcsError> {
        if origin == EventOrigin::EventBridge {
            return Ok(true);
        }
        if !self.take(now) {
            info!(%service, "ignoring an event: too many about unknown services; the sweep finds the service if it exists");
            return Ok(false);
        }
        let is_known = ecs.describe_service(service).await?.is_some();
        if !is_known {
            info!(%service, "ignoring an event about a service that ECS does not know");
        }
        Ok(is_known)
    }

    /// Takes one of the lookups of this minute. Returns whether one was left.
    fn take(&self, now: Timestamp) -> bool {
        // Two numbers that are replaced one after the other: after a panic in between, a minute has too many lookups.
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(minute.began_at) >= SignedDuration::from_mins(1) {
            *minute = Minute { began_at: now, lookups: 0 };
        }
        minute.lookups += 1;
        minute.lookups <= LOOKUPS_PER_MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_its_lookups_and_the_next_minute_has_them_again() {
        let limit = LookupLimit::default();
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        let taken = |second| (0..100).filter(|_| limit.take(at(second))).count();
        assert_eq!([0, 59, 60].map(taken), [60, 0, 60]);
    }
}
