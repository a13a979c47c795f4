//! Beside another writer of protection: the worker of a task, through the container agent.

use super::check::keeps_every_promise;
use super::configuration::Configuration;
use super::left::{Left, NOTHING};
use super::witnesses::{
    AGENT_JOB_IS_REFUSED, BETWEEN_READ_AND_CALL, FOREIGN_IS_KEPT, LOST_COMPARISON, QUIET, SWEEP_ACTS, TWO_WRITERS,
};

#[test]
fn what_another_writer_sets_at_any_moment_stays_unless_it_comes_between_a_read_and_its_call() {
    let left = Left { agents: 1, crashes: 1, ecs_faults: 1, ..NOTHING };
    let configuration = Configuration::one_task_that_stays_busy();
    keeps_every_promise(configuration.with(left).reaching(&[FOREIGN_IS_KEPT, BETWEEN_READ_AND_CALL]));
}

/// `nightly.rs` has the same with a second job that ends.
#[test]
fn what_another_writer_sets_at_any_moment_stays_under_a_sweep_and_under_an_operator_s_release() {
    let left = Left { agents: 1, sweeps: 1, releases: 1, ecs_faults: 1, ..NOTHING };
    let configuration = Configuration::one_task_that_stays_busy();
    keeps_every_promise(configuration.with(left).reaching(&[FOREIGN_IS_KEPT, BETWEEN_READ_AND_CALL, SWEEP_ACTS]));
}

#[test]
fn protection_that_another_writer_takes_away_at_any_moment_is_back_after_a_sweep() {
    for left in [Left { crashes: 1, ..NOTHING }, Left { ecs_faults: 1, ..NOTHING }, Left { refusals: 1, ..NOTHING }] {
        let configuration = Configuration::one_task_whose_protection_is_taken_away();
        keeps_every_promise(configuration.with(Left { agents: 1, ..left }));
    }
}

#[test]
fn a_task_that_protects_itself_for_its_jobs_is_never_called_for() {
    let left = Left { crashes: 1, duplicates: 1, sweeps: 1, releases: 1, ..NOTHING };
    let must_reach = [QUIET, LOST_COMPARISON, AGENT_JOB_IS_REFUSED];
    keeps_every_promise(Configuration::one_task_that_protects_itself().with(left).reaching_only(&must_reach));
}

#[test]
fn on_a_task_with_two_writers_nothing_is_cleared_until_every_job_has_finished() {
    let must_reach = [QUIET, LOST_COMPARISON, TWO_WRITERS];
    for left in [Left { crashes: 1, sweeps: 1, ..NOTHING }, Left { ecs_faults: 1, duplicates: 1, ..NOTHING }] {
        keeps_every_promise(Configuration::one_task_with_two_writers().with(left).reaching_only(&must_reach));
    }
    let left = Left { crashes: 1, ecs_faults: 1, sweeps: 1, ..NOTHING };
    let configuration = Configuration::one_task_with_two_writers_that_stays_busy();
    keeps_every_promise(configuration.with(left).reaching_only(&must_reach));
}
