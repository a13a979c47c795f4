//! The notifications about a task that stops with running jobs: the mail, the chat text, the JSON form, and one
//! message for each job.

use super::{
    at, check_chat, check_mail, check_spans, hostile, hostile_labels, id, is_taken_by_sqs, json, json_of, says, schema,
    service,
};
use ecs_sim::doubles::alerts::sender;
use serde_json::{Value, json};
use taskhold::ecs::arn::Task;
use taskhold::ecs::task::ContainerExit;
use taskhold::notify::email;
use taskhold::notify::json as machine;
use taskhold::notify::json::job_message::{VERSION, job_messages};
use taskhold::notify::message::AlertMessage;
use taskhold::notify::published;
use taskhold::service::alert::{AlertKind, Transition};
use taskhold::task::interruption::InterruptedTask;
use taskhold::task::interruption::{InterruptedJob, Interruption, StopStage};
use taskhold::task::job::JobKey;

fn task() -> Task {
    Task { cluster: service("transcode", "video").cluster, id: id(7) }
}

fn job(id: &str, attempt: u32, until: i64) -> InterruptedJob {
    let labels = [("title".to_owned(), "Episode \"417\"".to_owned()), ("lang".to_owned(), "de".to_owned())];
    let labels = if attempt == 2 { labels.into() } else { Default::default() };
    InterruptedJob { key: JobKey { job_id: id.to_owned(), attempt }, until: at(until), labels }
}

/// At 10:30, ECS tells a Spot task with two jobs to stop.
fn spot() -> Interruption {
    Interruption {
        stage: StopStage::Stopping,
        at: at(30),
        service: Some("transcode".to_owned()),
        jobs: vec![job("trailer \"b\"", 1, 60), job("episode-0417", 2, 150)],
        stop_code: Some("SpotInterruption".to_owned()),
        stopped_reason: Some("Your Spot Task was interrupted.".to_owned()),
        exit_codes: Vec::new(),
        protected_until: Some(at(150)),
        protection_reported_at: Some(at(30)),
        is_reported_by_worker: false,
        protection_lost_at: None,
    }
}

/// The scheduler has stopped the task, although ECS had confirmed its protection.
fn scaled_in() -> Interruption {
    Interruption {
        stage: StopStage::Stopped,
        stop_code: Some("ServiceSchedulerInitiated".to_owned()),
        stopped_reason: Some("Scaling activity initiated by (deployment ecs-svc/8646900195280463695)".to_owned()),
        exit_codes: [("worker", 143), ("log", 0)]
            .map(|(name, code)| ContainerExit { container: name.to_owned(), code })
            .to_vec(),
        ..spot()
    }
}

/// ECS no longer returns the task.
fn forgotten() -> Interruption {
    Interruption {
        stage: StopStage::Stopped,
        service: None,
        stop_code: None,
        stopped_reason: None,
        protected_until: None,
        ..spot()
    }
}

/// Hostile text in every field that others choose, and too much of it.
fn hostile_one(jobs: usize) -> Interruption {
    let labels: Vec<_> = (0..10).map(|seed| hostile_labels(seed).collect()).collect();
    let job = |number: usize| InterruptedJob {
        key: JobKey { job_id: hostile(number * 7, 256), attempt: u32::MAX },
        until: at(2000),
        labels: std::clone::Clone::clone(&labels[number % 10]),
    };
    Interruption {
        service: Some(hostile(3, 255)),
        jobs: (0..jobs).map(job).collect(),
        stop_code: Some(hostile(1, 500)),
        stopped_reason: Some(hostile(0, 5000)),
        exit_codes: (0..50).map(|number| ContainerExit { container: hostile(number, 255), code: i32::MIN }).collect(),
        ..scaled_in()
    }
}

fn all() -> Vec<Interruption> {
    let codes = [
        "EssentialContainerExited",
        "InfrastructureHealth",
        "ServiceSchedulerInitiated",
        "SpotInterruption",
        "TaskFailedToStart",
        "TerminationNotice",
        "UserInitiated",
        "FromTheFuture",
    ];
    let coded = codes.map(|code| Interruption { stop_code: Some(code.to_owned()), ..scaled_in() });
    coded.into_iter().chain([spot(), forgotten(), hostile_one(1), hostile_one(2000)]).collect()
}

fn interrupted(what: &Interruption) -> InterruptedTask {
    InterruptedTask { task: task(), interruption: what.clone() }
}

fn message_about(what: &Interruption) -> AlertMessage {
    AlertMessage::of(&interrupted(what), &sender())
}

#[test]
fn a_task_that_must_stop_during_its_jobs_is_described_so() {
    let message = message_about(&spot());
    assert_eq!(
        message.subject,
        "INTERRUPTED transcode (video): a task with 2 running jobs is stopping (Spot interruption)"
    );
    assert_eq!(
        message.email,
        "\
INTERRUPTED transcode in cluster video: a task with 2 running jobs is stopping (Spot interruption).
Lasts until: the task stops, within two minutes.
If you wait: the jobs that do not finish by then are lost, unless your own queue redelivers them or
   a consumer of taskhold's queue for interrupted jobs restarts them.
Do first: find out which jobs are restarted automatically. When the task has stopped, restart the
   others that did not finish.

Noticed 2026-01-05 10:30 UTC.

Why: AWS reclaimed its Spot capacity (SpotInterruption).
The task was protected until 2026-01-05 12:30 UTC (in 2 h). Protection does not prevent this kind of
   stop.

ECS says:
  - Your Spot Task was interrupted.

The jobs that were running, longest remaining first:
  - \"episode-0417\" attempt 2, labels \"lang: de, title: Episode \\\"417\\\"\",
     had declared an end by 12:30 UTC
  - \"trailer \\\"b\\\"\", had declared an end by 11:00 UTC

Suggested actions, safest first:
1. When the task has stopped, restart the jobs that did not finish and that no queue restarts.
2. See how the task ended; ECS keeps it for about an hour:
   aws ecs describe-tasks --region eu-west-1 --cluster video --tasks 00000000000000000000000000000007

Status:   aws lambda invoke --region eu-west-1 --function-name taskhold --cli-binary-format \
raw-in-base64-out --payload '{\"status\":{\"cluster\":\"video\",\"service\":\"transcode\"}}' /dev/stdout
Runbook:  docs/on-call.md#job-interrupted
Task:     arn:aws:ecs:eu-west-1:111122223333:task/video/00000000000000000000000000000007
Service:  arn:aws:ecs:eu-west-1:111122223333:service/video/transcode
Incident: video/-/00000000000000000000000000000007/job-interrupted
Sent by:  taskhold, Lambda function taskhold in eu-west-1 (111122223333)
"
    );
}

#[test]
fn a_protected_task_that_ecs_scaled_in_is_reported_as_a_fault_of_ecs() {
    let message = message_about(&scaled_in());
    assert_eq!(message.subject, "INTERRUPTED transcode (video): ECS scaled in a protected task with 2 running jobs");
    says(
        &message.email,
        &[
            "Lasts until: the jobs are restarted. The task has stopped.",
            "Noticed 2026-01-05 10:30 UTC.",
            "Exit codes: 143 of \"worker\", 0 of \"log\".",
            "ECS scaled in a task whose protection it had confirmed until 2026-01-05 12:30 UTC (in 2 h). ECS",
            "   should not do this: keep this message, and report the stop to AWS.",
            "If you wait: the jobs are lost, unless your own queue redelivers them or a consumer of taskhold's",
            "1. Restart the jobs that no queue restarts. One of them may have finished just before the task",
        ],
    );
    let description = description(&message);
    says(&description, &["Exit codes: 143 of `worker`, 0 of `log`."]);
    assert!(
        description.contains("ECS should not do this: keep this message, and report the stop to AWS."),
        "{description}"
    );
    let stopping = Interruption { stage: StopStage::Stopping, ..scaled_in() };
    let subject = "INTERRUPTED transcode (video): ECS is scaling in a protected task with 2 running jobs";
    assert_eq!(message_about(&stopping).subject, subject);
}

#[test]
fn a_failed_health_check_is_no_fault_of_ecs_and_neither_is_the_stop_of_an_unprotected_task() {
    let reason = Some("Task failed ELB health checks in (target-group arn:aws:…)".to_owned());
    let unhealthy = message_about(&Interruption { stopped_reason: reason, ..scaled_in() });
    assert!(unhealthy.email.contains("Protection does not prevent this kind of\n   stop."), "{}", unhealthy.email);
    let unprotected = message_about(&Interruption { protected_until: None, ..scaled_in() });
    says(&unprotected.email, &["The task was not protected, as far as taskhold knows."]);
    for message in [unhealthy, unprotected] {
        assert_eq!(
            message.subject,
            "INTERRUPTED transcode (video): a task with 2 running jobs stopped (its service stopped it)"
        );
        assert!(!message.email.contains("should not") && !message.chat.contains("should not"), "{}", message.email);
    }
}

#[test]
fn what_ecs_does_not_say_is_not_made_up() {
    let message = message_about(&forgotten());
    assert_eq!(message.subject, "INTERRUPTED video: a task with 2 running jobs stopped");
    says(
        &message.email,
        &[
            "INTERRUPTED in cluster video: a task with 2 running jobs stopped.",
            "Why: ECS reports no stopCode.",
            "Service:  not known: ECS no longer reports it",
        ],
    );
    assert!(!message.email.contains("ECS says:") && !message.email.contains("Exit codes"), "{}", message.email);
    assert_eq!(message.service, None);
    let document = json(&message.json);
    for absent in ["service", "serviceName", "stopCode", "stoppedReason", "protectedUntil"] {
        assert!(document.get(absent).is_none(), "{absent}");
    }
    let unknown = Interruption { stop_code: Some("From \"the\" future".to_owned()), ..scaled_in() };
    says(
        &message_about(&unknown).email,
        &["Why: a stopCode that taskhold does not know, \"From \\\"the\\\" future\"."],
    );
    says(
        &description(&message_about(&unknown)),
        &["Why: a stopCode that taskhold does not know, `From \"the\" future`."],
    );
}

#[test]
fn a_task_that_stops_has_the_time_that_its_stop_code_says() {
    for (stop_code, time) in [
        (Some("TerminationNotice"), "Lasts until: the task stops, within two minutes."),
        (Some("UserInitiated"), "Lasts until: the task stops, within the stopTimeout of its containers."),
        (None, "Lasts until: the task stops: on Spot within two minutes, elsewhere within the stopTimeout of its"),
    ] {
        says(&message_about(&Interruption { stop_code: stop_code.map(str::to_owned), ..spot() }).email, &[time]);
    }
}

fn description(message: &AlertMessage) -> String {
    json(&message.chat)["content"]["description"].as_str().unwrap().to_owned()
}

#[test]
fn a_chat_says_the_same_in_short() {
    let chat = json(&message_about(&spot()).chat);
    let content = &chat["content"];
    assert_eq!(
        content["title"],
        "🔴 `transcode` (`video`): a task with 2 running jobs is stopping (Spot interruption)"
    );
    assert_eq!(
        content["description"],
        "Lasts until: the task stops, within two minutes.\n\
         If you wait: the jobs that do not finish by then are lost, unless your own queue redelivers them or a consumer \
         of taskhold's queue for interrupted jobs restarts them.\n\
         Do first: find out which jobs are restarted automatically. When the task has stopped, restart the others that \
         did not finish.\n\
         Noticed 2026-01-05 10:30 UTC.\n\
         Why: AWS reclaimed its Spot capacity (`SpotInterruption`).\n\
         The task was protected until 2026-01-05 12:30 UTC (in 2 h). Protection does not prevent this kind of stop.\n\
         ECS says:\n\
         • `Your Spot Task was interrupted.`\n\
         The jobs that were running, longest remaining first:\n\
         • `episode-0417` attempt 2, labels `lang: de, title: Episode \"417\"`, had declared an end by 12:30 UTC\n\
         • `trailer \"b\"`, had declared an end by 11:00 UTC\n\
         Runbook: `docs/on-call.md#job-interrupted`. Sent by taskhold, Lambda function `taskhold`."
    );
    let steps = content["nextSteps"].as_array().unwrap();
    assert!(steps[0].as_str().unwrap().starts_with("When the task has stopped, restart the jobs"), "{steps:?}");
    assert_eq!(
        steps[1],
        "See how the task ended; ECS keeps it for about an hour: `aws ecs describe-tasks --region \
         eu-west-1 --cluster video --tasks 00000000000000000000000000000007`"
    );
    let metadata = &chat["metadata"];
    assert_eq!(metadata["threadId"], "video/-/00000000000000000000000000000007/job-interrupted");
    assert_eq!(metadata["eventType"], "job-interrupted");
    let arns = ["service/video/transcode", "task/video/00000000000000000000000000000007"];
    assert_eq!(
        metadata["relatedResources"],
        json!(arns.map(|arn| format!("arn:aws:ecs:eu-west-1:111122223333:{arn}")))
    );
}

#[test]
fn the_json_has_every_job_with_its_labels() {
    let document = json(&message_about(&scaled_in()).json);
    assert_eq!(
        document,
        json!({
            "version": 1,
            "incident": "video/-/00000000000000000000000000000007/job-interrupted",
            "kind": "job-interrupted",
            "event": "opened",
            "service": "arn:aws:ecs:eu-west-1:111122223333:service/video/transcode",
            "serviceName": "transcode",
            "cluster": "video",
            "taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/video/00000000000000000000000000000007",
            "at": "2026-01-05T10:30:00Z",
            "stage": "stopped",
            "stopCode": "ServiceSchedulerInitiated",
            "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/8646900195280463695)",
            "exitCodes": [{"container": "worker", "exitCode": 143}, {"container": "log", "exitCode": 0}],
            "exitCodesOmitted": 0,
            "protectedUntil": "2026-01-05T12:30:00Z",
            "protectionReportedAt": "2026-01-05T10:30:00Z",
            "jobs": [
                {
                    "jobId": "episode-0417",
                    "attempt": 2,
                    "until": "2026-01-05T12:30:00Z",
                    "labels": {"lang": "de", "title": "Episode \"417\""},
                },
                {"jobId": "trailer \"b\"", "attempt": 1, "until": "2026-01-05T11:00:00Z"},
            ],
            "jobsOmitted": 0,
        })
    );
}

#[test]
fn a_message_for_each_job_says_what_it_takes_to_begin_it_again() {
    let messages: Vec<Value> = job_messages(&interrupted(&spot())).iter().map(|body| json(body)).collect();
    let expected = |job: &str, attempt: u32, labels: Value| {
        json!({
            "version": VERSION,
            "kind": "job-interrupted",
            "jobId": job,
            "attempt": attempt,
            "labels": labels,
            "taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/video/00000000000000000000000000000007",
            "cluster": "video",
            "service": "arn:aws:ecs:eu-west-1:111122223333:service/video/transcode",
            "stage": "stopping",
            "stopCode": "SpotInterruption",
            "stoppedReason": "Your Spot Task was interrupted.",
            "at": "2026-01-05T10:30:00Z",
        })
    };
    let episode = expected("episode-0417", 2, json!({"lang": "de", "title": "Episode \"417\""}));
    assert_eq!(messages, [episode, expected("trailer \"b\"", 1, json!({}))]);
}

#[test]
fn the_message_on_the_page_for_workers_is_one_that_is_sent() {
    let page = crate::files::read("docs/workers.md");
    let mut shown = page.split("```json\n").map(|rest| rest.split("```").next().unwrap());
    let shown = json(shown.find(|block| block.contains("job-interrupted") && block.starts_with('{')).unwrap());
    let id = shown["taskArn"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap();
    let mut what = spot();
    what.jobs = vec![InterruptedJob {
        labels: [("title".to_owned(), "Episode 417".to_owned())].into(),
        ..job("episode-0417", 1, 150)
    }];
    assert_eq!(shown, json(&job_messages(&InterruptedTask { task: Task { id, ..task() }, interruption: what })[0]));
}

#[test]
fn both_schemas_accept_every_alert_and_describe_every_member() {
    let validator = |name: &str| {
        let schema = schema(name);
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{name}");
        jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
    };
    let (alerts, jobs) = (validator("alert.schema.json"), validator("interrupted-job.schema.json"));
    for what in all() {
        let document = json(&message_about(&what).json);
        let errors: Vec<String> = alerts.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{document:#}");
        for body in job_messages(&interrupted(&what)) {
            let message = json(&body);
            let errors: Vec<String> = jobs.iter_errors(&message).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}\n{message:#}");
        }
    }
    let (job, alert) = (schema("interrupted-job.schema.json"), schema("alert.schema.json"));
    let members = job["properties"].as_object().unwrap();
    assert!(members.values().all(|member| member["description"].is_string()), "{members:?}");
    assert_eq!(alert["$defs"]["jobInterrupted"]["properties"]["stage"]["enum"], job["properties"]["stage"]["enum"]);
    let bare = json(&job_messages(&interrupted(&forgotten()))[0]);
    for member in bare.as_object().unwrap().keys() {
        let mut altered = bare.clone();
        altered.as_object_mut().unwrap().remove(member);
        assert!(!jobs.is_valid(&altered), "without {member}");
    }
}

#[test]
fn the_limits_hold_and_every_list_that_was_shortened_says_so() {
    for what in all() {
        let message = message_about(&what);
        assert_eq!((message.kind, message.event), (AlertKind::JobInterrupted, Transition::Opened));
        assert!(message.subject.len() <= email::SUBJECT_CHARS_MAX, "{}", message.subject);
        assert!(message.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{}", message.subject);
        assert!(message.email.lines().count() < 400);
        let body = published::message(&message);
        assert!(body.len() <= published::MESSAGE_BYTES_MAX - 4096, "{}", body.len());
        assert!(body.chars().chain(message.json.chars()).all(is_taken_by_sqs));
        let texts = json(&body);
        assert_eq!((&texts["default"], &texts["email"]), (&json_of(&message.json), &json_of(&message.email)));
        check_chat(&message.chat, &message.incident);
        assert!(json!(message.json).to_string().len() <= machine::ESCAPED_BYTES_MAX);
        let document = json(&message.json);
        let shown = document["jobs"].as_array().unwrap().len();
        assert_eq!(document["jobsOmitted"], what.jobs.len() - shown);
        assert!(shown == what.jobs.len() || shown > 100, "{shown}");
    }
    let message = message_about(&hostile_one(2000));
    says(&message.email, &["  and 1950 more jobs."]);
    says(&description(&message), &["• and 1990 more jobs"]);
    assert!(message.email.replace("\n   ", " ").contains("and of 40 more containers"), "{}", message.email);
    assert_eq!(json(&message.json)["exitCodesOmitted"], 30);
    assert_eq!(job_messages(&interrupted(&hostile_one(2000))).len(), 2000, "of these none is left out");
}

#[test]
fn long_names_are_shortened_in_the_subject_and_commands_are_not() {
    let cluster = service("x", &"c".repeat(255)).cluster;
    let long = Interruption { service: Some("s".repeat(255)), ..scaled_in() };
    let message = AlertMessage::of(
        &InterruptedTask { task: Task { cluster: cluster.clone(), id: id(7) }, interruption: long.clone() },
        &sender(),
    );
    assert!(message.subject.len() <= email::SUBJECT_CHARS_MAX, "{}", message.subject);
    assert!(message.subject.contains("sss") && message.subject.contains("ccc"), "{}", message.subject);
    let command = format!("--cluster {} --tasks {}\n", "c".repeat(255), id(7));
    assert!(message.email.contains(&command), "{}", message.email);
    let step = &json(&message.chat)["content"]["nextSteps"][1];
    assert!(step.as_str().unwrap().ends_with("for about an hour (the email has the command)"), "{step}");
    let nobody = Interruption { service: None, ..long };
    let message =
        AlertMessage::of(&InterruptedTask { task: Task { cluster, id: id(7) }, interruption: nobody }, &sender());
    assert!(message.subject.len() <= email::SUBJECT_CHARS_MAX, "{}", message.subject);
}

#[test]
fn the_command_in_the_mail_is_quoted_for_a_shell_and_kept_out_of_a_chat_that_could_alter_it() {
    let mut task = task();
    std::sync::Arc::make_mut(&mut task.cluster).name = "a b`$(id)`; it's".to_owned();
    let message = AlertMessage::of(&InterruptedTask { task: task.clone(), interruption: scaled_in() }, &sender());
    assert!(message.email.contains(r"--cluster 'a b`$(id)`; it'\''s' --tasks 0000"), "{}", message.email);
    let step = &json(&message.chat)["content"]["nextSteps"][1];
    assert!(step.as_str().unwrap().ends_with("(the email has the command)"), "{step}");
}

#[test]
fn no_text_of_others_begins_a_line_of_the_mail_or_leaves_its_code_span_in_the_chat() {
    for jobs in [1, 60] {
        let message = message_about(&hostile_one(jobs));
        check_mail(&message.email, &["Service:  ", "Task:     "]);
        check_spans(&message.chat);
    }
}

#[test]
fn hostile_texts_are_whole_in_json_and_a_name_that_is_no_services_names_none() {
    let what = hostile_one(3);
    let message = message_about(&what);
    assert_eq!(message.service, None);
    let document = json(&message.json);
    assert!(document.get("service").is_none() && document.get("serviceName").is_none());
    for (document, was) in document["jobs"].as_array().unwrap().iter().zip(&what.jobs) {
        assert_eq!((&document["jobId"], &document["labels"]), (&json_of(&was.key.job_id), &json_of(&was.labels)));
    }
    for (body, was) in job_messages(&interrupted(&what)).iter().zip(&what.jobs) {
        let document = json(body);
        assert_eq!((&document["jobId"], &document["labels"]), (&json_of(&was.key.job_id), &json_of(&was.labels)));
        assert!(document["stoppedReason"].as_str().unwrap().chars().all(|c| !c.is_control()), "{document}");
        assert!(body.chars().all(is_taken_by_sqs) && body.len() < 64 * 1024, "{}", body.len());
    }
}
