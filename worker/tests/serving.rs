//! `taskhold-run serve` and the jobs of its clients.

use crate::fault_cases::REFUSAL;
use crate::served::Served;
use crate::stack::{Stack, eventually, serve_outside_ecs};
use ecs_sim::http::AgentFault;
use std::time::Duration;

pub(crate) fn refuses() -> AgentFault {
    AgentFault::Answers { status: 200, body: REFUSAL.to_owned() }
}

#[test]
fn a_job_is_answered_when_the_task_is_protected_and_its_end_clears_the_protection() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let answer = served.put("episode-0417", r#"{"maxDuration": "2h"}"#);
    assert_eq!((answer.status, &answer.body["protected"]), (200, &true.into()), "{}", served.log());
    assert!(stack.is_protected() && answer.body["until"].as_str().unwrap().ends_with('Z'));
    assert_eq!(served.jobs(), ["episode-0417"]);
    assert_eq!(served.end_job("episode-0417").status, 204);
    eventually("the protection is cleared", || stack.puts() == [(true, Some(200)), (false, Some(200))]);
    assert!(!stack.is_protected());
    assert_eq!(served.end_job("episode-0417").status, 204, "as often as you like");
    assert!(served.jobs().is_empty() && stack.puts().len() == 2);
    assert_eq!(served.stop().code(), Some(0));
}

#[test]
fn a_burst_of_jobs_shares_calls_and_the_last_end_clears() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    stack.agent().lock().lasting_fault = Some(AgentFault::Slow(Duration::from_millis(100)));
    std::thread::scope(|scope| {
        for number in 0..60 {
            let served = &served;
            scope.spawn(move || {
                let answer = served.put(&number.to_string(), &format!(r#"{{"maxDuration": "{}m"}}"#, 60 + number));
                assert_eq!(answer.status, 200, "{}", served.log());
            });
        }
    });
    assert!(stack.puts().len() <= 5, "{:?}", stack.puts());
    for number in 1..60 {
        served.end_job(&number.to_string());
    }
    assert!(stack.is_protected());
    served.end_job("0");
    eventually("the protection is cleared", || !stack.is_protected());
}

#[test]
fn a_refusal_is_409_and_the_job_is_recorded_only_if_the_worker_does_it_all_the_same() {
    let stack = Stack::new();
    let served = Served::start(&stack, &["--check-interval", "1s"], &[]);
    assert_eq!(served.call("GET", "/v1/admission", "").status, 204);
    stack.agent().lock().lasting_fault = Some(refuses());
    let answer = served.put("a", "");
    assert_eq!((answer.status, answer.reason(), &answer.body["recorded"]), (409, "DEPLOYMENT_BLOCKED", &false.into()));
    let admission = served.call("GET", "/v1/admission", "");
    assert_eq!((admission.status, admission.reason()), (409, "DEPLOYMENT_BLOCKED"));
    let answer = served.put("b", r#"{"ifRefused": "run"}"#);
    assert_eq!((answer.status, &answer.body["recorded"]), (409, &true.into()));
    assert_eq!(served.jobs(), ["b"]);
    stack.agent().lock().lasting_fault = None;
    eventually("the job that runs is protected", || stack.is_protected());
    eventually("the task takes work again", || served.call("GET", "/v1/admission", "").status == 204);
}

#[test]
fn an_agent_without_an_answer_is_503() {
    let stack = Stack::new();
    let served = Served::start(&stack, &["--start-timeout", "1s"], &[]);
    stack.agent().lock().lasting_fault = Some(AgentFault::ConnectionLost);
    let answer = served.put("a", "");
    assert_eq!(answer.status, 503);
    assert!(answer.reason().starts_with("the agent cannot be reached"), "{answer:?}");
    let admission = served.call("GET", "/v1/admission", "");
    assert_eq!((admission.status, admission.reason()), (409, answer.reason()));
    stack.agent().lock().lasting_fault = None;
    assert_eq!(served.put("a", "").status, 200);
    assert_eq!(served.call("GET", "/v1/admission", "").status, 204);
}

#[test]
fn protection_that_was_granted_without_an_answer_is_cleared() {
    let stack = Stack::new();
    let served = Served::start(&stack, &["--start-timeout", "1s"], &[]);
    stack.agent().lock().lasting_fault = Some(AgentFault::AnswerLost);
    assert_eq!(served.put("a", "").status, 503);
    stack.agent().lock().lasting_fault = None;
    eventually("the protection is cleared", || !stack.is_protected());
}

#[test]
fn a_client_that_went_away_before_the_answer_has_no_job() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    stack.agent().lock().faults = [AgentFault::Slow(Duration::from_secs(1))].into();
    let mut stream = std::net::TcpStream::connect(&served.address).unwrap();
    std::io::Write::write_all(&mut stream, b"PUT /v1/jobs/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").unwrap();
    eventually("protection is requested", || {
        served.log().contains("serving") && stack.agent().lock().faults.is_empty()
    });
    drop(stream);
    eventually("the protection is cleared", || stack.puts() == [(true, Some(200)), (false, Some(200))]);
    assert!(served.jobs().is_empty() && !stack.is_protected(), "{}", served.log());
}

#[test]
fn a_job_that_is_ended_before_its_start_is_answered_does_not_come_back() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    stack.agent().lock().faults = [AgentFault::Slow(Duration::from_secs(1))].into();
    let answer = std::thread::scope(|scope| {
        let starting = scope.spawn(|| served.put("a", r#"{"ifRefused": "run"}"#));
        eventually("protection is requested", || stack.agent().lock().faults.is_empty());
        assert_eq!(served.end_job("a").status, 204);
        starting.join().unwrap()
    });
    assert_eq!((answer.status, answer.reason()), (409, "the job has ended in the meantime"));
    eventually("the protection is cleared", || stack.puts() == [(true, Some(200)), (false, Some(200))]);
    assert!(served.jobs().is_empty(), "{}", served.log());
}

#[test]
fn a_heartbeat_extends_the_job_and_a_crashed_workers_job_ends_with_its_maximum() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    served.put("a", r#"{"maxDuration": "1s"}"#);
    assert_eq!(served.put("a", r#"{"maxDuration": "3s"}"#).status, 200);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(served.jobs(), ["a"]);
    eventually("the job ends", || served.jobs().is_empty());
    eventually("the protection is cleared", || !stack.is_protected());
    assert!(served.log().contains("job did not end within its maximum"), "{}", served.log());
}

#[test]
fn a_job_longer_than_ecs_grants_is_served_and_the_log_says_so() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    assert_eq!(served.put("a", r#"{"maxDuration": "48h"}"#).status, 200);
    assert!(!served.log().contains("longer than ECS grants"), "{}", served.log());
    assert_eq!(served.put("b", r#"{"maxDuration": "72h"}"#).status, 200);
    eventually("the log says so", || served.log().contains("job may last longer than ECS grants at once"));
}

#[test]
fn protection_lingers_as_long_as_the_option_says() {
    let stack = Stack::new();
    let served = Served::start(&stack, &["--linger", "1s"], &[]);
    served.put("a", r#"{"maxDuration": "2h"}"#);
    served.end_job("a");
    assert_eq!(served.put("b", r#"{"maxDuration": "1h"}"#).status, 200);
    served.end_job("b");
    assert!(stack.is_protected());
    // One call for both jobs, and one when they have ended.
    eventually("the protection is cleared", || stack.puts() == [(true, Some(200)), (false, Some(200))]);
}

#[test]
fn protection_that_another_writer_cleared_is_set_again() {
    let stack = Stack::new();
    let served = Served::start(&stack, &["--check-interval", "1s"], &[]);
    served.put("a", "");
    stack.clear_protection();
    eventually("the task is protected again", || stack.is_protected());
    assert!(served.log().contains("task lost its protection"), "{}", served.log());
}

#[test]
fn a_stopped_server_takes_no_job_and_serves_until_the_last_has_ended() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    served.put("a", "");
    served.signal("TERM");
    eventually("the task takes no more work", || served.call("GET", "/v1/admission", "").status == 409);
    let answer = served.put("b", "");
    assert_eq!((answer.status, answer.reason()), (409, "draining"));
    assert_eq!(served.put("a", "").status, 200, "a heartbeat");
    served.end_job("a");
    assert_eq!(served.end().code(), Some(0));
    assert!(!stack.is_protected());
}

#[test]
fn a_stopped_server_ends_before_its_container_and_leaves_the_protection_of_unfinished_jobs() {
    let stack = Stack::new();
    let served = Served::start(&stack, &["--stop-timeout", "2s"], &[]);
    served.put("a", "");
    served.signal("TERM");
    eventually("it ends", || served.log().contains("ending while jobs are at work"));
    assert_eq!(served.end().code(), Some(0));
    assert!(stack.is_protected());
}

#[test]
fn around_a_worker_it_is_an_init_and_tells_the_worker_where_it_serves() {
    let stack = Stack::new();
    let seen = stack.file("seen");
    let script =
        format!("trap 'exit 7' TERM; echo $TASKHOLD_SERVER > {}; while :; do sleep 0.02; done", seen.display());
    let served = Served::start(&stack, &[], &["sh", "-c", &script]);
    let url = || std::fs::read_to_string(&seen).unwrap_or_default();
    eventually("COMMAND has started", || url().ends_with('\n'));
    assert_eq!(url().trim(), served.url());
    served.put("a", "");
    served.end_job("a");
    served.signal("TERM");
    assert_eq!(served.end().code(), Some(7));
    assert!(!stack.is_protected());
}

#[test]
fn around_a_worker_a_stopped_server_takes_no_job_and_serves_until_the_worker_has_ended() {
    let stack = Stack::new();
    let may_end = stack.file("may-end");
    let script = format!("trap : TERM; while [ ! -e {} ]; do sleep 0.02; done; exit 7", may_end.display());
    // The worker decides how long it goes on, and not the time-out.
    let served = Served::start(&stack, &["--stop-timeout", "1s"], &["sh", "-c", &script]);
    served.put("a", "");
    served.put("b", "");
    served.signal("TERM");
    eventually("the task takes no more work", || served.call("GET", "/v1/admission", "").status == 409);
    assert_eq!(served.call("GET", "/v1/admission", "").reason(), "draining");
    assert_eq!(served.put("c", "").reason(), "draining");
    assert_eq!(served.put("a", r#"{"maxDuration": "3h"}"#).status, 200, "a heartbeat");
    for id in ["a", "b"] {
        assert_eq!(served.end_job(id).status, 204);
    }
    eventually("the protection is cleared", || !stack.is_protected());
    assert_eq!(served.call("GET", "/healthz", "").status, 200, "the worker has not ended");
    std::fs::write(&may_end, "").unwrap();
    assert_eq!(served.end().code(), Some(7));
}

#[test]
fn json_log_lines_are_objects() {
    let stack = Stack::new();
    let mut run = stack.serve(&["--log-format", "json"], &["true"]);
    let output = run.output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "serving"), "{lines:?}");
}

#[test]
fn a_worker_that_cannot_be_started_has_the_exit_code_of_a_shell() {
    let status = serve_outside_ecs(&[], &["/does/not/exist"]).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(127));
}

#[test]
fn a_client_that_names_its_task_is_served_only_by_its_own_server() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let health = served.call("GET", "/healthz", "");
    assert_eq!((health.status, health.body["taskArn"].as_str()), (200, Some(stack.task_arn().as_str())));
    let own = format!("Taskhold-Task-Arn: {}\r\n", stack.task_arn());
    assert_eq!(served.call_with("PUT", "/v1/jobs/a", &own, "").status, 200);
    let other = served.call_with("PUT", "/v1/jobs/b", "Taskhold-Task-Arn: arn:aws:ecs:x\r\n", "");
    assert_eq!((other.status, other.reason()), (421, "this is the server of another task"));
    assert_eq!(served.jobs(), ["a"]);
}

#[test]
fn outside_ecs_every_job_is_admitted_after_one_warning() {
    let served = Served::run(serve_outside_ecs(&[], &[]));
    let answer = served.put("a", "");
    assert_eq!((answer.status, &answer.body["protected"]), (200, &false.into()));
    assert!(answer.reason().contains("ECS_AGENT_URI is not set"));
    assert_eq!(served.jobs(), ["a"]);
    assert_eq!(served.end_job("a").status, 204);
    assert_eq!(served.stop().code(), Some(0));
}

#[cfg(feature = "sqs")]
#[test]
fn a_task_that_another_deployment_replaces_takes_no_work() {
    let stack = Stack::new();
    let served = Served::start(&stack, &["--check-interval", "1s"], &[]);
    let admission = || served.call("GET", "/v1/admission", "");
    assert_eq!(admission().status, 204, "{}", served.log());
    stack.deploy();
    eventually("the task takes no work", || admission().status == 409);
    assert_eq!(admission().reason(), "another deployment replaces this task");
    assert_eq!(served.put("a", "").status, 200, "a job that the worker has is protected all the same");
    assert!(!served.log().contains("WARN"), "{}", served.log());
}

#[cfg(feature = "sqs")]
#[test]
fn a_server_that_cannot_read_deployments_admits_after_one_warning() {
    let stack = Stack::new();
    let mut run = stack.serve(&["--check-interval", "1s"], &[]);
    run.env("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:1");
    let served = Served::run(run);
    stack.deploy();
    for _ in 0..3 {
        assert_eq!(served.call("GET", "/v1/admission", "").status, 204);
        std::thread::sleep(Duration::from_millis(1100));
    }
    assert_eq!(served.log().matches("cannot read the task's deployment").count(), 1, "{}", served.log());
}

#[cfg(feature = "sqs")]
mod reported {
    use super::*;
    use crate::stack::assert_matches_schema;
    use serde_json::{Value, json};

    fn types(messages: &[Value]) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        messages.iter().map(|message| (text(&message["jobId"]), text(&message["type"]))).collect()
    }

    fn of_job(stack: &Stack, id: &str) -> Vec<String> {
        types(&stack.messages()).into_iter().filter(|(job, _)| job == id).map(|(_, kind)| kind).collect()
    }

    #[test]
    fn each_job_is_reported_with_what_protects_it_and_a_retry_has_the_next_attempt() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        let served = Served::start(&stack, &["--queue-url", &queue], &[]);
        served.put("a", r#"{"maxDuration": "3h", "kind": "encode", "labels": {"title": "E"}}"#);
        eventually("the start is reported", || stack.messages().len() == 1);
        served.end_job("a");
        eventually("the end is reported, and then the protection is cleared", || !stack.is_protected());
        assert_eq!(of_job(&stack, "a"), ["job.started", "job.finished"]);
        served.put("a", "");
        eventually("the retry is reported", || stack.messages().len() == 3);
        let messages = stack.messages();
        assert_matches_schema(&messages);
        assert_eq!((&messages[0]["maxDurationMinutes"], &messages[0]["kind"]), (&json!(180), &json!("encode")));
        assert_eq!(messages[0]["protection"]["by"], "agent");
        assert_eq!(messages[0]["heartbeatMinutes"], 10, "so that the function notices the death of the server");
        assert_eq!(messages[2]["attempt"], 2);
    }

    #[test]
    fn a_refused_job_that_runs_is_reported_and_a_grant_that_follows_too() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        let served = Served::start(&stack, &["--queue-url", &queue, "--check-interval", "1s"], &[]);
        stack.agent().lock().faults = [refuses(), refuses()].into();
        served.put("forgotten", "");
        served.put("a", r#"{"ifRefused": "run"}"#);
        eventually("the grant is reported", || stack.messages().len() == 2);
        let messages = stack.messages();
        assert_eq!(of_job(&stack, "a"), ["job.started", "job.heartbeat"], "{messages:?}");
        assert_eq!(messages[0]["protection"]["refused"], json!({ "reason": "DEPLOYMENT_BLOCKED" }));
        assert!(messages[1]["protection"]["until"].is_string());
    }

    #[test]
    fn the_function_gets_a_heartbeat_of_each_job_now_and_then() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        let served = Served::start(&stack, &["--queue-url", &queue, "--heartbeat-interval", "1s"], &[]);
        served.put("a", "");
        served.put("b", "");
        eventually("each is reported again", || of_job(&stack, "a").len() >= 3 && of_job(&stack, "b").len() >= 3);
        assert_eq!(of_job(&stack, "b")[..2], ["job.started", "job.heartbeat"]);
        assert!(stack.messages().iter().all(|message| message["heartbeatMinutes"] == 1), "{:?}", stack.messages());
    }

    #[test]
    fn a_queue_that_rejects_a_message_is_named_with_its_fix() {
        let stack = Stack::new();
        let queue = format!("{}-of-another-stack", stack.queue_url());
        let served = Served::start(&stack, &["--queue-url", &queue], &[]);
        assert_eq!(served.put("a", "").status, 200);
        eventually("the queue is named", || served.log().contains(&format!("queue=\"{queue}\"")));
        assert!(served.log().contains("stack output JobQueueUrl"), "{}", served.log());
    }

    #[test]
    fn an_interrupted_job_is_not_reported_as_finished_and_no_longer_protected() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        let served = Served::start(&stack, &["--queue-url", &queue], &[]);
        served.put("a", "");
        eventually("the start is reported", || stack.messages().len() == 1);
        assert_eq!(served.call("DELETE", "/v1/jobs/a?outcome=interrupted", "").status, 204);
        eventually("the protection is cleared", || !stack.is_protected());
        assert_eq!(of_job(&stack, "a"), ["job.started"]);
    }

    #[test]
    fn the_start_of_a_job_that_is_interrupted_at_once_is_reported() {
        let stack = Stack::new();
        let link = stack.slow_queue();
        let mut run = stack.serve(&["--queue-url", &stack.queue_url()], &[]);
        run.env("AWS_ENDPOINT_URL_SQS", link.url());
        let served = Served::run(run);
        served.put("a", "");
        assert_eq!(served.call("DELETE", "/v1/jobs/a?outcome=interrupted", "").status, 204);
        eventually("the start is reported", || of_job(&stack, "a") == ["job.started"]);
        assert!(link.has_lost_all());
    }

    #[test]
    fn jobs_that_are_at_work_when_the_container_stops_stay_unfinished() {
        let stack = Stack::new();
        let queue = stack.queue_url();
        let script = "trap 'exit 0' TERM; while :; do sleep 0.02; done";
        let served = Served::start(&stack, &["--queue-url", &queue], &["sh", "-c", script]);
        served.put("done", "");
        served.put("cut-off", "");
        served.end_job("done");
        eventually("all is reported", || stack.messages().len() == 3);
        served.signal("TERM");
        assert_eq!(served.end().code(), Some(0));
        assert_eq!(of_job(&stack, "done"), ["job.started", "job.finished"]);
        assert_eq!(of_job(&stack, "cut-off"), ["job.started"]);
    }
}
