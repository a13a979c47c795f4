//! The configurations.

use super::agent::ModelAgentCall;
use super::configuration::{Configuration, RecordSpace, Schedule, Stores};
use super::left::NOTHING;
use super::sabotage::ModelSabotage;
use super::scene::{Moment, finished, heartbeat, only, started, started_by_agent, started_unprotected};
use super::script::EcsFault;
use super::witnesses::{
    ADMITTED, AGENT_JOB_IS_REFUSED, LOSS_IS_NOTED, LOST_COMPARISON, OUTLIVED_AND_KEPT, PART_OF_A_CALL, QUIET,
    QUIET_AND_BUSY, REJECTED, RELEASE_RACES_JOB, REPAIRED, SWEEP_ACTS, TWO_WRITERS, UNCOVERED_BEFORE_ACKNOWLEDGED,
};

/// As in template.yaml.
const FUNCTION_TIMEOUT_S: Moment = 30;

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
            agent_calls: vec![ModelAgentCall::Protect],
            ecs_faults: vec![EcsFault::NoAnswer],
            stores: Stores::AnsweredAtOnce,
            records: RecordSpace::Roomy,
            schedule: Schedule::None,
            sabotage: ModelSabotage::None,
            must_reach: vec![QUIET, LOST_COMPARISON, RELEASE_RACES_JOB, UNCOVERED_BEFORE_ACKNOWLEDGED],
        }
    }

    /// The same, except that the second job does not end: one message fewer.
    pub(crate) fn one_task_that_stays_busy() -> Self {
        let messages = vec![started(0, "one", 60), finished(0, "one"), started(0, "two", 60)];
        let must_reach = vec![QUIET_AND_BUSY, LOST_COMPARISON, RELEASE_RACES_JOB, UNCOVERED_BEFORE_ACKNOWLEDGED];
        Self { name: "one task that stays busy", messages, must_reach, ..Self::one_task() }
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
        configuration.must_reach = Self::one_task_that_stays_busy().must_reach;
        configuration
    }

    /// One task gets no second job, and the second job of the other does not end: three messages fewer than two
    /// jobs each.
    pub(crate) fn two_tasks_of_which_one_stays_busy() -> Self {
        let mut configuration = Self { name: "two tasks, one stays busy", ..Self::two_tasks() };
        configuration.messages.truncate(5);
        configuration.must_reach = Self::one_task_that_stays_busy().must_reach;
        configuration
    }

    /// A short job and a longer one without a finish, and one with a finish.
    pub(crate) fn jobs_without_end() -> Self {
        let messages = vec![started(0, "one", 3), started(0, "two", 30), finished(0, "one")];
        let (schedule, must_reach) = (Schedule::Sweeps, vec![QUIET_AND_BUSY, LOST_COMPARISON]);
        Self { name: "jobs without end", messages, schedule, must_reach, ..Self::one_task() }
    }

    /// Two jobs without a finish, whose tasks share a call for the longer one.
    pub(crate) fn jobs_that_share_a_call() -> Self {
        let messages = vec![started(0, "one", 30), started(1, "two", 31)];
        let (schedule, must_reach) = (Schedule::Sweeps, vec![PART_OF_A_CALL, OUTLIVED_AND_KEPT]);
        let name = "jobs that share a call";
        Self { name, tasks: 2, messages, carried_out: 0, batch_max: 2, schedule, must_reach, ..Self::one_task() }
    }

    /// A job that a heartbeat extends, and a short job on the same task without a finish.
    pub(crate) fn a_job_that_is_prolonged() -> Self {
        let mut messages = vec![started(0, "one", 3), heartbeat(0, "one", 60), finished(0, "one")];
        messages.push(started(0, "two", 4));
        let (schedule, must_reach) = (Schedule::Sweeps, vec![QUIET, LOST_COMPARISON]);
        Self { name: "a job that is prolonged", messages, schedule, must_reach, ..Self::one_task() }
    }

    /// One busy task whose worker shortens or clears its protection, and sweeps that repair it.
    pub(crate) fn one_task_whose_protection_is_taken_away() -> Self {
        Self {
            name: "one task whose protection is taken away",
            agent_calls: vec![ModelAgentCall::Shorten, ModelAgentCall::Clear],
            schedule: Schedule::Sweeps,
            must_reach: vec![QUIET_AND_BUSY, LOSS_IS_NOTED, REPAIRED, SWEEP_ACTS],
            ..Self::one_task_that_stays_busy()
        }
    }

    /// One task that protects itself for each of its jobs. One of them starts unprotected.
    pub(crate) fn one_task_that_protects_itself() -> Self {
        let mut messages = vec![started_by_agent(0, "one", 60), finished(0, "one")];
        messages.extend([started_unprotected(0, "two", 50), finished(0, "two")]);
        let (name, carried_out) = ("one task that protects itself", 0);
        Self {
            name,
            messages,
            carried_out,
            must_reach: vec![QUIET, LOST_COMPARISON, AGENT_JOB_IS_REFUSED],
            ..Self::one_task()
        }
    }

    /// One task that protects itself for a job, and a job beside it that the function protects. Both finish.
    pub(crate) fn one_task_with_two_writers() -> Self {
        let messages = vec![
            started_by_agent(0, "by agent", 80),
            started(0, "by function", 60),
            finished(0, "by function"),
            finished(0, "by agent"),
        ];
        let must_reach = vec![QUIET, LOST_COMPARISON, TWO_WRITERS];
        Self { name: "one task with two writers", messages, carried_out: only(0), must_reach, ..Self::one_task() }
    }

    /// The same, except that the job for which the task protects itself does not end, and that its start may come last.
    pub(crate) fn one_task_with_two_writers_that_stays_busy() -> Self {
        let mut messages = Self::one_task_with_two_writers().messages;
        messages.truncate(3);
        let name = "one task with two writers that stays busy";
        Self { name, messages, carried_out: 0, ..Self::one_task_with_two_writers() }
    }

    /// One task whose record has room for one live job. Both jobs finish.
    pub(crate) fn one_task_with_room_for_one_job() -> Self {
        let mut messages = vec![started(0, "one", 60), finished(0, "one")];
        messages.extend([started(0, "two", 80), finished(0, "two")]);
        let (name, records) = ("one task, room for one of two jobs", RecordSpace::OneLiveJob);
        let must_reach = vec![QUIET, LOST_COMPARISON, REJECTED, ADMITTED];
        Self { name, messages, records, must_reach, ..Self::one_task() }
    }

    /// The same, except that the job that finds no room does not finish. Sweeps protect the task for it.
    pub(crate) fn one_task_with_room_for_one_job_that_stays_busy() -> Self {
        let mut messages = Self::one_task_with_room_for_one_job().messages;
        messages.truncate(3);
        let (name, schedule) = ("one task that stays busy, room for one of two jobs", Schedule::Sweeps);
        let must_reach = vec![QUIET_AND_BUSY, LOST_COMPARISON, REJECTED, ADMITTED];
        Self { name, messages, schedule, must_reach, ..Self::one_task_with_room_for_one_job() }
    }

    /// One job whose start may have no answer, and its finish.
    pub(crate) fn one_job() -> Self {
        let messages = vec![started(0, "one", 60), finished(0, "one")];
        Self { name: "one job", messages, carried_out: 0, must_reach: vec![QUIET, LOST_COMPARISON], ..Self::one_task() }
    }
}
