//! Limits the rate of calls by a token bucket of the function's own. By default it follows ECS's bucket for protection
//! calls, so that ECS does not throttle them.

use crate::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The bucket of protection calls gains one token per interval: 80 per second (aws-facts "ECS: the protection API").
const REFILL: SignedDuration = SignedDuration::from_micros(12_500);
/// Most calls that may be sent at once after a pause. The bucket holds 200 tokens; the rest is left to other
/// callers and to reads of protection, which use the same bucket.
const BURST: i32 = 150;

/// The rate limit of one instance of the function.
///
/// It uses the whole bucket of the account and Region until a throttled call shows that other callers
/// use it too. Then it assumes that the bucket is empty.
#[derive(Debug)]
pub struct RateLimit(Mutex<Bucket>);

impl Default for RateLimit {
    fn default() -> Self {
        Self::new(REFILL, BURST)
    }
}

impl RateLimit {
    /// The limit for reads about tasks that ECS may not know: a tenth of the bucket of cluster resource reads (20 calls a
    /// second after a burst of 100; aws-facts "ECS: the protection API"), because every principal that may send to the
    /// job queue can name such tasks.
    pub fn of_lookups() -> Self {
        Self::new(SignedDuration::from_millis(500), 10)
    }

    /// A full bucket of `burst` tokens that gains one token per `refill`.
    pub fn new(refill: SignedDuration, burst: i32) -> Self {
        Self(Mutex::new(Bucket { next: Timestamp::MIN, refill, burst }))
    }

    /// The same bucket, empty at `now`.
    #[must_use]
    pub fn empty(self, now: Timestamp) -> Self {
        self.bucket(|bucket| bucket.next = bucket.next.max(now));
        self
    }

    /// Takes a token for each of several calls, and returns how long to wait before the first of them. Later callers wait
    /// for the tokens of all.
    pub fn reserve(&self, calls: u32, now: Timestamp) -> Duration {
        self.bucket(|bucket| {
            let waits: Vec<Duration> = (0..calls).map(|_| bucket.take(now)).collect();
            waits.first().copied().unwrap_or(Duration::ZERO)
        })
    }

    /// Waits until one more call may be sent, and takes its token.
    pub async fn keep(&self, clock: &dyn Clock) {
        let wait = self.bucket(|bucket| bucket.take(clock.now()));
        if !wait.is_zero() {
            clock.sleep(wait).await;
        }
    }

    /// Takes a token if one is there. Returns whether it was.
    pub fn take_without_waiting(&self, now: Timestamp) -> bool {
        self.bucket(|bucket| {
            let before = bucket.next;
            let is_there = bucket.take(now).is_zero();
            if !is_there {
                bucket.next = before;
            }
            is_there
        })
    }

    /// Records that ECS reports an empty bucket. Takes a token and returns how long to wait for it.
    pub fn throttled(&self, now: Timestamp) -> Duration {
        self.bucket(|bucket| {
            bucket.next = bucket.next.max(now);
            bucket.take(now)
        })
    }

    fn bucket<T>(&self, change: impl FnOnce(&mut Bucket) -> T) -> T {
        // A timestamp is replaced as a whole, so a panic elsewhere cannot leave a partial one.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The bucket, represented by the time of its next token: the further in the past, the more tokens it holds.
#[derive(Debug)]
struct Bucket {
    next: Timestamp,
    /// One token comes per interval.
    refill: SignedDuration,
    /// Tokens in a full bucket.
    burst: i32,
}

impl Bucket {
    /// Takes a token and returns how long to wait for it.
    fn take(&mut self, now: Timestamp) -> Duration {
        let full = now.saturating_sub(self.refill * self.burst).unwrap_or(Timestamp::MIN);
        let at = self.next.max(full);
        self.next = at.saturating_add(self.refill).unwrap_or(Timestamp::MAX);
        // A token is available at the end of its interval, not at the start.
        let wait = self.next.duration_since(now);
        Duration::try_from(wait).unwrap_or(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    #[test]
    fn a_caller_that_does_not_wait_takes_no_token_of_others() {
        let limit = RateLimit::of_lookups();
        let taken = |millis| (0..20).filter(|_| limit.take_without_waiting(at(millis))).count();
        assert_eq!([0, 499, 500, 999, 2000].map(taken), [10, 0, 1, 0, 3]);
    }

    #[test]
    fn after_a_pause_a_burst_goes_out_at_once_and_then_a_call_for_each_token() {
        let mut bucket = Bucket { next: Timestamp::MIN, refill: REFILL, burst: BURST };
        let waits: Vec<Duration> = (0..153).map(|_| bucket.take(at(0))).collect();
        assert_eq!(waits[..150], [Duration::ZERO; 150]);
        assert_eq!(waits[150..], [12_500, 25_000, 37_500].map(Duration::from_micros));
        assert_eq!(bucket.take(at(1000)), Duration::ZERO, "77 have come since");
        let waits: Vec<Duration> = (0..200).map(|_| bucket.take(at(1_000_000))).collect();
        assert_eq!(waits.iter().filter(|wait| wait.is_zero()).count(), 150, "more are not saved up");
    }

    #[test]
    fn in_no_time_more_is_sent_than_a_bucket_of_200_gives_that_refills_at_80_a_second() {
        let mut bucket = Bucket { next: Timestamp::MIN, refill: REFILL, burst: BURST };
        // A caller that waits sends its next call afterwards: 40 callers, in bursts, for ten seconds.
        let mut sent: Vec<i64> = Vec::new();
        for millis in (0..10_000).step_by(250) {
            sent.extend((0..40).map(|_| millis + i64::try_from(bucket.take(at(millis)).as_millis()).unwrap()));
        }
        sent.sort_unstable();
        for (number, first) in sent.iter().enumerate() {
            for (count, last) in sent[number..].iter().enumerate() {
                let given = 200 + (last - first) * 80 / 1000;
                assert!(i64::try_from(count).unwrap() < given, "{count} from {first} to {last} ms");
            }
        }
        let after_the_burst = sent.iter().filter(|at| **at >= 9_000 && **at < 10_000).count();
        assert!((79..=81).contains(&after_the_burst), "{after_the_burst} in the tenth second");
    }

    #[test]
    fn reads_about_unknown_tasks_take_a_tenth_of_the_bucket_of_cluster_reads() {
        let waits: Vec<Duration> =
            RateLimit::of_lookups().bucket(|bucket| (0..12).map(|_| bucket.take(at(0))).collect());
        assert_eq!(waits[..10], [Duration::ZERO; 10]);
        assert_eq!(waits[10..], [500, 1000].map(Duration::from_millis));
    }

    #[test]
    fn a_throttled_call_means_that_nothing_is_left() {
        let rate_limit = RateLimit::default();
        assert_eq!(rate_limit.throttled(at(0)), Duration::from_micros(12_500));
        assert_eq!(rate_limit.throttled(at(0)), Duration::from_millis(25), "an earlier reservation keeps its time");
        assert_eq!(rate_limit.bucket(|bucket| bucket.take(at(0))), Duration::from_micros(37_500));
    }

    #[test]
    fn calls_that_belong_together_wait_for_the_first_token_and_later_ones_for_all_of_theirs() {
        let limit = RateLimit::new(SignedDuration::from_millis(200), 25);
        assert_eq!([25, 0, 10].map(|calls| limit.reserve(calls, at(0))), [0, 0, 200].map(Duration::from_millis));
        assert_eq!(limit.reserve(1, at(0)), Duration::from_millis(2200));
        let empty = RateLimit::new(SignedDuration::from_millis(200), 25).empty(at(0));
        assert_eq!(empty.reserve(1, at(0)), Duration::from_millis(200));
    }
}
