//! When a service is looked at again, and what a look means for what is remembered of it.
//!
//! Pure. A watch is a chain of rechecks, one at a time: the state store holds the moment of the next one, and only a recheck
//! of that moment goes on with it. So however many events and copies come, one chain remains, and a chain that broke is
//! seen by whoever comes after its moment.

use crate::ecs::arn::TaskId;
use crate::service::alert::{AlertKind, Transition};
use crate::service::diagnosis::{DeadlinePolicy, Diagnosis, RolloutStatus, diagnose};
use crate::service::incident;
use crate::service::incident::pending;
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

/// From check to check: soon at first, since most deployments are over in minutes.
const STEPS: [SignedDuration; 5] = [
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(10),
];
/// And then: the longest delay that SQS knows (aws-facts "Lambda and SQS").
const STEP_MAX: SignedDuration = SignedDuration::from_mins(15);
/// The longest protection, 48 hours, and some time to get over it. What still moves then, the sweep looks at.
const WATCH_MAX: SignedDuration = SignedDuration::from_hours(50);
/// A watch whose recheck has not come so long after its moment is not waited for.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);
/// A protection has ended for certain so long after its end: clocks differ a little.
const OVER: SignedDuration = SignedDuration::from_secs(1);
/// So long before a lease ends that ECS would not renew, it is asked for once more.
const LAST_CALL: SignedDuration = SignedDuration::from_mins(5);
/// Events that come within this time of one that was a reason for a look wait for its end together.
pub const TRIGGER_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// What applies to a service that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePolicy {
    /// How it is judged.
    pub watch: DeadlinePolicy,
    /// When people are told.
    pub alerts: AlertPolicy,
    /// What is done about it.
    pub remediations: RemediationPolicy,
    /// Whether there is a queue for rechecks. Without one nothing is watched.
    pub follows_up: bool,
}

/// Why a service is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// All are, or an event said that something may be over.
    Routine,
    /// An event said that something has begun.
    Begun,
    /// A recheck of this moment has come.
    Recheck(Timestamp),
}

/// What to do about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTrigger {
    /// Look now.
    Look,
    /// Let a recheck of this moment look.
    At(Timestamp),
    /// Nothing: nothing is in flight, or a look is about to come.
    Nothing,
}

/// What to do about an event that is a reason for `prompt`. That it was is remembered, so that a hundred of one second are
/// a reason for one look now and one when the second is over.
pub fn on_trigger(record: &mut ServiceRecord, prompt: Trigger, when: (Timestamp, &ServicePolicy)) -> OnTrigger {
    let (now, policy) = when;
    match prompt {
        Trigger::Nothing => return OnTrigger::Nothing,
        Trigger::ReconcileIfOpen if record.watch.is_none() => return OnTrigger::Nothing,
        Trigger::Reconcile | Trigger::ReconcileIfOpen => {}
    }
    let pause_over = record.triggered_at.map(|at| after(at, TRIGGER_PAUSE)).filter(|over| *over > now);
    match pause_over {
        None => {
            record.triggered_at = Some(now);
            OnTrigger::Look
        }
        Some(soon) if policy.follows_up && !comes_by(record.watch.as_ref(), soon, now) => {
            await_at(record, soon, now);
            OnTrigger::At(soon)
        }
        Some(_) => OnTrigger::Nothing,
    }
}

/// Lets a look that failed be made up for: answers when.
pub fn put_off(record: &mut ServiceRecord, now: Timestamp) -> Timestamp {
    let soon = after(now, TRIGGER_PAUSE);
    await_at(record, soon, now);
    soon
}

fn await_at(record: &mut ServiceRecord, due: Timestamp, now: Timestamp) {
    let watch = record.watch.take().unwrap_or(Watch { rollout: None, started_at: now, checks: 0, due: None });
    record.watch = Some(Watch { due: Some(due), ..watch });
}

/// Whether a recheck is on its way that comes by `moment`.
fn comes_by(watch: Option<&Watch>, moment: Timestamp, now: Timestamp) -> bool {
    let due = watch.and_then(|watch| watch.due);
    due.is_some_and(|due| due <= moment && now < after(due, OVERDUE))
}

/// Whether a recheck is the one that the service's watch waits for. If there is no watch, or its own recheck is
/// overdue, any is as good.
pub fn is_awaited(record: &ServiceRecord, due: Timestamp, now: Timestamp) -> bool {
    match record.watch.as_ref().map(|watch| watch.due) {
        None => true,
        Some(None) => false,
        Some(Some(awaited)) => awaited == due || now >= after(awaited, OVERDUE),
    }
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How the service stands.
    pub diagnosis: Diagnosis,
    /// What is to be done about it.
    pub action: Option<Remediation>,
    /// What was done about it lately, and what was not and why.
    pub notes: Vec<RemediationNote>,
    /// What is to be told, claimed for whoever stores the record.
    pub to_tell: Vec<(String, Incident, Transition)>,
}

/// Takes a look into what is remembered of a service: since when it is blocked, its incidents, its watch.
pub fn take_in(record: &mut ServiceRecord, look: (&ServiceSnapshot, Reason), policy: &ServicePolicy) -> Seen {
    let (snapshot, reason) = look;
    let first = diagnose(snapshot, None, &policy.watch);
    let diagnosis = diagnose(snapshot, record.blocked_since(first.rollout.id()), &policy.watch);
    remember_idle(record, snapshot);
    let sight = incident::Sight { snapshot, diagnosis: &diagnosis, idle_seen: &record.idle_seen };
    incident::advance(&mut record.incidents, sight, &policy.alerts);
    remember(record, &diagnosis);
    remember_refused(record, &diagnosis);
    let action = decide_remediation(
        &mut record.remediation,
        incident::Sight { snapshot, diagnosis: &diagnosis, idle_seen: &record.idle_seen },
        &policy.remediations,
    );
    let before = record.watch.take();
    let kept_until = kept_until(snapshot, &diagnosis.rollout).filter(|_| !diagnosis.blocking_tasks.is_empty());
    let ripe = record.remediation.ripe_from(&record.idle_seen, &policy.remediations);
    let sight = Sight { diagnosis: &diagnosis, remediation: &record.remediation, other_moments: [kept_until, ripe] };
    let watch = policy.follows_up.then(|| next(before, (snapshot.at, reason), sight, policy));
    record.watch = watch.flatten();
    let to_tell = pending::claim(&mut record.incidents, snapshot.at);
    Seen { diagnosis, action, notes: record.remediation.notes.clone(), to_tell }
}

/// Since when the rollout has been seen blocked. What is not seen for want of a complete picture is not forgotten, nor
/// what people have been told of while the same tasks are still to come in the way.
fn remember(record: &mut ServiceRecord, diagnosis: &Diagnosis) {
    match (diagnosis.rollout_status, diagnosis.rollout.id(), diagnosis.blocked_since) {
        (RolloutStatus::Blocked, Some(rollout), Some(since)) => {
            record.blocked = Some(BlockedSince { rollout: rollout.to_owned(), since });
        }
        (RolloutStatus::Unknown, ..) => {}
        (RolloutStatus::WillBlock, ..) if is_told(record) => {}
        _ => record.blocked = None,
    }
}

/// Since when looks have seen protected tasks without a live job. Whoever has one again begins anew.
fn remember_idle(record: &mut ServiceRecord, snapshot: &ServiceSnapshot) {
    let idle = incident::idle_tasks(snapshot).map(|(task, _)| task.clone());
    let since = |task: &TaskId| record.idle_seen.get(task).copied().unwrap_or(snapshot.at);
    let seen = idle.map(|task| (task.clone(), since(&task))).collect();
    if snapshot.gaps.is_empty() {
        record.idle_seen = seen;
    }
}

/// The tasks that ECS still refuses. Without a complete picture none is forgotten.
fn remember_refused(record: &mut ServiceRecord, diagnosis: &Diagnosis) {
    let refused_tasks = |task: &TaskId| diagnosis.refused_tasks.iter().any(|refused_tasks| refused_tasks.task == *task);
    if diagnosis.gaps.is_empty() && !record.refused.iter().all(refused_tasks) {
        record.refused = diagnosis.refused_tasks.iter().map(|refused_tasks| refused_tasks.task.clone()).collect();
    }
}

fn is_told(record: &ServiceRecord) -> bool {
    let blocked = |incident: &Incident| incident.kind == AlertKind::DeploymentBlocked && incident.resolved_at.is_none();
    record.incidents.values().any(blocked)
}

/// What a look has found out.
#[derive(Clone, Copy)]
struct Sight<'a> {
    diagnosis: &'a Diagnosis,
    remediation: &'a RemediationState,
    /// When ECS no longer keeps old tasks on purpose; when idle tasks have been idle for long enough.
    other_moments: [Option<Timestamp>; 2],
}

impl Sight<'_> {
    /// Whether there is something to watch.
    fn has_something(self) -> bool {
        self.diagnosis.rollout != Rollout::None
            || !self.diagnosis.refused_tasks.is_empty()
            || self.remediation.raised.is_some()
    }
}

/// The watch after a look.
fn next(before: Option<Watch>, look: (Timestamp, Reason), sight: Sight<'_>, policy: &ServicePolicy) -> Option<Watch> {
    let (now, reason) = look;
    let rollout = sight.diagnosis.rollout.id().map(str::to_owned);
    let begin = |rollout| {
        let begun = Watch { rollout, started_at: now, checks: 0, due: None };
        Some(due_by(begun, (now, STEPS[0]), sight, policy))
    };
    let goes_on =
        sight.has_something() || (sight.diagnosis.rollout_status == RolloutStatus::Unknown && before.is_some());
    if !goes_on {
        // What ECS has just begun may not show yet.
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
        return Some(due_by(Watch { checks, ..watch }, (now, *step), sight, policy));
    }
    // Somebody else's look: its own goes on as it is, unless something is due before.
    Some(Watch { due: due_moments(sight, (now, policy)).chain([awaited]).min(), ..watch })
}

fn due_by(watch: Watch, when: (Timestamp, SignedDuration), sight: Sight<'_>, policy: &ServicePolicy) -> Watch {
    let (now, step) = when;
    let due = due_moments(sight, (now, policy)).chain([after(now, step)]).min();
    Watch { due, ..watch }
}

/// Moments to come at which there may be something to tell or to do: the service has been blocked for long enough, or has
/// used up half or four fifths of its time; a remediation's time has come.
fn due_moments(sight: Sight<'_>, when: (Timestamp, &ServicePolicy)) -> impl Iterator<Item = Timestamp> {
    let (now, policy) = when;
    let diagnosis = sight.diagnosis;
    let blocked_for_long = diagnosis.blocked_since.map(|since| after(since, policy.alerts.blocked_after));
    let marks = diagnosis.blocked_since.and_then(|_| incident::marks(diagnosis));
    let told = blocked_for_long.into_iter().chain(marks.into_iter().flatten());
    let done =
        sight.remediation.cool_from(&policy.remediations).into_iter().chain(sight.other_moments.into_iter().flatten());
    told.chain(hopes(diagnosis)).chain(done).filter(move |moment| *moment > now)
}

/// Moments at which it is worth asking again for what was refused: a protection that is in the way has just ended, or a
/// lease is about to.
fn hopes(diagnosis: &Diagnosis) -> impl Iterator<Item = Timestamp> {
    let waits = !diagnosis.refused_tasks.is_empty();
    let ends = diagnosis
        .blocking_tasks
        .iter()
        .filter(move |_| waits)
        .map(|blocking_task| after(blocking_task.protected_until, OVER));
    let leases = diagnosis.refused_tasks.iter().filter_map(|refused_tasks| refused_tasks.protected_until);
    ends.chain(leases.filter_map(|until| until.checked_sub(LAST_CALL).ok()))
}

fn after(moment: Timestamp, duration: SignedDuration) -> Timestamp {
    moment.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
