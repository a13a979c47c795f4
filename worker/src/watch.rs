//! What to do next about the task's protection, given the time, the agent's answers and the job. Nothing here waits or calls.
//!
//! Moments are times since the machine started ([`crate::clock::uptime`]).

use crate::answer::{AgentAnswer, AgentProblem, AgentRefusal};
use crate::duration::minutes_up;
use jiff::Timestamp;
use std::time::Duration;

/// ECS grants at most this long, and the function accepts no longer job (aws-facts "ECS: the protection API").
pub(crate) const GRANT_MAX: Duration = Duration::from_secs(2880 * 60);

/// How much earlier than asked a protection may end and still count as granted in full: the clocks of ECS and of the
/// container differ, and ECS may cut off seconds.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(60);

/// The end of a protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// By the clock of the machine.
    pub(crate) moment: Duration,
    /// As ECS says it.
    pub(crate) date: Timestamp,
}

impl Expiry {
    /// An expiry date that ECS gave for a request that asked for `asked`, read at these two times. The date cannot be later
    /// than the end of the request: if it seems so, the clock of the container is wrong.
    pub(crate) fn read(date: Timestamp, asked: Duration, now: Now) -> Self {
        let left = date.duration_since(now.date);
        let left = Duration::try_from(left).unwrap_or(Duration::ZERO).min(asked);
        Self { moment: now.moment + left, date }
    }
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) moment: Duration,
    pub(crate) date: Timestamp,
}

/// The state of the protection, as far as answers show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing yet.
    Nothing,
    /// ECS granted it until then.
    Granted(Expiry),
    /// ECS refused it.
    Refused(AgentRefusal),
    /// The agent gave no usable answer.
    Unanswered(AgentProblem),
    /// It was granted, and is gone.
    Lost,
}

/// The next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatchStep {
    /// Ask the agent whether the task is protected.
    Check,
    /// Ask the agent to protect the task.
    Request,
    /// Note that the job outlives its declared maximum.
    NoteOverrun,
}

/// Watches over the protection of one job.
#[derive(Debug, Clone)]
pub(crate) struct ProtectionWatch {
    /// The job's declared end.
    job_end: Duration,
    /// The shortest time between two calls.
    interval: Duration,
    known: Known,
    /// When protection was last requested.
    requested_at: Duration,
    /// When the agent was last asked, in either way.
    asked_at: Duration,
    /// The end up to which this job needs protection, as far as ECS grants at all.
    wanted: Duration,
    /// The end that the last request asked for, which covers other jobs of the task too.
    asked_end: Duration,
    overrun_noted: bool,
}

impl ProtectionWatch {
    pub(crate) fn new(job_end: Duration, interval: Duration) -> Self {
        Self {
            job_end,
            interval,
            known: Known::Nothing,
            requested_at: Duration::ZERO,
            asked_at: Duration::ZERO,
            wanted: Duration::ZERO,
            asked_end: Duration::ZERO,
            overrun_noted: false,
        }
    }

    /// The state of the protection.
    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    /// The job's declared end.
    pub(crate) fn job_end(&self) -> Duration {
        self.job_end
    }

    /// Whether ECS has granted protection that covers the job, as far as ECS grants at all.
    pub(crate) fn is_covered(&self) -> bool {
        matches!(self.known, Known::Granted(expiry) if expiry.moment + TOLERANCE >= self.wanted)
    }

    /// The next step and its moment. `None`: nothing is left to do.
    pub(crate) fn next(&self) -> Option<(Duration, WatchStep)> {
        let step = self.next_call().filter(|(at, _)| *at < self.job_end);
        let overrun = (!self.overrun_noted).then_some((self.job_end, WatchStep::NoteOverrun));
        step.or(overrun)
    }

    fn next_call(&self) -> Option<(Duration, WatchStep)> {
        match &self.known {
            Known::Nothing => Some((Duration::ZERO, WatchStep::Request)),
            Known::Lost => Some((self.asked_at, WatchStep::Request)),
            Known::Refused(refusal) if refusal.is_final() => None,
            Known::Refused(_) | Known::Unanswered(_) => Some((self.requested_at + self.interval, WatchStep::Request)),
            Known::Granted(_) if !self.is_covered() => Some((self.requested_at + self.interval, WatchStep::Request)),
            Known::Granted(expiry) if self.asked_at == self.requested_at => {
                // Soon after each request: another writer may have cleared the protection meanwhile.
                let half = self.requested_at + expiry.moment.saturating_sub(self.requested_at) / 2;
                Some((half.min(self.requested_at + self.interval), WatchStep::Check))
            }
            Known::Granted(expiry) => {
                let half = self.asked_at + expiry.moment.saturating_sub(self.asked_at) / 2;
                let is_short = expiry.moment + TOLERANCE < self.job_end;
                let step = if is_short { WatchStep::Request } else { WatchStep::Check };
                Some((half.max(self.asked_at + self.interval), step))
            }
        }
    }

    /// The job has not started yet, so its end is later.
    pub(crate) fn postpone(&mut self, job_end: Duration) {
        self.job_end = job_end;
    }

    /// Takes the answer to a request that asked for protection until `asked_end`. Returns whether the state changed.
    pub(crate) fn requested(&mut self, answer: AgentAnswer, asked_end: Duration, now: Now) -> News {
        let before = self.known.clone();
        (self.requested_at, self.asked_at, self.asked_end) = (now.moment, now.moment, asked_end);
        self.wanted = self.job_end.min(now.moment + GRANT_MAX);
        self.known = match answer {
            AgentAnswer::Protected { until } => Known::Granted(Expiry::read(until, asked(asked_end, now), now)),
            AgentAnswer::Unprotected => {
                let words = "it says that the task is not protected, in answer to a request to protect it".to_owned();
                Known::Unanswered(AgentProblem::Unreadable(words))
            }
            AgentAnswer::Refused(refusal) => Known::Refused(refusal),
            AgentAnswer::Unknown(problem) => Known::Unanswered(problem),
        };
        self.keep_what_stands(&before, now);
        News::between(&before, &self.known)
    }

    /// A renewal that failed takes nothing away: the protection that was granted before still stands, and the next request
    /// comes an interval later.
    fn keep_what_stands(&mut self, before: &Known, now: Now) {
        if let (Known::Granted(expiry), Known::Unanswered(_)) = (before, &self.known)
            && expiry.moment > now.moment
        {
            self.known = Known::Granted(*expiry);
        }
    }

    /// Takes the answer to a check. Returns whether the state changed.
    pub(crate) fn checked(&mut self, answer: AgentAnswer, now: Now) -> News {
        let before = self.known.clone();
        self.asked_at = now.moment;
        match answer {
            AgentAnswer::Protected { until } => {
                self.known = Known::Granted(Expiry::read(until, asked(self.asked_end, now), now));
            }
            AgentAnswer::Unprotected | AgentAnswer::Refused(_) => self.known = Known::Lost,
            AgentAnswer::Unknown(_) => {} // what ECS granted still stands
        }
        News::between(&before, &self.known)
    }

    /// The overrun is noted.
    pub(crate) fn noted_overrun(&mut self) {
        self.overrun_noted = true;
    }
}

/// The minutes that a request asks for, so that protection lasts until `end` as far as ECS grants at all. Protection that ends
/// a minute late hurts nothing, and the clock of ECS may be ahead.
pub(crate) fn minutes_until(end: Duration, now: Duration) -> u64 {
    (minutes_up(end.saturating_sub(now).min(GRANT_MAX)) + 1).min(minutes_up(GRANT_MAX))
}

/// The longest that the answer to a request can grant: minutes are rounded up, and one is added.
fn asked(asked_end: Duration, now: Now) -> Duration {
    asked_end.saturating_sub(now.moment) + 2 * TOLERANCE
}

/// Whether an answer brought news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Yes,
    No,
}

impl News {
    fn between(before: &Known, after: &Known) -> Self {
        let same = match (before, after) {
            (Known::Granted(one), Known::Granted(other)) => {
                one.date.duration_since(other.date).unsigned_abs() < TOLERANCE
            }
            _ => before == after,
        };
        if same { Self::No } else { Self::Yes }
    }
}

#[cfg(test)]
pub(crate) mod tests;
