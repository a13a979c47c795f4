//! Tasks that linger after their last job, and the rechecks that release them.

use super::check::{is_found_out, keeps_every_promise};
use super::configuration::{Configuration, Schedule};
use super::function::RecordNo;
use super::harm::Harm;
use super::left::{Left, NOTHING};
use super::promises::{BUSY_IS_PROTECTED, LINGER_ENDS, LINGERS};
use super::protocol::ModelProtocol;
use super::sabotage::ModelSabotage;
use super::scene::InvocationWork;
use super::state::ModelState;
use super::witnesses::{LOST_COMPARISON, QUIET, QUIET_AND_BUSY, RELEASE_RACES_JOB, SWEEP_ACTS};
use jiff::SignedDuration;
use std::sync::Arc;
use taskhold::task::record::TaskRecord;

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Configuration {
    /// One task as in [`Self::one_task`], with a linger. Rechecks may be lost, so sweeps follow.
    fn one_task_that_lingers() -> Self {
        let (linger_s, schedule) = (20, Schedule::Sweeps);
        let must_reach = vec![QUIET, LOST_COMPARISON, RELEASE_RACES_JOB, SWEEP_ACTS];
        Self { name: "one task that lingers", linger_s, schedule, must_reach, ..Self::one_task() }
    }

    /// The same, except that the second job does not end.
    fn one_task_that_lingers_between_its_jobs() -> Self {
        let busy = Self::one_task_that_stays_busy();
        let must_reach = vec![QUIET_AND_BUSY, LOST_COMPARISON, RELEASE_RACES_JOB];
        let (name, messages) = ("one task that lingers between its jobs", busy.messages);
        Self { name, messages, must_reach, ..Self::one_task_that_lingers() }
    }
}

impl ModelProtocol {
    /// Whether it is too early for any release: every finish counts from the start of the model.
    pub(crate) fn lingers(&self, state: &ModelState) -> bool {
        state.now < self.configuration.linger_s
    }

    /// A recheck of the first task after the linger has ended. It ran alone and without a fault.
    pub(crate) fn note_lingering(&self, state: &mut ModelState) {
        let is_idle = self.busy_until(state, 0).is_none();
        let task = &mut state.tasks[0];
        if is_idle && task.protected_until > 0 && !task.is_protected_by_agent() {
            task.harm = Harm::LeftLingering;
        }
    }

    /// A record as the state store hands it out to this work.
    pub(crate) fn seen_by(&self, work: InvocationWork, number: RecordNo) -> RecordNo {
        if work != InvocationWork::Recheck {
            return number;
        }
        let mut record: TaskRecord = self.function.record(number).record.clone();
        match self.configuration.sabotage {
            ModelSabotage::RechecksSeeNoJobs => {
                Arc::make_mut(&mut record.jobs).retain(|_, job| job.finished_at.is_some())
            }
            ModelSabotage::RechecksDoNothing => record.lingers_until.iter_mut().for_each(|until| **until += DAY),
            _ => return number,
        }
        self.function.number_of(&record)
    }
}

#[test]
fn a_task_that_lingers_keeps_every_promise_whenever_its_recheck_comes() {
    let left = Left { rechecks: 1, ticks: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task_that_lingers().with(left));
    let left = Left { rechecks: 1, ticks: 1, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task_that_lingers_between_its_jobs().with(left));
}

#[test]
fn a_linger_that_is_not_written_down_is_found_out() {
    let sabotage = ModelSabotage::LingersAreNotWrittenDown;
    let configuration = Configuration { sabotage, ..Configuration::one_task_that_lingers() };
    is_found_out(configuration.with(Left { rechecks: 1, ..NOTHING }), LINGERS);
}

#[test]
fn a_recheck_that_releases_a_task_on_which_a_job_has_started_is_found_out() {
    let sabotage = ModelSabotage::RechecksSeeNoJobs;
    let configuration = Configuration { sabotage, ..Configuration::one_task_that_lingers() };
    is_found_out(configuration.with(Left { rechecks: 1, ticks: 1, ..NOTHING }), BUSY_IS_PROTECTED);
}

#[test]
fn a_recheck_that_does_nothing_is_found_out() {
    let sabotage = ModelSabotage::RechecksDoNothing;
    let configuration = Configuration { sabotage, ..Configuration::one_task_that_lingers() };
    is_found_out(configuration.with(Left { rechecks: 1, ticks: 1, ..NOTHING }), LINGER_ENDS);
}
