//! The size of a model, its faults, and deliberate breaks.

use super::scene::{
    Message, Moment, SWEEP_EVERY_S, Set, TaskNo, VISIBILITY_TIMEOUT_S, finished, heartbeat, only, started,
};
use super::script::EcsFault;
use super::sights::{
    COMES_AGAIN, LATE_RELEASE, LEFT_IN_STORE, LOST_COMPARISON, OUTLIVED_AND_KEPT, PART_OF_A_CALL, QUIET,
    QUIET_AND_BUSY, REFUSED, RELEASE_RACES_JOB, UNCOVERED_BEFORE_ACKNOWLEDGED,
};
use std::collections::BTreeSet;

/// As in template.yaml.
const FUNCTION_TIMEOUT_S: Moment = 30;

/// How often each of these may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Left {
    /// Invocations that end without an answer.
    pub(crate) crashes: u8,
    /// Calls to ECS that fail as a whole, or whose answer omits a task.
    pub(crate) ecs_faults: u8,
    /// Tasks that ECS refuses.
    pub(crate) refusals: u8,
    /// Loads and puts that fail, or whose answers are lost.
    pub(crate) store_faults: u8,
    /// Deliveries of messages that an invocation already has, or that were acknowledged.
    pub(crate) duplicates: u8,
    /// Sweeps.
    pub(crate) sweeps: u8,
    /// Operator commands that release the first task if it is idle.
    pub(crate) releases: u8,
    /// Ticks of the clock while an invocation is running.
    pub(crate) ticks: u8,
    /// Calls of a worker that protects its task itself.
    pub(crate) agents: u8,
    /// Rechecks of the first task. One may come at any moment: early, late, twice or never.
    pub(crate) rechecks: u8,
}

/// Only workers, queue and function act.
pub(crate) const NOTHING: Left = Left {
    crashes: 0,
    ecs_faults: 0,
    refusals: 0,
    store_faults: 0,
    duplicates: 0,
    sweeps: 0,
    releases: 0,
    ticks: 0,
    agents: 0,
    rechecks: 0,
};

/// When the caller of a put receives its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stores {
    /// In the same step.
    HeardAtOnce,
    /// In a separate step: others act in between, time passes, and the recorded call may be sent too late.
    HeardLater,
}

/// What the state store keeps of finished jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    /// All of it.
    Roomy,
    /// Their fingerprints, as if other jobs took all the room of the record.
    Full,
}

/// How the model continues once it is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// Nothing.
    None,
    /// Time passes until every job is over, and sweeps run while they have work.
    Sweeps,
}

/// A deliberate break, to show that the checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// None: the unchanged protocol.
    None,
    /// The stored record does not name the releases that are about to be sent.
    ReleasesAreNotWrittenDown,
    /// The stored record drops the unfinished jobs that the batch does not mention.
    UnfinishedJobsAreDropped,
    /// In a full record, finished jobs leave no fingerprint.
    NoFingerprints,
    /// A put succeeds whatever the stored version.
    StoresAreNotCompared,
    /// The response does not report the failed messages of a batch.
    FailuresAreAcknowledged,
    /// A call without an answer counts as a call without effect.
    NoAnswerMeansNoEffect,
    /// Calls take effect later than assumed.
    EffectsAreTooLate,
    /// The function does not notice the time that it waits for a store, or for the read before a release.
    SlowAnswersAreNotNoticed,
    /// A read before a release reports the function's own protection, whatever another writer has set.
    ForeignProtectionIsNotSeen,
    /// A job whose declared time is over counts as finished.
    DeclaredEndsRelease,
    /// The stored record does not say that the task lingers.
    LingersAreNotWrittenDown,
    /// A recheck does not see the jobs that have started since the last finish.
    RechecksSeeNoJobs,
}

/// A model that is small enough for a complete walk.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) name: &'static str,
    pub(crate) tasks: TaskNo,
    pub(crate) messages: Vec<Message>,
    /// These messages are delivered and processed, one by one and undisturbed, before the model starts.
    pub(crate) carried_out: Set,
    /// Maximum number of concurrent invocations.
    pub(crate) at_once: usize,
    /// Maximum number of messages in a batch.
    pub(crate) batch_max: u32,
    /// Maximum duration of an invocation.
    pub(crate) timeout_s: Moment,
    /// Duration of a tick.
    pub(crate) tick_s: Moment,
    pub(crate) left: Left,
    /// How long a task keeps its protection after its last job.
    pub(crate) linger_s: Moment,
    /// How calls to ECS may fail.
    pub(crate) ecs_faults: Vec<EcsFault>,
    pub(crate) stores: Stores,
    pub(crate) records: Records,
    pub(crate) schedule: Schedule,
    pub(crate) sabotage: Sabotage,
    /// The sights that the model must reach (`sights.rs`).
    pub(crate) shows: Vec<&'static str>,
}

type Kind = fn(&mut Left) -> &mut u8;

const KINDS: [Kind; 10] = [
    |left| &mut left.crashes,
    |left| &mut left.ecs_faults,
    |left| &mut left.refusals,
    |left| &mut left.store_faults,
    |left| &mut left.duplicates,
    |left| &mut left.sweeps,
    |left| &mut left.releases,
    |left| &mut left.ticks,
    |left| &mut left.agents,
    |left| &mut left.rechecks,
];
/// The number of kinds that [`Left::things`] combines. Another writer has configurations of its own.
const THINGS: usize = 8;
/// The number of kinds that are faults; they come first.
const FAULTS: usize = 5;

/// Prints what may still happen and omits the rest.
impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut left = *self;
        let names = [
            "crashes",
            "ecs_faults",
            "refusals",
            "store_faults",
            "duplicates",
            "sweeps",
            "releases",
            "ticks",
            "agents",
            "rechecks",
        ];
        let counted = KINDS.into_iter().zip(names).map(|(kind, name)| (*kind(&mut left), name));
        let told: Vec<String> =
            counted.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{name}: {count}")).collect();
        f.write_str(if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }.as_str())
    }
}

impl Left {
    /// This many events of these kinds, in every combination.
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

    /// This many events of any kind, in every combination.
    pub(crate) fn things(many: usize) -> BTreeSet<Self> {
        Self::all_of(many, &KINDS[..THINGS])
    }

    /// This many faults, in every combination.
    pub(crate) fn faults(many: usize) -> BTreeSet<Self> {
        Self::all_of(many, &KINDS[..FAULTS])
    }

    fn sum(mut self) -> Moment {
        KINDS.into_iter().map(|kind| Moment::from(*kind(&mut self))).sum()
    }
}

impl Configuration {
    /// One task. Its first job has started and is protected. Now its finish races the start and the finish of
    /// another job. Only the order varies.
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
            linger_s: 0,
            ecs_faults: vec![EcsFault::NoAnswer],
            stores: Stores::HeardAtOnce,
            records: Records::Roomy,
            schedule: Schedule::None,
            sabotage: Sabotage::None,
            shows: vec![QUIET, LOST_COMPARISON, RELEASE_RACES_JOB, UNCOVERED_BEFORE_ACKNOWLEDGED],
        }
    }

    /// The same, except that the second job does not end: one message fewer.
    pub(crate) fn one_task_that_stays_busy() -> Self {
        let messages = vec![started(0, "one", 60), finished(0, "one"), started(0, "two", 60)];
        let shows = vec![QUIET_AND_BUSY, LOST_COMPARISON, RELEASE_RACES_JOB, UNCOVERED_BEFORE_ACKNOWLEDGED];
        Self { name: "one task that stays busy", messages, shows, ..Self::one_task() }
    }

    /// Two tasks, each as in [`Self::one_task`], whose messages share a batch and whose calls are combined.
    pub(crate) fn two_tasks() -> Self {
        let mut messages = vec![started(0, "one", 60), started(1, "two", 60), finished(0, "one"), finished(1, "two")];
        messages.extend([started(0, "three", 60), started(1, "four", 60), finished(0, "three"), finished(1, "four")]);
        let (name, carried_out, batch_max) = ("two tasks, two jobs each", only(0) | only(1), 2);
        let ecs_faults = vec![EcsFault::NoAnswer, EcsFault::Denied, EcsFault::Rejected];
        Self { name, tasks: 2, messages, carried_out, batch_max, ecs_faults, ..Self::one_task() }
    }

    /// The same, except that the second job of one task does not end: one message fewer.
    pub(crate) fn two_tasks_of_which_three_jobs_end() -> Self {
        let mut configuration = Self { name: "two tasks, three of four jobs end", ..Self::two_tasks() };
        configuration.messages.truncate(7);
        configuration.shows = Self::one_task_that_stays_busy().shows;
        configuration
    }

    /// One task gets no second job, and the second job of the other does not end: three messages fewer than two
    /// jobs each.
    pub(crate) fn two_tasks_of_which_one_stays_busy() -> Self {
        let mut configuration = Self { name: "two tasks, one stays busy", ..Self::two_tasks() };
        configuration.messages.truncate(5);
        configuration.shows = Self::one_task_that_stays_busy().shows;
        configuration
    }

    /// A short job and a longer one without a finish, and one with a finish.
    pub(crate) fn jobs_without_end() -> Self {
        let messages = vec![started(0, "one", 3), started(0, "two", 30), finished(0, "one")];
        let (schedule, shows) = (Schedule::Sweeps, vec![QUIET_AND_BUSY, LOST_COMPARISON]);
        Self { name: "jobs without end", messages, schedule, shows, ..Self::one_task() }
    }

    /// Two jobs without a finish, whose tasks share a call for the longer one.
    pub(crate) fn jobs_that_share_a_call() -> Self {
        let messages = vec![started(0, "one", 30), started(1, "two", 31)];
        let (schedule, shows) = (Schedule::Sweeps, vec![PART_OF_A_CALL, OUTLIVED_AND_KEPT]);
        let name = "jobs that share a call";
        Self { name, tasks: 2, messages, carried_out: 0, batch_max: 2, schedule, shows, ..Self::one_task() }
    }

    /// A job that a heartbeat extends, and a short job on the same task without a finish.
    pub(crate) fn a_job_that_is_prolonged() -> Self {
        let mut messages = vec![started(0, "one", 3), heartbeat(0, "one", 60), finished(0, "one")];
        messages.push(started(0, "two", 4));
        let (schedule, shows) = (Schedule::Sweeps, vec![QUIET, LOST_COMPARISON]);
        Self { name: "a job that is prolonged", messages, schedule, shows, ..Self::one_task() }
    }

    /// Allows these events.
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

    /// Adds sights that the model must reach.
    pub(crate) fn showing(mut self, sights: &[&'static str]) -> Self {
        self.shows.extend(sights);
        self
    }

    /// By this time no message is left, and a sweep has no work. A message may be redelivered once because of
    /// concurrent invocations, and each event costs at most one more delivery or one more sweep.
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
