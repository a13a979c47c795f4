//! The answers that operators get: the real handler returns exactly the forms that `schemas/answers.schema.json`
//! publishes and `docs/commands.md` explains, and a command makes no more ECS calls than it reports.

use crate::block_on;
use crate::files::{path, read, table};
use crate::stage::StagedRegion;
use ecs_sim::control_plane::{Millis, ServiceSpec};
use ecs_sim::doubles::stepped::Stepped;
use ecs_sim::doubles::steps::Steps;
use ecs_sim::event_source::FunctionAnswer;
use ecs_sim::play::Process;
use ecs_sim::region::{CLUSTER, Region, SharedRegion};
use ecs_sim::scenario::{FunctionUnderTest, InProcess, Invoked, Scenario, Silent, run};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use taskhold::api::answer::{ANSWER_BYTES_MAX, Answer};
use taskhold::api::service_answer::ServiceReport;
use taskhold::ecs::service::ServiceArn;
use taskhold::lambda::function::Parts;
use taskhold::outbox::Delivery;
use taskhold::service::alert::{AlertKind, Transition};
use taskhold::service::diagnosis::{Remembered, diagnose};
use taskhold::service::forecast::DiagnosisPolicy;
use taskhold::service::incident::pending::PendingNotification;
use taskhold::service::incident::scope::IncidentScope;
use taskhold::service::incident::{Incident, IncidentState};
use taskhold::service::record::ServiceRecord;
use taskhold::service::snapshot::ServiceSnapshot;
use taskhold::store::memory::MemoryStore;

/// The scenario of the examples in docs/commands.md.
const DOCUMENTED: &str = "
    service transcode desired 2 tag aws:cloudformation:stack-name=video
    send {\"version\": 1, \"type\": \"job.started\", \"jobId\": \"episode-0417\", \"taskArn\": \"$a\", \
        \"maxDurationMinutes\": 240, \"expectedDurationMinutes\": 190, \"labels\": {\"title\": \"Episode 417\"}}
    advance 20m
    deploy transcode
    advance 10m
    status of transcode
    preflight of transcode
    status of nowhere";

/// How long after a whole second everything happens.
const FRACTION_MS: Millis = 987;

/// Situations that tests/scenarios does not cover.
const SITUATIONS: [(&str, &str); 15] = [
    (
        "tasks are released, or not",
        "service web desired 3
         job j-1 starts on a for 60m
         job j-2 starts on b for 60m
         job j-2 finishes
         protect c for 60m
         ask {\"release\": {\"tasks\": [\"$a\", \"$b\", \"$c\"]}}
         ask {\"release\": {\"tasks\": [\"$a\", \"$c\"], \"force\": true, \"by\": \"on-call engineer\"}}",
    ),
    (
        "dead letters are redriven, or stay",
        "set TASKHOLD_RECEIVES_MAX 1
         ecs denies 1
         job j-1 starts on a for 60m
         expect error AccessDeniedException
         send nonsense
         advance 5m
         ask {\"redrive\": {}}
         ask {\"redrive\": {\"messages\": 1}}",
    ),
    ("a dry run redrives nothing", "set TASKHOLD_DRY_RUN true\nask {\"redrive\": {}}"),
    (
        "a dry run releases nothing",
        "set TASKHOLD_DRY_RUN true
         job j-1 starts on a for 60m
         job j-1 finishes
         ask {\"release\": {\"tasks\": [\"$a\"]}}",
    ),
    ("steady, and protected", "job j-1 starts on a for 60m\nprotect b for 90m\nstatus of web"),
    ("no protected task blocks it", "deploy web\nstatus of web\npreflight of web"),
    (
        "it will block",
        "service web desired 2 max 300
         job j-1 starts on a for 60m expected 20m attempt 2
         deploy web
         status of web",
    ),
    (
        "no room for new tasks",
        "service web desired 2 min 0 max 100
         job j-1 starts on a for 60m
         job j-2 starts on b for 60m
         deploy web
         advance 10m
         status of web
         preflight of web",
    ),
    (
        "five deployments",
        "service web desired 5
         job j-1 starts on a for 600m
         deploy web
         advance 10m
         job j-2 starts on f for 600m
         deploy web
         advance 10m
         job j-3 starts on k for 600m
         deploy web
         advance 10m
         job j-4 starts on p for 600m
         deploy web
         advance 10m
         status of web
         preflight of web",
    ),
    (
        "a deadline of its own",
        "service web desired 2 tag taskhold:deadline-minutes=45
         job j-1 starts on a for 60m
         preflight of web
         deploy web
         advance 10m
         status of web",
    ),
    (
        "tags that count for nothing",
        "service web desired 2 tag taskhold:deadline-minutes=0 tag taskhold:deadline-minute=45
         job j-1 starts on a for 60m
         deploy web
         advance 10m
         status of web
         preflight of web",
    ),
    (
        "a scale-in that has only to stop unprotected tasks",
        "service web desired 3\njob j-1 starts on a for 60m\nscale web to 1\nstatus of web",
    ),
    (
        "protection is refused",
        "needs refusal=blocked renewal=refused
         service web desired 1
         job j-1 starts on a for 60m
         deploy web
         advance 10m
         job j-2 starts on b for 30m expected 20m
         job j-1 beats for 90m
         status of web",
    ),
    ("a service that is deleted", "job j-1 starts on a for 60m\ndelete web\nstatus of web\npreflight of web"),
    (
        "several services",
        "service web desired 2\nservice api desired 1 strategy canary\njob j-1 starts on c\nask {\"status\": {}}",
    ),
];

fn schema() -> Value {
    serde_json::from_str(&read("schemas/answers.schema.json")).unwrap()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

/// The function, and its answers to operators.
struct AskedFunction<F> {
    function: F,
    answers: Vec<Value>,
}

impl<F: FunctionUnderTest> FunctionUnderTest for AskedFunction<F> {
    async fn invoke(&mut self, payload: &str, deadline: Millis) -> Invoked {
        let invoked = self.function.invoke(payload, deadline).await;
        if let FunctionAnswer::Answered(answer) = &invoked.answer
            && ["status", "preflight", "sweep", "release", "redrive", "error"]
                .iter()
                .any(|name| answer.get(name).is_some())
        {
            self.answers.push(answer.clone());
        }
        invoked
    }
}

fn answers_of(name: &str, text: &str) -> Vec<Value> {
    // Other tests cover the alerts of these scenarios.
    let scenario = Scenario::parse(name, &format!("mute alerts\n{text}")).unwrap_or_else(|error| panic!("{error}"));
    let region = SharedRegion::new(Region::for_scenario(scenario.variants()[0]));
    // No moment of it is a whole second, as in AWS.
    let begin = region.lock().now() + FRACTION_MS;
    region.lock().advance_to(begin);
    let function = InProcess::new(&region, scenario.settings()).unwrap();
    let mut asked = AskedFunction { function, answers: Vec::new() };
    block_on(run(&scenario, region, &mut asked, &mut Silent)).unwrap_or_else(|failure| panic!("{failure}"));
    asked.answers
}

/// A service of this many tasks.
fn web(tasks: u32) -> ServiceSpec {
    ServiceSpec::new(CLUSTER, "web", tasks)
}

/// Answers of a status command for which ECS throttles the list of tasks, or their protection.
fn answers_with_gaps() -> Vec<Value> {
    let mut answers = Vec::new();
    for operation in ["ListTasks", "GetTaskProtection"] {
        let mut stage = StagedRegion::new();
        // ECS throttles this read, as it does when other callers in the account use it up.
        let request = json!({"cluster": CLUSTER, "tasks": stage.tasks});
        while stage.region.lock().ecs.call(operation, &request).is_ok() {}
        answers.push(stage.invoke(r#"{"status": {"service": "web"}}"#));
        answers.push(stage.invoke(r#"{"preflight": {"service": "web"}}"#));
    }
    answers
}

/// The answer to `status` when the state store fails.
fn answer_without_a_store() -> Value {
    let stage = StagedRegion::of_parts(web(2), &[], |_, parts| {
        let broken = Arc::new(Stepped::new(MemoryStore::new(parts.clock.clone()), &Steps::default()));
        broken.failing.fail_all();
        Parts { task_records: broken.clone(), service_records: broken, ..parts }
    });
    stage.region.lock().ecs.set_own_protection(&stage.tasks[0], Some(60)).unwrap();
    stage.region.lock().ecs.deploy(CLUSTER, "web").unwrap();
    stage.invoke(&json!({"status": {"service": "web"}}))
}

/// The kinds of service incidents. An interrupted job is no incident of its service.
fn incident_kinds() -> impl Iterator<Item = AlertKind> {
    AlertKind::ALL.into_iter().filter(|kind| *kind != AlertKind::JobInterrupted)
}

/// The answer to `status` for a service with incidents of every kind, open and resolved, notified and pending.
fn answer_with_incidents() -> Value {
    let at = |minute: i64| Timestamp::new(1_790_000_000 + minute * 60, 987_654_321).unwrap();
    let mut record = ServiceRecord::default();
    for (minute, kind) in (0..).zip(incident_kinds()) {
        let pending = PendingNotification {
            event: Transition::Opened,
            delivery: Delivery { claimed_until: None, failures: 1 },
            after: None,
        };
        let incident = Incident {
            kind,
            since: at(minute),
            notified_at: at(minute),
            state: match minute > 2 {
                true => IncidentState::Resolved { at: at(9), marks: 2 },
                false => IncidentState::Escalated { marks: 2 },
            },
            attempted: true,
            pending: (minute == 1).then_some(pending),
            scope: IncidentScope::default(),
        };
        record.incidents.insert(format!("video/web/{}", kind.as_str()), incident);
    }
    let cluster = std::sync::Arc::new("arn:aws:ecs:eu-west-1:111122223333:cluster/video".parse().unwrap());
    let snapshot = ServiceSnapshot::gone(&ServiceArn::new(cluster, "web").unwrap(), at(10));
    let diagnosis = diagnose(
        &snapshot,
        Remembered::default(),
        &DiagnosisPolicy {
            deadline: SignedDuration::from_hours(3),
            linger: SignedDuration::ZERO,
            function: Some("taskhold".into()),
        },
    );
    let services = vec![ServiceReport::new(&snapshot, &diagnosis, Some(&record), ANSWER_BYTES_MAX)];
    serde_json::to_value(Answer::Status { services, failed: Vec::new(), more: false }).unwrap()
}

/// Every answer that the tests can produce, each with its situation.
fn all_answers() -> Vec<(String, Value)> {
    let directory = path("tests/scenarios");
    let mut files: Vec<PathBuf> = directory.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut scenarios: Vec<(String, String)> = files
        .iter()
        .map(|file| (file.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(file).unwrap()))
        .filter(|(_, text)| ["status of", "preflight of", "ask {"].iter().any(|word| text.contains(word)))
        .collect();
    scenarios.extend(SITUATIONS.map(|(name, text)| (name.to_owned(), text.to_owned())));
    scenarios.push(("the documentation".to_owned(), DOCUMENTED.to_owned()));
    let mut answers = Vec::new();
    for (name, text) in scenarios {
        let answered = answers_of(&name, &text);
        // A scenario with `ask` may also invoke the function with an event, whose answer belongs to no command.
        let asks = text.contains("status of") || text.contains("preflight of");
        assert!(!asks || !answered.is_empty(), "{name} asks nothing");
        answers.extend(answered.into_iter().map(|answer| (name.clone(), answer)));
    }
    answers.extend(answers_with_gaps().into_iter().map(|answer| ("gaps".to_owned(), answer)));
    answers.push(("no state store".to_owned(), answer_without_a_store()));
    answers.extend(answers_with_a_full_record().into_iter().map(|answer| ("a full record".to_owned(), answer)));
    answers.push(("incidents".to_owned(), answer_with_incidents()));
    let payloads = [r#"{"status": {}}"#, r#"{"preflight": {"service": "web"}}"#, r#"{"sweep": {}}"#];
    let mut empty = StagedRegion::in_process(web(0), &[]);
    answers.extend(payloads.map(|payload| ("a service without tasks".to_owned(), empty.invoke(payload))));
    answers
}

/// Every value in an answer, as JSON pointers.
fn places(value: &Value, at: &str, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| self::places(member, &format!("{at}/{name}"), places));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, item)| self::places(item, &format!("{at}/{number}"), places));
        }
        _ => {}
    }
}

fn places_of(answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    places(answer, "", &mut found);
    found
}

/// The members that an answer has, independent of their number and values. Enumerated words are included, because
/// they decide which members are required.
fn form(answer: &Value) -> BTreeSet<String> {
    let generalized = |place: &String| {
        let parts = place.split('/').map(|part| if part.parse::<usize>().is_ok() { "*" } else { part });
        let word = match place.rsplit('/').next() {
            Some("rolloutStatus" | "verdict" | "protectedFor" | "action" | "code") => {
                answer.pointer(place).unwrap().to_string()
            }
            _ => String::new(),
        };
        parts.collect::<Vec<_>>().join("/") + &word
    };
    places_of(answer).iter().map(generalized).collect()
}

/// Answers about a task whose record is full of live jobs and has no room for the last ones.
fn answers_with_a_full_record() -> Vec<Value> {
    let mut stage = StagedRegion::new();
    let start = |job: usize| {
        let body = json!({"version": 1, "type": "job.started", "jobId": format!("{job:03}{}", "🎬".repeat(253)),
            "cluster": "video", "taskId": stage.tasks[0], "maxDurationMinutes": 60});
        json!({"messageId": format!("m-{job}"), "eventSource": "aws:sqs", "body": body.to_string()})
    };
    let batch = json!({"Records": (0..400).map(start).collect::<Vec<_>>()});
    assert_eq!(stage.invoke(&batch), json!({"batchItemFailures": []}));
    [r#"{"status": {"service": "web"}}"#, r#"{"preflight": {"service": "web"}}"#]
        .map(|payload| stage.invoke(payload))
        .into()
}

/// One answer of each form.
fn answers_of_each_form() -> Vec<(String, Value)> {
    let mut seen = BTreeSet::new();
    all_answers().into_iter().filter(|(_, answer)| seen.insert(form(answer))).collect()
}

/// The words that the schema allows for each member, by `enum` and `const`. `of` is the definition that contains
/// the member.
fn published(schema: &Value, of: &str, words: &mut BTreeSet<(String, String)>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, member) in properties {
            let listed = member.get("enum").and_then(Value::as_array).into_iter().flatten();
            let all = listed.chain(member.get("const")).filter_map(Value::as_str);
            words.extend(all.map(|word| (disambiguated(name, of), word.to_owned())));
        }
    }
    match schema {
        Value::Object(members) => members.values().for_each(|member| published(member, of, words)),
        Value::Array(items) => items.iter().for_each(|item| published(item, of, words)),
        _ => {}
    }
}

/// Rollouts and incidents both have a `kind`.
fn disambiguated(member: &str, of: &str) -> String {
    if member == "kind" { format!("{of} kind") } else { member.to_owned() }
}

fn all_published() -> BTreeSet<(String, String)> {
    let mut words = BTreeSet::new();
    for (of, definition) in schema()["$defs"].as_object().unwrap() {
        published(definition, of, &mut words);
    }
    words
}

fn words_of(name: &str) -> BTreeSet<String> {
    all_published().into_iter().filter(|(member, _)| member == name).map(|(_, word)| word).collect()
}

/// Whether no object takes an unknown member, at any depth. The labels of a job are texts of any name.
fn is_closed(schema: &Value) -> bool {
    let others = &schema["additionalProperties"];
    let is_open = schema["type"] == "object" && *others != json!(false) && others["type"] != "string";
    let mut inner: Box<dyn Iterator<Item = &Value>> = match schema {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    };
    !is_open && inner.all(is_closed)
}

#[test]
fn the_schema_is_a_schema_of_its_draft_and_describes_every_member() {
    let schema = schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    assert!(is_closed(&schema));
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let forms = definition.get("oneOf").and_then(Value::as_array).cloned();
        for form in forms.unwrap_or_else(|| vec![definition.clone()]) {
            let members =
                form.get("properties").filter(|_| form["type"] == "object").and_then(Value::as_object).cloned();
            for (member, rule) in members.unwrap_or_default() {
                let of = rule.get("$ref").and_then(Value::as_str).map(|path| &path[1..]);
                let described = of.map_or(&Value::Null, |path| &schema.pointer(path).unwrap()["description"]);
                assert!(rule["description"].is_string() || described.is_string(), "{name}.{member} is not described");
            }
        }
    }
}

#[test]
fn every_answer_is_of_the_published_form() {
    let validator = validator();
    let answers = all_answers();
    for (name, answer) in &answers {
        let problems: Vec<String> = validator.iter_errors(answer).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:?}\n{answer:#}");
    }
    println!("{} answers of {} forms", answers.len(), answers_of_each_form().len());
    assert!(answers.len() >= 50, "{} answers", answers.len());
}

#[test]
fn every_time_in_every_answer_has_whole_seconds() {
    let mut times = 0;
    for (name, answer) in all_answers() {
        for place in places_of(&answer) {
            let Some(text) = answer.pointer(&place).and_then(Value::as_str) else { continue };
            if text.parse::<Timestamp>().is_ok() {
                assert_eq!(text.len(), "2026-01-05T09:30:00Z".len(), "{name}: {text} in `{place}`");
                times += 1;
            }
        }
    }
    assert!(times >= 400, "{times} times");
}

#[test]
fn every_published_word_is_said_in_some_answer_and_no_other() {
    let words = all_published();
    let members: BTreeSet<String> = words.iter().map(|(name, _)| name.clone()).collect();
    let expected = [
        "cause",
        "code",
        "protectedFor",
        "incident kind",
        "rollout kind",
        "outcome",
        "source",
        "rolloutStatus",
        "verdict",
        "action",
        "basis",
    ];
    assert_eq!(members, expected.map(str::to_owned).into());
    let mut said = BTreeSet::new();
    for (_, answer) in all_answers() {
        for place in places_of(&answer) {
            let of = if place.contains("/incidents/") { "incident" } else { "rollout" };
            let member = disambiguated(place.rsplit('/').next().unwrap(), of);
            if members.contains(&member) {
                said.insert((member, answer.pointer(&place).unwrap().as_str().unwrap().to_owned()));
            }
        }
    }
    assert_eq!(said, words);
}

#[test]
fn an_answer_without_a_member_is_refused() {
    // Members that ECS or a worker may omit, and members that depend on the record of a service.
    let optional = [
        "cause",
        "deployment",
        "expectedUntil",
        "learnedUntil",
        "unlikelyAfter",
        "jobsStarted",
        "lingersUntil",
        "labels",
        "notifiedAt",
        "resolvedAt",
        "nextRecheckAt",
        "serviceDeployment",
        "pausedUntil",
        "lifecycleStage",
        "rollbackStartedAt",
        "expiresAt",
        "timeoutAction",
    ];
    let validator = validator();
    let mut omitted = BTreeSet::new();
    for (name, answer) in answers_of_each_form() {
        for place in places_of(&answer) {
            let Some((at, member)) = place.rsplit_once('/') else { continue };
            let mut altered = answer.clone();
            let Value::Object(members) = altered.pointer_mut(at).unwrap() else { continue };
            members.remove(member).unwrap();
            // With gaps, `incidents` may be missing too.
            let incidents_unread = member == "incidents" && answer["status"]["services"][0]["gaps"] != json!([]);
            // A refused task may have no protection at all.
            let unprotected = member == "protectedUntil" && at.contains("/refusedTasks/");
            // A pause always names its deployment; a status may lack it.
            let is_required = member == "serviceDeployment" && at.ends_with("/paused");
            let in_preflight = member == "paused" && at == "/preflight";
            let is_optional = optional.contains(&member) && !is_required;
            let may_be_absent = is_optional || in_preflight || incidents_unread || unprotected;
            assert_eq!(validator.is_valid(&altered), may_be_absent, "{name}: without {place}\n{answer:#}");
            omitted.insert(member.to_owned());
        }
    }
    assert!(omitted.len() >= 40, "{omitted:?}");
}

#[test]
fn an_answer_with_a_value_of_another_type_is_refused_wherever_it_stands() {
    let validator = validator();
    for (name, answer) in answers_of_each_form() {
        for place in places_of(&answer) {
            let other = match answer.pointer(&place).unwrap() {
                Value::String(_) => json!(7),
                Value::Number(_) => json!("7"),
                Value::Bool(_) => json!("true"),
                Value::Array(_) => json!({}),
                Value::Object(_) | Value::Null => json!([]),
            };
            // The value of a tag and a label may be empty strings.
            let empty = ["/value", "/title"].iter().any(|member| place.ends_with(member));
            for other in [other, json!(null)].into_iter().chain((!empty).then(|| json!(""))) {
                let mut altered = answer.clone();
                *altered.pointer_mut(&place).unwrap() = other.clone();
                assert!(!validator.is_valid(&altered), "{name}: {other} in `{place}`");
            }
        }
    }
}

#[test]
fn answers_that_contradict_themselves_are_refused() {
    let validator = validator();
    let answers = answers_of_each_form();
    let with = |word: &str, place: &str| {
        let mut of_form = answers.iter().filter(|(_, answer)| form(answer).iter().any(|place| place.ends_with(word)));
        of_form
            .find(|(_, answer)| answer.pointer(place).is_some())
            .unwrap_or_else(|| panic!("{word} {place}"))
            .1
            .clone()
    };
    for (word, place, value) in [
        ("\"steady\"", "/status/services/0/gaps", json!(["its tasks could not be listed"])),
        ("\"clear\"", "/preflight/gaps", json!(["its tasks could not be listed"])),
        ("\"blocked\"", "/status/services/0/blockingTasks", json!([])),
        ("\"blocked\"", "/status/services/0/rolloutStatus", json!("steady")),
        ("\"waits\"", "/preflight/verdict", json!("clear")),
        ("\"misses-deadline\"", "/preflight/deadline/marginMinutes", json!(0)),
        ("\"blocked\"", "/status/services/0/at", json!("2026-09-21 14:13:20")),
        ("\"blocked\"", "/status/services/0/at", json!("2026-09-21T14:13:20.5Z")),
        ("\"blocked\"", "/status/services/0/service", json!("web")),
        ("\"blocked\"", "/status/services/0/incidents/0/escalations", json!(3)),
        ("\"blocked\"", "/status/services/0/incidents/0/kind", json!("deployment")),
    ] {
        let mut altered = with(word, place);
        *altered.pointer_mut(place).unwrap() = value;
        assert!(!validator.is_valid(&altered), "{word} {place}");
    }
    let mut two = with("\"blocked\"", "/status/services/0");
    two["error"] = json!({"code": "ecs-failed", "message": "x"});
    assert!(!validator.is_valid(&two), "an answer has one member");
    assert!(!validator.is_valid(&json!({})), "an answer has a member");
}

#[test]
fn an_invalid_tag_is_reported_and_the_deadline_is_another() {
    let answers = answers_of("tags", SITUATIONS.iter().find(|(name, _)| name.starts_with("tags")).unwrap().1);
    let problems = json!([
        {
            "tag": "taskhold:deadline-minute",
            "value": "45",
            "problem": "is not read by this version, which reads taskhold:deadline-minutes, taskhold:policy, taskhold:max-desired-count, taskhold:idle-reserve, taskhold:managed",
        },
        {"tag": "taskhold:deadline-minutes", "value": "0", "problem": "must be a whole number from 1 to 10080"},
    ]);
    for judged in [&answers[0]["status"]["services"][0], &answers[1]["preflight"]] {
        assert_eq!((&judged["tagProblems"], &judged["deadline"]["source"]), (&problems, &json!("setting")));
    }
}

#[test]
fn a_refused_task_is_reported_with_its_jobs_and_the_rest_of_its_protection() {
    let answers = answers_of("refused", SITUATIONS.iter().find(|(name, _)| name.ends_with("refused")).unwrap().1);
    let report = &answers[0]["status"]["services"][0];
    let [renewed, new] = report["refusedTasks"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    assert_eq!((&renewed["jobs"][0]["jobId"], &new["jobs"][0]["jobId"]), (&json!("j-1"), &json!("j-2")));
    assert_eq!(renewed["protectedUntil"], report["blockingTasks"][0]["protectedUntil"]);
    assert!(new.get("protectedUntil").is_none() && new["jobs"][0]["expectedUntil"].is_string(), "{new}");
    assert!(report.get("refusedTasksOmitted").is_none());
}

#[test]
fn incidents_are_reported_from_their_opening_until_after_their_resolution() {
    let scenario = "job j-1 starts on a for 60m
        deploy web
        advance 3m
        status of web
        advance 10m
        status of web
        job j-1 finishes
        advance 10m
        status of web";
    let answers = answers_of("incidents", scenario);
    let incidents: Vec<&Value> = answers.iter().map(|answer| &answer["status"]["services"][0]["incidents"]).collect();
    assert_eq!(incidents[0], &json!([]), "it has not been blocked for long enough");
    let open = &incidents[1][0];
    assert_eq!((&open["kind"], &open["escalations"]), (&json!("deployment-blocked"), &json!(0)));
    assert_eq!(open["incident"], "video/web/deployment-blocked");
    assert_eq!(open["since"], answers[1]["status"]["services"][0]["blockedSince"]);
    assert!(open["notifiedAt"].is_string() && open.get("resolvedAt").is_none(), "{open}");
    let over = &incidents[2][0];
    assert_eq!((&over["incident"], &over["since"]), (&open["incident"], &open["since"]));
    assert!(over["resolvedAt"].is_string(), "{over}");
    let next = |answer: usize| answers[answer]["status"]["services"][0]["nextRecheckAt"].clone();
    assert!(next(0).is_string() && next(1).is_string(), "while it moves it is watched");
    assert_eq!(next(2), Value::Null);
}

#[test]
fn open_incidents_come_first_and_an_unsent_one_has_no_notification_time() {
    let answer = answer_with_incidents();
    let incidents = answer["status"]["services"][0]["incidents"].as_array().unwrap();
    let kinds: Vec<&str> = incidents.iter().map(|incident| incident["kind"].as_str().unwrap()).collect();
    let all: Vec<&str> = incident_kinds().map(AlertKind::as_str).collect();
    assert_eq!(kinds, all, "the longest open first, then the resolved ones");
    let notified: Vec<bool> = incidents.iter().map(|incident| incident.get("notifiedAt").is_some()).collect();
    assert_eq!(notified, [true, false, true, true, true, true, true]);
}

#[test]
fn a_status_takes_two_reads_and_three_for_every_hundred_tasks_at_most() {
    for tasks in [0, 1, 100, 101, 250, 1000] {
        let mut stage = StagedRegion::in_process(web(tasks), &[]);
        for payload in [r#"{"status": {"service": "web"}}"#, r#"{"preflight": {"service": "web"}}"#] {
            stage.region.lock().calls.clear();
            let answer = stage.invoke(payload);
            assert!(answer.get("error").is_none(), "{answer}");
            let reads = stage.region.lock().calls.len();
            let most = 2 + 3 * usize::try_from(tasks.div_ceil(100)).unwrap();
            println!("{tasks} tasks: {reads} reads of ECS for {payload}, at most {most}");
            assert!(reads <= most, "{tasks} tasks: {reads} reads");
            let operations: Vec<String> = stage.region.lock().calls.iter().map(|call| call.operation.clone()).collect();
            assert!(!operations.contains(&"UpdateTaskProtection".to_owned()), "status changes nothing: {operations:?}");
        }
    }
}

#[test]
fn a_cluster_with_more_services_than_the_answer_says_so() {
    let mut stage = StagedRegion::in_process(web(0), &[]);
    let create = |stage: &StagedRegion, name: &str| {
        stage.region.lock().ecs.create_service(ServiceSpec::new("video", name, 0)).unwrap();
    };
    (1..100).for_each(|number| create(&stage, &format!("web-{number}")));
    // ECS allows 20 service reads a second after a burst of 100. A call takes time in AWS too.
    stage.region.lock().latency_ms = 20;
    let ask = |stage: &mut StagedRegion| {
        let answer = stage.invoke(r#"{"status": {}}"#);
        assert!(validator().is_valid(&answer), "{answer:#}");
        (answer["status"]["services"].as_array().unwrap().len(), answer["status"]["more"].clone())
    };
    assert_eq!(ask(&mut stage), (100, json!(false)));
    create(&stage, "web-100");
    assert_eq!(ask(&mut stage), (100, json!(true)));
}

fn page() -> String {
    read("docs/commands.md")
}

/// The first column of the table with this heading, without backticks.
fn documented(heading: &str) -> Vec<String> {
    let rows = table("docs/commands.md", heading);
    rows.iter().flat_map(|row| row[0].split(", ")).map(|cell| cell.trim_matches('`').to_owned()).collect()
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page().split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_words_of_the_page_are_those_of_the_schema() {
    for (heading, member) in [
        ("Verdict", "verdict"),
        ("Rollout status", "rolloutStatus"),
        ("Code", "code"),
        ("Protected for", "protectedFor"),
        ("Suggested action", "action"),
        ("Kind", "rollout kind"),
        ("Incident", "incident kind"),
        ("Source", "source"),
        ("Outcome", "outcome"),
    ] {
        assert_eq!(documented(heading).into_iter().collect::<BTreeSet<_>>(), words_of(member), "{heading}");
    }
}

#[test]
fn the_page_explains_every_member() {
    let schema = schema();
    let members = |name: &str| schema["$defs"][name]["properties"].as_object().cloned().unwrap_or_else(Map::new);
    for (heading, name) in [
        ("Member of a service", "service"),
        ("Member of a preflight", "preflight"),
        ("Member of a sweep", "sweep"),
        ("Member of a redrive", "redrive"),
    ] {
        let rows: BTreeSet<String> = documented(heading).into_iter().collect();
        assert_eq!(rows, members(name).keys().cloned().collect(), "{heading}");
    }
    let page = page();
    for name in [
        "status",
        "failedService",
        "rollout",
        "protectedTask",
        "refusedTask",
        "job",
        "forecast",
        "deadline",
        "taskCounts",
        "incident",
        "tagProblem",
        "keptMessage",
        "error",
    ] {
        for member in members(name).keys() {
            assert!(page.contains(&format!("`{member}`")), "{name}.{member}");
        }
    }
}

#[test]
fn the_examples_of_the_page_are_what_the_function_answers() {
    let answers = answers_of("the documentation", DOCUMENTED);
    let examples: Vec<Value> = blocks("json").iter().map(|block| serde_json::from_str(block).unwrap()).collect();
    assert_eq!(examples, answers, "the function answers\n{}", pretty(&answers));
}

fn pretty(answers: &[Value]) -> String {
    answers.iter().map(|answer| format!("{answer:#}\n")).collect()
}

#[test]
fn the_real_function_answers_the_same() {
    let scenario = Scenario::parse("the documentation", &format!("mute alerts\n{DOCUMENTED}")).unwrap();
    let answers = block_on(async {
        let region = SharedRegion::new(Region::for_scenario(scenario.variants()[0]));
        let bootstrap = crate::files::bootstrap();
        let process = Process::start(&region, bootstrap, scenario.settings()).await.unwrap();
        let mut asked = AskedFunction { function: process, answers: Vec::new() };
        run(&scenario, region, &mut asked, &mut Silent).await.unwrap_or_else(|failure| panic!("{failure}"));
        asked.function.stop().await;
        asked.answers
    });
    assert!(answers.iter().all(|answer| validator().is_valid(answer)), "{}", pretty(&answers));
    let mut expected = answers_of("the documentation", DOCUMENTED);
    let mut answers = answers;
    answers.iter_mut().chain(&mut expected).for_each(to_the_minute);
    assert_eq!(answers, expected);
}

/// Truncates every time to its minute: the real clock advances while the function runs.
fn to_the_minute(answer: &mut Value) {
    for place in places_of(answer) {
        if let Some(Value::String(text)) = answer.pointer_mut(&place)
            && text.parse::<Timestamp>().is_ok()
        {
            text.truncate("2026-01-05T09:30".len());
        }
    }
}

/// Runs the CI step of the page with an `aws` that returns this answer and a `jq` that finds this value.
fn ci_step(found: &str) -> std::process::Output {
    let step = blocks("sh").into_iter().find(|block| block.contains("case ")).expect("the page has a CI step");
    let directory = tempdir(found);
    let command = |name: &str, script: &str| {
        use std::os::unix::fs::PermissionsExt;
        let file = directory.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    command("aws", "for last; do :; done\necho '{}' > \"$last\"\necho '{\"StatusCode\": 200}'");
    command("jq", &format!("echo '{found}'"));
    let step = format!("PATH='{}':$PATH\n{step}", directory.display());
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &step]).current_dir(&directory);
    let output = shell.output().unwrap();
    fs::remove_dir_all(&directory).unwrap();
    output
}

fn tempdir(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ci-step-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
}

#[test]
fn the_ci_step_of_the_page_lets_clear_and_waits_pass_and_stops_at_everything_else() {
    let found = [words_of("verdict"), words_of("code"), ["no-answer".to_owned()].into()];
    for word in found.into_iter().flatten() {
        let output = ci_step(&word);
        let passes = ["clear", "waits"].contains(&word.as_str());
        assert_eq!(output.status.success(), passes, "{word}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).contains(&word), !passes, "{word}: {output:?}");
    }
}
