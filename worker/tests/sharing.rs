//! Several processes of one container protect the same task.

use crate::stack::{Stack, Worker, eventually, kill, log};

#[test]
fn only_the_last_live_job_clears_the_protection() {
    let stack = Stack::new();
    let one = Worker::start(stack.exec(&["--max-duration", "3h"], &["cat"]));
    eventually("the first requests protection", || stack.puts().len() == 1);
    let two = Worker::start(stack.exec(&["--max-duration", "1h"], &["cat"]));
    eventually("the second requests protection", || stack.puts().len() == 2);
    let bodies: Vec<String> = stack.agent().lock().requests.iter().map(|request| request.body.clone()).collect();
    assert!(bodies.iter().all(|body| body.contains("181")), "the latest end of both: {bodies:?}");
    let output = one.end();
    assert!(log(&output).contains("keeping protection for other jobs of the task"), "{}", log(&output));
    assert!(stack.is_protected());
    two.end();
    assert!(!stack.is_protected());
    assert_eq!(stack.puts().len(), 3);
}

#[test]
fn a_process_that_was_killed_keeps_no_protection() {
    let stack = Stack::new();
    let one = Worker::start(stack.exec(&[], &["cat"]));
    eventually("the first requests protection", || stack.puts().len() == 1);
    let two = Worker::start(stack.exec(&[], &["cat"]));
    eventually("the second requests protection", || stack.puts().len() == 2);
    kill(one.id(), "KILL");
    one.end();
    let output = two.end();
    assert!(log(&output).contains("another taskhold-run of the task died"), "{}", log(&output));
    assert!(!stack.is_protected());
}

#[test]
fn a_state_directory_that_cannot_be_used_is_named_and_the_command_runs() {
    let stack = Stack::new();
    let mut run = stack.exec(&[], &["echo", "ran"]);
    let output = run.env("TASKHOLD_STATE_DIR", "/proc/nothing").output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ran\n"[..]), "{}", log(&output));
    assert!(log(&output).contains("cannot use the state directory"), "{}", log(&output));
    assert!(!stack.is_protected());
}
