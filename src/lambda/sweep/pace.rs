//! The share of ECS's read buckets that a sweep takes.

use crate::budget::{Budget, OutOfTime};
use crate::clock::Clock;
use crate::ecs::TASKS_PER_READ_MAX;
use crate::task::rate_limit::RateLimit;
use jiff::{SignedDuration, Timestamp};

/// A quarter of what the buckets of service reads and of cluster resource reads give: 5 calls a second of 20, and a burst
/// of 25 of 100 (aws-facts "ECS: the protection API"). The rest is left to events, rechecks and other callers.
const REFILL: SignedDuration = SignedDuration::from_millis(200);
const BURST: i32 = 25;

/// Reads that a sweep is about to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reads {
    /// `ListServices` and `DescribeServices`.
    services: u32,
    /// `ListTasks` and `DescribeTasks`.
    resources: u32,
}

impl Reads {
    /// One call about services.
    pub(crate) const SERVICES: Self = Self { services: 1, resources: 0 };
    /// One call about tasks.
    pub(crate) const TASKS: Self = Self { services: 0, resources: 1 };

    /// A service with this many tasks, read whole. `GetTaskProtection` has a bucket of its own, four times as large.
    pub(crate) fn whole_service(tasks: u32) -> Self {
        let pages = tasks.div_ceil(u32::try_from(TASKS_PER_READ_MAX).unwrap_or(u32::MAX)).max(1);
        Self { services: 1, resources: 2 * pages }
    }
}

/// Limits the reads of one part of a sweep.
#[derive(Debug)]
pub(crate) struct Pace {
    services: RateLimit,
    resources: RateLimit,
}

impl Pace {
    /// The pace of a sweep that begins.
    pub(crate) fn full() -> Self {
        Self { services: RateLimit::new(REFILL, BURST), resources: RateLimit::new(REFILL, BURST) }
    }

    /// The pace of a sweep that continues: the part before may have used its share up.
    pub(crate) fn empty(now: Timestamp) -> Self {
        let Self { services, resources } = Self::full();
        Self { services: services.empty(now), resources: resources.empty(now) }
    }

    /// Waits until these reads may begin. Reads that belong together begin together, and what follows waits for all.
    ///
    /// # Errors
    /// The reads cannot begin within the budget.
    pub(crate) async fn keep(&self, reads: Reads, budget: Budget<'_>, clock: &dyn Clock) -> Result<(), OutOfTime> {
        let now = clock.now();
        let wait = self.services.reserve(reads.services, now).max(self.resources.reserve(reads.resources, now));
        let begin = SignedDuration::try_from(wait).ok().and_then(|wait| now.checked_add(wait).ok());
        budget.allows_a_call_at(begin.ok_or(OutOfTime)?)?;
        if !wait.is_zero() {
            clock.sleep(wait).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_service_costs_its_description_and_two_reads_for_every_hundred_tasks() {
        for (tasks, resources) in [(0, 2), (1, 2), (100, 2), (101, 4), (5000, 100)] {
            assert_eq!(Reads::whole_service(tasks), Reads { services: 1, resources });
        }
    }
}
