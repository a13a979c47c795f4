//! Token buckets in front of the API.

use super::error::{ApiError, ErrorCode};
use super::time::Millis;

/// Whether calls are throttled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Throttling {
    /// As documented.
    #[default]
    On,
    /// Never, for tests of other behavior.
    Off,
}

/// The groups of operations that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    /// UpdateTaskProtection and GetTaskProtection.
    TaskProtection,
    /// DescribeServices and ListServices.
    ServiceRead,
    /// DescribeServiceDeployments, and ListServiceDeployments (assumed).
    ServiceDeploymentRead,
    /// DescribeTasks and ListTasks.
    ClusterResourceRead,
    /// UpdateService, and StopServiceDeployment and ContinueServiceDeployment (assumed).
    ServiceModify,
}

/// A bucket counts thousandths of a token, so that a refill per second is a whole number per millisecond.
const THOUSANDTHS: i64 = 1000;

#[derive(Clone, Debug)]
struct TokenBucket {
    burst: i64,
    refill_per_second: i64,
    thousandths: i64,
    filled_at: Millis,
}

impl TokenBucket {
    fn new(burst: i64, refill_per_second: i64, now: Millis) -> Self {
        Self { burst, refill_per_second, thousandths: burst * THOUSANDTHS, filled_at: now }
    }

    fn take(&mut self, now: Millis) -> bool {
        // A token per second is a thousandth per millisecond. Thirty days at 80/s stay far below an i64's limit.
        let gained = (now - self.filled_at) * self.refill_per_second;
        self.thousandths = (self.thousandths + gained).min(self.burst * THOUSANDTHS);
        self.filled_at = now;
        let enough = self.thousandths >= THOUSANDTHS;
        if enough {
            self.thousandths -= THOUSANDTHS;
        }
        enough
    }
}

/// The buckets of one account in one Region.
///
/// aws-facts: "ECS: the protection API": task protection actions burst 200 and refill 80/s, service reads 100 and 20/s,
/// service deployment reads 50 and 20/s, cluster resource reads 100 and 20/s, service modifications 50 and 5/s; an excess call gets `ThrottlingException`.
#[derive(Clone, Debug)]
pub(super) struct Buckets {
    throttling: Throttling,
    task_protection: TokenBucket,
    service_read: TokenBucket,
    service_deployment_read: TokenBucket,
    cluster_resource_read: TokenBucket,
    service_modify: TokenBucket,
}

impl Buckets {
    pub(super) fn new(throttling: Throttling, now: Millis) -> Self {
        Self {
            throttling,
            task_protection: TokenBucket::new(200, 80, now),
            service_read: TokenBucket::new(100, 20, now),
            service_deployment_read: TokenBucket::new(50, 20, now),
            cluster_resource_read: TokenBucket::new(100, 20, now),
            service_modify: TokenBucket::new(50, 5, now),
        }
    }

    pub(super) fn take(&mut self, category: Category, now: Millis) -> Result<(), ApiError> {
        let bucket = match category {
            Category::TaskProtection => &mut self.task_protection,
            Category::ServiceRead => &mut self.service_read,
            Category::ServiceDeploymentRead => &mut self.service_deployment_read,
            Category::ClusterResourceRead => &mut self.cluster_resource_read,
            Category::ServiceModify => &mut self.service_modify,
        };
        if self.throttling == Throttling::Off || bucket.take(now) {
            return Ok(());
        }
        Err(ApiError::new(ErrorCode::Throttling, "Rate exceeded"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(buckets: &mut Buckets, now: Millis) -> usize {
        (0..1000).take_while(|_| buckets.take(Category::TaskProtection, now).is_ok()).count()
    }

    #[test]
    fn protection_calls_burst_to_200_and_refill_at_80_a_second() {
        let mut buckets = Buckets::new(Throttling::On, 0);
        assert_eq!(taken(&mut buckets, 0), 200);
        assert_eq!(taken(&mut buckets, 1000), 80);
        assert_eq!(taken(&mut buckets, 1012), 0);
        assert_eq!(taken(&mut buckets, 1013), 1);
        assert_eq!(taken(&mut buckets, 1_000_000), 200);
    }

    #[test]
    fn a_refill_in_many_small_steps_is_a_refill_in_one() {
        let mut buckets = Buckets::new(Throttling::On, 0);
        assert_eq!(taken(&mut buckets, 0), 200);
        let in_steps: usize = (1..=1000).map(|now| taken(&mut buckets, now)).sum();
        assert_eq!(in_steps, 80);
    }

    #[test]
    fn without_throttling_no_call_is_refused() {
        let mut buckets = Buckets::new(Throttling::Off, 0);
        assert_eq!(taken(&mut buckets, 0), 1000);
    }
}
