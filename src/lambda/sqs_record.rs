//! Parses one SQS record: a job message or an ECS event, in any number of envelopes of SNS, EventBridge or a pipe.
//!
//! Each record is parsed alone, so a malformed one does not affect its neighbors.

use crate::config::clusters::Clusters;
use crate::ecs::arn::shown;
use crate::lambda::ecs_event::EcsEvent;
use crate::lambda::job_message::{JobMessage, JobMessageError};
use crate::lambda::job_message_fields::{Envelope, JobMessageFields};

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

/// Most envelopes around a message: SNS, EventBridge and a pipe can follow each other, and none has a reason to repeat.
const ENVELOPES_MAX: u32 = 4;

/// Parses the body of a record.
pub fn parse(body: &str, clusters: &Clusters) -> QueueMessage {
    parse_inside(body, clusters, ENVELOPES_MAX).unwrap_or_else(QueueMessage::Malformed)
}

fn parse_inside(body: &str, clusters: &Clusters, envelopes_max: u32) -> Result<QueueMessage, JobMessageError> {
    let fields = fields(body)?;
    match fields.envelope() {
        Some(Envelope::EventOfAws) => {
            let event = EcsEvent::parse(body, clusters);
            return event.map(QueueMessage::Ecs).map_err(|error| not_an_object(body, &shown(&error.to_string())));
        }
        Some(Envelope::Event(_)) if !reports_a_job_inside(body, envelopes_max) => {
            let what = "an event of another source, without a job message".to_owned();
            return Ok(QueueMessage::Ecs(EcsEvent::Ignored(what)));
        }
        Some(Envelope::Event(inside) | Envelope::Around(inside)) if envelopes_max > 0 => {
            return parse_inside(inside, clusters, envelopes_max - 1);
        }
        _ => {}
    }
    if body.len() > JOB_MESSAGE_BYTES_MAX {
        return Err(JobMessageError::TooLarge(body.len(), JOB_MESSAGE_BYTES_MAX));
    }
    Ok(QueueMessage::Job(fields.validate(clusters)?))
}

/// Whether a text is meant to be a job message, valid or not, in any number of envelopes.
pub(crate) fn reports_a_job(text: &str) -> bool {
    reports_a_job_inside(text, ENVELOPES_MAX)
}

fn reports_a_job_inside(text: &str, envelopes_max: u32) -> bool {
    let Ok(fields) = fields(text) else { return false };
    match fields.envelope() {
        Some(Envelope::Event(inside) | Envelope::Around(inside)) if envelopes_max > 0 => {
            reports_a_job_inside(inside, envelopes_max - 1)
        }
        Some(_) => false,
        None => fields.reports_a_job(),
    }
}

fn fields(body: &str) -> Result<JobMessageFields, JobMessageError> {
    if !body.trim_start().starts_with('{') {
        return Err(not_an_object(body, "it does not begin with `{`"));
    }
    serde_json::from_str(body).map_err(|error| not_an_object(body, &error.to_string()))
}

fn not_an_object(body: &str, why: &str) -> JobMessageError {
    match body.len() {
        // In a body this large, the position of the syntax error does not help.
        bytes if bytes > JOB_MESSAGE_BYTES_MAX => JobMessageError::TooLarge(bytes, JOB_MESSAGE_BYTES_MAX),
        _ => JobMessageError::NotAnObject(why.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn cluster_and_task_id_stand_for_the_arn_and_complete_its_short_form() {
        let by_id = json!({"version": 1, "type": "job.started", "jobId": "j-1", "cluster": "video", "taskId": ID});
        assert_eq!(job(&by_id.to_string()).task.to_string(), arn());
        let short = json!({"version": 1, "type": "job.started", "jobId": "j-1", "cluster": "video",
            "taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/{ID}")});
        assert_eq!(job(&short.to_string()).task.to_string(), arn());
    }

    #[test]
    fn every_envelope_is_opened_in_any_order_and_too_many_are_refused() {
        let by_sns = |inside: &str| json!({"Type": "Notification", "Message": inside}).to_string();
        let by_event_bridge = |inside: &str| {
            let inside: Value = serde_json::from_str(inside).unwrap();
            json!({"version": "0", "source": "my.workers", "detail-type": "job", "detail": inside}).to_string()
        };
        let by_a_pipe = |inside: &str| json!({"messageId": "m", "eventSource": "aws:sqs", "body": inside}).to_string();
        let envelopes: [&dyn Fn(&str) -> String; 3] = [&by_sns, &by_event_bridge, &by_a_pipe];
        let bare = message().to_string();
        for outer in envelopes {
            assert_eq!(job(&outer(&bare)), job(&bare));
            for inner in envelopes {
                assert_eq!(job(&outer(&inner(&bare))), job(&bare));
                assert!(reports_a_job(&outer(&inner(&bare))));
            }
        }
        let many = (0..5).fold(bare, |inside, _| by_sns(&inside));
        assert!(reason(&many).contains("`version` is missing"), "{}", reason(&many));
    }

    #[test]
    fn an_event_of_another_source_without_a_job_message_is_ignored() {
        let event = |detail: &Value| {
            let event = json!({"version": "0", "source": "video.orders", "detail-type": "order", "detail": detail});
            parse(&event.to_string(), &clusters())
        };
        for detail in [json!({"order": 7}), json!({"jobId": "j-1"}), json!(7), json!({"type": "order"})] {
            assert!(matches!(event(&detail), QueueMessage::Ecs(EcsEvent::Ignored(_))), "{detail}");
        }
        assert!(matches!(event(&json!({"type": "job.started"})), QueueMessage::Malformed(_)));
    }

    #[test]
    fn a_misnamed_field_is_named_and_the_message_carried_out_with_the_defaults() {
        let job = job(&with("expiresInMinutes", json!(600)));
        assert_eq!(job.max_duration_minutes, None);
        let misnamed: Vec<_> = job.misnamed.iter().map(|one| (one.found.as_str(), one.meant)).collect();
        assert_eq!(misnamed, [("expiresInMinutes", "maxDurationMinutes")]);
        let mut both = message();
        (both["maxDurationMinutes"], both["duration"]) = (json!(600), json!("as long as it takes"));
        assert_eq!(self::job(&both.to_string()).misnamed, [], "its own field, beside the one that it might stand for");
        let mut required = message();
        required["job_id"] = required["jobId"].take();
        assert!(
            reason(&required.to_string()).ends_with("The message has `job_id`"),
            "{}",
            reason(&required.to_string())
        );
    }

    #[test]
    fn every_rule_is_reported_with_its_field_and_the_value_found() {
        let number = "it must be a whole number from 1 to 2880";
        for (body, expected) in [
            ("not json".to_owned(), "does not begin with `{`"),
            ("[1]".to_owned(), "does not begin with `{`"),
            (with("kind", json!("k".repeat(65))), "`kind` is"),
            (with("kind", json!("")), "`kind` is"),
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
            (
                with("labels", json!({"episode": 17})),
                "`labels.episode` is 17; it must be a string of at most 128 characters",
            ),
            (with("labels", json!({"n".repeat(65): "x"})), "`labels` is an object; it must be an object of at most 8"),
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
