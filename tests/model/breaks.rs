//! Deliberate breaks: the checker finds each of them.

use super::check::is_found_out;
use super::configuration::{Configuration, RecordSpace, Stores};
use super::left::{Left, NOTHING};
use super::promises::{
    AGENT_IS_ONLY_WRITER, AGENT_JOBS_KEEP, BUSY_IS_PROTECTED, FOREIGN_STAYS, IDLE_IS_UNPROTECTED,
    NEVER_SHORTER_THAN_AGENT, NOTHING_IS_LOST, ONLY_AN_END_RELEASES, REJECTED_IS_REMEMBERED, SWEEP_REPAIRS,
};
use super::sabotage::ModelSabotage;

#[test]
fn a_full_record_that_keeps_no_fingerprint_of_a_finished_job_is_found_out() {
    let (records, sabotage) = (RecordSpace::Full, ModelSabotage::NoFingerprints);
    let configuration = Configuration { records, sabotage, ..Configuration::one_task() };
    is_found_out(configuration.clone().with(Left { duplicates: 1, ..NOTHING }), IDLE_IS_UNPROTECTED);
    is_found_out(configuration, NOTHING_IS_LOST);
}

#[test]
fn a_full_record_that_has_no_room_for_a_finish_is_found_out() {
    let (records, sabotage) = (RecordSpace::Full, ModelSabotage::FinishesFindNoRoom);
    let configuration = Configuration { records, sabotage, ..Configuration::one_task() };
    is_found_out(configuration.clone(), NOTHING_IS_LOST);
    is_found_out(configuration, IDLE_IS_UNPROTECTED);
}

#[test]
fn a_release_that_is_not_written_down_before_it_is_sent_is_found_out() {
    let sabotage = ModelSabotage::ReleasesAreNotWrittenDown;
    is_found_out(Configuration { sabotage, ..Configuration::one_task_that_stays_busy() }, BUSY_IS_PROTECTED);
}

#[test]
fn a_merge_that_drops_an_unfinished_job_is_found_out() {
    let sabotage = ModelSabotage::UnfinishedJobsAreDropped;
    is_found_out(Configuration { sabotage, ..Configuration::one_task() }, NOTHING_IS_LOST);
    is_found_out(Configuration { sabotage, ..Configuration::one_task_that_stays_busy() }, BUSY_IS_PROTECTED);
}

#[test]
fn a_store_that_is_not_compared_is_found_out() {
    let sabotage = ModelSabotage::StoresAreNotCompared;
    is_found_out(Configuration { sabotage, ..Configuration::one_task() }, BUSY_IS_PROTECTED);
    is_found_out(Configuration { sabotage, ..Configuration::one_task() }, NOTHING_IS_LOST);
}

#[test]
fn an_answer_that_acknowledges_a_failed_message_is_found_out() {
    let sabotage = ModelSabotage::FailuresAreAcknowledged;
    let configuration = Configuration { sabotage, ..Configuration::one_task() };
    is_found_out(configuration.clone().with(Left { ecs_faults: 1, ..NOTHING }), BUSY_IS_PROTECTED);
    is_found_out(configuration.clone().with(Left { store_faults: 1, ..NOTHING }), NOTHING_IS_LOST);
    is_found_out(configuration.with(Left { ecs_faults: 1, ..NOTHING }), IDLE_IS_UNPROTECTED);
}

#[test]
fn a_call_without_an_answer_that_is_taken_for_one_without_effect_is_found_out() {
    let sabotage = ModelSabotage::NoAnswerMeansNoEffect;
    let configuration = Configuration { sabotage, ..Configuration::one_task() };
    is_found_out(configuration.with(Left { ecs_faults: 1, ..NOTHING }), BUSY_IS_PROTECTED);
}

#[test]
fn an_effect_that_comes_later_than_is_assumed_is_found_out() {
    let sabotage = ModelSabotage::EffectsAreTooLate;
    let configuration = Configuration { sabotage, ..Configuration::one_task() };
    is_found_out(configuration.with(Left { ecs_faults: 1, ..NOTHING }), BUSY_IS_PROTECTED);
}

#[test]
fn slow_answers_that_are_not_noticed_before_a_call_are_found_out() {
    let (stores, timeout_s, tick_s) = (Stores::AnsweredLater, 900, 60);
    let sabotage = ModelSabotage::SlowAnswersAreNotNoticed;
    let slow = Configuration { stores, timeout_s, tick_s, sabotage, ..Configuration::one_task_that_stays_busy() };
    is_found_out(slow.with(Left { ecs_faults: 1, ticks: 2, ..NOTHING }), BUSY_IS_PROTECTED);
}

#[test]
fn a_release_of_what_another_writer_has_set_is_found_out() {
    let sabotage = ModelSabotage::ForeignProtectionIsNotSeen;
    let configuration = Configuration { sabotage, ..Configuration::one_task() };
    is_found_out(configuration.with(Left { agents: 1, ..NOTHING }), FOREIGN_STAYS);
}

#[test]
fn a_release_at_a_job_s_declared_end_is_found_out() {
    let sabotage = ModelSabotage::DeclaredEndsRelease;
    let configuration = Configuration { sabotage, ..Configuration::jobs_that_share_a_call() };
    is_found_out(configuration.with(Left { sweeps: 1, ..NOTHING }), ONLY_AN_END_RELEASES);
}

#[test]
fn a_call_for_a_job_whose_task_protects_itself_is_found_out() {
    let sabotage = ModelSabotage::AgentJobsAreCalledFor;
    let configuration = Configuration { sabotage, ..Configuration::one_task_that_protects_itself() };
    is_found_out(configuration.with(Left { sweeps: 1, ..NOTHING }), AGENT_IS_ONLY_WRITER);
}

#[test]
fn a_release_while_a_job_lives_whose_task_protects_itself_is_found_out() {
    let sabotage = ModelSabotage::AgentJobsKeepNothing;
    is_found_out(Configuration { sabotage, ..Configuration::one_task_with_two_writers() }, AGENT_JOBS_KEEP);
}

#[test]
fn a_request_for_less_time_than_a_worker_has_reported_is_found_out() {
    let sabotage = ModelSabotage::AgentJobsKeepNothing;
    is_found_out(Configuration { sabotage, ..Configuration::one_task_with_two_writers() }, NEVER_SHORTER_THAN_AGENT);
}

#[test]
fn a_call_without_an_answer_whose_expiry_is_not_recognized_is_found_out() {
    let sabotage = ModelSabotage::StaleCallsAreNotRemembered;
    let configuration = Configuration { sabotage, ..Configuration::one_job() };
    is_found_out(configuration.with(Left { crashes: 1, ..NOTHING }), IDLE_IS_UNPROTECTED);
}

#[test]
fn another_writer_s_expiry_that_is_taken_for_that_of_a_call_without_an_answer_is_found_out() {
    let sabotage = ModelSabotage::StaleCallsFitEveryExpiry;
    let configuration = Configuration { sabotage, ..Configuration::one_job() };
    is_found_out(configuration.with(Left { crashes: 1, agents: 1, ..NOTHING }), FOREIGN_STAYS);
}

#[test]
fn a_rejected_start_that_is_forgotten_is_found_out() {
    let sabotage = ModelSabotage::RejectedStartsAreForgotten;
    let configuration = Configuration { sabotage, ..Configuration::one_task_with_room_for_one_job() };
    is_found_out(configuration, REJECTED_IS_REMEMBERED);
}

#[test]
fn a_sweep_that_does_not_see_what_another_writer_took_away_is_found_out() {
    let sabotage = ModelSabotage::LossesAreNotSeen;
    let configuration = Configuration { sabotage, ..Configuration::one_task_whose_protection_is_taken_away() };
    is_found_out(configuration.with(Left { agents: 1, ..NOTHING }), SWEEP_REPAIRS);
}

#[test]
fn a_refusal_that_is_not_written_down_is_found_out() {
    let sabotage = ModelSabotage::RefusalsAreNotWrittenDown;
    let configuration = Configuration { sabotage, ..Configuration::one_task_whose_protection_is_taken_away() };
    is_found_out(configuration.with(Left { agents: 1, refusals: 1, ..NOTHING }), SWEEP_REPAIRS);
}
