//! Parses one SQS record: a job message, an ECS event, or an SNS envelope around either.
//!
//! Each record is parsed alone, so a malformed one does not affect its neighbors.

use crate::config::clusters::Clusters;
use crate::ecs::arn::shown;
use crate::lambda::job_message::{JobMessage, JobMessageError, JobMessageFields};
use crate::lambda::payload::EcsEvent;

/// Larger than any job message: the longest valid one, with every character escaped, has about 20 KB. A larger body is
/// rejected without validation.
pub const JOB_MESSAGE_BYTES_MAX: usize = 65_536;

/// The content of a record's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueMessage {
    /// A job message.
    Job(JobMessage),
    /// An ECS event.
    Ecs(EcsEvent),
    /// Meant to be a message, but not valid; to be dead-lettered with this reason.
    Malformed(JobMessageError),
}

/// Parses the body of a record.
pub fn parse(body: &str, clusters: &Clusters) -> QueueMessage {
    parse_body(body, clusters, Wrapping::Allowed).unwrap_or_else(QueueMessage::Malformed)
}

/// Whether an SNS envelope may surround the body. Envelopes are not nested.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrapping {
    Allowed,
    Unwrapped,
}

fn parse_body(body: &str, clusters: &Clusters, wrapping: Wrapping) -> Result<QueueMessage, JobMessageError> {
    let not_an_object = |why: String| match body.len() {
        // In a body this large, the position of the syntax error does not help.
        bytes if bytes > JOB_MESSAGE_BYTES_MAX => JobMessageError::TooLarge(bytes, JOB_MESSAGE_BYTES_MAX),
        _ => JobMessageError::NotAnObject(why),
    };
    // serde would accept an array for a struct, field by field.
    if !body.trim_start().starts_with('{') {
        return Err(not_an_object("it does not begin with `{`".to_owned()));
    }
    let fields: JobMessageFields = serde_json::from_str(body).map_err(|error| not_an_object(error.to_string()))?;
    if fields.is_event_bridge_envelope() {
        let event = EcsEvent::parse(body, clusters).map_err(|error| not_an_object(shown(&error.to_string())))?;
        return Ok(QueueMessage::Ecs(event));
    }
    if let (Wrapping::Allowed, Some(message)) = (wrapping, fields.sns_message()) {
        return parse_body(message, clusters, Wrapping::Unwrapped);
    }
    if body.len() > JOB_MESSAGE_BYTES_MAX {
        return Err(JobMessageError::TooLarge(body.len(), JOB_MESSAGE_BYTES_MAX));
    }
    Ok(QueueMessage::Job(fields.validate(clusters)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::job_message::JobMessageType;
    use serde_json::{Value, json};

    const ID: &str = "6b777c1809a94925ab48098fa09824de";

    fn clusters() -> Clusters {
        Clusters::new(vec!["arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap()]).unwrap()
    }

    fn arn() -> String {
        format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{ID}")
    }

    fn message() -> Value {
        json!({"version": 1, "type": "job.started", "jobId": "j-1", "taskArn": arn()})
    }

    fn with(field: &str, value: Value) -> String {
        let mut message = message();
        message[field] = value;
        message.to_string()
    }

    fn job(body: &str) -> JobMessage {
        match parse(body, &clusters()) {
            QueueMessage::Job(job) => job,
            other => panic!("{other:?}"),
        }
    }

    fn reason(body: &str) -> String {
        match parse(body, &clusters()) {
            QueueMessage::Malformed(error) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_job_message_is_read_with_its_defaults() {
        let job = job(&message().to_string());
        assert_eq!((job.message_type, job.job.attempt), (JobMessageType::Started, 1));
        assert_eq!(job.task.to_string(), arn());
        assert_eq!(job.max_duration_minutes, None);
    }

    #[test]
    fn unknown_fields_are_tolerated() {
        assert_eq!(job(&with("somethingNew", json!({"a": [1, 2]}))), job(&message().to_string()));
    }

    #[test]
    fn cluster_and_task_id_stand_for_the_arn_and_complete_its_short_form() {
        let by_id = json!({"version": 1, "type": "job.started", "jobId": "j-1", "cluster": "video", "taskId": ID});
        assert_eq!(job(&by_id.to_string()).task.to_string(), arn());
        let short = json!({"version": 1, "type": "job.started", "jobId": "j-1", "cluster": "video",
            "taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/{ID}")});
        assert_eq!(job(&short.to_string()).task.to_string(), arn());
    }

    #[test]
    fn an_sns_envelope_is_opened_once() {
        let wrapped = json!({"Type": "Notification", "Message": message().to_string()}).to_string();
        assert_eq!(job(&wrapped), job(&message().to_string()));
        let twice = json!({"Type": "Notification", "Message": wrapped}).to_string();
        assert!(reason(&twice).contains("`version` is missing"), "{}", reason(&twice));
    }

    #[test]
    fn an_event_in_a_body_is_distinguished_from_a_job_message() {
        let event = json!({"version": "0", "source": "aws.ecs", "detail-type": "From The Future", "detail": {}});
        assert!(matches!(parse(&event.to_string(), &clusters()), QueueMessage::Ecs(EcsEvent::Ignored(_))));
        let stopped = json!({"version": "0", "source": "aws.ecs", "detail-type": "ECS Task State Change",
            "detail": {"taskArn": arn(), "lastStatus": "STOPPED"}});
        assert!(matches!(parse(&stopped.to_string(), &clusters()), QueueMessage::Ecs(EcsEvent::TaskStopEvent(_))));
    }

    #[test]
    fn every_rule_is_reported_with_its_field_and_the_value_found() {
        let number = "it must be a whole number from 1 to 2880";
        for (body, expected) in [
            ("not json".to_owned(), "does not begin with `{`"),
            ("[1]".to_owned(), "does not begin with `{`"),
            ("{\"version\": 1,".to_owned(), "not a JSON object: EOF"),
            (format!("{}1{}", "{\"x\":".repeat(5000), "}".repeat(5000)), "`version` is missing"),
            (
                with("labels", json!(1)).replace(":1,\"t", &format!(":{}{},\"t", "[".repeat(200), "]".repeat(200))),
                "recursion limit",
            ),
            (format!("{{\"x\": {}}}", "[".repeat(100_000)), "has 100007 bytes; a job message has at most 65536"),
            (with("x", json!("y".repeat(1 << 20))), "a job message has at most 65536"),
            ("{}".to_owned(), "`version` is missing; it must be the number 1"),
            (with("version", json!("1")), "`version` is the string \"1\"; it must be the number 1"),
            (with("type", json!("job.paused")), "`type` is the string \"job.paused\""),
            (with("jobId", json!("")), "`jobId` is an empty string; it must be a string of 1 to 256 characters"),
            (with("jobId", json!("x".repeat(257))), "`jobId` is a string of 257 characters"),
            (with("jobId", json!(7)), "`jobId` is 7"),
            (with("attempt", json!(0)), "`attempt` is 0"),
            (with("maxDurationMinutes", json!(0)), number),
            (with("maxDurationMinutes", json!(-1)), "`maxDurationMinutes` is -1"),
            (with("maxDurationMinutes", json!(2881)), "`maxDurationMinutes` is 2881"),
            (with("maxDurationMinutes", json!(1.5)), "`maxDurationMinutes` is 1.5"),
            (with("maxDurationMinutes", json!("90")), "`maxDurationMinutes` is the string \"90\""),
            (with("maxDurationMinutes", json!(1e9)), "`maxDurationMinutes` is 1000000000.0"),
            (with("expectedDurationMinutes", json!(0)), "`expectedDurationMinutes` is 0"),
            (with("labels", json!({"a": 1})), "`labels` is an object; it must be an object of at most 8 strings"),
            (with("taskArn", json!(ID)), "`taskArn`: `6b777c1809a94925ab48098fa09824de` is not an ARN"),
            (with("taskArn", json!("arn:aws:sqs:eu-west-1:111122223333:q")), "is an ARN of `sqs`"),
            (with("taskArn", json!(arn().replace("eu-west-1", "us-east-1"))), "its Region is `us-east-1`"),
            (with("taskArn", json!(arn().replace("arn:aws:", "arn:aws-cn:"))), "its partition is `aws-cn`"),
            (with("taskArn", json!(arn().replace("1111", "9999"))), "its account is `999922223333`"),
            (with("taskArn", json!(arn().replace("/video", ""))), "is the short form, which does not name the cluster"),
            (with("taskArn", json!(arn().replace("video", "other"))), "cluster `other` is not in TASKHOLD_CLUSTERS"),
            (with("cluster", json!("other")), "cluster `other` is not in TASKHOLD_CLUSTERS (video)"),
            (with("taskId", json!("x")), "`taskId` is `x`; it must be the id that `taskArn` ends with"),
            (with("taskArn", json!(null)), "`taskArn` is missing"),
        ] {
            let reason = reason(&body);
            assert!(reason.contains(expected), "expected {expected}, found {reason}");
            assert!(reason.len() < 700, "a reason must fit an attribute: {}", reason.len());
        }
    }
}
