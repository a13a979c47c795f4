//! Outcomes, each for a message and a task state.

use super::*;
use crate::ecs::FailureReason;
use crate::lambda::received::Channel;
use crate::store::error::StoreError;
use crate::task::agent_protection::AgentProtection;
use crate::task::job::{Job, Reported};
use crate::task::own_protection::OwnProtection;
use crate::task::protection::Refusal;
use crate::task::record::TaskRecord;
use jiff::SignedDuration;

fn config() -> Config {
    let cluster = ("TASKHOLD_CLUSTERS", "arn:aws:ecs:eu-west-1:111122223333:cluster/video");
    Config::from_variables([cluster].map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + minute * 60).unwrap()
}

fn key(job_id: &str) -> JobKey {
    JobKey { job_id: job_id.to_owned(), attempt: 1 }
}

/// A task with a job that lives for an hour.
fn busy() -> TaskRecord {
    let mut record = TaskRecord::default();
    record.merge_job(&key("j"), &Job { declared_until: Some(at(60)), ..Job::default() });
    record
}

/// A task without a job that ECS may still protect.
fn held() -> TaskRecord {
    let mut record = TaskRecord::default();
    record.merge_job(&key("j"), &Job { finished_at: Some(at(0)), ..Job::default() });
    record.protection.own.push(OwnProtection::granted(at(0), at(60)));
    record
}

fn received(receives: u32) -> Received {
    Received { sent_at: at(0), receives, sender: String::new(), channel: Channel::Queue }
}

fn end_of_state(message_type: JobMessageType, job_id: &str, state: &TaskState) -> MessageOutcome {
    let received = received(1);
    message_outcome(message_type, &key(job_id), &received, state, &config(), at(1))
}

/// The outcome of a message whose task is known, but whose request was not carried out because the time was up.
fn unsettled(message_type: JobMessageType, job_id: &str, record: TaskRecord) -> MessageOutcome {
    end_of_state(message_type, job_id, &TaskState::Known(record, Some(Unsettled::OutOfTime)))
}

fn again() -> MessageOutcome {
    MessageOutcome::Retry(Unsettled::OutOfTime)
}

#[test]
fn a_message_whose_record_would_be_too_large_is_dead_lettered_the_first_time_with_the_reason() {
    let failure = StoreError::TooLarge("TASK".to_owned(), 400_000, 380_000);
    let state = TaskState::NotStored(Unsettled::Store(failure.clone()));
    assert_eq!(end_of_state(JobMessageType::Started, "j", &state), MessageOutcome::DeadLetter(failure.to_string()));
}

#[test]
fn a_message_is_retried_when_the_store_failed_otherwise() {
    for failure in [StoreError::Throttled, StoreError::Unexpected("connection reset".to_owned())] {
        let reason = Unsettled::Store(failure);
        let state = TaskState::NotStored(reason.clone());
        assert_eq!(end_of_state(JobMessageType::Started, "j", &state), MessageOutcome::Retry(reason));
    }
}

#[test]
fn a_start_and_a_heartbeat_are_retried_while_their_own_job_lives_and_is_not_protected() {
    for message_type in [JobMessageType::Started, JobMessageType::Heartbeat] {
        assert_eq!(unsettled(message_type, "j", busy()), again());
        assert_eq!(unsettled(message_type, "another", busy()), MessageOutcome::Done);
        assert_eq!(unsettled(message_type, "j", held()), MessageOutcome::Done, "it has finished");
        assert_eq!(end_of_state(message_type, "j", &TaskState::Known(busy(), None)), MessageOutcome::Done);
    }
}

#[test]
fn a_start_whose_task_protects_itself_is_retried_until_ecs_has_proved_that_it_knows_the_task() {
    let protection = Some(Reported { value: AgentProtection::Until(at(60)), at: at(0) });
    let mut record = TaskRecord::default();
    let by_agent = Job { declared_until: Some(at(60)), protection, ..Job::default() };
    record.merge_job(&key("j"), &by_agent);
    assert_eq!(unsettled(JobMessageType::Started, "j", record.clone()), again());
    record.protection.is_known = true;
    assert_eq!(unsettled(JobMessageType::Started, "j", record), MessageOutcome::Done);
}

#[test]
fn a_finish_is_retried_while_its_task_is_idle_protected_and_running() {
    assert_eq!(unsettled(JobMessageType::Finished, "j", held()), again());
    let mut others_work = held();
    others_work.merge_job(&key("another"), &Job { declared_until: Some(at(60)), ..Job::default() });
    assert_eq!(unsettled(JobMessageType::Finished, "j", others_work), MessageOutcome::Done);
    let mut released = held();
    released.protection.own.clear();
    assert_eq!(unsettled(JobMessageType::Finished, "j", released), MessageOutcome::Done);
    let mut stopped = held();
    stopped.stop(at(1));
    assert_eq!(unsettled(JobMessageType::Finished, "j", stopped), MessageOutcome::Done);
}

#[test]
fn a_task_that_ecs_does_not_know_may_be_on_its_way_for_the_grace_and_no_longer() {
    let refusal = Refusal { reason: FailureReason::Missing, detail: None, at: at(0) };
    let state = TaskState::Known(busy(), Some(Unsettled::Refused(refusal)));
    let received = received(1);
    let ends = |after: SignedDuration| {
        message_outcome(JobMessageType::Started, &key("j"), &received, &state, &config(), at(0) + after)
    };
    let grace = config().unknown_task_grace;
    assert!(matches!(ends(grace), MessageOutcome::Retry(_)));
    let dead_lettered = ends(grace + SignedDuration::from_millis(1));
    assert!(
        matches!(&dead_lettered, MessageOutcome::DeadLetter(why) if why.contains("MISSING, and not for")),
        "{dead_lettered:?}"
    );
}
