//! The schedule of a service's rechecks.
//!
//! Pure. A watch is a chain of rechecks, one at a time: the service record names the moment of the next one, and only
//! the recheck of that moment continues the chain. However many events and duplicates arrive, one chain remains. If a
//! chain breaks, the next reconcile after its moment notices and restarts it.

use crate::clock::after;
use crate::service::diagnosis::Diagnosis;
use crate::service::incident::escalation;
use crate::service::policy::ServicePolicy;
use crate::service::record::{ServiceRecord, Watch};
use crate::service::remediation::RemediationState;
use crate::service::rollout::Rollout;
use crate::service::rollout_status::RolloutStatus;
use crate::service::trigger::Trigger;
use jiff::{SignedDuration, Timestamp};

/// The steps between rechecks: short at first, since most deployments finish in minutes.
const STEPS: [SignedDuration; 5] = [
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(10),
];
/// The step after [`STEPS`]: SQS's maximum delay (aws-facts "Lambda and SQS").
const STEP_MAX: SignedDuration = SignedDuration::from_mins(15);
/// Maximum duration of a watch: the longest protection, 48 hours, and a margin. After that, only the sweep reconciles
/// the service.
const WATCH_MAX: SignedDuration = SignedDuration::from_hours(50);
/// A recheck that has not arrived this long after it was due counts as lost.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);
/// Margin for clock differences: this long after its end, a protection has certainly expired.
const OVER: SignedDuration = SignedDuration::from_secs(1);
/// When ECS refuses a renewal, the function requests it once more this long before the protection ends.
const LAST_CALL: SignedDuration = SignedDuration::from_mins(5);
/// After an event triggers a reconcile, the events of this period share one reconcile at its end.
pub const TRIGGER_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Why a service is reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A sweep or a command asked for it, or an event says that something may be over.
    Routine,
    /// An event says that something has begun.
    Begun,
    /// The recheck of this moment arrived.
    Recheck(Timestamp),
}

/// What to do about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTrigger {
    /// Reconcile now.
    Reconcile,
    /// Leave it to a recheck at this moment.
    RecheckAt(Timestamp),
    /// Nothing: nothing is in progress, or a reconcile is already due.
    Nothing,
}

/// Decides what to do about an event with the given `trigger`, and records the decision. A hundred events within a
/// second cause one reconcile now and one when [`TRIGGER_PAUSE`] is over.
pub fn on_trigger(record: &mut ServiceRecord, trigger: Trigger, now: Timestamp, policy: &ServicePolicy) -> OnTrigger {
    match trigger {
        Trigger::Nothing => return OnTrigger::Nothing,
        Trigger::ReconcileIfOpen if record.watch.is_none() => return OnTrigger::Nothing,
        Trigger::Reconcile | Trigger::ReconcileIfOpen => {}
    }
    let pause_over = record.triggered_at.map(|at| after(at, TRIGGER_PAUSE)).filter(|over| *over > now);
    match pause_over {
        None => {
            record.triggered_at = Some(now);
            OnTrigger::Reconcile
        }
        Some(soon) if policy.has_recheck_queue && !comes_by(record.watch.as_ref(), soon, now) => {
            await_at(record, soon, now);
            OnTrigger::RecheckAt(soon)
        }
        Some(_) => OnTrigger::Nothing,
    }
}

/// Schedules a recheck to make up for a failed reconcile, and returns its moment.
pub fn put_off(record: &mut ServiceRecord, now: Timestamp) -> Timestamp {
    let soon = after(now, TRIGGER_PAUSE);
    await_at(record, soon, now);
    soon
}

fn await_at(record: &mut ServiceRecord, due: Timestamp, now: Timestamp) {
    let watch = record.watch.take().unwrap_or(Watch { rollout: None, started_at: now, checks: 0, due: None });
    record.watch = Some(Watch { due: Some(due), ..watch });
}

/// Whether a recheck that arrives by `moment` is on its way.
fn comes_by(watch: Option<&Watch>, moment: Timestamp, now: Timestamp) -> bool {
    let due = watch.and_then(|watch| watch.due);
    due.is_some_and(|due| due <= moment && now < after(due, OVERDUE))
}

/// Whether a recheck is the one that the service's watch waits for. Without a watch, or when the watch's own recheck is
/// overdue, any recheck will do.
pub fn is_awaited(record: &ServiceRecord, due: Timestamp, now: Timestamp) -> bool {
    match record.watch.as_ref().map(|watch| watch.due) {
        None => true,
        Some(None) => false,
        Some(Some(awaited)) => awaited == due || now >= after(awaited, OVERDUE),
    }
}

/// What the next recheck depends on.
#[derive(Clone, Copy)]
pub(crate) struct RecheckInputs<'a> {
    pub(crate) diagnosis: &'a Diagnosis,
    pub(crate) remediation: &'a RemediationState,
    /// When the alert about the block opens; when the jobs of a quiet incident should have ended; when ECS stops keeping
    /// old tasks on purpose; when a task has been idle for long enough to be released; when a pause times out.
    pub(crate) other_moments: [Option<Timestamp>; 5],
}

impl RecheckInputs<'_> {
    /// Whether there is a reason to watch.
    fn is_worth_watching(self) -> bool {
        self.diagnosis.rollout != Rollout::None
            || !self.diagnosis.refused_tasks.is_empty()
            || self.remediation.raised.is_some()
    }
}

/// The watch after a snapshot.
pub(crate) fn next_watch(
    before: Option<Watch>,
    now: Timestamp,
    reason: Reason,
    inputs: RecheckInputs<'_>,
    policy: &ServicePolicy,
) -> Option<Watch> {
    let rollout = inputs.diagnosis.rollout.id().map(str::to_owned);
    let begin = |rollout| {
        let begun = Watch { rollout, started_at: now, checks: 0, due: None };
        Some(due_within(begun, now, STEPS[0], inputs, policy))
    };
    let continues =
        inputs.is_worth_watching() || (inputs.diagnosis.rollout_status == RolloutStatus::Unknown && before.is_some());
    if !continues {
        // ECS may not show yet what has just begun.
        let soon = |watch: &Watch| watch.due.is_some_and(|due| due > now && due <= after(now, TRIGGER_PAUSE));
        return match reason {
            Reason::Begun => before.filter(soon).or_else(|| begin(None)),
            Reason::Routine | Reason::Recheck(_) => None,
        };
    }
    let same = |watch: &Watch| rollout.is_none() || watch.rollout.is_none() || watch.rollout == rollout;
    let Some(watch) = before.filter(same) else { return begin(rollout) };
    let watch = Watch { rollout: rollout.or(watch.rollout), ..watch };
    let Some(awaited) = watch.due else { return Some(watch) };
    if now.duration_since(watch.started_at) >= WATCH_MAX {
        return Some(Watch { due: None, ..watch });
    }
    if reason == Reason::Recheck(awaited) || now >= after(awaited, OVERDUE) {
        let checks = watch.checks + 1;
        let step = usize::try_from(checks).ok().and_then(|checks| STEPS.get(checks)).unwrap_or(&STEP_MAX);
        return Some(due_within(Watch { checks, ..watch }, now, *step, inputs, policy));
    }
    // Not the watch's own recheck: keep the chain as it is, unless something is due earlier.
    Some(Watch { due: due_moments(inputs, now, policy).chain([awaited]).min(), ..watch })
}

/// The watch with its next recheck after `step`, or earlier if something is due before.
fn due_within(
    watch: Watch,
    now: Timestamp,
    step: SignedDuration,
    inputs: RecheckInputs<'_>,
    policy: &ServicePolicy,
) -> Watch {
    let due = due_moments(inputs, now, policy).chain([after(now, step)]).min();
    Watch { due, ..watch }
}

/// Future moments at which a notification or a remediation may be due: the service has been blocked for long enough, an
/// escalation mark is reached, or a remediation may apply.
fn due_moments(inputs: RecheckInputs<'_>, now: Timestamp, policy: &ServicePolicy) -> impl Iterator<Item = Timestamp> {
    let diagnosis = inputs.diagnosis;
    let marks = diagnosis.blocking_tasks.first().and_then(|_| escalation::marks(diagnosis)).into_iter().flatten();
    let others = inputs.other_moments.into_iter().flatten();
    let cool_from = inputs.remediation.cool_from(&policy.remediations);
    marks.chain(retry_moments(diagnosis)).chain(cool_from).chain(others).filter(move |moment| *moment > now)
}

/// Moments at which ECS may accept a protection that it refused: a blocking task's protection has just expired, or a
/// protection that ECS did not renew is about to expire.
fn retry_moments(diagnosis: &Diagnosis) -> impl Iterator<Item = Timestamp> {
    let has_refused = !diagnosis.refused_tasks.is_empty();
    let expiries = diagnosis
        .blocking_tasks
        .iter()
        .filter(move |_| has_refused)
        .map(|blocking_task| after(blocking_task.lingers_until.unwrap_or(blocking_task.protected_until), OVER));
    let renewals = diagnosis.refused_tasks.iter().filter_map(|refused_task| refused_task.protected_until);
    expiries.chain(renewals.filter_map(|until| until.checked_sub(LAST_CALL).ok()))
}
