//! When an open incident escalates.

use crate::service::alert::AlertKind;
use crate::service::diagnosis::Diagnosis;
use jiff::{SignedDuration, Timestamp};

/// When an open incident escalates: at 50 % and at 80 % of the time to the deadline, and when the deadline passes.
/// `None` without a deadline.
pub(crate) fn marks(diagnosis: &Diagnosis) -> Option<[Timestamp; 3]> {
    let (started_at, deadline) = (diagnosis.rollout.started_at()?, diagnosis.deadline?);
    let whole = deadline.at.duration_since(started_at).as_secs().max(1);
    let mark = |percent: i64| {
        let seconds = SignedDuration::from_secs((whole * percent + 99) / 100);
        started_at.saturating_add(seconds).unwrap_or(Timestamp::MAX)
    };
    Some([mark(50), mark(80), deadline.at.max(started_at)])
}

/// The number of [`marks`] that have passed for an incident of this kind. The deadline is that of the rollout: only
/// problems of the rollout escalate by it.
pub(crate) fn marks_passed(kind: AlertKind, diagnosis: &Diagnosis, now: Timestamp) -> u8 {
    if !kind.is_about_a_deployment() {
        return 0;
    }
    let passed = marks(diagnosis).into_iter().flatten().filter(|mark| *mark <= now);
    u8::try_from(passed.count()).unwrap_or(u8::MAX)
}
