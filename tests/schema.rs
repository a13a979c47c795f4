//! The published schema of job messages and the parser agree, message by message. [`differences`] lists the rules
//! that a schema cannot express, each with the reason.

use crate::files::read;
use serde_json::{Value, json};
use taskhold::config::clusters::Clusters;
use taskhold::ecs::PROTECTION_MINUTES_MAX;
use taskhold::lambda::job_message::{
    JOB_ID_CHARS_MAX, LABEL_NAME_CHARS_MAX, LABEL_VALUE_CHARS_MAX, LABELS_MAX, MAX_DURATION_MINUTES_DEFAULT,
};
use taskhold::lambda::sqs_record;
use taskhold::lambda::sqs_record::{JOB_MESSAGE_BYTES_MAX, QueueMessage};

const ID: &str = "4f0c2a9be1d84763a5c07be214d95f3a";
const ARN: &str = "arn:aws:ecs:eu-west-1:111122223333:task/video/4f0c2a9be1d84763a5c07be214d95f3a";
const SHORT_ARN: &str = "arn:aws:ecs:eu-west-1:111122223333:task/4f0c2a9be1d84763a5c07be214d95f3a";
const CLUSTER_ARN: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/video";

fn schema() -> Value {
    serde_json::from_str(&read("schemas/job-message.schema.json")).unwrap()
}

/// Whether the schema and the parser accept a body. Text that is not JSON is an instance of no schema.
struct Takes {
    schema: Box<dyn Fn(&str) -> bool>,
    parser: Box<dyn Fn(&str) -> bool>,
}

fn takes() -> Takes {
    let schema = jsonschema::draft202012::new(&schema()).unwrap();
    let clusters = Clusters::new(vec![CLUSTER_ARN.parse().unwrap()]).unwrap();
    Takes {
        schema: Box::new(move |body| serde_json::from_str(body).is_ok_and(|body: Value| schema.is_valid(&body))),
        parser: Box::new(move |body| matches!(sqs_record::parse(body, &clusters), QueueMessage::Job(_))),
    }
}

fn message() -> Value {
    json!({"version": 1, "type": "job.started", "jobId": "episode-0417", "taskArn": ARN})
}

fn with(field: &str, value: Value) -> String {
    let mut message = message();
    message[field] = value;
    message.to_string()
}

fn without(field: &str) -> String {
    let mut message = message();
    message.as_object_mut().unwrap().remove(field).unwrap();
    message.to_string()
}

/// A message whose task is named by these fields alone.
fn of_task(fields: Value) -> String {
    let mut message = message();
    message.as_object_mut().unwrap().remove("taskArn");
    for (name, value) in fields.as_object().unwrap() {
        message[name] = value.clone();
    }
    message.to_string()
}

fn labels(count: usize) -> Value {
    (0..count).map(|number| (format!("label-{number}"), json!("text"))).collect::<serde_json::Map<_, _>>().into()
}

fn good() -> Vec<String> {
    let mut good = vec![message().to_string()];
    good.extend(["job.started", "job.heartbeat", "job.finished"].map(|name| with("type", json!(name))));
    good.extend(
        ["a".to_owned(), "x".repeat(256), "ä".repeat(256), "🎬".repeat(256)].map(|id| with("jobId", json!(id))),
    );
    good.extend([1, 2, 4_294_967_295_u64].map(|attempt| with("attempt", json!(attempt))));
    for field in ["maxDurationMinutes", "expectedDurationMinutes", "heartbeatMinutes"] {
        good.extend([1, 90, 2880].map(|minutes| with(field, json!(minutes))));
    }
    let until = json!({"by": "agent", "until": "2026-01-05T13:00:00Z"});
    let refused = json!({"by": "agent", "refused": {"reason": "DEPLOYMENT_BLOCKED"}, "until": null});
    good.extend([until, refused].map(|protection| with("protection", protection)));
    for (field, whole) in [("version", 1.0), ("attempt", 2.0), ("maxDurationMinutes", 90.0)] {
        good.push(with(field, json!(whole)));
    }
    for field in
        ["attempt", "maxDurationMinutes", "expectedDurationMinutes", "heartbeatMinutes", "labels", "cluster", "taskId"]
    {
        good.push(with(field, json!(null)));
    }
    good.extend([labels(0), labels(8), json!({"": ""})].map(|labels| with("labels", labels)));
    good.push(with("labels", json!({"n".repeat(64): "ü".repeat(128)})));
    good.push(with("somethingNew", json!({"deep": [1, null]})));
    good.push(with("source", json!("a field of yours")));
    good.push(with("Type", json!("a field of yours")));
    good.extend([json!("video"), json!(CLUSTER_ARN)].map(|cluster| with("cluster", cluster)));
    good.push(with("taskId", json!(ID)));
    good.push(of_task(json!({"taskArn": SHORT_ARN, "cluster": "video"})));
    good.push(of_task(json!({"taskArn": SHORT_ARN, "cluster": "video", "taskId": ID})));
    good.push(of_task(json!({"cluster": "video", "taskId": ID})));
    good.push(of_task(json!({"taskArn": null, "cluster": CLUSTER_ARN, "taskId": ID})));
    good.push(of_task(json!({"cluster": "video", "taskId": "4f0c2a9b-e1d8-4763-a5c0-7be214d95f3a"})));
    good.push(with("taskArn", json!("arn:aws:ecs:eu-west-1:111122223333:task/video/4F0C2A9BE1D84763A5C07BE214D95F3A")));
    good
}

fn bad() -> Vec<String> {
    let mut bad: Vec<String> =
        ["", "not json", "null", "[]", "\"text\"", "7", "{}", "{\"version\": 1"].map(str::to_owned).into();
    for protection in [
        json!("agent"),
        json!({"by": "agent"}),
        json!({"by": "function", "until": "2026-01-05T13:00:00Z"}),
        json!({"until": "2026-01-05T13:00:00Z"}),
        json!({"by": "agent", "until": "tomorrow"}),
        json!({"by": "agent", "until": 1_767_618_000}),
        json!({"by": "agent", "refused": {}}),
        json!({"by": "agent", "refused": {"reason": ""}}),
        json!({"by": "agent", "until": "2026-01-05T13:00:00Z", "refused": {"reason": "MISSING"}}),
    ] {
        bad.push(with("protection", protection));
    }
    bad.extend(["version", "type", "jobId", "taskArn"].map(without));
    bad.extend([json!(0), json!(2), json!("1"), json!(1.5), json!(null), json!(true)].map(|one| with("version", one)));
    bad.extend(
        [json!("job.paused"), json!("JOB.STARTED"), json!(""), json!(1), json!(null)].map(|name| with("type", name)),
    );
    bad.extend([json!(""), json!("x".repeat(257)), json!(7), json!(null), json!(["a"])].map(|id| with("jobId", id)));
    let attempts = [json!(0), json!(-1), json!(4_294_967_296_u64), json!(1.5), json!("1"), json!(true), json!({})];
    bad.extend(attempts.map(|attempt| with("attempt", attempt)));
    for field in ["maxDurationMinutes", "expectedDurationMinutes", "heartbeatMinutes"] {
        let numbers = [json!(0), json!(-1), json!(2881), json!(1.5), json!(1e9), json!(u64::MAX), json!(-1.0)];
        bad.extend(numbers.map(|minutes| with(field, minutes)));
        bad.extend([json!("90"), json!(""), json!(true), json!([90]), json!({})].map(|minutes| with(field, minutes)));
    }
    bad.extend([json!("a"), json!(["a"]), json!(1), labels(9)].map(|labels| with("labels", labels)));
    bad.extend(
        [json!(1), json!(null), json!({}), json!("x".repeat(129))].map(|text| with("labels", json!({"a": text}))),
    );
    bad.push(with("labels", json!({"n".repeat(65): "text"})));
    for arn in [
        "",
        ID,
        SHORT_ARN,
        "arn:aws:sqs:eu-west-1:111122223333:taskhold-jobs",
        "arn:aws:s3:::bucket/key",
        "arn:aws:ecs:eu-west-1:111122223333:service/video/transcode",
        "arn:aws:ecs:eu-west-1:111122223333:service/video/4f0c2a9be1d84763a5c07be214d95f3a",
        "arn:aws:ecs:eu-west-1:111122223333:task/video/transcode/4f0c2a9be1d84763a5c07be214d95f3a",
        "arn:aws:ecs:eu-west-1:111122223333:task/video/4f0c",
        "arn:aws:ecs:eu-west-1:111122223333:task/video/4f0c2a9be1d84763a5c07be214d95f3g",
        "arn:aws:ecs:eu-west-1:111122223333:task//4f0c2a9be1d84763a5c07be214d95f3a",
        "arn:aws:ecs:eu-west-1::task/video/4f0c2a9be1d84763a5c07be214d95f3a",
        " arn:aws:ecs:eu-west-1:111122223333:task/video/4f0c2a9be1d84763a5c07be214d95f3a",
        "arn:aws:ecs:eu-west-1:111122223333:task/video/4f0c2a9be1d84763a5c07be214d95f3a\n",
    ] {
        bad.push(with("taskArn", json!(arn)));
    }
    bad.extend([json!(7), json!([ARN]), json!({})].map(|arn| with("taskArn", arn)));
    bad.extend([json!(7), json!(""), json!("a b"), json!("arn:aws:ecs:x")].map(|cluster| with("cluster", cluster)));
    bad.extend([json!(7), json!(""), json!("4f0c"), json!(ARN)].map(|id| with("taskId", id)));
    bad.push(of_task(json!({"taskArn": SHORT_ARN, "cluster": null})));
    bad.push(of_task(json!({"taskArn": SHORT_ARN, "taskId": ID})));
    bad.push(of_task(json!({"cluster": "video"})));
    bad.push(of_task(json!({"taskId": ID})));
    bad.push(of_task(json!({"cluster": "video", "taskId": null})));
    bad.push(of_task(json!({"cluster": null, "taskId": ID})));
    bad.push(of_task(json!({"taskArn": "", "cluster": "video", "taskId": ID})));
    bad
}

/// The differences and their reasons: all bodies that the schema accepts and the parser rejects.
fn differences() -> Vec<(&'static str, String)> {
    let of = |from: &str, to: &str| with("taskArn", json!(ARN.replace(from, to)));
    vec![
        ("a schema does not know the configured cluster", of("/video/", "/batch/")),
        ("a schema does not know the configured cluster", with("cluster", json!("batch"))),
        ("a schema does not know the configured cluster", of_task(json!({"cluster": "batch", "taskId": ID}))),
        ("a schema does not know the configured Region", of("eu-west-1", "us-east-1")),
        ("a schema does not know the configured account", of("111122223333", "444455556666")),
        ("a schema does not know the configured partition", of("arn:aws:", "arn:aws-cn:")),
        ("a schema cannot compare two fields", with("taskId", json!("9d61e7f83b2c4a10b6e58c0f7a3d2e91"))),
        ("a schema cannot see a repeated field", message().to_string().replacen('{', "{\"jobId\":\"another\",", 1)),
        ("a schema cannot see the size of the body", with("note", json!("x".repeat(JOB_MESSAGE_BYTES_MAX)))),
        ("an event's members make it an event", {
            let mut message = message();
            message["source"] = json!("video");
            message["detail-type"] = json!("encoding");
            message.to_string()
        }),
    ]
}

#[test]
fn the_schema_is_a_schema_of_its_draft() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
}

#[test]
fn schema_and_parser_take_every_good_message() {
    let takes = takes();
    for body in good() {
        assert_eq!(((takes.schema)(&body), (takes.parser)(&body)), (true, true), "{body}");
    }
}

#[test]
fn schema_and_parser_refuse_every_bad_message() {
    let takes = takes();
    for body in bad() {
        assert_eq!(((takes.schema)(&body), (takes.parser)(&body)), (false, false), "{body}");
    }
}

#[test]
fn the_parser_is_stricter_only_where_a_schema_cannot_be() {
    let takes = takes();
    for (why, body) in differences() {
        assert_eq!(((takes.schema)(&body), (takes.parser)(&body)), (true, false), "{why}: {body}");
    }
}

#[test]
fn the_bounds_of_the_schema_are_those_of_the_parser() {
    let schema = schema();
    let bound = |path: &str| schema.pointer(path).and_then(Value::as_u64);
    assert_eq!(bound("/properties/jobId/maxLength"), Some(JOB_ID_CHARS_MAX as u64));
    assert_eq!(bound("/properties/maxDurationMinutes/maximum"), Some(u64::from(PROTECTION_MINUTES_MAX)));
    assert_eq!(bound("/properties/expectedDurationMinutes/maximum"), Some(u64::from(PROTECTION_MINUTES_MAX)));
    assert_eq!(bound("/properties/labels/maxProperties"), Some(LABELS_MAX as u64));
    assert_eq!(bound("/properties/labels/propertyNames/maxLength"), Some(LABEL_NAME_CHARS_MAX as u64));
    assert_eq!(bound("/properties/labels/additionalProperties/maxLength"), Some(LABEL_VALUE_CHARS_MAX as u64));
    let described = |path: &str| schema.pointer(path).and_then(Value::as_str).unwrap().to_owned();
    let default = format!("declares {MAX_DURATION_MINUTES_DEFAULT} minutes");
    assert!(described("/properties/maxDurationMinutes/description").contains(&default));
    assert!(described("/description").contains(&format!("at most {JOB_MESSAGE_BYTES_MAX} bytes")));
}

#[test]
fn the_examples_of_the_schema_and_of_the_documentation_are_good_messages() {
    let takes = takes();
    let mut examples: Vec<String> = schema()["examples"].as_array().unwrap().iter().map(Value::to_string).collect();
    let documentation = read("docs/workers.md");
    let blocks = documentation.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    // Messages about interrupted jobs have their own schema.
    examples.extend(blocks.filter(|block| !block.contains("job-interrupted")));
    assert!(examples.len() > 3, "the documentation shows each type of message");
    for body in examples {
        assert_eq!(((takes.schema)(&body), (takes.parser)(&body)), (true, true), "{body}");
    }
}

#[test]
fn the_job_messages_of_the_corpus_are_taken_by_both_or_by_neither() {
    let takes = takes();
    for file in ["sqs-job-started", "sqs-job-heartbeat", "sqs-job-finished", "sqs-fifo-job-messages", "sqs-batch-mixed"]
    {
        let batch: Value = serde_json::from_str(&read(&format!("events/{file}.json"))).unwrap();
        for record in batch["Records"].as_array().unwrap() {
            let body = record["body"].as_str().unwrap();
            // A schema cannot reject this example: its cluster is not configured.
            if !body.contains("task/batch/") {
                assert_eq!((takes.schema)(body), (takes.parser)(body), "{file}: {body}");
            }
        }
    }
}
