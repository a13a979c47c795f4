//! What holds a service up, by whom, until when, and what would clear it.
//!
//! Pure: what was observed, what is remembered and the policy in, a [`Diagnosis`] out. Rolling deployments, blue/green and
//! its stepwise forms, task sets of other controllers and a plain scale-in are told apart only by who is *leaving*: the
//! tasks that ECS would stop. If protected tasks are among those that leave, they are the blockers.

mod finish;
mod leaving;
mod standing;
mod tags;
mod ways_out;

pub(crate) use finish::longest_first;
pub use finish::{DEADLINE_TAG, Deadline, DeadlineSource, Finish, deadline_minutes};
pub(super) use finish::{deadline, finish};
pub use leaving::{Leaving, Movement};
pub(super) use standing::kept_until;
pub(super) use tags::tag_problems;
pub use tags::{TagFault, TagProblem};
pub use ways_out::{WayOut, shell_quoted};

use crate::decide::protection::GRANT_TOLERANCE;
use crate::ecs::{Service, TaskId};
use crate::observe::{Jobs, Observed, ObservedJob, ObservedTask};
use jiff::{SignedDuration, Timestamp};
use standing::{said_since, standing};

/// ECS's hard wall: so many deployments of a service at once (aws-facts "ECS: deployments and protection").
pub const DEPLOYMENTS_MAX: usize = 5;

/// What applies to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchPolicy {
    /// How long a deployment may take when CloudFormation does not say.
    pub deadline: SignedDuration,
}

/// The verdict on a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// How it stands.
    pub standing: Standing,
    /// What is moving, if anything is.
    pub movement: Movement,
    /// The protected tasks among those that leave, the one that is protected longest first.
    pub blockers: Vec<Blocker>,
    /// Since when the movement waits for them, as far as ECS's messages or earlier looks tell.
    pub blocked_since: Option<Timestamp>,
    /// When it can be over at the earliest.
    pub finish: Option<Finish>,
    /// When it must be over.
    pub deadline: Option<Deadline>,
    /// Min/max percent, spelt out.
    pub arithmetic: Arithmetic,
    /// What would clear it, the mildest first.
    pub ways_out: Vec<WayOut>,
    /// Tasks whose live jobs have not got the protection that they want, because ECS refused it; the one whose jobs last
    /// longest first.
    pub unmet: Vec<Unmet>,
    /// Tags of the service that were meant for taskhold and count for nothing.
    pub tag_problems: Vec<TagProblem>,
    /// What could not be seen, in words. If there is anything here, "no blockers" is not to be believed.
    pub gaps: Vec<String>,
}

/// How a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// All its tasks run, are of one deployment, and none leaves.
    Steady,
    /// On its way, and nothing protected holds it up so far.
    Moving,
    /// On its way, and it cannot be over before protected tasks are released or expire; ECS can still do other things first.
    WillBlock,
    /// Only protected tasks are left to wait for.
    Blocked,
    /// Too much could not be seen to say.
    Unclear,
}

/// A protected task that holds something up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Which.
    pub task: TaskId,
    /// The deployment or task set that it belongs to.
    pub deployment: Option<String>,
    /// Until when ECS protects it.
    pub protected_until: Timestamp,
    /// Who needs the protection.
    pub held_for: HeldFor,
}

/// A task that ECS has refused what its live jobs want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Which.
    pub task: TaskId,
    /// The deployment or task set that it belongs to.
    pub deployment: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// When it loses the protection that it has got, long before its jobs end; `None` if it has none.
    pub protected_until: Option<Timestamp>,
    /// The jobs.
    pub jobs: Vec<ObservedJob>,
}

impl Unmet {
    /// When the last of its jobs may end.
    pub fn wanted_until(&self) -> Option<Timestamp> {
        self.jobs.iter().map(|job| job.until).max()
    }
}

/// Who needs a protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldFor {
    /// These live jobs of taskhold's ledger.
    Jobs(Vec<ObservedJob>),
    /// Nobody any more: taskhold has set it, or may judge what others set, and all jobs of the task have ended.
    Nobody,
    /// Somebody else: taskhold has not set it, and knows of no live job.
    Foreign,
    /// The ledger could not be read.
    Unread,
}

/// The numbers behind a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Arithmetic {
    /// Tasks that are wanted.
    pub desired: u32,
    /// ⌈desired × min%⌉: running tasks that are kept.
    pub lower_bound: u32,
    /// ⌊desired × max%⌋: tasks that are not exceeded.
    pub upper_bound: u32,
    /// Tasks that are wanted running, of all deployments.
    pub live: u32,
    /// Protected ones among them.
    pub protected: u32,
    /// New tasks that `maximumPercent` leaves room for beside those that cannot leave.
    pub room: u32,
    /// Deployments at once, of at most [`DEPLOYMENTS_MAX`].
    pub deployments: u32,
}

/// Judges a service. `remembered_since` is since when earlier looks saw the same movement blocked.
pub fn diagnose(observed: &Observed, remembered_since: Option<Timestamp>, policy: &WatchPolicy) -> Diagnosis {
    let leaving = leaving::leaving(observed);
    let blockers = blockers(&leaving);
    let arithmetic = arithmetic(observed, blockers.len());
    let said_since = said_since(&observed.service, leaving.movement.begun_at());
    let standing = match standing(observed, &leaving, (&blockers, &arithmetic)) {
        // It only looks so: ECS would not stop the old tasks yet if nothing protected them.
        Standing::Blocked if said_since.is_none() && kept_until(observed, &leaving.movement).is_some() => {
            Standing::WillBlock
        }
        standing => standing,
    };
    // Of a deployment that keeps old tasks on purpose, the look alone knows less well than ECS when that was over.
    let since = match observed.service.old_tasks_kept.is_zero() {
        true => [remembered_since, said_since].into_iter().flatten().min(),
        false => said_since.or(remembered_since),
    };
    let blocked_since = (standing == Standing::Blocked).then(|| since.unwrap_or(observed.at));
    let finish = finish(&blockers, leaving.to_go, observed.at);
    // A scale-in has none: ECS does not say when it began, and nobody waits for it as for a deployment.
    let begun_at = leaving.movement.begun_at().filter(|_| !leaving.movement.is_scale_in());
    let deadline = begun_at.map(|begun_at| deadline(&observed.service, begun_at, policy));
    let ways_out = ways_out::ways_out(observed, (&leaving, &blockers), (&arithmetic, finish.as_ref()));
    Diagnosis {
        standing,
        movement: leaving.movement,
        blockers,
        blocked_since,
        finish,
        deadline,
        arithmetic,
        ways_out,
        unmet: unmet(observed),
        tag_problems: tag_problems(&observed.service),
        gaps: observed.gaps.iter().map(ToString::to_string).collect(),
    }
}

/// The diagnosis with the tasks that are protected for nobody in place of the blockers, and what would release them.
pub fn of_orphans(observed: &Observed, diagnosis: &Diagnosis) -> Diagnosis {
    let tasks: Vec<&ObservedTask> = observed.tasks.iter().collect();
    let mut orphans = blockers_among(&tasks);
    orphans.retain(|task| task.held_for == HeldFor::Nobody);
    let ways_out = ways_out::release_idle(&observed.service.arn.cluster, &orphans).into_iter().collect();
    Diagnosis { blockers: orphans, ways_out, finish: None, ..diagnosis.clone() }
}

/// The protected ones among tasks that leave, the one that is protected longest first.
pub(crate) fn blockers_among(tasks: &[&ObservedTask]) -> Vec<Blocker> {
    let blocker = |task: &&ObservedTask| {
        Some(Blocker {
            task: task.id.clone(),
            deployment: task.deployment.clone(),
            protected_until: task.protected_until?,
            held_for: match &task.jobs {
                Jobs::Unknown => HeldFor::Foreign,
                Jobs::Unread => HeldFor::Unread,
                Jobs::Known(jobs) if jobs.is_empty() => HeldFor::Nobody,
                Jobs::Known(jobs) => HeldFor::Jobs(jobs.clone()),
            },
        })
    };
    let mut blockers: Vec<Blocker> = tasks.iter().filter_map(blocker).collect();
    blockers.sort_by(|a, b| (b.protected_until, &a.task).cmp(&(a.protected_until, &b.task)));
    blockers
}

fn unmet(observed: &Observed) -> Vec<Unmet> {
    let unmet = |task: &ObservedTask| {
        let Jobs::Known(jobs) = &task.jobs else { return None };
        let unmet = Unmet {
            task: task.id.clone(),
            deployment: task.deployment.clone(),
            since: task.refused_since?,
            protected_until: task.protected_until,
            jobs: jobs.clone(),
        };
        let wanted_until = unmet.wanted_until()?;
        let is_met = task.protected_until.is_some_and(|until| wanted_until.duration_since(until) <= GRANT_TOLERANCE);
        (!is_met).then_some(unmet)
    };
    let mut unmet: Vec<Unmet> = observed.tasks.iter().filter_map(unmet).collect();
    unmet.sort_by(|one, other| (other.wanted_until(), &one.task).cmp(&(one.wanted_until(), &other.task)));
    unmet
}

fn blockers(leaving: &Leaving<'_>) -> Vec<Blocker> {
    let mut blockers = blockers_among(&leaving.tasks);
    // Of a scale-in only so many are in the way as there are protected tasks too many; the others may stay. Of other movements
    // each task has to go.
    let stay = blockers.len().saturating_sub(leaving.to_go);
    blockers.drain(..stay);
    blockers
}

fn arithmetic(observed: &Observed, blockers: usize) -> Arithmetic {
    let Service { desired_count: desired, minimum_healthy_percent, maximum_percent, .. } = observed.service;
    let share = |percent: u32, rounding: u64| {
        u32::try_from((u64::from(desired) * u64::from(percent) + rounding) / 100).unwrap_or(u32::MAX)
    };
    let upper_bound = share(maximum_percent, 0);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Arithmetic {
        desired,
        lower_bound: share(minimum_healthy_percent, 99),
        upper_bound,
        live: count(observed.tasks.len()),
        protected: count(observed.protected().count()),
        room: upper_bound.saturating_sub(count(blockers)),
        deployments: count(observed.service.deployments.len().max(observed.service.task_sets.len())),
    }
}

#[cfg(test)]
mod tests;
