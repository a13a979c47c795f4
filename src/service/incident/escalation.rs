//! When an open incident escalates.

use crate::service::diagnosis::Diagnosis;
use jiff::{SignedDuration, Timestamp};

/// When an open incident escalates: at 50 % and at 80 % of the time to the deadline. `None` without a deadline.
pub(crate) fn marks(diagnosis: &Diagnosis) -> Option<[Timestamp; 2]> {
    let (started_at, deadline) = (diagnosis.rollout.started_at()?, diagnosis.deadline?);
    let whole = deadline.at.duration_since(started_at).as_secs().max(1);
    let mark = |percent: i64| {
        let seconds = SignedDuration::from_secs((whole * percent + 99) / 100);
        started_at.saturating_add(seconds).unwrap_or(Timestamp::MAX)
    };
    Some([mark(50), mark(80)])
}

/// The number of [`marks`] that have passed.
pub(crate) fn marks_passed(diagnosis: &Diagnosis, now: Timestamp) -> u8 {
    let passed = marks(diagnosis).into_iter().flatten().filter(|mark| *mark <= now);
    u8::try_from(passed.count()).unwrap_or(u8::MAX)
}
