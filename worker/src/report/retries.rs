//! When to resend a job's message that was not accepted. Pure.

use std::time::Duration;

/// The first pause before a message is sent again. Each further pause doubles.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The failed tries since a message of the job was accepted.
#[derive(Debug, Default)]
pub(super) struct Retries {
    failing_since: Option<Duration>,
    pauses: u32,
}

/// The next try of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextTry {
    After(Duration),
    /// No retry: only the job's next message is sent.
    Never,
}

impl Retries {
    pub(super) fn accepted(&mut self) {
        *self = Self::default();
    }

    /// Records a failed try. `retry_time` is how long to retry after this problem.
    pub(super) fn failed(&mut self, retry_time: Duration, now: Duration) -> NextTry {
        let since = *self.failing_since.get_or_insert(now);
        if now.saturating_sub(since) >= retry_time {
            return NextTry::Never;
        }
        let pause = PAUSE.saturating_mul(1 << self.pauses.min(6)).min(PAUSE_MAX);
        self.pauses = self.pauses.saturating_add(1);
        NextTry::After(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let mut retries = Retries::default();
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(retries.failed(secs(3600), secs(5)), NextTry::After(secs(pause)));
        }
    }

    #[test]
    fn a_message_that_is_rejected_for_the_time_is_given_up_and_each_later_one_is_tried_once() {
        let mut retries = Retries::default();
        assert_eq!(retries.failed(secs(120), secs(5)), NextTry::After(secs(1)));
        assert_eq!(retries.failed(secs(120), secs(124)), NextTry::After(secs(2)));
        assert_eq!(retries.failed(secs(120), secs(125)), NextTry::Never);
        assert_eq!(retries.failed(secs(120), secs(725)), NextTry::Never);
        retries.accepted();
        assert_eq!(retries.failed(secs(120), secs(800)), NextTry::After(secs(1)));
    }
}
