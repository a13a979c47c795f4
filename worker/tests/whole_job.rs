//! A job from its start to its end.

use crate::stack::{Stack, Worker, eventually, log};

#[test]
fn the_task_is_protected_before_the_command_starts_and_until_it_has_ended() {
    let stack = Stack::new();
    let began = stack.file("began");
    let command = format!("touch {}; cat", began.display());
    let worker = Worker::start(stack.exec(&["--max-duration", "2h"], &["sh", "-c", &command]));
    eventually("COMMAND starts", || began.exists());
    assert!(stack.is_protected());
    assert_eq!(stack.puts(), [(true, Some(200))]);
    let output = worker.end();
    assert_eq!(output.status.code(), Some(0), "{}", log(&output));
    assert!(!stack.is_protected());
    assert_eq!(stack.puts(), [(true, Some(200)), (false, Some(200))]);
}

#[test]
fn protection_that_another_writer_clears_is_noticed_and_set_again() {
    let stack = Stack::new();
    let worker = Worker::start(stack.exec(&["--check-interval", "1s"], &["cat"]));
    eventually("the task is protected", || stack.is_protected());
    stack.clear_protection();
    eventually("the task is protected again", || stack.is_protected());
    let output = worker.end();
    assert!(log(&output).contains("task lost its protection"), "{}", log(&output));
}

#[test]
fn a_command_that_cannot_be_started_leaves_no_protection() {
    let stack = Stack::new();
    let output = stack.exec(&[], &["/does/not/exist"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(!stack.is_protected() && stack.puts().len() == 2);
}

#[test]
fn a_signal_while_protection_is_awaited_starts_no_command() {
    let stack = Stack::new();
    let refusal = r#"{"failure":{"Arn":"a","Reason":"DEPLOYMENT_BLOCKED"}}"#.to_owned();
    stack.agent().lock().faults = [ecs_sim::http::AgentFault::Answers { status: 200, body: refusal }].into();
    let worker = Worker::start(stack.exec(&["--if-refused", "wait"], &["echo", "ran"]));
    eventually("protection is requested", || !stack.puts().is_empty());
    worker.signal("TERM");
    let output = worker.end();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(143), &b""[..]), "{}", log(&output));
}

#[test]
fn a_job_longer_than_ecs_grants_is_protected_as_long_as_ecs_grants_and_the_log_says_so() {
    let stack = Stack::new();
    let output = stack.exec(&["--max-duration", "72h"], &["true"]).output().unwrap();
    let body = stack.agent().lock().requests[0].body.clone();
    assert!(body.contains("2880"), "{body}");
    assert!(log(&output).contains("job may last longer than ECS grants at once"), "{}", log(&output));
    let output = stack.exec(&["--max-duration", "48h"], &["true"]).output().unwrap();
    assert!(!log(&output).contains("longer than ECS grants"), "{}", log(&output));
}

#[test]
fn json_log_lines_are_objects_and_the_commands_output_is_untouched() {
    let stack = Stack::new();
    let output = stack.exec(&["--log-format", "json"], &["printf", "a\\nb"]).output().unwrap();
    assert_eq!(output.stdout, b"a\nb");
    let lines: Vec<serde_json::Value> = log(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "task is protected"), "{lines:?}");
}

#[cfg(feature = "sqs")]
mod reported {
    use super::*;
    use crate::stack::assert_matches_schema;
    use serde_json::{Value, json};

    /// Messages by type, in the order of sending.
    fn types(messages: &[Value]) -> Vec<&str> {
        messages.iter().map(|message| message["type"].as_str().unwrap()).collect()
    }

    #[test]
    fn the_job_is_reported_with_what_the_agent_granted() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        let options = ["--queue-url", &queue, "--job-id", "episode-0417", "--max-duration", "3h", "--label", "title=E"];
        let output = stack.exec(&options, &["sleep", "1"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", log(&output));
        let messages = stack.messages();
        assert_matches_schema(&messages);
        assert_eq!(types(&messages), ["job.started", "job.finished"], "{}", log(&output));
        let started = &messages[0];
        assert_eq!((&started["jobId"], &started["maxDurationMinutes"]), (&json!("episode-0417"), &json!(180)));
        assert_eq!(started["protection"]["by"], "agent");
        assert!(started["protection"]["until"].as_str().unwrap().ends_with('Z'));
        assert_eq!(started["labels"], json!({ "title": "E" }));
    }

    #[test]
    fn a_refusal_is_reported_and_a_grant_that_follows_too() {
        let stack = Stack::new();
        let refusal = r#"{"failure":{"Arn":"a","Reason":"DEPLOYMENT_BLOCKED"}}"#.to_owned();
        stack.agent().lock().faults = [ecs_sim::http::AgentFault::Answers { status: 200, body: refusal }].into();
        let queue = stack.queue_url();
        let options = ["--queue-url", &queue, "--check-interval", "1s"];
        let output = stack.exec(&options, &["sleep", "3"]).output().unwrap();
        let messages = stack.messages();
        assert_matches_schema(&messages);
        assert_eq!(types(&messages), ["job.started", "job.heartbeat", "job.finished"], "{}", log(&output));
        assert_eq!(messages[0]["protection"], json!({ "by": "agent", "refused": { "reason": "DEPLOYMENT_BLOCKED" } }));
        assert!(messages[1]["protection"]["until"].is_string());
    }

    #[test]
    fn a_job_that_ecs_stops_is_not_reported_as_finished() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        // Only the signal ends it.
        let worker = Worker::start(stack.exec(&["--queue-url", &queue], &["sleep", "30"]));
        eventually("the job is reported", || stack.messages().len() == 1);
        stack.stop_task();
        worker.signal("TERM");
        let output = worker.end();
        assert_eq!(output.status.code(), Some(143), "{}", log(&output));
        assert_eq!(types(&stack.messages()), ["job.started"]);
    }

    #[test]
    fn the_start_of_a_job_that_ecs_stops_at_once_is_reported() {
        let stack = Stack::new();
        let link = stack.slow_queue();
        stack.stop_task();
        let mut run = stack.exec(&["--queue-url", &stack.queue_url()], &["sh", "-c", "exit 143"]);
        let output = run.env("AWS_ENDPOINT_URL_SQS", link.url()).output().unwrap();
        assert_eq!((output.status.code(), link.has_lost_all()), (Some(143), true), "{}", log(&output));
        assert_eq!(types(&stack.messages()), ["job.started"]);
    }

    #[test]
    fn a_job_that_finishes_while_ecs_stops_its_task_is_reported_as_finished() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        let worker = Worker::start(stack.exec(&["--queue-url", &queue], &["cat"]));
        eventually("the job is reported", || stack.messages().len() == 1);
        stack.stop_task();
        let output = worker.end();
        assert_eq!(output.status.code(), Some(0), "{}", log(&output));
        assert_eq!(types(&stack.messages()), ["job.started", "job.finished"]);
    }

    #[test]
    fn a_job_that_fails_is_finished() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        let output = stack.exec(&["--queue-url", &queue], &["sh", "-c", "sleep 1; exit 7"]).output().unwrap();
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(types(&stack.messages()), ["job.started", "job.finished"], "{}", log(&output));
        assert!(!stack.is_protected());
    }

    #[test]
    fn everything_that_the_options_declare_is_reported() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        let options = ["--expected-duration", "29m1s", "--kind", "encode", "--attempt", "3", "--queue-url", &queue];
        let output = stack.exec(&options, &["sleep", "1"]).output().unwrap();
        let messages = stack.messages();
        assert_matches_schema(&messages);
        let started = &messages[0];
        assert_eq!(started["expectedDurationMinutes"], json!(30), "{}", log(&output));
        assert_eq!((&started["kind"], &started["maxDurationMinutes"]), (&json!("encode"), &json!(120)));
        assert!(messages.iter().all(|message| message["attempt"] == 3), "{messages:?}");
    }

    #[test]
    fn a_job_without_an_id_gets_one_that_no_other_has() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        for _ in 0..2 {
            stack.exec(&["--queue-url", &queue], &["sleep", "1"]).output().unwrap();
        }
        let ids: Vec<String> =
            stack.messages().iter().map(|message| message["jobId"].as_str().unwrap().to_owned()).collect();
        let [started, finished, next, ..] = &ids[..] else { panic!("{ids:?}") };
        assert!(started == finished && started != next && !next.is_empty(), "{ids:?}");
    }

    #[test]
    fn the_command_does_not_wait_until_its_start_is_reported() {
        let stack = Stack::new();
        let link = stack.link_to_queue();
        link.hold();
        let began = stack.file("began");
        let command = format!("touch {}; cat", began.display());
        let mut run = stack.exec(&["--queue-url", &stack.queue_url()], &["sh", "-c", &command]);
        run.env("AWS_ENDPOINT_URL_SQS", link.url());
        let worker = Worker::start(run);
        eventually("COMMAND starts", || began.exists());
        eventually("the start is on its way", || link.is_holding_one());
        assert!(stack.messages().is_empty());
        link.release();
        eventually("the start is reported", || stack.messages().len() == 1);
        assert_eq!(worker.end().status.code(), Some(0));
    }

    #[test]
    fn protection_lasts_until_the_end_is_reported() {
        let stack = Stack::new();
        let link = stack.link_to_queue();
        let mut run = stack.exec(&["--queue-url", &stack.queue_url()], &["cat"]);
        run.env("AWS_ENDPOINT_URL_SQS", link.url());
        let mut worker = Worker::start(run);
        eventually("the start is reported", || stack.messages().len() == 1);
        link.hold();
        worker.end_input();
        eventually("the end is on its way", || link.is_holding_one());
        assert_eq!(stack.puts(), [(true, Some(200))]);
        assert!(stack.is_protected());
        link.release();
        let output = worker.end();
        assert_eq!(types(&stack.messages()), ["job.started", "job.finished"], "{}", log(&output));
        assert_eq!(stack.puts(), [(true, Some(200)), (false, Some(200))]);
    }

    #[test]
    fn a_job_that_a_signal_ends_while_the_task_goes_on_is_finished() {
        let stack = Stack::new();
        let worker = Worker::start(stack.exec(&["--queue-url", &stack.queue_url()], &["sleep", "30"]));
        eventually("the job is reported", || stack.messages().len() == 1);
        worker.signal("TERM");
        let output = worker.end();
        assert_eq!(output.status.code(), Some(143), "{}", log(&output));
        assert_eq!(types(&stack.messages()), ["job.started", "job.finished"]);
        assert!(!stack.is_protected());
    }

    #[test]
    fn a_signal_counts_as_the_stop_of_the_task_while_metadata_gives_no_answer() {
        let stack = Stack::new();
        let worker = Worker::start(stack.exec(&["--queue-url", &stack.queue_url()], &["sleep", "30"]));
        eventually("the job is reported", || stack.messages().len() == 1);
        stack.agent().lock().metadata_fault = Some(ecs_sim::http::AgentFault::ConnectionLost);
        worker.signal("TERM");
        let output = worker.end();
        assert_eq!(output.status.code(), Some(143), "{}", log(&output));
        assert_eq!(types(&stack.messages()), ["job.started"]);
    }

    /// The ARN of the task without its cluster, as in the old short format.
    fn short_arn(stack: &Stack) -> String {
        stack.task_arn().replace("task/video/", "task/")
    }

    #[test]
    fn a_short_arn_is_reported_with_the_cluster_of_the_metadata() {
        let stack = Stack::new();
        stack.set_metadata(&json!({ "TaskARN": short_arn(&stack), "Cluster": "video" }));
        let queue = stack.queue_url();
        let output = stack.exec(&["--queue-url", &queue], &["true"]).output().unwrap();
        let messages = stack.messages();
        assert_matches_schema(&messages);
        let last = messages.last().unwrap_or_else(|| panic!("{}", log(&output)));
        assert_eq!((&last["taskArn"], &last["cluster"]), (&json!(short_arn(&stack)), &json!("video")));
    }

    #[test]
    fn metadata_without_the_cluster_of_a_short_arn_lets_the_job_run_protected_and_unreported() {
        let stack = Stack::new();
        stack.set_metadata(&json!({ "TaskARN": short_arn(&stack) }));
        let queue = stack.queue_url();
        let output = stack.exec(&["--queue-url", &queue], &["echo", "ran"]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ran\n"[..]));
        let words = "metadata does not name the task and its cluster; the job is not reported";
        assert!(log(&output).contains(words), "{}", log(&output));
        assert_eq!(stack.puts(), [(true, Some(200)), (false, Some(200))]);
        assert!(stack.messages().is_empty());
    }
}
