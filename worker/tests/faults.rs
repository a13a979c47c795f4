//! The fault table: what the agent does × `--if-refused` → what happens. docs/workers.md has the same rows.

use crate::stack::{Stack, log};
use ecs_sim::http::{AgentErrorShape, AgentFault};
use std::time::{Duration, Instant};

const REFUSAL: &str = r#"{"failure":{"Arn":"a","Detail":null,"Reason":"DEPLOYMENT_BLOCKED"}}"#;
const NO_SERVICE: &str = r#"{"failure":{"Arn":"a","Detail":null,"Reason":"TASK_NOT_VALID"}}"#;
const DENIED: &str =
    r#"{"requestID":"r","error":{"Arn":"a","Code":"AccessDeniedException","Message":"role is not authorized"}}"#;
const SHORT: &str =
    r#"{"protection":{"ExpirationDate":"2020-01-01T00:00:00Z","ProtectionEnabled":true,"TaskArn":"a"}}"#;

fn answers(status: u16, body: &str) -> AgentFault {
    AgentFault::Answers { status, body: body.to_owned() }
}

/// One row: the fault lasts, the options, and then the exit code, whether COMMAND ran, and words of the log.
struct Row {
    fault: AgentFault,
    options: &'static [&'static str],
    exit_code: i32,
    logged: &'static [&'static str],
}

fn holds(row: &Row) {
    let stack = Stack::new();
    stack.agent().lock().lasting_fault = Some(row.fault.clone());
    let mut options = vec!["--start-timeout", "1s", "--check-interval", "1s"];
    options.extend(row.options);
    let output = stack.exec(&options, &["echo", "COMMAND ran"]).output().unwrap();
    let log = log(&output);
    assert_eq!(output.status.code(), Some(row.exit_code), "{log}");
    assert_eq!(output.stdout == b"COMMAND ran\n", row.exit_code == 0, "{log}");
    for words in row.logged {
        assert!(log.contains(words), "`{words}` is not in\n{log}");
    }
}

macro_rules! rows {
    ($($name:ident: $fault:expr, $options:expr => $exit_code:expr, $logged:expr;)*) => {
        $(#[test]
        fn $name() {
            holds(&Row { fault: $fault, options: &$options, exit_code: $exit_code, logged: &$logged });
        })*
    };
}

const RUN: [&str; 0] = [];
const EXIT: [&str; 2] = ["--if-refused", "exit"];
const WAIT: [&str; 4] = ["--if-refused", "wait", "--wait-timeout", "2s"];
const UNPROTECTED: &str = "starting the command without protection";

rows! {
    refused_runs: answers(200, REFUSAL), RUN => 0, ["ECS refused protection reason=\"DEPLOYMENT_BLOCKED\"", UNPROTECTED];
    refused_exits: answers(200, REFUSAL), EXIT => 75, ["DEPLOYMENT_BLOCKED", "the task is not protected"];
    refused_waits: answers(200, REFUSAL), WAIT => 75, ["DEPLOYMENT_BLOCKED", "not protected within --wait-timeout"];
    without_service_runs: answers(200, NO_SERVICE), RUN => 0, ["TASK_NOT_VALID", UNPROTECTED];
    without_service_does_not_wait: answers(200, NO_SERVICE), ["--if-refused", "wait"] => 75, ["ECS cannot protect this task"];
    denied_runs: answers(400, DENIED), RUN => 0, ["HTTP 400: AccessDeniedException: role is not authorized", UNPROTECTED];
    denied_exits: answers(400, DENIED), EXIT => 75, ["AccessDeniedException"];
    denied_waits: answers(400, DENIED), WAIT => 75, ["AccessDeniedException", "--wait-timeout"];
    old_agent_runs: answers(404, "404 page not found\n"), RUN => 0, ["HTTP 404: 404 page not found", UNPROTECTED];
    old_agent_exits: answers(404, "404 page not found\n"), EXIT => 75, ["HTTP 404"];
    overloaded_runs: answers(429, "You have reached maximum request limit."), RUN => 0,
        ["HTTP 429: You have reached maximum request limit.", UNPROTECTED];
    overloaded_exits: answers(429, ""), EXIT => 75, ["HTTP 429"];
    failing_runs: answers(500, "{}"), RUN => 0, ["HTTP 500", UNPROTECTED];
    failing_exits: answers(500, "{}"), EXIT => 75, ["HTTP 500"];
    failing_waits: answers(504, "{}"), WAIT => 75, ["HTTP 504", "--wait-timeout"];
    slow_runs: AgentFault::Slow(Duration::from_secs(20)), RUN => 0, ["the agent did not answer within", UNPROTECTED];
    slow_exits: AgentFault::Slow(Duration::from_secs(20)), EXIT => 75, ["the agent did not answer within"];
    dead_runs: AgentFault::ConnectionLost, RUN => 0, ["the agent cannot be reached", UNPROTECTED];
    dead_exits: AgentFault::ConnectionLost, EXIT => 75, ["the agent cannot be reached"];
    nonsense_runs: answers(200, "{}"), RUN => 0, ["the agent's answer cannot be read", UNPROTECTED];
    nonsense_exits: answers(200, "<html>"), EXIT => 75, ["the agent's answer cannot be read"];
    too_short_runs: answers(200, SHORT), RUN => 0, ["ECS granted less protection than the job needs", UNPROTECTED];
    too_short_exits: answers(200, SHORT), EXIT => 75, ["ECS granted less protection"];
}

#[test]
fn a_passing_fault_delays_the_command_until_ecs_grants() {
    let stack = Stack::new();
    stack.agent().lock().faults = [answers(500, ""), answers(429, ""), AgentFault::ConnectionLost].into();
    let output = stack.exec(&["--if-refused", "exit"], &["true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", log(&output));
    let puts = [(true, Some(500)), (true, Some(429)), (true, None), (true, Some(200)), (false, Some(200))];
    assert_eq!(stack.puts(), puts);
}

#[test]
fn a_refusal_that_ends_starts_a_command_that_waits() {
    let stack = Stack::new();
    stack.agent().lock().faults = [answers(200, REFUSAL), answers(200, REFUSAL)].into();
    let options = ["--if-refused", "wait", "--check-interval", "1s"];
    let output = stack.exec(&options, &["true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", log(&output));
    assert_eq!(stack.puts().len(), 4, "two refusals, a grant, and the end");
}

#[test]
fn what_was_only_refused_is_not_cleared() {
    let stack = Stack::new();
    stack.agent().lock().lasting_fault = Some(answers(200, REFUSAL));
    stack.exec(&[], &["true"]).output().unwrap();
    assert_eq!(stack.puts(), [(true, Some(200))]);
}

#[test]
fn a_refused_job_that_runs_is_protected_as_soon_as_ecs_grants() {
    let stack = Stack::new();
    stack.agent().lock().faults = [answers(200, REFUSAL)].into();
    let output = stack.exec(&["--check-interval", "1s"], &["sleep", "2"]).output().unwrap();
    let log = log(&output);
    assert!(log.contains("task is protected"), "{log}");
    assert_eq!(stack.puts(), [(true, Some(200)), (true, Some(200)), (false, Some(200))]);
}

#[test]
fn an_agent_without_an_answer_delays_the_command_no_longer_than_start_timeout() {
    let stack = Stack::new();
    stack.agent().lock().lasting_fault = Some(AgentFault::Slow(Duration::from_secs(20)));
    let started = stack.file("started");
    #[expect(clippy::disallowed_methods, reason = "the test measures")]
    let began = Instant::now();
    let mut run = stack.exec(&["--start-timeout", "1s"], &["touch", started.to_str().unwrap()]).spawn().unwrap();
    crate::stack::eventually("COMMAND starts", || started.exists());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn errors_of_an_old_agent_are_named_in_its_words() {
    let stack = Stack::new();
    stack.agent().lock().error_shape = AgentErrorShape::Text;
    stack.stop_task();
    let output = stack.exec(&["--if-refused", "exit"], &["true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(75));
    assert!(log(&output).contains("MISSING"), "{}", log(&output));
}

#[test]
fn outside_ecs_the_command_runs_after_one_warning() {
    for option in ["run", "wait", "exit"] {
        let output = crate::stack::outside_ecs(&["--if-refused", option], &["echo", "ran"]).output().unwrap();
        let log = log(&output);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ran\n"[..]), "{log}");
        assert_eq!((log.lines().count(), log.contains("ECS_AGENT_URI is not set")), (1, true), "{log}");
    }
}

#[test]
fn an_address_at_which_nothing_listens_is_named() {
    let mut run = crate::stack::outside_ecs(&["--start-timeout", "1s"], &["true"]);
    let output = run.env("ECS_AGENT_URI", "http://127.0.0.1:1/api/x").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(log(&output).contains("the agent cannot be reached: Connection refused"), "{}", log(&output));
}
