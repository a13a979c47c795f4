//! Larger configurations. They take minutes to hours, so they are ignored by default.

use super::check::{keep_every_promise, keeps_every_promise};
use super::configuration::{Configuration, RecordSpace};
use super::left::{Left, NOTHING};
use super::script::EcsFault;
use super::witnesses::{
    BETWEEN_READ_AND_CALL, FOREIGN_IS_KEPT, LATE_PROTECTION, LOST_COMPARISON, PART_OF_A_BATCH, PART_OF_A_CALL, QUIET,
    SWEEP_ACTS, THREE_AT_ONCE, TWO_WRITERS,
};

#[test]
#[ignore = "takes half a minute; for changes of the protocol"]
fn each_kind_of_fault_may_happen_in_one_run() {
    let left = Left { crashes: 1, ecs_faults: 1, refusals: 1, store_faults: 1, duplicates: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task_that_stays_busy().with(left));
}

#[test]
#[ignore = "takes half a minute; for changes of the protocol"]
fn calls_that_fail_without_effect_are_sent_again_and_keep_every_promise() {
    let ecs_faults = vec![EcsFault::NoAnswer, EcsFault::Denied, EcsFault::Throttled];
    let left = Left { ecs_faults: 2, crashes: 1, duplicates: 1, ..NOTHING };
    keeps_every_promise(Configuration { ecs_faults, ..Configuration::one_task_that_stays_busy() }.with(left));
}

#[test]
#[ignore = "takes half a minute; for changes of the protocol"]
fn three_invocations_at_once_keep_every_promise_when_all_jobs_end() {
    let configuration = Configuration { at_once: 3, ..Configuration::one_task() };
    let left = Left { crashes: 1, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(configuration.with(left).reaching(&[THREE_AT_ONCE, LATE_PROTECTION]));
}

#[test]
#[ignore = "takes half a minute; for changes of the protocol"]
fn full_records_that_keep_fingerprints_of_finished_jobs_keep_every_promise_when_all_jobs_end() {
    let full = Configuration { records: RecordSpace::Full, ..Configuration::one_task() };
    keeps_every_promise(full.with(Left { crashes: 1, duplicates: 1, ..NOTHING }));
}

#[test]
#[ignore = "takes half a minute; for changes of the protocol"]
fn what_another_writer_sets_at_any_moment_stays_when_all_jobs_end() {
    let left = Left { agents: 1, crashes: 1, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task().with(left).reaching(&[FOREIGN_IS_KEPT, BETWEEN_READ_AND_CALL]));
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn what_another_writer_sets_stays_under_a_sweep_and_under_an_operator_s_release() {
    let left = Left { agents: 1, sweeps: 1, releases: 1, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task().with(left).reaching(&[FOREIGN_IS_KEPT, SWEEP_ACTS]));
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
    keeps_every_promise(Configuration::two_tasks().reaching(&[PART_OF_A_CALL, PART_OF_A_BATCH]));
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_two_things_happen_two_invocations_keep_every_promise() {
    keep_every_promise(Left::things(2).into_iter().map(|left| Configuration::one_task().with(left)));
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
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_two_faults_happen_protection_that_another_writer_takes_away_is_back_after_a_sweep() {
    let configuration = Configuration::one_task_whose_protection_is_taken_away();
    keep_every_promise(Left::faults(2).into_iter().map(|left| configuration.clone().with(Left { agents: 1, ..left })));
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_two_faults_happen_on_a_task_with_two_writers_nothing_is_cleared_too_early() {
    let must_reach = [QUIET, LOST_COMPARISON, TWO_WRITERS];
    let configuration = |left| Configuration::one_task_with_two_writers().with(left).reaching_only(&must_reach);
    keep_every_promise(Left::faults(2).into_iter().map(|left| configuration(Left { sweeps: 1, ..left })));
}

#[test]
#[ignore = "takes minutes; for changes of the protocol"]
fn whatever_two_faults_happen_a_start_that_finds_no_room_is_remembered() {
    let configuration = Configuration::one_task_with_room_for_one_job_that_stays_busy();
    keep_every_promise(Left::faults(2).into_iter().map(|left| configuration.clone().with(left)));
}
