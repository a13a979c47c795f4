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
//! `promises.rs` defines what must hold, and `witnesses.rs` defines what a configuration must reach. A
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
//!   dead-lettered except starts that find no room. `tests/sim.rs` covers all of these.
//! - A worker that protects its task for its jobs has done so before the model starts. It may call the agent once more at
//!   any moment.
//! - A run whose store conflicts eight times in a row is treated as one with fewer conflicts.
//! - At most two tasks, four messages for each, batches of two, and three concurrent invocations. Tasks belong to no
//!   service, so the only effect of a refusal is that the message is redelivered.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

mod actions;
mod agent;
mod breaks;
mod check;
mod configuration;
mod configurations;
mod effects;
mod full_records;
mod function;
mod harm;
mod left;
mod linger;
mod narration;
mod nightly;
mod numbered;
mod other_writers;
mod parts;
mod promises;
mod protocol;
mod sabotage;
mod scene;
mod script;
mod state;
mod steps;
mod store;
mod witnesses;

use check::{counts, keep_every_promise, keeps_every_promise};
use configuration::{Configuration, Stores};
use left::{Left, NOTHING};
use witnesses::{
    EXPIRED, FORGOTTEN, LATE_PROTECTION, LATE_RELEASE, OUTLIVED, PART_OF_A_BATCH, PART_OF_A_CALL, SWEEP_ACTS,
    THREE_AT_ONCE, TOO_LATE_TO_SEND,
};

#[test]
fn whatever_happens_two_invocations_keep_every_promise() {
    keep_every_promise(Left::things(1).into_iter().map(|left| Configuration::one_task().with(left)));
}

#[test]
fn whatever_three_faults_happen_a_task_that_stays_busy_stays_protected() {
    keep_every_promise(Left::faults(3).into_iter().map(|left| Configuration::one_task_that_stays_busy().with(left)));
}

#[test]
fn three_invocations_at_once_keep_every_promise() {
    let configuration = Configuration { at_once: 3, ..Configuration::one_task_that_stays_busy() };
    let left = Left { crashes: 1, ecs_faults: 1, duplicates: 1, ..NOTHING };
    keeps_every_promise(configuration.with(left).reaching(&[THREE_AT_ONCE]));
}

#[test]
fn two_tasks_that_share_batches_and_calls_keep_every_promise() {
    keeps_every_promise(
        Configuration::two_tasks_of_which_three_jobs_end().reaching(&[PART_OF_A_CALL, PART_OF_A_BATCH]),
    );
}

#[test]
fn of_two_tasks_that_share_batches_and_calls_neither_is_harmed_by_the_other_s_fault() {
    for left in [Left { crashes: 1, ecs_faults: 1, ..NOTHING }, Left { refusals: 1, ..NOTHING }] {
        let configuration = Configuration::two_tasks_of_which_one_stays_busy().with(left);
        keeps_every_promise(configuration.reaching(&[PART_OF_A_CALL, PART_OF_A_BATCH]));
    }
}

#[test]
fn stores_and_calls_with_late_answers_keep_every_promise() {
    let slow = Configuration { stores: Stores::AnsweredLater, ..Configuration::one_task() };
    keeps_every_promise(slow.with(Left { crashes: 1, ecs_faults: 1, ..NOTHING }));
    // Long enough for a call to be too late to send.
    let slow = Configuration { timeout_s: 900, ..Configuration::one_task_that_stays_busy() };
    let unanswered = Configuration { stores: Stores::AnsweredLater, tick_s: 40, ..slow.clone() };
    let left = Left { ticks: 2, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(unanswered.with(left).reaching(&[TOO_LATE_TO_SEND]));
    // Long enough for a call to expire from the record while its caller still waits for it. Counted from the first
    // start, because another release must be in flight when the answer arrives.
    let forgotten = Configuration { carried_out: 0, tick_s: 60, ..slow };
    keeps_every_promise(forgotten.with(Left { ticks: 2, ..NOTHING }).reaching(&[FORGOTTEN]));
}

#[test]
fn jobs_that_outlive_their_time_are_held_no_longer() {
    let left = Left { crashes: 1, ecs_faults: 1, ..NOTHING };
    keeps_every_promise(Configuration::jobs_without_end().with(left).reaching(&[EXPIRED]));
    keeps_every_promise(Configuration::a_job_that_is_prolonged().with(left).reaching(&[
        EXPIRED,
        LATE_PROTECTION,
        OUTLIVED,
        SWEEP_ACTS,
    ]));
    let slow = Configuration { timeout_s: 900, tick_s: 60, ..Configuration::jobs_without_end() };
    keeps_every_promise(slow.with(Left { ticks: 2, ecs_faults: 1, ..NOTHING }).reaching(&[EXPIRED]));
}

#[test]
fn a_sweep_at_any_moment_keeps_every_promise() {
    let left = Left { sweeps: 1, crashes: 1, ecs_faults: 1, ticks: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task_that_stays_busy().with(left).reaching(&[SWEEP_ACTS]));
}

#[test]
fn an_operator_s_release_at_any_moment_keeps_every_promise() {
    let left = Left { releases: 1, crashes: 1, ecs_faults: 1, sweeps: 1, ..NOTHING };
    keeps_every_promise(Configuration::one_task_that_stays_busy().with(left));
}

#[test]
fn a_job_that_outlives_its_time_keeps_its_protection_until_it_expires() {
    let left = Left { sweeps: 1, crashes: 1, ..NOTHING };
    let mut configuration = Configuration::jobs_that_share_a_call().with(left);
    // No job has finished, so nothing is released.
    configuration.must_reach.retain(|witness| *witness != LATE_RELEASE);
    keeps_every_promise(configuration);
}

#[test]
fn one_walk_counts_the_same_states_as_another_on_two_threads() {
    let left = Left { crashes: 1, ecs_faults: 1, ..NOTHING };
    let [one, two] = [1, 2].map(|threads| counts(Configuration::one_task_that_stays_busy().with(left), threads));
    assert_eq!(one, two);
}
