//! A model check of the release protocol: every order of the steps of a few invocations, on a few tasks, with a few
//! faults.
//!
//! `tests/sim.rs` draws long random runs and can miss rare orders. Here everything is small and exhaustive:
//! [stateright](https://docs.rs/stateright) visits all states that a configuration can reach. The steps of an
//! invocation are not modelled: the model runs the real [`taskhold::lambda::function::Function`]
//! (`script.rs`) on a state store, an ECS and a queue that are part of the state. Other steps can interleave
//! wherever the function waits: a load, a store in flight, its answer, a call to ECS in flight, its effect on each
//! task, its answer, the end.
//!
//! `promises.rs` defines what must hold, and `sights.rs` defines what a configuration must reach. A
//! broken promise is reported with its shortest path. `cargo test --test model -- --nocapture` prints the number of
//! states. A walk ends when no new state is left; a walk that stops at a bound fails. The larger configurations are
//! ignored by default, because they take minutes: `cargo test --test model -- --ignored --nocapture`.
//! docs/reliability.md has the figures.
//!
//! # Limits of the model
//!
//! - The clock moves by a few ticks: everything between two ticks happens at one moment. When all actors wait for time
//!   to pass, it passes.
//! - Messages carry the time of the start of the model, whenever they are delivered. A worker counts as having sent a
//!   finish when it is first delivered; an earlier time would only end a promise sooner.
//! - A failed store has landed at once or never. Records do not expire, tasks do not stop, and no message is
//!   dead-lettered. `tests/sim.rs` covers all of these.
//! - A run whose store conflicts eight times in a row is treated as one with fewer conflicts.
//! - At most two tasks, four messages for each, batches of two, and three concurrent invocations. Tasks belong to no
//!   service, so the only effect of a refusal is that the message is redelivered.

mod actions;
mod check;
mod configuration;
mod effects;
mod function;
mod linger;
mod narration;
mod parts;
mod promises;
mod protocol;
mod scene;
mod script;
mod sights;
mod state;
mod steps;

use check::{counts, is_found_out, keep_every_promise, keeps_every_promise};
use configuration::{Configuration, Left, NOTHING, Records, Sabotage, Stores};
use promises::{BUSY_IS_PROTECTED, FOREIGN_STAYS, IDLE_IS_UNPROTECTED, NOTHING_IS_LOST, ONLY_AN_END_RELEASES};
use script::EcsFault;
use sights::{
    BETWEEN_READ_AND_CALL, EXPIRED, FOREIGN_IS_KEPT, FORGOTTEN, LATE_PROTECTION, LATE_RELEASE, OUTLIVED,
    PART_OF_A_BATCH, PART_OF_A_CALL, SWEEP_ACTS, THREE_AT_ONCE, TOO_LATE_TO_SEND,
};

#[test]
fn whatever_two_things_happen_two_invocations_keep_every_promise() {
    keep_every_promise(Left::things(2).into_iter().map(|left| Configuration::one_task().with(left)));
}

#[test]
fn whatever_three_faults_happen_a_task_that_stays_busy_stays_protected() {
    keep_every_promise(Left::faults(3).into_iter().map(|left| Configuration::one_task_that_stays_busy().with(left)));
}

#[test]
fn each_kind_of_fault_may_happen_in_one_run() {
    let left = Left { crashes: 1, ecs_faults: 1, refusals: 1, store_faults: 1, duplicates: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task_that_stays_busy().with(left));
}

#[test]
fn three_invocations_at_once_keep_every_promise() {
    let at_once =
        |configuration: Configuration| Configuration { at_once: 3, ..configuration }.showing(&[THREE_AT_ONCE]);
    let left = Left { crashes: 1, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(at_once(Configuration::one_task()).with(left).showing(&[LATE_PROTECTION]));
    let left = Left { duplicates: 1, ..left };
    keeps_every_promise(at_once(Configuration::one_task_that_stays_busy()).with(left));
}

#[test]
fn two_tasks_that_share_batches_and_calls_keep_every_promise() {
    keeps_every_promise(Configuration::two_tasks_of_which_three_jobs_end().showing(&[PART_OF_A_CALL, PART_OF_A_BATCH]));
}

#[test]
fn of_two_tasks_that_share_batches_and_calls_neither_is_harmed_by_the_other_s_fault() {
    for left in [Left { crashes: 1, ecs_faults: 1, ..NOTHING }, Left { refusals: 1, ..NOTHING }] {
        let configuration = Configuration::two_tasks_of_which_one_stays_busy().with(left);
        keeps_every_promise(configuration.showing(&[PART_OF_A_CALL, PART_OF_A_BATCH]));
    }
}

#[test]
fn calls_that_fail_without_effect_are_sent_again_and_keep_every_promise() {
    let ecs_faults = vec![EcsFault::NoAnswer, EcsFault::Denied, EcsFault::Throttled];
    let left = Left { ecs_faults: 2, crashes: 1, duplicates: 1, ..NOTHING };
    keeps_every_promise(Configuration { ecs_faults, ..Configuration::one_task_that_stays_busy() }.with(left));
}

#[test]
fn stores_and_calls_with_late_answers_keep_every_promise() {
    let slow = Configuration { stores: Stores::HeardLater, ..Configuration::one_task() };
    keeps_every_promise(slow.with(Left { crashes: 1, ecs_faults: 1, ..NOTHING }));
    // Long enough for a call to be too late to send.
    let slow = Configuration { timeout_s: 900, ..Configuration::one_task_that_stays_busy() };
    let unheard = Configuration { stores: Stores::HeardLater, tick_s: 40, ..slow.clone() };
    let left = Left { ticks: 2, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(unheard.with(left).showing(&[TOO_LATE_TO_SEND]));
    // Long enough for a call to expire from the record while its caller still waits for it. Counted from the first
    // start, because another release must be in flight when the answer arrives.
    let forgotten = Configuration { carried_out: 0, tick_s: 60, ..slow };
    keeps_every_promise(forgotten.with(Left { ticks: 2, ..NOTHING }).showing(&[FORGOTTEN]));
}

#[test]
fn jobs_that_outlive_their_time_are_held_no_longer() {
    let left = Left { crashes: 1, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(Configuration::jobs_without_end().with(left).showing(&[EXPIRED]));
    keeps_every_promise(Configuration::a_job_that_is_prolonged().with(left).showing(&[
        EXPIRED,
        LATE_PROTECTION,
        OUTLIVED,
        SWEEP_ACTS,
    ]));
    let slow = Configuration { timeout_s: 900, tick_s: 60, ..Configuration::jobs_without_end() };
    keeps_every_promise(slow.with(Left { ticks: 2, ecs_faults: 1, ..NOTHING }).showing(&[EXPIRED]));
}

#[test]
fn full_records_that_keep_fingerprints_of_finished_jobs_keep_every_promise() {
    let full = |configuration| Configuration { records: Records::Full, ..configuration };
    keeps_every_promise(full(Configuration::one_task()).with(Left { crashes: 1, duplicates: 1, ..NOTHING }));
    let left = Left { crashes: 1, ecs_faults: 1, duplicates: 1, ..NOTHING };
    keeps_every_promise(full(Configuration::one_task_that_stays_busy()).with(left));
}

#[test]
fn a_full_record_that_keeps_no_fingerprint_of_a_finished_job_is_found_out() {
    let (records, sabotage) = (Records::Full, Sabotage::NoFingerprints);
    let configuration = Configuration { records, sabotage, ..Configuration::one_task() };
    is_found_out(configuration.clone().with(Left { duplicates: 1, ..NOTHING }), IDLE_IS_UNPROTECTED);
    is_found_out(configuration, NOTHING_IS_LOST);
}

#[test]
fn a_sweep_at_any_moment_keeps_every_promise() {
    let left = Left { sweeps: 1, crashes: 1, ecs_faults: 1, ticks: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task_that_stays_busy().with(left).showing(&[SWEEP_ACTS]));
}

#[test]
fn an_operator_s_release_at_any_moment_keeps_every_promise() {
    let left = Left { releases: 1, crashes: 1, ecs_faults: 1, sweeps: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task_that_stays_busy().with(left));
}

#[test]
fn what_another_writer_sets_at_any_moment_stays_unless_it_comes_between_a_read_and_its_call() {
    let left = Left { agents: 1, crashes: 1, ecs_faults: 1, ..NOTHING };
    for configuration in [Configuration::one_task(), Configuration::one_task_that_stays_busy()] {
        keeps_every_promise(configuration.with(left).showing(&[FOREIGN_IS_KEPT, BETWEEN_READ_AND_CALL]));
    }
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn what_another_writer_sets_stays_under_a_sweep_and_under_an_operator_s_release() {
    let left = Left { agents: 1, sweeps: 1, releases: 1, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task().with(left).showing(&[FOREIGN_IS_KEPT, SWEEP_ACTS]));
}

#[test]
fn a_job_that_outlives_its_time_keeps_its_protection_until_it_expires() {
    let left = Left { sweeps: 1, crashes: 1, ..NOTHING };
    let mut configuration = Configuration::jobs_that_share_a_call().with(left);
    // No job has finished, so nothing is released.
    configuration.shows.retain(|sight| *sight != LATE_RELEASE);
    keeps_every_promise(configuration);
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_two_faults_happen_beside_another_writer_its_protection_stays() {
    keep_every_promise(
        Left::faults(2).into_iter().map(|left| Configuration::one_task().with(Left { agents: 1, ..left })),
    );
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn two_tasks_with_two_jobs_each_keep_every_promise() {
    keeps_every_promise(Configuration::two_tasks().showing(&[PART_OF_A_CALL, PART_OF_A_BATCH]));
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_three_faults_happen_two_invocations_keep_every_promise() {
    keep_every_promise(Left::faults(3).into_iter().map(|left| Configuration::one_task().with(left)));
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_three_things_happen_that_are_not_all_faults_two_invocations_keep_every_promise() {
    let (things, faults) = (Left::things(3), Left::faults(3));
    keep_every_promise(things.difference(&faults).map(|left| Configuration::one_task().with(*left)));
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_three_things_happen_a_task_that_stays_busy_stays_protected() {
    keep_every_promise(Left::things(3).into_iter().map(|left| Configuration::one_task_that_stays_busy().with(left)));
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_four_faults_happen_a_task_that_stays_busy_stays_protected() {
    keep_every_promise(Left::faults(4).into_iter().map(|left| Configuration::one_task_that_stays_busy().with(left)));
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_two_faults_happen_to_two_tasks_neither_is_harmed() {
    keep_every_promise(
        Left::faults(2).into_iter().map(|left| Configuration::two_tasks_of_which_one_stays_busy().with(left)),
    );
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_two_faults_happen_three_invocations_at_once_keep_every_promise() {
    keep_every_promise(
        Left::faults(2).into_iter().map(|left| Configuration { at_once: 3, ..Configuration::one_task() }.with(left)),
    );
}

#[test]
fn one_walk_counts_the_same_states_as_another_on_two_threads() {
    let left = Left { crashes: 1, ecs_faults: 1, ..NOTHING };
    let [one, two] = [1, 2].map(|threads| counts(Configuration::one_task_that_stays_busy().with(left), threads));
    assert_eq!(one, two);
}

#[test]
fn a_release_that_is_not_written_down_before_it_is_sent_is_found_out() {
    let sabotage = Sabotage::ReleasesAreNotWrittenDown;
    is_found_out(Configuration { sabotage, ..Configuration::one_task_that_stays_busy() }, BUSY_IS_PROTECTED);
}

#[test]
fn a_merge_that_drops_an_unfinished_job_is_found_out() {
    let sabotage = Sabotage::UnfinishedJobsAreDropped;
    is_found_out(Configuration { sabotage, ..Configuration::one_task() }, NOTHING_IS_LOST);
    is_found_out(Configuration { sabotage, ..Configuration::one_task_that_stays_busy() }, BUSY_IS_PROTECTED);
}

#[test]
fn a_store_that_is_not_compared_is_found_out() {
    let sabotage = Sabotage::StoresAreNotCompared;
    is_found_out(Configuration { sabotage, ..Configuration::one_task() }, BUSY_IS_PROTECTED);
    is_found_out(Configuration { sabotage, ..Configuration::one_task() }, NOTHING_IS_LOST);
}

#[test]
fn an_answer_that_acknowledges_a_failed_message_is_found_out() {
    let sabotage = Sabotage::FailuresAreAcknowledged;
    let configuration = Configuration { sabotage, ..Configuration::one_task() };
    is_found_out(configuration.clone().with(Left { ecs_faults: 1, ..NOTHING }), BUSY_IS_PROTECTED);
    is_found_out(configuration.clone().with(Left { store_faults: 1, ..NOTHING }), NOTHING_IS_LOST);
    is_found_out(configuration.with(Left { ecs_faults: 1, ..NOTHING }), IDLE_IS_UNPROTECTED);
}

#[test]
fn a_call_without_an_answer_that_is_taken_for_one_without_effect_is_found_out() {
    let sabotage = Sabotage::NoAnswerMeansNoEffect;
    let configuration = Configuration { sabotage, ..Configuration::one_task() };
    is_found_out(configuration.with(Left { ecs_faults: 1, ..NOTHING }), BUSY_IS_PROTECTED);
}

#[test]
fn an_effect_that_comes_later_than_is_assumed_is_found_out() {
    let sabotage = Sabotage::EffectsAreTooLate;
    let configuration = Configuration { sabotage, ..Configuration::one_task() };
    is_found_out(configuration.with(Left { ecs_faults: 1, ..NOTHING }), BUSY_IS_PROTECTED);
}

#[test]
fn slow_answers_that_are_not_noticed_before_a_call_are_found_out() {
    let (stores, timeout_s, tick_s) = (Stores::HeardLater, 900, 60);
    let sabotage = Sabotage::SlowAnswersAreNotNoticed;
    let slow = Configuration { stores, timeout_s, tick_s, sabotage, ..Configuration::one_task_that_stays_busy() };
    is_found_out(slow.with(Left { ecs_faults: 1, ticks: 2, ..NOTHING }), BUSY_IS_PROTECTED);
}

#[test]
fn a_release_of_what_another_writer_has_set_is_found_out() {
    let sabotage = Sabotage::ForeignProtectionIsNotSeen;
    let configuration = Configuration { sabotage, ..Configuration::one_task() };
    is_found_out(configuration.with(Left { agents: 1, ..NOTHING }), FOREIGN_STAYS);
}

#[test]
fn a_release_at_a_job_s_declared_end_is_found_out() {
    let sabotage = Sabotage::DeclaredEndsRelease;
    let configuration = Configuration { sabotage, ..Configuration::jobs_that_share_a_call() };
    is_found_out(configuration.with(Left { sweeps: 1, ..NOTHING }), ONLY_AN_END_RELEASES);
}
