//! How large a model is, what may go wrong in it, and what is broken on purpose.

use super::scene::{
    Message, Moment, SWEEP_EVERY_S, Set, TaskNo, VISIBILITY_TIMEOUT_S, finished, heartbeat, only, started,
};
use super::script::EcsFault;
use super::sights::{
    COMES_AGAIN, LATE_RELEASE, LEFT_IN_STORE, LOST_COMPARISON, QUIET, QUIET_AND_BUSY, REFUSED, RELEASE_RACES_JOB,
    UNCOVERED_BEFORE_ACKNOWLEDGED,
};
use std::collections::BTreeSet;

/// As in template.yaml.
const FUNCTION_TIMEOUT_S: Moment = 30;

/// How often something may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Left {
    /// Invocations end without an answer.
    pub(crate) crashes: u8,
    /// Calls to ECS fail as a whole, or leave out a task in their answer.
    pub(crate) ecs_faults: u8,
    /// ECS refuses a task.
    pub(crate) refusals: u8,
    /// Loads and stores fail, or their answers are lost.
    pub(crate) store_faults: u8,
    /// Messages are delivered that somebody has, or that were acknowledged.
    pub(crate) duplicates: u8,
    /// Sweeps begin.
    pub(crate) sweeps: u8,
    /// An operator has the first task released, if it is idle.
    pub(crate) releases: u8,
    /// Time passes although somebody is at work.
    pub(crate) ticks: u8,
}

/// Nothing may happen but what workers, queue and function do.
pub(crate) const NOTHING: Left =
    Left { crashes: 0, ecs_faults: 0, refusals: 0, store_faults: 0, duplicates: 0, sweeps: 0, releases: 0, ticks: 0 };

/// When a store is heard of by whom made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stores {
    /// In the same step.
    HeardAtOnce,
    /// In a step of its own: others go on between, time passes, and the call that was written down may come too late.
    HeardLater,
}

/// What happens once all is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// Nothing.
    None,
    /// Time passes until every job is over, and sweeps come while there is something for them to do.
    Sweeps,
}

/// What is broken on purpose, to show that the checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// Nothing: the protocol as it is.
    None,
    /// What is stored does not name the releases that are about to be sent.
    ReleasesAreNotWrittenDown,
    /// What is stored does not hold the unfinished jobs of which the batch tells nothing.
    UnfinishedJobsAreDropped,
    /// A store succeeds whatever version is there.
    StoresAreNotCompared,
    /// The queue does not hear which messages of a batch have failed.
    FailuresAreAcknowledged,
    /// A call without an answer is reported as one that did nothing.
    NoAnswerMeansNoEffect,
    /// Calls take effect later than is assumed.
    EffectsAreTooLate,
    /// The function believes that no time has passed while it waited for a store.
    SlowStoresAreNotNoticed,
}

/// A model: small enough to be walked through to its end.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) name: &'static str,
    pub(crate) tasks: TaskNo,
    pub(crate) messages: Vec<Message>,
    /// These messages have been delivered and carried out, one by one and undisturbed, when the model begins.
    pub(crate) carried_out: Set,
    /// So many invocations work at once at most.
    pub(crate) at_once: usize,
    /// So many messages are delivered together at most.
    pub(crate) batch_max: u32,
    /// How long an invocation may take.
    pub(crate) timeout_s: Moment,
    /// How long a tick is.
    pub(crate) tick_s: Moment,
    pub(crate) left: Left,
    /// How calls to ECS fail.
    pub(crate) ecs_faults: Vec<EcsFault>,
    pub(crate) stores: Stores,
    pub(crate) schedule: Schedule,
    pub(crate) sabotage: Sabotage,
    /// What it has to come to (`sights.rs`).
    pub(crate) shows: Vec<&'static str>,
}

type Kind = fn(&mut Left) -> &mut u8;

const KINDS: [Kind; 8] = [
    |left| &mut left.crashes,
    |left| &mut left.ecs_faults,
    |left| &mut left.refusals,
    |left| &mut left.store_faults,
    |left| &mut left.duplicates,
    |left| &mut left.sweeps,
    |left| &mut left.releases,
    |left| &mut left.ticks,
];
/// The first of them.
const FAULTS: usize = 5;

/// What may still happen, without what may not.
impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut left = *self;
        let names = ["crashes", "ecs_faults", "refusals", "store_faults", "duplicates", "sweeps", "releases", "ticks"];
        let counted = KINDS.into_iter().zip(names).map(|(kind, name)| (*kind(&mut left), name));
        let told: Vec<String> =
            counted.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{name}: {count}")).collect();
        f.write_str(if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }.as_str())
    }
}

impl Left {
    /// So many things of these kinds, in every combination.
    fn all_of(many: usize, kinds: &[Kind]) -> BTreeSet<Self> {
        let one_more = |all: BTreeSet<Self>, _| {
            let more = |left: Self| {
                kinds.iter().map(move |kind| {
                    let mut left = left;
                    *kind(&mut left) += 1;
                    left
                })
            };
            all.into_iter().flat_map(more).collect()
        };
        (0..many).fold([NOTHING].into(), one_more)
    }

    /// So many things in every combination.
    pub(crate) fn things(many: usize) -> BTreeSet<Self> {
        Self::all_of(many, &KINDS)
    }

    /// So many faults in every combination.
    pub(crate) fn faults(many: usize) -> BTreeSet<Self> {
        Self::all_of(many, &KINDS[..FAULTS])
    }

    fn sum(mut self) -> Moment {
        KINDS.into_iter().map(|kind| Moment::from(*kind(&mut self))).sum()
    }
}

impl Configuration {
    /// One task. Its first job was told of and is protected; now its finish races the start and the finish of another. Nothing
    /// goes wrong but what the order does.
    pub(crate) fn one_task() -> Self {
        Self {
            name: "one task, two jobs",
            tasks: 1,
            messages: vec![started(0, "one", 60), finished(0, "one"), started(0, "two", 60), finished(0, "two")],
            carried_out: only(0),
            at_once: 2,
            batch_max: 1,
            timeout_s: FUNCTION_TIMEOUT_S,
            tick_s: FUNCTION_TIMEOUT_S,
            left: NOTHING,
            ecs_faults: vec![EcsFault::NoAnswer],
            stores: Stores::HeardAtOnce,
            schedule: Schedule::None,
            sabotage: Sabotage::None,
            shows: vec![QUIET, LOST_COMPARISON, RELEASE_RACES_JOB, UNCOVERED_BEFORE_ACKNOWLEDGED],
        }
    }

    /// The same, but that the second job does not end: a message fewer.
    pub(crate) fn one_task_that_stays_busy() -> Self {
        let messages = vec![started(0, "one", 60), finished(0, "one"), started(0, "two", 60)];
        let shows = vec![QUIET_AND_BUSY, LOST_COMPARISON, RELEASE_RACES_JOB, UNCOVERED_BEFORE_ACKNOWLEDGED];
        Self { name: "one task that stays busy", messages, shows, ..Self::one_task() }
    }

    /// Two tasks, each as in [`Self::one_task`], of which messages come in one batch and calls go together.
    pub(crate) fn two_tasks() -> Self {
        let mut messages = vec![started(0, "one", 60), started(1, "two", 60), finished(0, "one"), finished(1, "two")];
        messages.extend([started(0, "three", 60), started(1, "four", 60), finished(0, "three"), finished(1, "four")]);
        let (name, carried_out, batch_max) = ("two tasks, two jobs each", only(0) | only(1), 2);
        let ecs_faults = vec![EcsFault::NoAnswer, EcsFault::Denied, EcsFault::Rejected];
        Self { name, tasks: 2, messages, carried_out, batch_max, ecs_faults, ..Self::one_task() }
    }

    /// The same, but that the second job of one of them does not end: a message fewer.
    pub(crate) fn two_tasks_of_which_three_jobs_end() -> Self {
        let mut configuration = Self { name: "two tasks, three of four jobs end", ..Self::two_tasks() };
        configuration.messages.truncate(7);
        configuration.shows = Self::one_task_that_stays_busy().shows;
        configuration
    }

    /// One task gets no second job, and that of the other does not end: three messages fewer than two jobs each.
    pub(crate) fn two_tasks_of_which_one_stays_busy() -> Self {
        let mut configuration = Self { name: "two tasks, one stays busy", ..Self::two_tasks() };
        configuration.messages.truncate(5);
        configuration.shows = Self::one_task_that_stays_busy().shows;
        configuration
    }

    /// A short job and a longer one that never tell their end, beside one that does.
    pub(crate) fn jobs_without_end() -> Self {
        let messages = vec![started(0, "one", 3), started(0, "two", 30), finished(0, "one")];
        let (schedule, shows) = (Schedule::Sweeps, vec![QUIET_AND_BUSY, LOST_COMPARISON]);
        Self { name: "jobs without end", messages, schedule, shows, ..Self::one_task() }
    }

    /// A job that a heartbeat makes longer, and a short one beside it that never tells its end.
    pub(crate) fn a_job_that_is_prolonged() -> Self {
        let mut messages = vec![started(0, "one", 3), heartbeat(0, "one", 60), finished(0, "one")];
        messages.push(started(0, "two", 4));
        let (schedule, shows) = (Schedule::Sweeps, vec![QUIET, LOST_COMPARISON]);
        Self { name: "a job that is prolonged", messages, schedule, shows, ..Self::one_task() }
    }

    /// Lets this happen.
    pub(crate) fn with(mut self, left: Left) -> Self {
        if left.crashes > 0 {
            self.shows.extend([LEFT_IN_STORE, LATE_RELEASE, COMES_AGAIN]);
        }
        if left.ecs_faults > 0 {
            self.shows.push(LATE_RELEASE);
        }
        if left.refusals > 0 {
            self.shows.push(REFUSED);
        }
        Self { left, ..self }
    }

    /// Has to come to these too.
    pub(crate) fn showing(mut self, sights: &[&'static str]) -> Self {
        self.shows.extend(sights);
        self
    }

    /// After this time no message is left, and nothing for a sweep to do. A message may come once more because others were at
    /// work, and each thing that happens costs one more delivery at most, or one more sweep.
    pub(crate) fn ends_within_s(&self) -> Moment {
        let messages = Moment::try_from(self.messages.len()).expect("few");
        let times = messages + self.left.sum();
        let last_job = self.messages.iter().filter_map(Message::end).max().unwrap_or(0);
        match self.schedule {
            Schedule::None => VISIBILITY_TIMEOUT_S * times,
            Schedule::Sweeps => last_job + SWEEP_EVERY_S * times,
        }
    }
}
