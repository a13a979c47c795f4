//! The corpus: every payload in `events/` parses as [`EXPECTED`] says, and so do altered copies of it, because AWS
//! adds members, event names and detail-types without notice.

use crate::files::names;
use aws_lambda_events::sqs::SqsEvent;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use taskhold::api::command::{Command, Scope, ServiceCommand};
use taskhold::config::clusters::Clusters;
use taskhold::lambda::ecs_event::EcsEvent;
use taskhold::lambda::job_message::JobMessageError;
use taskhold::lambda::payload::Invocation;
use taskhold::lambda::sqs_record;
use taskhold::lambda::sqs_record::QueueMessage;
use taskhold::service::recheck::Recheck;
use taskhold::service::trigger::{EVENT_NAMES, EventName, Trigger};

/// The parse result of each file: a line for the payload, then one for each record of a batch. A file without a row
/// fails, and so does a row without a file.
const EXPECTED: [(&str, &[&str]); 37] = [
    ("command-preflight", &["preflight of transcode"]),
    ("command-redrive", &["redrive of at most 100 messages"]),
    ("command-release", &["release of 1 tasks"]),
    ("command-status", &["status of transcode"]),
    ("command-status-of-cluster", &["status of all of video"]),
    ("console-test-event", &["unrecognized"]),
    ("ecs-deployment-state-change-completed", &["SERVICE_DEPLOYMENT_COMPLETED of transcode"]),
    ("ecs-deployment-state-change-failed", &["SERVICE_DEPLOYMENT_FAILED of transcode"]),
    ("ecs-deployment-state-change-in-progress", &["SERVICE_DEPLOYMENT_IN_PROGRESS of transcode"]),
    ("ecs-hook-state-change-awaiting-action", &["HOOK_AWAITING_ACTION of transcode"]),
    ("ecs-service-action-steady-state", &["SERVICE_STEADY_STATE of transcode"]),
    ("ecs-service-action-task-placement-failure", &["SERVICE_TASK_PLACEMENT_FAILURE of transcode"]),
    ("ecs-service-action-task-protection", &["TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION of transcode"]),
    ("ecs-task-state-change-running", &["ignored"]),
    ("ecs-task-state-change-spot-notice", &["stop of 9d61e7f83b2c4a10b6e58c0f7a3d2e91: TerminationNotice"]),
    ("ecs-task-state-change-spot-stopped", &["stop of 9d61e7f83b2c4a10b6e58c0f7a3d2e91: SpotInterruption"]),
    ("ecs-task-state-change-stopped", &["stop of 4f0c2a9be1d84763a5c07be214d95f3a: ServiceSchedulerInitiated"]),
    ("ecs-task-state-change-stopped-other-cluster", &["ignored"]),
    ("ecs-task-state-change-stopping", &["stop of 4f0c2a9be1d84763a5c07be214d95f3a: ServiceSchedulerInitiated"]),
    ("ecs-unknown-detail-type", &["ignored"]),
    ("eventbridge-job-message", &["messages", "job.started of episode-0417 on 4f0c2a9be1d84763a5c07be214d95f3a"]),
    ("lifecycle-hook-post-scale-up", &["hook of transcode at POST_SCALE_UP"]),
    ("lifecycle-hook-waiting", &["hook of transcode at PRE_SCALE_UP"]),
    ("pipes-batch", &["batch", "job.started of episode-0417 on 4f0c2a9be1d84763a5c07be214d95f3a"]),
    ("scheduled-event", &["ignored"]),
    ("sns-invocation", &["messages", "job.started of episode-0417 on 4f0c2a9be1d84763a5c07be214d95f3a"]),
    (
        "sqs-batch-mixed",
        &[
            "batch",
            "job.started of episode-0417 on 4f0c2a9be1d84763a5c07be214d95f3a",
            "job.started of episode-0418 (attempt 2) on 9d61e7f83b2c4a10b6e58c0f7a3d2e91",
            "malformed: not an object",
            "malformed: `jobId` is missing",
            "malformed: `maxDurationMinutes` is wrong",
            "malformed: `taskArn` is none of ours",
            "malformed: `type` is wrong",
            "malformed: `version` is wrong",
            "malformed: `taskArn` is none of ours",
            "job.finished of episode-0399 on c87a15d2f4694e0d8b31a6fe95027bd4",
        ],
    ),
    ("sqs-eventbridge-in-body", &["batch", "stop of 4f0c2a9be1d84763a5c07be214d95f3a: ServiceSchedulerInitiated"]),
    ("sqs-eventbridge-job-message", &["batch", "job.started of episode-0417 on 4f0c2a9be1d84763a5c07be214d95f3a"]),
    (
        "sqs-fifo-job-messages",
        &[
            "batch",
            "job.started of reel-7 on 9d61e7f83b2c4a10b6e58c0f7a3d2e91",
            "job.finished of reel-7 on 9d61e7f83b2c4a10b6e58c0f7a3d2e91",
        ],
    ),
    ("sqs-recheck", &["batch", "recheck of transcode"]),
    ("sqs-recheck-task", &["batch", "recheck of 4f0c2a9be1d84763a5c07be214d95f3a"]),
    ("sqs-job-finished", &["batch", "job.finished of episode-0417 on 4f0c2a9be1d84763a5c07be214d95f3a"]),
    ("sqs-job-heartbeat", &["batch", "job.heartbeat of episode-0417 on 4f0c2a9be1d84763a5c07be214d95f3a"]),
    ("sqs-job-started", &["batch", "job.started of episode-0417 on 4f0c2a9be1d84763a5c07be214d95f3a"]),
    (
        "sqs-sns-envelope",
        &[
            "batch",
            "job.started of episode-0417 on 4f0c2a9be1d84763a5c07be214d95f3a",
            "stop of 4f0c2a9be1d84763a5c07be214d95f3a: ServiceSchedulerInitiated",
        ],
    ),
    ("sweep", &["sweep"]),
];

/// The records of a batch, of an event source mapping or of a pipe.
fn records_of(batch: &mut Value) -> &mut Vec<Value> {
    if batch.is_array() { batch.as_array_mut() } else { batch["Records"].as_array_mut() }.unwrap()
}

fn payload(name: &str) -> Value {
    serde_json::from_str(&crate::files::read(&format!("events/{name}.json")))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn files() -> BTreeSet<String> {
    names("events").iter().filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect()
}

fn clusters() -> Clusters {
    Clusters::new(vec!["arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap()]).unwrap()
}

/// The parse result of a payload, as lines of [`EXPECTED`].
fn read(payload: &Value) -> Vec<String> {
    match Invocation::parse(&payload.to_string(), &clusters()) {
        Invocation::Unrecognized(_) => vec!["unrecognized".to_owned()],
        Invocation::Command(Ok(command)) => vec![read_command(&command)],
        Invocation::Command(Err(error)) => vec![format!("command: {}", error.code())],
        Invocation::UnreadableBatch(_) => vec!["unreadable batch".to_owned()],
        Invocation::Hook(input) => vec![format!("hook of {} at {}", input.service.unwrap().name, input.stage)],
        Invocation::Ecs(event) => vec![read_event(event)],
        Invocation::Messages(batch) => read_batch("messages", &batch),
        Invocation::Sqs(batch) => read_batch("batch", &batch),
    }
}

fn read_batch(kind: &str, batch: &SqsEvent) -> Vec<String> {
    let record = |body: &str| match sqs_record::parse(body, &clusters()) {
        QueueMessage::Job(message) => {
            format!("{} of {} on {}", message.message_type.as_str(), message.job, message.task.id)
        }
        QueueMessage::Ecs(event) => read_event(event),
        QueueMessage::Malformed(error) => format!("malformed: {}", why(&error)),
    };
    let records = batch.records.iter().map(|message| {
        let body = message.body.as_deref().unwrap();
        let is_own = message.event_source_arn.as_deref().is_some_and(|arn| arn.ends_with(":taskhold-rechecks"));
        if is_own { read_recheck(body) } else { record(body) }
    });
    std::iter::once(kind.to_owned()).chain(records).collect()
}

fn read_recheck(body: &str) -> String {
    match Recheck::parse(body, &clusters()) {
        Ok(Recheck::Check { service, .. }) => format!("recheck of {}", service.name),
        Ok(Recheck::Task { task, .. }) => format!("recheck of {}", task.id),
        Ok(Recheck::Sweep { started_at, .. }) => format!("go on with the sweep of {started_at}"),
        Err(reason) => reason,
    }
}

fn read_command(command: &Command) -> String {
    match command {
        Command::Services(ServiceCommand::Status(Scope::Service(service))) => format!("status of {}", service.name),
        Command::Services(ServiceCommand::Status(Scope::Cluster(cluster))) => {
            format!("status of all of {}", cluster.name)
        }
        Command::Sweep => "sweep".to_owned(),
        Command::Redrive(redrive) => format!("redrive of at most {} messages", redrive.messages_max),
        Command::Services(ServiceCommand::Release(release)) => format!("release of {} tasks", release.tasks.len()),
        Command::Services(ServiceCommand::Preflight(service)) => format!("preflight of {}", service.name),
    }
}

fn read_event(event: EcsEvent) -> String {
    match event {
        EcsEvent::Ignored(_) => "ignored".to_owned(),
        EcsEvent::Service(event) => format!("{} of {}", event.name.as_str(), event.service.name),
        EcsEvent::TaskStopEvent(stop) => {
            format!("stop of {}: {}", stop.task.id, stop.cause.code.as_deref().unwrap_or("no stopCode"))
        }
    }
}

fn why(error: &JobMessageError) -> String {
    match error {
        JobMessageError::NotAnObject(_) => "not an object".to_owned(),
        JobMessageError::TooLarge(..) => "too large".to_owned(),
        JobMessageError::Missing(field, _) | JobMessageError::Misnamed(field, ..) => format!("`{field}` is missing"),
        JobMessageError::Wrong { field, .. } => format!("`{field}` is wrong"),
        JobMessageError::Task { field, .. } => format!("`{field}` is none of ours"),
    }
}

/// Whether a member with this name contains JSON as a string, which alterations must reach too.
fn is_json_text(member: &str) -> bool {
    matches!(member, "body" | "Message")
}

/// Adds an unknown member to every object. SQS's attribute maps and the labels of a job are maps of strings, so
/// they get another string.
fn with_unknown_members(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(with_unknown_members).collect(),
        Value::Object(members) => {
            let mut altered: Map<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), altered_member(name, value))).collect();
            altered.insert("fromTheFuture".to_owned(), json!({"list": [1, {"deep": null}], "flag": true}));
            Value::Object(altered)
        }
        other => other.clone(),
    }
}

fn altered_member(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("attributes" | "labels", Value::Object(texts)) => {
            let mut texts = texts.clone();
            texts.insert("FromTheFuture".to_owned(), json!("1"));
            Value::Object(texts)
        }
        ("messageAttributes", _) => json!({"FromTheFuture": {"dataType": "String", "stringValue": "1",
            "stringListValues": [], "binaryListValues": [], "more": {}}}),
        (name, Value::String(text)) if is_json_text(name) => match serde_json::from_str::<Value>(text) {
            Ok(inner) => json!(with_unknown_members(&inner).to_string()),
            Err(_) => value.clone(),
        },
        _ => with_unknown_members(value),
    }
}

/// The events of AWS that are whole payloads.
fn events() -> Vec<(&'static str, Value)> {
    let all = EXPECTED.iter().map(|(name, _)| (*name, payload(name)));
    let is_of_aws = |event: &Value| event["source"].as_str().is_some_and(|source| source.starts_with("aws."));
    let events: Vec<_> = all.filter(|(_, event)| is_of_aws(event)).collect();
    assert!(events.len() > 10, "the corpus has events");
    events
}

#[test]
fn every_file_is_read_as_expected_and_every_expectation_has_its_file() {
    let expected: BTreeSet<String> = EXPECTED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files(), expected);
    for (name, lines) in EXPECTED {
        assert_eq!(read(&payload(name)), lines, "{name}");
    }
}

#[test]
fn the_table_in_the_readme_lists_every_file_once() {
    let readme = crate::files::read("events/README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(".json` |"));
    let mut listed: Vec<String> = rows.map(|(name, _)| name.to_owned()).collect();
    listed.sort();
    assert_eq!(listed, files().into_iter().collect::<Vec<_>>());
}

#[test]
fn unknown_members_change_nothing() {
    // An operator writes commands, and a member that is not known is a mistake there.
    let is_a_command = |name: &str| name.starts_with("command-") || name == "sweep";
    for (name, lines) in EXPECTED.into_iter().filter(|(name, _)| !is_a_command(name)) {
        let altered = with_unknown_members(&payload(name));
        assert!(altered.to_string().contains("fromTheFuture"), "{name} was altered");
        assert_eq!(read(&altered), lines, "{name}");
    }
}

#[test]
fn an_unknown_detail_type_is_ignored() {
    for (name, mut event) in events() {
        event["detail-type"] = json!("ECS From The Future");
        assert_eq!(read(&event), ["ignored"], "{name}");
    }
}

#[test]
fn an_event_of_another_source_is_ignored_whatever_its_detail_type() {
    for (name, mut event) in events() {
        event["source"] = json!("video.orders");
        assert_eq!(read(&event), ["ignored"], "{name}");
    }
}

#[test]
fn an_unknown_event_name_is_kept_and_triggers_a_reconcile() {
    let named = events().into_iter().filter(|(_, event)| event["detail"].get("eventName").is_some());
    let mut count = 0;
    for (name, mut event) in named {
        event["detail"]["eventName"] = json!("SERVICE_FROM_THE_FUTURE");
        assert_eq!(read(&event), ["SERVICE_FROM_THE_FUTURE of transcode"], "{name}");
        count += 1;
    }
    assert_eq!(count, 7);
    assert_eq!(EventName::from("SERVICE_FROM_THE_FUTURE").trigger(), Trigger::Reconcile);
}

#[test]
fn an_unknown_status_or_stop_code_never_fails() {
    let mut event = payload("ecs-task-state-change-stopped");
    event["detail"]["stopCode"] = json!("FromTheFuture");
    assert_eq!(read(&event), ["stop of 4f0c2a9be1d84763a5c07be214d95f3a: FromTheFuture"]);
    event["detail"]["lastStatus"] = json!("HIBERNATING");
    assert_eq!(read(&event), ["stop of 4f0c2a9be1d84763a5c07be214d95f3a: FromTheFuture"], "it is still wanted stopped");
    event["detail"]["desiredStatus"] = json!("HIBERNATING");
    assert_eq!(read(&event), ["ignored"]);
}

#[test]
fn the_action_for_each_event_about_a_service_is_documented() {
    let documented = include_str!("../docs/events.md");
    let rows = documented.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    let rows: Vec<(&str, &str)> = rows.filter(|(name, _)| *name != "eventName").collect();
    let known: Vec<(&str, &str)> = EVENT_NAMES.iter().map(|(name, trigger)| (*name, trigger.as_str())).collect();
    assert_eq!(rows, known);
    let other = EventName::from("SERVICE_FROM_THE_FUTURE").trigger().as_str();
    assert!(documented.contains(&format!("| any other, including future ones | {other} |")));
}

#[test]
fn the_event_names_of_the_facts_are_those_that_are_known() {
    let (_, list) = include_str!("../docs/aws-facts.md").split_once("`eventName` of a service action: ").unwrap();
    let (list, _) = list.split_once(". Others").unwrap();
    let (_, hooks) = include_str!("../docs/aws-facts.md").split_once("since 2026: `eventName` ").unwrap();
    let (hooks, _) = hooks.split_once(';').unwrap();
    let listed: BTreeSet<&str> = list.split(',').chain(hooks.split(',')).map(str::trim).collect();
    assert_eq!(listed, EVENT_NAMES.iter().map(|(name, _)| *name).collect());
}

/// Whether an event is about a service, which it then names in `resources` and nowhere else.
fn names_a_service(event: &Value) -> bool {
    event["resources"][0].as_str().is_some_and(|arn| arn.contains(":service/"))
        && event["detail-type"] != "ECS Task State Change"
}

#[test]
fn the_event_of_a_hook_names_its_service_in_the_arn_of_the_deployment_too() {
    let hooks: Vec<_> =
        events().into_iter().filter(|(_, event)| event["detail-type"] == "ECS Hook State Change").collect();
    assert!(!hooks.is_empty());
    for (name, event) in hooks {
        let mut without = event.clone();
        without["detail"].as_object_mut().unwrap().remove("serviceArn");
        assert_eq!(read(&without), read(&event), "{name}");
        assert_ne!(read(&event), ["ignored"], "{name}");
    }
}

#[test]
fn an_event_about_a_service_that_names_none_or_one_of_others_is_ignored() {
    let about_services: Vec<_> = events().into_iter().filter(|(_, event)| names_a_service(event)).collect();
    assert_eq!(about_services.len(), 6);
    for (name, event) in about_services {
        for resources in [
            json!([]),
            json!(["arn:aws:ecs:eu-west-1:111122223333:service/other/transcode"]),
            json!(["arn:aws:ecs:us-east-1:111122223333:service/video/transcode"]),
            json!(["arn:aws:ecs:eu-west-1:999922223333:service/video/transcode"]),
            json!(["arn:aws:ecs:eu-west-1:111122223333:task/video/4f0c2a9be1d84763a5c07be214d95f3a"]),
            json!(["transcode"]),
        ] {
            let mut event = event.clone();
            event["resources"] = resources.clone();
            assert_eq!(read(&event), ["ignored"], "{name} with {resources}");
        }
        let mut short = event.clone();
        short["resources"] = json!(["arn:aws:ecs:eu-west-1:111122223333:service/transcode"]);
        assert_eq!(read(&short), read(&event), "{name} in the short form, beside `clusterArn`");
    }
}

#[test]
fn a_detail_of_another_type_is_ignored() {
    for (name, event) in events() {
        for detail in [json!(null), json!("text"), json!([1]), json!(7), json!({})] {
            let mut event = event.clone();
            event["detail"] = detail.clone();
            // An event about a service names it outside of the detail. Without a name, the event may be anything.
            let of_hook = event["detail-type"] == "ECS Hook State Change";
            let is_empty_of_service = detail == json!({}) && (of_hook || names_a_service(&event));
            let expected = if is_empty_of_service { " of transcode" } else { "ignored" };
            assert_eq!(read(&event), [expected], "{name} with the detail {detail}");
        }
    }
}

#[test]
fn an_envelope_needs_only_source_type_and_detail() {
    for (name, event) in events() {
        let before = read(&event);
        for member in ["version", "id", "account", "time", "region", "resources"] {
            if member == "resources" && names_a_service(&event) {
                continue;
            }
            let mut event = event.clone();
            event.as_object_mut().unwrap().remove(member).unwrap();
            assert_eq!(read(&event), before, "{name} without {member}");
        }
    }
}

#[test]
fn a_record_needs_only_its_id_queue_and_body_to_be_recognized() {
    for (name, lines) in EXPECTED.into_iter().filter(|(_, lines)| lines[0] == "batch") {
        let mut batch = payload(name);
        for record in records_of(&mut batch) {
            record
                .as_object_mut()
                .unwrap()
                .retain(|member, _| matches!(&**member, "messageId" | "eventSource" | "eventSourceARN" | "body"));
        }
        assert_eq!(read(&batch), lines, "{name}");
    }
}

#[test]
fn half_a_payload_is_never_taken_for_a_whole_one() {
    for (name, lines) in EXPECTED {
        let text = payload(name).to_string();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let parsed = Invocation::parse(&text[..end], &clusters());
            assert!(matches!(parsed, Invocation::Unrecognized(_)), "{name}: {lines:?} from its first {end} bytes");
        }
    }
}
