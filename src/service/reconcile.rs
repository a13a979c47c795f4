//! The reconciler of services without I/O: a snapshot, the service record and the policy in; the new record and the due
//! actions out.
//!
//! Pure. A watch is a chain of rechecks, one at a time: the service record names the moment of the next one, and only
//! the recheck of that moment continues the chain. However many events and duplicates arrive, one chain remains. If a
//! chain breaks, the next reconcile after its moment notices and restarts it.

use crate::ecs::arn::TaskId;
use crate::service::alert::AlertKind;
use crate::service::diagnosis::{DeadlinePolicy, Diagnosis, RolloutStatus, diagnose};
use crate::service::incident;
use crate::service::incident::pending::{self, ClaimedNotification};
use crate::service::incident::problem::idle_tasks;
use crate::service::incident::{AlertPolicy, Incident};
use crate::service::record::{BlockedSince, ServiceRecord, Watch};
use crate::service::remediation::{
    Remediation, RemediationNote, RemediationPolicy, RemediationState, decide_remediation,
};
use crate::service::rollout::Rollout;
use crate::service::rollout_status::kept_until;
use crate::service::snapshot::ServiceSnapshot;
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

/// The policy by which a service is reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePolicy {
    /// How the service is judged.
    pub watch: DeadlinePolicy,
    /// When to notify.
    pub alerts: AlertPolicy,
    /// Which remediations apply.
    pub remediations: RemediationPolicy,
    /// Whether there is a recheck queue. Without one, no service is watched.
    pub follows_up: bool,
}

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
        Some(soon) if policy.follows_up && !comes_by(record.watch.as_ref(), soon, now) => {
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

/// The result of reconciling one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The diagnosis of the snapshot.
    pub diagnosis: Diagnosis,
    /// The remediation to carry out.
    pub action: Option<Remediation>,
    /// Recent remediations, and those that were not applied with the reason.
    pub notes: Vec<RemediationNote>,
    /// The notifications to send, claimed by the instance that stores the record.
    pub to_notify: Vec<ClaimedNotification>,
}

/// Reconciles a snapshot with the service record: since when the service is blocked, its incidents, its watch.
pub fn reconcile_snapshot(
    record: &mut ServiceRecord,
    snapshot: &ServiceSnapshot,
    reason: Reason,
    policy: &ServicePolicy,
) -> Findings {
    let first = diagnose(snapshot, None, &policy.watch);
    let diagnosis = diagnose(snapshot, record.blocked_since(first.rollout.id()), &policy.watch);
    remember_idle(record, snapshot);
    let assessment = incident::Assessment { snapshot, diagnosis: &diagnosis, idle_seen: &record.idle_seen };
    incident::advance(&mut record.incidents, assessment, &policy.alerts);
    remember(record, &diagnosis);
    remember_refused(record, &diagnosis);
    let action = decide_remediation(
        &mut record.remediation,
        incident::Assessment { snapshot, diagnosis: &diagnosis, idle_seen: &record.idle_seen },
        &policy.remediations,
    );
    let before = record.watch.take();
    let kept_until = kept_until(snapshot, &diagnosis.rollout).filter(|_| !diagnosis.blocking_tasks.is_empty());
    let ripe = record.remediation.ripe_from(&record.idle_seen, &policy.remediations);
    let inputs =
        RecheckInputs { diagnosis: &diagnosis, remediation: &record.remediation, other_moments: [kept_until, ripe] };
    let watch = policy.follows_up.then(|| next(before, (snapshot.at, reason), inputs, policy));
    record.watch = watch.flatten();
    let to_notify = pending::claim(&mut record.incidents, snapshot.at);
    Findings { diagnosis, action, notes: record.remediation.notes.clone(), to_notify }
}

/// Records since when the rollout is blocked. Neither a gap in the snapshot nor a step back to `will-block` after an
/// incident opened clears it.
fn remember(record: &mut ServiceRecord, diagnosis: &Diagnosis) {
    match (diagnosis.rollout_status, diagnosis.rollout.id(), diagnosis.blocked_since) {
        (RolloutStatus::Blocked, Some(rollout), Some(since)) => {
            record.blocked = Some(BlockedSince { rollout: rollout.to_owned(), since });
        }
        (RolloutStatus::Unknown, ..) => {}
        (RolloutStatus::WillBlock, ..) if has_block_incident(record) => {}
        _ => record.blocked = None,
    }
}

/// Records since when snapshots have shown protected tasks without a live job. A new job starts the time afresh.
fn remember_idle(record: &mut ServiceRecord, snapshot: &ServiceSnapshot) {
    let idle = idle_tasks(snapshot).map(|(task, _)| task.clone());
    let since = |task: &TaskId| record.idle_seen.get(task).copied().unwrap_or(snapshot.at);
    let seen = idle.map(|task| (task.clone(), since(&task))).collect();
    if snapshot.gaps.is_empty() {
        record.idle_seen = seen;
    }
}

/// Records the tasks that ECS still refuses. With gaps in the snapshot, none is dropped.
fn remember_refused(record: &mut ServiceRecord, diagnosis: &Diagnosis) {
    let is_refused = |task: &TaskId| diagnosis.refused_tasks.iter().any(|refused_task| refused_task.task == *task);
    if diagnosis.gaps.is_empty() && !record.refused.iter().all(is_refused) {
        record.refused = diagnosis.refused_tasks.iter().map(|refused_task| refused_task.task.clone()).collect();
    }
}

fn has_block_incident(record: &ServiceRecord) -> bool {
    let blocked = |incident: &Incident| incident.kind == AlertKind::DeploymentBlocked && incident.is_open();
    record.incidents.values().any(blocked)
}

/// What the next recheck depends on.
#[derive(Clone, Copy)]
struct RecheckInputs<'a> {
    diagnosis: &'a Diagnosis,
    remediation: &'a RemediationState,
    /// When the time ends for which ECS keeps old tasks on purpose; when a task has been idle for long enough to be
    /// released.
    other_moments: [Option<Timestamp>; 2],
}

impl RecheckInputs<'_> {
    /// Whether there is a reason to watch.
    fn has_something(self) -> bool {
        self.diagnosis.rollout != Rollout::None
            || !self.diagnosis.refused_tasks.is_empty()
            || self.remediation.raised.is_some()
    }
}

/// The watch after a snapshot.
fn next(
    before: Option<Watch>,
    look: (Timestamp, Reason),
    inputs: RecheckInputs<'_>,
    policy: &ServicePolicy,
) -> Option<Watch> {
    let (now, reason) = look;
    let rollout = inputs.diagnosis.rollout.id().map(str::to_owned);
    let begin = |rollout| {
        let begun = Watch { rollout, started_at: now, checks: 0, due: None };
        Some(due_by(begun, (now, STEPS[0]), inputs, policy))
    };
    let goes_on =
        inputs.has_something() || (inputs.diagnosis.rollout_status == RolloutStatus::Unknown && before.is_some());
    if !goes_on {
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
        return Some(due_by(Watch { checks, ..watch }, (now, *step), inputs, policy));
    }
    // Not the watch's own recheck: keep the chain as it is, unless something is due earlier.
    Some(Watch { due: due_moments(inputs, now, policy).chain([awaited]).min(), ..watch })
}

fn due_by(watch: Watch, when: (Timestamp, SignedDuration), inputs: RecheckInputs<'_>, policy: &ServicePolicy) -> Watch {
    let (now, step) = when;
    let due = due_moments(inputs, now, policy).chain([after(now, step)]).min();
    Watch { due, ..watch }
}

/// Future moments at which a notification or a remediation may be due: the service has been blocked for long enough, an
/// escalation mark is reached, or a remediation may apply.
fn due_moments(inputs: RecheckInputs<'_>, now: Timestamp, policy: &ServicePolicy) -> impl Iterator<Item = Timestamp> {
    let diagnosis = inputs.diagnosis;
    let blocked_for_long = diagnosis.blocked_since.map(|since| after(since, policy.alerts.blocked_after));
    let marks = diagnosis.blocked_since.and_then(|_| incident::marks(diagnosis));
    let notifications = blocked_for_long.into_iter().chain(marks.into_iter().flatten());
    let remediations = inputs
        .remediation
        .cool_from(&policy.remediations)
        .into_iter()
        .chain(inputs.other_moments.into_iter().flatten());
    notifications.chain(hopes(diagnosis)).chain(remediations).filter(move |moment| *moment > now)
}

/// Moments at which ECS may accept a protection that it refused: a blocking task's protection has just expired, or a
/// protection that ECS did not renew is about to expire.
fn hopes(diagnosis: &Diagnosis) -> impl Iterator<Item = Timestamp> {
    let waits = !diagnosis.refused_tasks.is_empty();
    let ends = diagnosis
        .blocking_tasks
        .iter()
        .filter(move |_| waits)
        .map(|blocking_task| after(blocking_task.protected_until, OVER));
    let renewals = diagnosis.refused_tasks.iter().filter_map(|refused_task| refused_task.protected_until);
    ends.chain(renewals.filter_map(|until| until.checked_sub(LAST_CALL).ok()))
}

fn after(moment: Timestamp, duration: SignedDuration) -> Timestamp {
    moment.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
