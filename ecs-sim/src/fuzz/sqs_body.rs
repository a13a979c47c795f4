//! The body of one SQS record: `sqs_record::parse`.

use super::{expect, seeds};
use jiff::Timestamp;
use serde_json::json;
use taskhold::lambda::job_message::{JobMessage, JobMessageType};
use taskhold::lambda::sqs_record;
use taskhold::lambda::sqs_record::QueueMessage;

/// The bodies of `events/` and of the scenarios.
pub fn seeds() -> Vec<String> {
    seeds::bodies()
}

/// A parsed job message follows the rules and round-trips through its printed form, also in an SNS envelope. Any
/// other body is dead-lettered with a reason that fits its limits.
pub fn check(text: &str) {
    match sqs_record::parse(text, expect::clusters()) {
        QueueMessage::Job(message) => {
            expect::job_message(&message);
            let message = JobMessage { misnamed: Vec::new(), ..message };
            let printed = printed(&message);
            assert_eq!(sqs_record::parse(&printed, expect::clusters()), QueueMessage::Job(message.clone()));
            let wrapped = json!({"Type": "Notification", "Message": printed}).to_string();
            assert_eq!(sqs_record::parse(&wrapped, expect::clusters()), QueueMessage::Job(message.clone()));
            tells_one_job(message);
        }
        QueueMessage::Ecs(event) => expect::event(&event),
        QueueMessage::Malformed(error) => expect::reason(&error.to_string()),
    }
}

/// The job that results from a message alone, whenever it was sent.
fn tells_one_job(message: JobMessage) {
    let (message_type, minutes) = (message.message_type, message.max_duration_minutes.unwrap_or(120));
    for sent_at in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let job = message.clone().into_job(sent_at).report.job;
        let lives = job.lives_until(sent_at);
        match message_type {
            JobMessageType::Finished => assert_eq!(lives, None),
            JobMessageType::Started | JobMessageType::Heartbeat if sent_at < Timestamp::MAX => {
                let until = lives.expect("a job that has just started is live");
                assert_eq!(until.duration_since(sent_at).as_mins(), i64::from(minutes));
            }
            JobMessageType::Started | JobMessageType::Heartbeat => assert_eq!(lives, None, "time ends"),
        }
    }
}

/// The message as a worker writes it.
fn printed(message: &JobMessage) -> String {
    let JobMessage {
        message_type,
        job,
        task,
        max_duration_minutes,
        expected_duration_minutes,
        heartbeat_minutes,
        kind,
        labels,
        misnamed,
        protection: _,
    } = message;
    assert!(misnamed.is_empty(), "an unknown field is not written");
    let mut body = json!({
        "version": 1,
        "type": message_type.as_str(),
        "jobId": job.job_id,
        "attempt": job.attempt,
        "taskArn": task.to_string(),
        "labels": labels,
    });
    max_duration_minutes.inspect(|minutes| body["maxDurationMinutes"] = json!(minutes));
    expected_duration_minutes.inspect(|minutes| body["expectedDurationMinutes"] = json!(minutes));
    heartbeat_minutes.inspect(|minutes| body["heartbeatMinutes"] = json!(minutes));
    kind.as_ref().inspect(|kind| body["kind"] = json!(kind));
    body.to_string()
}
