//! Records without room.

use super::check::keeps_every_promise;
use super::configuration::{Configuration, RecordSpace};
use super::left::{Left, NOTHING};
use super::witnesses::SWEEP_ACTS;

#[test]
fn full_records_that_keep_fingerprints_of_finished_jobs_keep_every_promise() {
    let full = Configuration { records: RecordSpace::Full, ..Configuration::one_task_that_stays_busy() };
    keeps_every_promise(full.with(Left { crashes: 1, ecs_faults: 1, duplicates: 1, ..NOTHING }));
}

#[test]
fn a_start_that_finds_no_room_is_remembered_and_recorded_when_there_is_room() {
    for left in [Left { crashes: 1, ..NOTHING }, Left { duplicates: 1, ..NOTHING }, Left { ecs_faults: 1, ..NOTHING }] {
        keeps_every_promise(Configuration::one_task_with_room_for_one_job().with(left));
    }
}

#[test]
fn a_job_that_was_rejected_first_is_protected_after_a_sweep() {
    let configuration = Configuration::one_task_with_room_for_one_job_that_stays_busy();
    for left in [Left { crashes: 1, ecs_faults: 1, ..NOTHING }, Left { refusals: 1, ..NOTHING }] {
        keeps_every_promise(configuration.clone().with(left).reaching(&[SWEEP_ACTS]));
    }
}
