//! When a service is looked at again, and what a look means for what is remembered of it.
//!
//! Pure. A watch is a chain of follow-ups, one at a time: the ledger holds the moment of the next one, and only a follow-up
//! of that moment goes on with it. So however many events and copies come, one chain remains, and a chain that broke is
//! seen by whoever comes after its moment.

use super::diagnose::{Diagnosis, Movement, Standing, WatchPolicy, diagnose, kept_until};
use super::remedy::{RemedyAction, RemedyNote, RemedyPolicy, RemedyState, decide_remedy};
use crate::alert::incident::{self, AlertPolicy, Incident};
use crate::alert::{AlertEvent, AlertKind};
use crate::ecs::TaskId;
use crate::event::Prompt;
use crate::ledger::ServiceEntry;
use crate::ledger::service::{SeenBlocked, Watch};
use crate::observe::Observed;
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
/// A watch whose follow-up has not come so long after its moment is not waited for.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);
/// A protection has ended for certain so long after its end: clocks differ a little.
const OVER: SignedDuration = SignedDuration::from_secs(1);
/// So long before a lease ends that ECS would not renew, it is asked for once more.
const LAST_CALL: SignedDuration = SignedDuration::from_mins(5);
/// Events that come within this time of one that was a reason for a look wait for its end together.
pub const PROMPT_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// What applies to a service that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckPolicy {
    /// How it is judged.
    pub watch: WatchPolicy,
    /// When people are told.
    pub alerts: AlertPolicy,
    /// What is done about it.
    pub remedies: RemedyPolicy,
    /// Whether there is a queue for follow-ups. Without one nothing is watched.
    pub follows_up: bool,
}

/// Why a service is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// All are, or an event said that something may be over.
    Routine,
    /// An event said that something has begun.
    Begun,
    /// A follow-up of this moment has come.
    FollowUp(Timestamp),
}

/// What to do about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heed {
    /// Look now.
    Look,
    /// Let a follow-up of this moment look.
    At(Timestamp),
    /// Nothing: nothing is in flight, or a look is about to come.
    Nothing,
}

/// What to do about an event that is a reason for `prompt`. That it was is remembered, so that a hundred of one second are
/// a reason for one look now and one when the second is over.
pub fn heed(entry: &mut ServiceEntry, prompt: Prompt, when: (Timestamp, &CheckPolicy)) -> Heed {
    let (now, policy) = when;
    match prompt {
        Prompt::Nothing => return Heed::Nothing,
        Prompt::LookIfWatched if entry.watch.is_none() => return Heed::Nothing,
        Prompt::Look | Prompt::LookIfWatched => {}
    }
    let pause_over = entry.prompted_at.map(|at| after(at, PROMPT_PAUSE)).filter(|over| *over > now);
    match pause_over {
        None => {
            entry.prompted_at = Some(now);
            Heed::Look
        }
        Some(soon) if policy.follows_up && !comes_by(entry.watch.as_ref(), soon, now) => {
            await_at(entry, soon, now);
            Heed::At(soon)
        }
        Some(_) => Heed::Nothing,
    }
}

/// Lets a look that failed be made up for: answers when.
pub fn put_off(entry: &mut ServiceEntry, now: Timestamp) -> Timestamp {
    let soon = after(now, PROMPT_PAUSE);
    await_at(entry, soon, now);
    soon
}

fn await_at(entry: &mut ServiceEntry, due: Timestamp, now: Timestamp) {
    let watch = entry.watch.take().unwrap_or(Watch { movement: None, begun_at: now, checks: 0, due: None });
    entry.watch = Some(Watch { due: Some(due), ..watch });
}

/// Whether a follow-up is on its way that comes by `moment`.
fn comes_by(watch: Option<&Watch>, moment: Timestamp, now: Timestamp) -> bool {
    let due = watch.and_then(|watch| watch.due);
    due.is_some_and(|due| due <= moment && now < after(due, OVERDUE))
}

/// Whether a follow-up is the one that the service's watch waits for. If there is no watch, or its own follow-up is
/// overdue, any is as good.
pub fn is_awaited(entry: &ServiceEntry, due: Timestamp, now: Timestamp) -> bool {
    match entry.watch.as_ref().map(|watch| watch.due) {
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
    pub action: Option<RemedyAction>,
    /// What was done about it lately, and what was not and why.
    pub notes: Vec<RemedyNote>,
    /// What is to be told, claimed for whoever stores the entry.
    pub to_tell: Vec<(String, Incident, AlertEvent)>,
}

/// Takes a look into what is remembered of a service: since when it is blocked, its incidents, its watch.
pub fn take_in(entry: &mut ServiceEntry, look: (&Observed, Reason), policy: &CheckPolicy) -> Seen {
    let (observed, reason) = look;
    let first = diagnose(observed, None, &policy.watch);
    let diagnosis = diagnose(observed, entry.blocked_since(first.movement.id()), &policy.watch);
    remember_idle(entry, observed);
    let sight = incident::Sight { observed, diagnosis: &diagnosis, idle_seen: &entry.idle_seen };
    incident::advance(&mut entry.incidents, sight, &policy.alerts);
    remember(entry, &diagnosis);
    remember_refused(entry, &diagnosis);
    let action = decide_remedy(
        &mut entry.remedy,
        incident::Sight { observed, diagnosis: &diagnosis, idle_seen: &entry.idle_seen },
        &policy.remedies,
    );
    let before = entry.watch.take();
    let kept_until = kept_until(observed, &diagnosis.movement).filter(|_| !diagnosis.blockers.is_empty());
    let ripe = entry.remedy.ripe_from(&entry.idle_seen, &policy.remedies);
    let sight = Sight { diagnosis: &diagnosis, remedy: &entry.remedy, other_moments: [kept_until, ripe] };
    let watch = policy.follows_up.then(|| next(before, (observed.at, reason), sight, policy));
    entry.watch = watch.flatten();
    let to_tell = incident::claim(&mut entry.incidents, observed.at);
    Seen { diagnosis, action, notes: entry.remedy.notes.clone(), to_tell }
}

/// Since when the movement has been seen blocked. What is not seen for want of a complete picture is not forgotten, nor
/// what people have been told of while the same tasks are still to come in the way.
fn remember(entry: &mut ServiceEntry, diagnosis: &Diagnosis) {
    match (diagnosis.standing, diagnosis.movement.id(), diagnosis.blocked_since) {
        (Standing::Blocked, Some(movement), Some(since)) => {
            entry.blocked = Some(SeenBlocked { movement: movement.to_owned(), since });
        }
        (Standing::Unclear, ..) => {}
        (Standing::WillBlock, ..) if is_told(entry) => {}
        _ => entry.blocked = None,
    }
}

/// Since when looks have seen protected tasks without a live job. Whoever has one again begins anew.
fn remember_idle(entry: &mut ServiceEntry, observed: &Observed) {
    let idle = incident::idle_tasks(observed).map(|(task, _)| task.clone());
    let since = |task: &TaskId| entry.idle_seen.get(task).copied().unwrap_or(observed.at);
    let seen = idle.map(|task| (task.clone(), since(&task))).collect();
    if observed.gaps.is_empty() {
        entry.idle_seen = seen;
    }
}

/// The tasks that ECS still refuses. Without a complete picture none is forgotten.
fn remember_refused(entry: &mut ServiceEntry, diagnosis: &Diagnosis) {
    let unmet = |task: &TaskId| diagnosis.unmet.iter().any(|unmet| unmet.task == *task);
    if diagnosis.gaps.is_empty() && !entry.refused.iter().all(unmet) {
        entry.refused = diagnosis.unmet.iter().map(|unmet| unmet.task.clone()).collect();
    }
}

fn is_told(entry: &ServiceEntry) -> bool {
    let blocked = |incident: &Incident| incident.kind == AlertKind::DeploymentBlocked && incident.resolved_at.is_none();
    entry.incidents.values().any(blocked)
}

/// What a look has found out.
#[derive(Clone, Copy)]
struct Sight<'a> {
    diagnosis: &'a Diagnosis,
    remedy: &'a RemedyState,
    /// When ECS no longer keeps old tasks on purpose; when idle tasks have been idle for long enough.
    other_moments: [Option<Timestamp>; 2],
}

impl Sight<'_> {
    /// Whether there is something to watch.
    fn has_something(self) -> bool {
        self.diagnosis.movement != Movement::None || !self.diagnosis.unmet.is_empty() || self.remedy.raised.is_some()
    }
}

/// The watch after a look.
fn next(before: Option<Watch>, look: (Timestamp, Reason), sight: Sight<'_>, policy: &CheckPolicy) -> Option<Watch> {
    let (now, reason) = look;
    let movement = sight.diagnosis.movement.id().map(str::to_owned);
    let begin = |movement| {
        let begun = Watch { movement, begun_at: now, checks: 0, due: None };
        Some(due_by(begun, (now, STEPS[0]), sight, policy))
    };
    let goes_on = sight.has_something() || (sight.diagnosis.standing == Standing::Unclear && before.is_some());
    if !goes_on {
        // What ECS has just begun may not show yet.
        let soon = |watch: &Watch| watch.due.is_some_and(|due| due > now && due <= after(now, PROMPT_PAUSE));
        return match reason {
            Reason::Begun => before.filter(soon).or_else(|| begin(None)),
            Reason::Routine | Reason::FollowUp(_) => None,
        };
    }
    let same = |watch: &Watch| movement.is_none() || watch.movement.is_none() || watch.movement == movement;
    let Some(watch) = before.filter(same) else { return begin(movement) };
    let watch = Watch { movement: movement.or(watch.movement), ..watch };
    let Some(awaited) = watch.due else { return Some(watch) };
    if now.duration_since(watch.begun_at) >= WATCH_MAX {
        return Some(Watch { due: None, ..watch });
    }
    if reason == Reason::FollowUp(awaited) || now >= after(awaited, OVERDUE) {
        let checks = watch.checks + 1;
        let step = usize::try_from(checks).ok().and_then(|checks| STEPS.get(checks)).unwrap_or(&STEP_MAX);
        return Some(due_by(Watch { checks, ..watch }, (now, *step), sight, policy));
    }
    // Somebody else's look: its own goes on as it is, unless something is due before.
    Some(Watch { due: due_moments(sight, (now, policy)).chain([awaited]).min(), ..watch })
}

fn due_by(watch: Watch, when: (Timestamp, SignedDuration), sight: Sight<'_>, policy: &CheckPolicy) -> Watch {
    let (now, step) = when;
    let due = due_moments(sight, (now, policy)).chain([after(now, step)]).min();
    Watch { due, ..watch }
}

/// Moments to come at which there may be something to tell or to do: the service has been blocked for long enough, or has
/// used up half or four fifths of its time; a remedy's time has come.
fn due_moments(sight: Sight<'_>, when: (Timestamp, &CheckPolicy)) -> impl Iterator<Item = Timestamp> {
    let (now, policy) = when;
    let diagnosis = sight.diagnosis;
    let blocked_for_long = diagnosis.blocked_since.map(|since| after(since, policy.alerts.blocked_after));
    let marks = diagnosis.blocked_since.and_then(|_| incident::marks(diagnosis));
    let told = blocked_for_long.into_iter().chain(marks.into_iter().flatten());
    let done = sight.remedy.cool_from(&policy.remedies).into_iter().chain(sight.other_moments.into_iter().flatten());
    told.chain(hopes(diagnosis)).chain(done).filter(move |moment| *moment > now)
}

/// Moments at which it is worth asking again for what was refused: a protection that is in the way has just ended, or a
/// lease is about to.
fn hopes(diagnosis: &Diagnosis) -> impl Iterator<Item = Timestamp> {
    let waits = !diagnosis.unmet.is_empty();
    let ends = diagnosis.blockers.iter().filter(move |_| waits).map(|blocker| after(blocker.protected_until, OVER));
    let leases = diagnosis.unmet.iter().filter_map(|unmet| unmet.protected_until);
    ends.chain(leases.filter_map(|until| until.checked_sub(LAST_CALL).ok()))
}

fn after(moment: Timestamp, duration: SignedDuration) -> Timestamp {
    moment.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
