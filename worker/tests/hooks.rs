//! `taskhold-run start`, `heartbeat` and `finish`, and `exec` beside a server.

use crate::link::Link;
use crate::served::Served;
use crate::serving::refuses;
use crate::stack::{Stack, Worker, eventually, log, outside_ecs, taskhold_run};
use ecs_sim::http::AgentFault;
use std::process::{Command, Output};

/// A hook in a container of the task.
fn hook(stack: &Stack, served: &Served, arguments: &[&str]) -> Output {
    let mut run = stack.in_container(taskhold_run(arguments));
    run.env("TASKHOLD_SERVER", served.url()).output().unwrap()
}

#[test]
fn hooks_start_and_finish_a_job() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let code = |arguments: &[&str]| {
        let output = hook(&stack, &served, arguments);
        output.status.code().unwrap_or_else(|| panic!("{}", log(&output)))
    };
    assert_eq!(code(&["start", "--job-id", "build 7/3", "--max-duration", "1h", "--label", "repo=a"]), 0);
    assert!(stack.is_protected());
    assert_eq!(served.jobs(), ["build 7/3"]);
    assert_eq!(code(&["heartbeat", "--job-id", "build 7/3", "--max-duration", "2h"]), 0);
    assert_eq!(code(&["finish", "--job-id", "build 7/3", "--outcome", "failure"]), 0);
    assert_eq!(code(&["finish", "--job-id", "never-started"]), 0);
    eventually("the protection is cleared", || !stack.is_protected());
}

#[test]
fn a_refused_start_exits_with_75_unless_the_job_runs_all_the_same() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    stack.agent().lock().lasting_fault = Some(refuses());
    let output = hook(&stack, &served, &["start", "--job-id", "a"]);
    assert_eq!(output.status.code(), Some(75));
    assert!(log(&output).contains("DEPLOYMENT_BLOCKED"), "{}", log(&output));
    let output = hook(&stack, &served, &["start", "--job-id", "b", "--if-refused", "run"]);
    assert_eq!(output.status.code(), Some(0), "{}", log(&output));
    assert_eq!(served.jobs(), ["b"]);
    let waiting = ["start", "--job-id", "c", "--if-refused", "wait", "--wait-timeout", "3s", "--check-interval", "1s"];
    assert_eq!(hook(&stack, &served, &waiting).status.code(), Some(75));
}

#[test]
fn a_start_that_runs_in_any_case_succeeds_while_the_agent_is_dead() {
    let stack = Stack::new();
    let served = Served::start(&stack, &["--start-timeout", "1s"], &[]);
    stack.agent().lock().lasting_fault = Some(AgentFault::ConnectionLost);
    let output = hook(&stack, &served, &["start", "--job-id", "a", "--if-refused", "run"]);
    assert_eq!(output.status.code(), Some(0), "{}", log(&output));
    assert_eq!(served.jobs(), ["a"]);
    assert_eq!(hook(&stack, &served, &["start", "--job-id", "b"]).status.code(), Some(1));
}

#[test]
fn a_hook_without_a_server_exits_with_1_and_names_the_address() {
    let output = taskhold_run(&["start", "--job-id", "a", "--server", "http://127.0.0.1:1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("cannot reach the server at http://127.0.0.1:1"), "{}", log(&output));
    let output = taskhold_run(&["finish", "--job-id", "a", "--server", "http://127.0.0.1:1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_hook_of_another_task_is_refused() {
    let (stack, other) = (Stack::new(), Stack::of_another_task());
    let served = Served::start(&stack, &[], &[]);
    let output = hook(&other, &served, &["start", "--job-id", "a"]);
    assert_eq!(output.status.code(), Some(1), "{}", log(&output));
    assert!(log(&output).contains("this is the server of another task"), "{}", log(&output));
    assert!(served.jobs().is_empty());
}

fn exec(stack: &Stack, served: &Served, options: &[&str], command: &[&str]) -> Command {
    let mut run = stack.exec(options, command);
    run.env("TASKHOLD_SERVER", served.url());
    run
}

#[test]
fn exec_hands_its_job_to_the_server_of_its_task() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let worker = Worker::start(exec(&stack, &served, &["--job-id", "a"], &["cat"]));
    eventually("the server has the job", || served.jobs() == ["a"]);
    assert!(stack.is_protected());
    let output = worker.end();
    assert_eq!(output.status.code(), Some(0), "{}", log(&output));
    assert!(served.jobs().is_empty() && log(&output).contains("handing the job over"));
    // All calls are the server's. The agent notes a call after it has taken effect.
    eventually("the protection is cleared", || stack.puts() == [(true, Some(200)), (false, Some(200))]);
}

#[test]
fn an_end_that_is_lost_on_its_way_to_the_server_is_sent_again() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let link = Link::to(&served.address);
    link.lose("DELETE /v1/jobs/a");
    let mut run = stack.exec(&["--job-id", "a"], &["true"]);
    let output = run.env("TASKHOLD_SERVER", link.url()).output().unwrap();
    assert_eq!((output.status.code(), link.has_lost_all()), (Some(0), true), "{}", log(&output));
    assert!(served.jobs().is_empty(), "{}", log(&output));
}

#[test]
fn exec_hands_its_job_to_a_server_that_was_restarted() {
    let stack = Stack::new();
    let before = Served::start(&stack, &[], &[]);
    let link = Link::to(&before.address);
    let mut run = stack.exec(&["--job-id", "a", "--max-duration", "2h", "--check-interval", "1s"], &["cat"]);
    run.env("TASKHOLD_SERVER", link.url());
    let worker = Worker::start(run);
    eventually("the server has the job", || before.jobs() == ["a"]);
    before.signal("KILL");
    before.end();
    let after = Served::start(&stack, &[], &[]);
    link.lead_to(&after.address);
    eventually("the next server has the job", || after.jobs() == ["a"]);
    eventually("the next server protects it", || stack.puts().len() == 2);
    let output = worker.end();
    assert_eq!(output.status.code(), Some(0), "{}", log(&output));
    eventually("the protection is cleared", || after.jobs().is_empty() && !stack.is_protected());
}

#[test]
fn exec_beside_a_server_does_as_if_refused_says() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    stack.agent().lock().lasting_fault = Some(refuses());
    let ran = |options: &[&str]| {
        let output = exec(&stack, &served, options, &["echo", "ran"]).output().unwrap();
        (output.status.code().unwrap(), output.stdout == b"ran\n")
    };
    assert_eq!(ran(&[]), (0, true));
    assert_eq!(ran(&["--if-refused", "exit"]), (75, false));
    assert_eq!(ran(&["--if-refused", "wait", "--wait-timeout", "2s", "--check-interval", "1s"]), (75, false));
    assert!(served.jobs().is_empty());
}

#[test]
fn exec_beside_a_server_passes_exit_codes_on_and_starts_no_missing_command() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    let code = |command: &[&str]| exec(&stack, &served, &[], command).output().unwrap().status.code();
    assert_eq!((code(&["sh", "-c", "exit 7"]), code(&["/does/not/exist"])), (Some(7), Some(127)));
    assert!(served.jobs().is_empty());
    let worker = Worker::start(exec(&stack, &served, &[], &["sleep", "30"]));
    eventually("the server has the job", || served.jobs().len() == 1);
    worker.signal("TERM");
    assert_eq!(worker.end().status.code(), Some(143));
    assert!(served.jobs().is_empty());
}

#[test]
fn exec_that_exits_if_refused_starts_no_job_beside_a_server_that_drains_and_says_why() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    served.put("at-work", "");
    served.signal("TERM");
    eventually("the task takes no more work", || served.call("GET", "/v1/admission", "").status == 409);
    let output = exec(&stack, &served, &["--if-refused", "exit"], &["echo", "ran"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(75), &b""[..]), "{}", log(&output));
    assert!(log(&output).contains("draining"), "{}", log(&output));
    served.end_job("at-work");
    assert_eq!(served.end().code(), Some(0));
}

#[cfg(feature = "sqs")]
#[test]
fn at_a_stop_of_the_task_the_server_waits_for_the_jobs_that_exec_handed_over_and_reports_how_they_ended() {
    let stack = Stack::new();
    let served = Served::start(&stack, &["--queue-url", &stack.queue_url()], &[]);
    let cut_off = Worker::start(exec(&stack, &served, &["--job-id", "cut-off"], &["sleep", "30"]));
    let done = Worker::start(exec(&stack, &served, &["--job-id", "done"], &["cat"]));
    eventually("both are reported", || stack.messages().len() == 2);
    stack.stop_task();
    served.signal("TERM");
    cut_off.signal("TERM");
    let output = cut_off.end();
    assert_eq!(output.status.code(), Some(143), "{}", log(&output));
    assert_eq!(served.jobs(), ["done"], "the server still serves");
    assert_eq!(done.end().status.code(), Some(0));
    assert_eq!(served.end().code(), Some(0));
    let finished: Vec<_> = stack.messages().into_iter().filter(|message| message["type"] == "job.finished").collect();
    assert_eq!(finished.iter().map(|message| &message["jobId"]).collect::<Vec<_>>(), ["done"]);
}

#[test]
fn exec_protects_its_task_itself_beside_the_server_of_another_task() {
    let (stack, other) = (Stack::new(), Stack::of_another_task());
    let served = Served::start(&other, &[], &[]);
    let output = exec(&stack, &served, &[], &["true"]).output().unwrap();
    assert_eq!((output.status.code(), stack.puts().len()), (Some(0), 2), "{}", log(&output));
    assert!(other.puts().is_empty());
}

#[test]
fn exec_without_the_token_of_the_server_says_so_and_protects_its_task_itself() {
    let stack = Stack::new();
    let mut run = stack.serve(&[], &[]);
    run.env("TASKHOLD_TOKEN", "a-secret-of-at-least-16");
    let served = Served::run(run);
    let output = exec(&stack, &served, &[], &["true"]).output().unwrap();
    assert_eq!((output.status.code(), stack.puts().len()), (Some(0), 2));
    assert!(log(&output).contains("set TASKHOLD_TOKEN"), "{}", log(&output));
    let mut with_token = exec(&stack, &served, &[], &["true"]);
    let output = with_token.env("TASKHOLD_TOKEN", "a-secret-of-at-least-16").output().unwrap();
    assert!(log(&output).contains("handing the job over"), "{}", log(&output));
}

#[test]
fn exec_outside_ecs_uses_no_server() {
    let served = Served::run(crate::stack::serve_outside_ecs(&[], &[]));
    let output = outside_ecs(&[], &["true"]).env("TASKHOLD_SERVER", served.url()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!log(&output).contains("handing"), "{}", log(&output));
}

#[test]
fn a_heartbeat_without_options_leaves_the_job_as_it_was_declared() {
    let stack = Stack::new();
    let served = Served::start(&stack, &[], &[]);
    hook(&stack, &served, &["start", "--job-id", "a", "--max-duration", "30m", "--kind", "encode"]);
    assert_eq!(hook(&stack, &served, &["heartbeat", "--job-id", "a"]).status.code(), Some(0));
    let job = served.call("GET", "/v1/jobs", "").body["jobs"][0].clone();
    assert_eq!(job["kind"], "encode");
    assert_eq!(stack.puts().len(), 1, "the server's own maximum of two hours would need a second request");
}
