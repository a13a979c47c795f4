//! The promises of SEMANTICS.md: one test each, named after its heading.

use crate::block_on;
use crate::in_process::holds;
use crate::stage::{RedrivenBy, StagedRegion};
use ecs_sim::event_source::FunctionAnswer;
use ecs_sim::queue::SendMessage;
use ecs_sim::region::{DEAD_LETTER_QUEUE, Fault, INTERRUPTED_QUEUE, JOB_QUEUE, RECHECK_QUEUE};
use ecs_sim::scenario::FunctionUnderTest;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The name of a heading's test: its words in lower case, without apostrophes and commas.
fn test_name(heading: &str) -> String {
    heading.to_lowercase().replace([' ', '-'], "_").replace(['\'', ','], "")
}

#[test]
fn every_promise_has_its_test_and_every_test_its_promise() {
    let promises = include_str!("../SEMANTICS.md").lines().filter_map(|line| line.strip_prefix("## "));
    let promises: BTreeSet<String> = promises.map(test_name).collect();
    let tests = include_str!("semantics.rs").split("#[test]\nfn ").skip(1);
    let tests = tests.map(|rest| rest.split('(').next().unwrap().to_owned());
    let own = "every_promise_has_its_test_and_every_test_its_promise";
    let tests: BTreeSet<String> = tests.filter(|name| name != own).collect();
    assert_eq!(promises, tests);
    assert!(promises.len() >= 16);
}

#[test]
fn a_busy_task_is_protected_until_its_jobs_declared_end() {
    holds(
        "job j-1 starts on a for 480m
         expect 1 call
         expect a protected for 480m
         advance 7h59m
         expect a protected
         advance 30m
         expect a unprotected",
    );
}

#[test]
fn order_and_number_of_deliveries_do_not_matter() {
    holds(
        "job j-1 starts on a for 60m late 4m
         job j-1 beats on a late 3m
         job j-1 finishes on a late 2m
         again 2
         advance 5m
         expect 0 calls
         expect a unprotected
         job j-2 starts on a for 60m
         again 5
         expect 1 call
         expect 0 waiting",
    );
}

#[test]
fn protection_is_never_shortened_while_a_job_lives() {
    holds(
        "job long starts on a for 120m
         job short starts on a for 10m
         job long beats for 5m
         expect 1 call
         expect a protected for 120m",
    );
}

#[test]
fn an_idle_task_is_released() {
    holds(
        "job j-1 starts on a for 60m
         ecs throttles 5 of UpdateTaskProtection
         job j-1 finishes
         advance 3m
         expect a unprotected
         expect 0 waiting
         job j-2 finishes on b     # never started: others may have protected b, so it is left alone
         expect 7 calls",
    );
}

#[test]
fn a_lingering_task_keeps_its_protection_for_its_next_job() {
    holds(
        "set TASKHOLD_LINGER_SECONDS 60
         job j-1 starts on a for 60m
         job j-2 starts on b for 60m
         job j-1 finishes
         job j-2 finishes
         expect 2 calls
         advance 50s
         job j-3 starts on a for 30m
         advance 5m
         expect a protected for 54m
         expect b unprotected
         expect 1 call
         job j-3 finishes
         ask {\"release\": {\"tasks\": [\"$a\"]}}
         expect answer /release/tasks/0/outcome released
         expect a unprotected",
    );
    // The recheck is lost, and then the granted protection ends before the linger.
    holds(
        "set TASKHOLD_LINGER_SECONDS 900
         sweep every 5m
         job j-1 starts on a for 60m
         job j-1 finishes
         lose rechecks
         advance 21m
         expect a unprotected
         expect 2 calls
         job j-2 starts on a for 10m
         job j-2 finishes
         advance 20m
         expect a unprotected
         expect 1 call",
    );
    // The finish is done when the recheck is on its way.
    let mut stage = StagedRegion::with(&[("TASKHOLD_LINGER_SECONDS", "15")]);
    stage.send(&stage.message(0, json!({"maxDurationMinutes": 60})));
    stage.deliver(30_000);
    stage.send(&stage.message(0, json!({"type": "job.finished"})));
    assert_eq!(stage.deliver(30_000), 0);
    assert_eq!(stage.region.lock().queues.messages(RECHECK_QUEUE).unwrap().len(), 1);
}

#[test]
fn only_an_end_releases() {
    // The two tasks share a call, so that task a is protected for longer than its job declared.
    let start = "service web desired 2
         sweep every 5m
         hold queue
         job j-1 starts on a for 300m
         job j-2 starts on b for 312m
         open queue
         advance 306m
         expect a protected
         expect 1 call
         ";
    holds(&format!(
        "{start}ask {{\"release\": {{\"tasks\": [\"$a\"]}}}}
         expect answer /release/tasks/0/outcome busy
         advance 7m
         expect a unprotected
         expect 0 calls"
    ));
    holds(&format!(
        "{start}job j-1 finishes
         expect a unprotected
         expect 1 call"
    ));
}

#[test]
fn a_release_clears_only_protection_that_taskhold_set() {
    for minutes in [30, 240] {
        holds(&format!(
            "job j-1 starts on a for 60m
             protect a for {minutes}m
             job j-1 finishes
             expect a protected for {minutes}m
             expect 1 call
             expect 0 waiting
             ask {{\"release\": {{\"tasks\": [\"$a\"]}}}}
             expect answer /release/tasks/0/outcome foreign
             expect 0 calls
             ask {{\"release\": {{\"tasks\": [\"$a\"], \"force\": true, \"by\": \"joan\"}}}}
             expect a unprotected"
        ));
    }
    // A call without an answer: its protection is recognized by its minutes.
    holds(
        "ecs loses 1 answers of UpdateTaskProtection
         job j-1 starts on a for 60m
         job j-1 finishes
         advance 6m
         expect a unprotected
         expect 0 waiting",
    );
}

#[test]
fn a_task_that_protects_itself_for_a_job_has_one_writer() {
    holds(
        "protect a for 2h
         job j-1 starts on a for 2h protected 2h
         expect 0 calls
         job j-2 starts on a for 60m
         expect a protected for 2h
         expect 1 call
         job j-2 finishes
         expect 0 calls
         expect a protected for 2h
         job j-3 starts on b for 60m refused
         expect alert protection-refused opened web
         expect mail j-3
         expect 0 calls",
    );
}

#[test]
fn a_release_never_leaves_a_live_job_unprotected() {
    // tests/sim.rs searches random orders for a counterexample; this is the shortest path to one.
    holds(
        "job j-1 starts on a for 60m
         ecs loses 1 answers of UpdateTaskProtection
         job j-1 finishes           # a release that may yet take effect
         job j-2 starts on a for 60m
         expect a protected for 60m
         expect 2 waiting           # protected, and still not taken as certain
         advance 3m
         expect a protected for 57m
         expect 0 waiting",
    );
}

#[test]
fn a_request_is_not_a_confirmation() {
    for fault in ["ecs loses 1 answers", "ecs loses 1 calls", "ecs fails 1"] {
        holds(&format!(
            "{fault}\njob j-1 starts on a\nexpect 1 waiting\nadvance 3m\nexpect a protected\nexpect 0 waiting"
        ));
    }
}

#[test]
fn a_refused_request_is_logged_and_repeated() {
    let summary = holds(
        "service web desired 1
         job j-1 starts on a for 60m
         deploy web
         advance 1m
         job j-2 starts on b for 60m
         expect warning DEPLOYMENT_BLOCKED
         expect alert protection-refused opened web
         expect 1 waiting
         advance 10m
         expect b unprotected
         expect alert deployment-blocked opened web
         job j-1 finishes
         expect b protected
         expect alert protection-refused resolved web
         expect alert deployment-blocked resolved web
         advance 6m
         expect b protected
         expect 0 waiting",
    );
    assert!(summary.refused >= 2, "{summary:?}");
}

#[test]
fn every_message_ends_done_retried_or_dead_lettered_with_a_reason() {
    holds(
        "standalone
         job j-1 starts on a
         expect 1 dead-lettered because TASK_NOT_VALID
         send nonsense
         expect 2 dead-lettered because not a JSON object",
    );
    let mut stage = StagedRegion::new();
    stage.region.lock().queues.purge(JOB_QUEUE).unwrap();
    for (receives_left, body) in [(0, "nonsense"), (0, "{}"), (1, "")] {
        let body = if body.is_empty() { stage.message(0, json!({})) } else { body.to_owned() };
        stage.region.lock().faults.extend([Fault::CallLost]);
        stage.send(&body);
        assert_eq!(stage.deliver(30_000), receives_left, "{body}");
        stage.region.lock().faults.clear();
    }
    assert_eq!(stage.dead_lettered().len(), 2);
}

#[test]
fn a_dead_lettered_message_is_acknowledged_only_after_it_is_stored() {
    let mut stage = StagedRegion::new();
    stage.send("nonsense");
    stage.send(&stage.message(0, json!({})));
    stage.region.lock().dead_letters_lost = 1;
    assert_eq!(stage.deliver(30_000), 1, "the queue did not take the dead letter, so its message is retried");
    assert!(stage.dead_lettered().is_empty() && stage.protected(0));
    stage.advance(180);
    assert_eq!(stage.deliver(5_000), 1, "there is no time left for the send");
    assert!(stage.dead_lettered().is_empty());
    stage.advance(180);
    assert_eq!(stage.deliver(30_000), 0);
    assert_eq!(stage.dead_lettered().len(), 1);
}

#[test]
fn a_redriven_message_counts_from_when_it_was_first_sent() {
    // Dead-lettered at its first failure, and forgotten an hour after it finished.
    let settings = [("TASKHOLD_RECEIVES_MAX", "1"), ("TASKHOLD_FINISHED_JOB_RETENTION_HOURS", "1")];
    for redriven_by in [RedrivenBy::Command, RedrivenBy::Sqs] {
        let mut stage = StagedRegion::with(&settings);
        let sent = stage.region.lock().now();
        for task in [0, 1] {
            stage.send(&stage.message(task, json!({"maxDurationMinutes": 90 + 90 * task})));
        }
        stage.advance(10 * 60);
        stage.region.lock().faults.extend([Fault::AccessDenied; 6]);
        stage.deliver(30_000);
        stage.region.lock().faults.clear();
        assert_eq!(stage.dead_lettered().len(), 2);
        stage.send(&stage.message(0, json!({"type": "job.finished"})));
        stage.deliver(30_000);
        stage.advance(100 * 60);
        stage.redrive(redriven_by);
        assert!(!stage.protected(0), "the time of its job is over: {redriven_by:?}");
        let until = stage.region.lock().ecs.task(&stage.tasks[1]).unwrap().protected_until.unwrap();
        let late_minutes = (until - sent) / 60_000 - 180;
        assert!((0..=9).contains(&late_minutes), "{late_minutes} minutes after its end: {redriven_by:?}");
        assert!(stage.dead_lettered().is_empty(), "{redriven_by:?}");
    }
    // An attribute with a later time than that of SQS extends nothing.
    let mut stage = StagedRegion::new();
    let message = SendMessage::new(stage.message(0, json!({"maxDurationMinutes": 60})));
    let message = message.with_attribute("taskhold.sentAt", "2099-01-01T00:00:00Z");
    stage.region.lock().queues.send(JOB_QUEUE, message).unwrap();
    stage.deliver(30_000);
    stage.advance(70 * 60);
    assert!(!stage.protected(0));
}

#[test]
fn a_message_never_affects_the_rest_of_its_batch() {
    let gone = "0123456789abcdef0123456789abcdef";
    let arn = |text: &str| json!({ "taskArn": text });
    let bad: Vec<(String, &str)> = {
        let stage = StagedRegion::new();
        let own = format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{gone}");
        let with = |changes: Value| stage.message(0, changes);
        vec![
            ("not json".to_owned(), "the body is not a JSON object"),
            ("[1, 2]".to_owned(), "the body is not a JSON object"),
            ("\"text\"".to_owned(), "the body is not a JSON object"),
            (json!({"order": 17}).to_string(), "`version` is missing"),
            (with(json!({"jobId": null})), "`jobId` is missing; it must be a string of 1 to 256 characters"),
            (with(json!({"jobId": ""})), "`jobId` is an empty string; it must be"),
            (with(json!({"jobId": "x".repeat(257)})), "`jobId` is a string of 257 characters; it must be"),
            (
                with(json!({"maxDurationMinutes": 0})),
                "`maxDurationMinutes` is 0; it must be a whole number from 1 to 2880",
            ),
            (with(json!({"maxDurationMinutes": -1})), "`maxDurationMinutes` is -1; it must be"),
            (with(json!({"maxDurationMinutes": 2881})), "`maxDurationMinutes` is 2881; it must be"),
            (with(json!({"maxDurationMinutes": 1.5})), "`maxDurationMinutes` is 1.5; it must be"),
            (with(json!({"maxDurationMinutes": "90"})), "`maxDurationMinutes` is the string \"90\"; it must be"),
            (with(json!({"maxDurationMinutes": 1e9})), "`maxDurationMinutes` is 1000000000.0; it must be"),
            (with(arn("arn:aws:sqs:eu-west-1:111122223333:task/video/x")), "`taskArn`: "),
            (with(arn(&own.replace("arn:aws:", "arn:aws-cn:"))), "`taskArn`: its partition is `aws-cn`"),
            (with(arn(&own.replace("111122223333", "999922223333"))), "`taskArn`: its account is `999922223333`"),
            (with(arn(&own.replace("eu-west-1", "us-east-1"))), "`taskArn`: its Region is `us-east-1`"),
            (with(arn(&own.replace("video/", ""))), "is the short form, which does not name the cluster"),
            (with(arn(&own.replace("video", "other"))), "`taskArn`: cluster `other` is not in TASKHOLD_CLUSTERS"),
            (with(json!({"labels": "x".repeat(1 << 17)})), "a job message has at most 65536"),
            (
                format!("\"{}\"", "x".repeat((1 << 20) - 2)),
                "the body has 1048576 bytes; a job message has at most 65536",
            ),
            (format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000)), "the body has 100001 bytes"),
            (format!("{{\"labels\":{}1{}}}", "[".repeat(500), "]".repeat(500)), "recursion limit exceeded"),
        ]
    };
    for (body, reason) in bad {
        let mut stage = StagedRegion::new();
        stage.send(&stage.message(0, json!({})));
        stage.send(&body);
        stage.send(&stage.message(1, json!({})));
        let shown: String = body.chars().take(120).collect();
        assert_eq!(stage.deliver(30_000), 0, "no message is retried beside {shown}");
        assert!(stage.protected(0) && stage.protected(1), "the good ones are done beside {shown}");
        let dead_lettered = stage.dead_lettered();
        assert_eq!(dead_lettered.len(), 1, "{shown}");
        assert!(dead_lettered[0].contains(reason), "{shown} was dead-lettered because {}", dead_lettered[0]);
    }
}

#[test]
fn a_failed_call_is_never_treated_as_an_answer() {
    holds(
        "job j-1 starts on a for 60m
         ecs fails 2                # DescribeTasks, when the events of the stop come
         crash a
         advance 15s
         job j-1 beats for 90m      # as long as nobody knows that the task has stopped, its job lives
         expect 2 calls
         advance 5m
         expect warning jobs interrupted
         expect alert job-interrupted opened web",
    );
}

#[test]
fn an_event_triggers_a_reconcile_and_proves_nothing() {
    let stop = r#"{"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {"taskArn": "$a", "lastStatus": "STOPPED"}}"#;
    holds(&format!(
        "job j-1 starts on a for 60m
         send {stop}
         expect warning ignoring a stop event for a running task
         job j-1 finishes
         expect a unprotected"
    ));
}

#[test]
fn other_clusters_are_never_touched() {
    let mut stage = StagedRegion::new();
    stage.region.lock().ecs.create_cluster("other");
    let spec = ecs_sim::control_plane::ServiceSpec::new("other", "web", 1);
    let task = stage.region.lock().ecs.create_service(spec).unwrap().remove(0);
    let body = json!({"version": 1, "type": "job.started", "jobId": "j", "cluster": "other", "taskId": task});
    stage.send(&body.to_string());
    stage.deliver(30_000);
    assert!(stage.region.lock().calls.is_empty());
    assert!(stage.dead_lettered()[0].contains("cluster `other` is not in TASKHOLD_CLUSTERS (video)"));
    let event = json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {
        "taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/other/{task}"), "lastStatus": "STOPPED"}});
    let answer = block_on(stage.function.invoke(&event.to_string(), i64::from(u32::MAX) * 1000)).answer;
    assert!(matches!(answer, FunctionAnswer::Answered(_)));
    assert!(stage.region.lock().calls.is_empty());
}

#[test]
fn with_sender_checks_only_the_task_itself_can_report_its_jobs() {
    let mut stage = StagedRegion::with(&[("TASKHOLD_REQUIRE_SENDER_TASK", "true")]);
    let id = stage.tasks[0].clone();
    let others = [
        format!("AROAEXAMPLE:{}", stage.tasks[1]), // another task
        format!("AROAEXAMPLE:{}", id.to_uppercase()),
        format!("AROAEXAMPLE:{}", &id[..31]),
        format!("AROAEXAMPLE:{id}0"),
        format!("AROAEXAMPLE:0{id}"),
        format!("AROAEXAMPLE: {id}"),
        format!("AROAEXAMPLE:{id} "),
        format!("AROAEXAMPLE:x:{id}"),
        format!("AROAEXAMPLE:{id}:{id}"),
        "AROAEXAMPLE:".to_owned(),
        "AROAEXAMPLE".to_owned(),
        format!("aroaexample:{id}"),
        format!("aroaEXAMPLE:{id}"),
        format!("AROAexample:{id}"),
        format!("AROA-EXAMPLE:{id}"),
        format!("XAROAEXAMPLE:{id}"),
        format!("AROA:{id}"),
        format!("AIDAEXAMPLE:{id}"), // no role
        format!("ASIAEXAMPLE:{id}"),
        format!("AGPAEXAMPLE:{id}"),
        format!(":{id}"),
        format!("111122223333:{id}"), // a federated user
        "AIDAEXAMPLE".to_owned(),     // an IAM user, or a service
        id.clone(),
    ];
    assert_ne!(id, id.to_uppercase());
    for sender in &others {
        stage.send_from(sender, &stage.message(0, json!({})));
        assert_eq!(stage.deliver(30_000), 0, "{sender}");
        assert!(!stage.protected(0), "{sender}");
    }
    let dead_lettered = stage.dead_lettered();
    assert_eq!(dead_lettered.len(), others.len());
    for (reason, sender) in dead_lettered.iter().zip(&others) {
        assert!(reason.contains(&format!("its sender is `{sender}`; with TASKHOLD_REQUIRE_SENDER_TASK")), "{reason}");
        assert!(reason.contains(&format!("in session `{id}` of its task role")), "{reason}");
    }
    // A redrive, by whichever way, is no way around the check.
    let report = stage.redrive_by_command();
    assert_eq!((&report["received"], &report["carriedOut"]), (&json!(others.len()), &json!(0)), "{report}");
    stage.advance(180);
    stage.redrive(RedrivenBy::Sqs);
    assert!(!stage.protected(0) && stage.dead_lettered().len() == others.len());
    stage.send_from(&format!("AROAEXAMPLE:{id}"), &stage.message(0, json!({})));
    assert_eq!(stage.deliver(30_000), 0);
    assert!(stage.protected(0));
    assert_eq!(stage.dead_lettered().len(), others.len());
}

#[test]
fn with_sender_checks_the_job_queue_carries_no_events() {
    let mut stage = StagedRegion::with(&[("TASKHOLD_REQUIRE_SENDER_TASK", "true")]);
    let own = format!("AROAEXAMPLE:{}", stage.tasks[0]);
    stage.send_from(&own, &stage.message(0, json!({})));
    stage.deliver(30_000);
    assert!(stage.protected(0));
    stage.region.lock().ecs.stop_task(&stage.tasks[0]).unwrap();
    stage.advance(120);
    let event = json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {
        "taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{}", stage.tasks[0]),
        "lastStatus": "STOPPED"}});
    let interrupted = |stage: &StagedRegion| stage.region.lock().queues.messages(INTERRUPTED_QUEUE).unwrap().len();
    let ignored = json!({"source": "aws.ecs", "detail-type": "From The Future", "detail": {}});
    for event in [&event, &ignored] {
        stage.send_from(&own, &event.to_string());
        assert_eq!(stage.deliver(30_000), 0);
    }
    assert_eq!((stage.dead_lettered().len(), interrupted(&stage)), (2, 0));
    let report = stage.redrive_by_command();
    assert_eq!((&report["carriedOut"], interrupted(&stage)), (&json!(0), 0), "{report}");
    // EventBridge sends what it could not deliver to the dead-letter queue itself.
    let undelivered = SendMessage::new(event.to_string()).with_attribute("ERROR_CODE", "NO_PERMISSIONS");
    stage.region.lock().queues.send(DEAD_LETTER_QUEUE, undelivered.from_sender("AIDAEXAMPLE")).unwrap();
    let report = stage.redrive_by_command();
    assert_eq!((&report["carriedOut"], interrupted(&stage)), (&json!(1), 1), "{report}");
}

#[test]
fn a_dry_run_changes_nothing_in_ecs() {
    let summary = holds(
        "set TASKHOLD_DRY_RUN true
         job j-1 starts on a
         job j-1 beats for 200m
         job j-1 finishes
         job j-2 starts on b
         crash b
         advance 5m
         expect warning jobs interrupted
         expect 0 waiting
         expect alert job-interrupted opened web",
    );
    assert_eq!(summary.calls, 0);
}

#[test]
fn an_invocation_that_runs_out_of_time_loses_nothing() {
    let mut stage = StagedRegion::new();
    stage.send(&stage.message(0, json!({})));
    assert_eq!(stage.deliver(5_000), 1, "with five seconds left nothing is region_and_function");
    assert!(stage.region.lock().calls.is_empty());
    let later = stage.region.lock().now() + 180_000;
    stage.region.lock().advance_to(later);
    assert_eq!(stage.deliver(30_000), 0);
    assert!(stage.protected(0));
}

#[test]
fn unrecognized_payloads_are_acknowledged() {
    let mut stage = StagedRegion::new();
    for payload in [
        "{}",
        "[]",
        "null",
        "17",
        r#"{"Records": [{"eventSource": "aws:s3", "s3": {}}]}"#,
        r#"{"Records": 3}"#,
        r#"{"Records": []}"#,
        r#"{"source": "aws.ecs", "detail-type": "ECS Something New", "detail": {"eventName": "FROM_THE_FUTURE"}}"#,
        r#"{"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {}}"#,
        r#"{"source": 3, "detail-type": [], "detail": {}}"#,
        r#"{"key1": "value1", "key2": "value2", "key3": "value3"}"#,
    ] {
        let invoked = block_on(stage.function.invoke(payload, i64::from(u32::MAX) * 1000));
        assert!(matches!(invoked.answer, FunctionAnswer::Answered(_)), "{payload}: {invoked:?}");
    }
    assert!(stage.region.lock().calls.is_empty());
}

#[test]
fn a_blocked_service_raises_one_alert_and_one_more_when_it_is_over() {
    holds(
        "sweep every 2m
         job j-1 starts on a for 60m
         deploy web
         advance 4m
         expect no alert
         advance 3m
         expect alert deployment-blocked opened web
         advance 40m
         expect no alert
         job j-1 finishes
         advance 10m
         expect alert deployment-blocked resolved web
         advance 5h",
    );
    // It waits for jobs that are expected to end in time.
    holds(
        "sweep every 2m
         job j-1 starts on a for 120m expected 20m
         deploy web
         advance 24m
         expect no alert
         advance 2m
         expect alert deployment-blocked opened web
         job j-1 finishes
         advance 10m
         expect alert deployment-blocked resolved web",
    );
}

#[test]
fn a_scale_in_that_waits_for_jobs_raises_no_alert_before_their_expected_end() {
    holds(
        "set TASKHOLD_SCALE_IN_BLOCKED_AFTER_MINUTES 10
         sweep every 5m
         job j-1 starts on a for 90m expected 30m
         scale web to 0
         advance 39m
         expect no alert
         advance 5m
         expect alert scale-in-blocked opened web
         job j-1 finishes
         advance 5m
         expect alert scale-in-blocked resolved web",
    );
}

#[test]
fn a_deadline_that_will_be_missed_raises_an_alert_at_the_first_reconcile() {
    holds(
        "service web desired 2 tag aws:cloudformation:stack-name=video
         job j-1 starts on a for 240m expected 190m
         deploy web
         advance 30s
         ask {\"sweep\": {}}
         expect alert deployment-at-risk opened web",
    );
    for expectation in ["expected 60m", ""] {
        holds(&format!(
            "service web desired 2 tag aws:cloudformation:stack-name=video
             job j-1 starts on a for 240m {expectation}
             deploy web
             advance 30s
             ask {{\"sweep\": {{}}}}
             expect no alert"
        ));
    }
    holds(
        "service web desired 5 tag aws:cloudformation:stack-name=video
         job e starts on a to e for 10h kind encode
         advance 190m
         job e-a finishes
         job e-b finishes
         job e-c finishes
         job e-d finishes
         job e-e finishes
         job j-1 starts on a for 10h kind encode
         deploy web
         advance 30s
         ask {\"sweep\": {}}
         expect alert deployment-at-risk opened web",
    );
}

#[test]
fn a_failed_read_resolves_no_incident() {
    for fault in ["ecs throttles 1", "ecs fails 1", "ecs loses 1 calls", "ecs denies 1"] {
        holds(&format!(
            "sweep every 5m
             job j-1 starts on a for 60m
             deploy web
             advance 10m
             expect alert deployment-blocked opened web
             {fault}
             advance 5m
             expect no alert
             {fault}
             preflight of web
             expect answer /error/code ecs-failed
             job j-1 finishes
             advance 10m
             expect alert deployment-blocked resolved web"
        ));
    }
}

#[test]
fn a_deployment_that_waits_for_a_person_or_has_succeeded_is_not_blocked() {
    holds(
        "service web desired 1 strategy blue-green bake 1m hook pause post-scale-up
         job j-1 starts on a for 150m
         deploy web
         advance 1h
         expect no alert
         continue web
         advance 4m
         expect no alert
         advance 20m
         expect alert deployment-blocked opened web
         ecs answers DescribeServiceDeployments {\"serviceDeployments\": []}
         job j-2 starts on a for 10m
         advance 5m
         expect no alert",
    );
    holds(
        "service web desired 1 early 100 deferred
         job j-1 starts on a for 150m
         deploy web
         advance 1h
         expect no alert
         ecs denies 100 of DescribeServiceDeployments
         advance 1h
         expect no alert",
    );
}

#[test]
fn a_service_with_a_rollout_in_progress_is_rechecked_until_it_is_steady() {
    // No sweep: events and rechecks find everything that is reported here.
    holds(
        "job j-1 starts on a for 60m
         deploy web
         advance 6m
         expect alert deployment-blocked opened web
         advance 1h
         expect alert deployment-blocked resolved web
         expect web steady
         advance 24h
         expect no alert",
    );
}

#[test]
fn refused_protection_raises_an_alert_and_is_retried_when_there_is_room() {
    // At the exact moment at which the blocking protection ends.
    holds(
        "service web desired 1
         protect a for 30m
         deploy web
         advance 1m
         job j-1 starts on b for 60m
         expect alert protection-refused opened web
         expect b unprotected
         advance 29m1s
         expect b protected
         expect alert deployment-blocked opened web
         expect alert protection-refused resolved web
         expect alert deployment-blocked resolved web",
    );
    // And after a release.
    holds(
        "service web desired 1
         job j-1 starts on a for 60m
         deploy web
         advance 1m
         job j-2 starts on b for 60m
         expect alert protection-refused opened web
         job j-1 finishes
         expect b protected
         expect alert protection-refused resolved web",
    );
}

#[test]
fn an_interrupted_job_is_reported_once() {
    holds(
        "job j-1 starts on a for 60m
         interrupt a
         expect alert job-interrupted opened web
         advance 10m
         expect a stopped
         expect no alert
         job j-2 starts on b for 60m
         job j-2 finishes
         scale web to 1
         advance 10m
         expect no alert",
    );
}

#[test]
fn a_worker_that_stops_sending_its_heartbeats_is_reported() {
    holds(
        "sweep every 5m
         job j-1 starts on a for 8h heartbeats every 20m
         job j-2 starts on b for 8h
         advance 59m
         expect no alert
         advance 1m
         expect alert orphaned-protection opened web
         expect a protected
         expect b protected
         job j-1 beats
         advance 5m
         expect alert orphaned-protection resolved web
         advance 1h
         expect alert orphaned-protection opened web",
    );
}

#[test]
fn a_remediation_never_affects_a_busy_task_and_is_put_back() {
    holds(
        "needs refusal=outnumbered
         set TASKHOLD_REMEDIATIONS release-idle,raise-desired-count
         mute alerts
         service web desired 1 tag taskhold:policy=raise-desired-count tag taskhold:max-desired-count=2
         job j-1 starts on a for 60m
         deploy web
         advance 1m
         job j-2 starts on b for 60m
         expect b protected
         expect a protected
         job j-1 finishes
         job j-2 finishes
         advance 30m
         expect web steady
         expect c stopped",
    );
    holds(
        "set TASKHOLD_REMEDIATIONS release-idle
         set TASKHOLD_POLICY release-idle
         mute alerts
         job j-1 starts on a for 60m
         protect b for 60m
         deploy web
         advance 40m
         expect a protected
         expect b protected",
    );
}

#[test]
fn the_sweep_repairs_what_no_message_reported() {
    holds(
        "sweep every 5m
         job j-1 starts on a for 60m
         release a
         expect a unprotected
         advance 5m
         expect warning lost its protection
         expect a protected",
    );
}

#[test]
fn the_gate_holds_no_deployment_for_longer_than_it_may() {
    let mut stage = StagedRegion::new();
    let started = json!({"version": 1, "type": "job.started", "jobId": "j", "maxDurationMinutes": 600,
        "taskArn": format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{}", stage.tasks[0])});
    let invoke = |stage: &mut StagedRegion, payload: &Value| {
        let deadline = stage.region.lock().now() + 30_000;
        let answer = block_on(stage.function.invoke(&payload.to_string(), deadline)).answer;
        let FunctionAnswer::Answered(answer) = answer else { panic!("{payload} fails") };
        answer
    };
    invoke(&mut stage, &started);
    let hook = |details: Value| {
        json!({"executionId": "x", "lifecycleStage": "PRE_SCALE_UP", "hookDetails": details, "executionDetails":
            {"serviceArn": "arn:aws:ecs:eu-west-1:111122223333:service/video/web"}})
    };
    for (then, status) in [("continue", "SUCCEEDED"), ("rollback", "FAILED")] {
        let mut details = json!({"taskhold": {"until": "no-live-jobs", "atMostMinutes": 20, "then": then}});
        let mut seconds = 0;
        let last = loop {
            let answer = invoke(&mut stage, &hook(details));
            if answer["hookStatus"] != "IN_PROGRESS" {
                break answer["hookStatus"].clone();
            }
            let delay = answer["callBackDelay"].as_i64().unwrap();
            stage.advance(delay);
            seconds += delay;
            details = answer["hookDetails"].clone();
        };
        assert_eq!(last, status);
        assert!((18 * 60..=20 * 60).contains(&seconds), "{seconds} s");
    }
    assert_eq!(invoke(&mut stage, &hook(json!("foreign")))["hookStatus"], "SUCCEEDED");
}

#[test]
fn a_failed_alert_is_retried() {
    holds(
        "sweep every 5m
         job j-1 starts on a for 60m
         deploy web
         lose 1 alerts
         advance 7m
         expect error could not send the alert
         expect no alert
         advance 8m
         expect alert deployment-blocked opened web",
    );
}

#[test]
fn an_unreadable_batch_is_not_acknowledged() {
    let mut stage = StagedRegion::new();
    for payload in [
        r#"{"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}"#,
        r#"{"Records": [{"eventSource": "aws:sqs", "messageId": 7, "body": "{}"}]}"#,
        r#"{"Records": [{"eventSource": "aws:sqs", "messageId": "m"}, {"eventSource": "aws:s3"}]}"#,
    ] {
        let invoked = block_on(stage.function.invoke(payload, i64::from(u32::MAX) * 1000));
        assert_eq!(invoked.answer, FunctionAnswer::Failed, "{payload}");
    }
    // Messages that no queue delivers again: their sender does, if the invocation fails.
    let body = stage.message(0, json!({}));
    let job: Value = serde_json::from_str(&body).unwrap();
    let at = stage.region.lock().now();
    let time = jiff::Timestamp::from_millisecond(at).unwrap().to_string();
    let sns =
        json!({"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m", "Message": body, "Timestamp": time}}]});
    let event = json!({"id": "m", "source": "my.workers", "detail-type": "job", "detail": job, "time": time});
    for payload in [sns, event, job] {
        let mut stage = StagedRegion::new();
        let text = payload.to_string();
        stage.region.lock().faults.extend([Fault::ServerError; 9]);
        assert_eq!(block_on(stage.function.invoke(&text, at + 30_000)).answer, FunctionAnswer::Failed, "{payload}");
        assert!(!stage.protected(0));
        stage.region.lock().faults.clear();
        let now = stage.region.lock().now();
        let answer = block_on(stage.function.invoke(&text, now + 30_000)).answer;
        assert!(matches!(answer, FunctionAnswer::Answered(_)), "{payload}");
        assert!(stage.protected(0), "{payload}");
    }
}

#[test]
fn the_state_store_is_bounded() {
    holds(
        "set TASKHOLD_FINISHED_JOB_RETENTION_HOURS 1
         job j-1 starts on a for 10m
         job j-1 finishes
         advance 30m
         job j-1 starts on a for 10m     # still remembered as finished
         expect 2 calls
         advance 2h
         job j-1 starts on a for 10m     # forgotten: SQS can have no message of it any more
         expect 1 call",
    );
}

#[test]
fn a_dead_letter_costs_nothing() {
    let ghost = r#"{"version": 1, "type": "job.started", "jobId": "ghost", "taskArn": "arn:aws:ecs:eu-west-1:111122223333:task/video/00000000000000000000000000000000", "maxDurationMinutes": 2880}"#;
    holds(&format!(
        "service web desired 1
         sweep every 5m
         mute alerts
         send {ghost}
         advance 30m
         expect 1 dead-lettered because MISSING
         expect 3 calls                  # one for each delivery
         expect warning protection refused
         expect warning protection refused
         expect warning protection refused
         advance 2h
         expect 0 calls
         expect no warning protection refused
         ask {{\"sweep\": {{}}}}
         expect answer /sweep/tasks 0    # none is in the index of open records
         send {ghost}                    # redriven
         expect 1 call"
    ));
    holds(
        "standalone
         sweep every 5m
         job j-1 starts on a for 600m
         expect 1 dead-lettered because TASK_NOT_VALID
         expect 1 call
         expect warning protection refused
         advance 2h
         expect 0 calls
         expect no warning protection refused
         ask {\"sweep\": {}}
         expect answer /sweep/tasks 0
         job j-1 starts on a for 600m    # redriven
         expect 1 call
         expect 2 dead-lettered",
    );
    holds(
        "needs refusal=outnumbered
         service web desired 1
         set TASKHOLD_RECEIVES_MAX 2
         sweep every 5m
         mute alerts
         job j-1 starts on a for 60m
         deploy web
         advance 1m
         job j-2 starts on b for 300m    # refused, and dead-lettered at its second delivery
         advance 20m
         expect 1 dead-lettered because DEPLOYMENT_BLOCKED
         job j-1 finishes on a
         advance 5m
         expect b protected",
    );
}

#[test]
fn a_full_record_refuses_no_finish_and_no_live_job_for_the_sake_of_a_finished_one() {
    // The whole promise needs thousands of messages: tests/bounds.rs, and src/task/room/tests.rs.
    let mut stage = StagedRegion::new();
    for number in 0..1200 {
        for message_type in ["job.started", "job.finished"] {
            stage.send(&stage.message(0, json!({"type": message_type, "jobId": format!("short-{number}")})));
        }
    }
    assert_eq!(stage.deliver(60_000), 0);
    stage.send(&stage.message(0, json!({"jobId": "long", "maxDurationMinutes": 600})));
    assert_eq!(stage.deliver(60_000), 0);
    assert!(stage.protected(0), "a live job was refused for the sake of finished ones");
    stage.send(&stage.message(0, json!({"type": "job.finished", "jobId": "long"})));
    stage.send(&stage.message(0, json!({"jobId": "short-0", "maxDurationMinutes": 600})));
    assert_eq!(stage.deliver(60_000), 0);
    assert!(!stage.protected(0), "a start delivered late has revived its job");
}
