//! The fault tables: what the agent does × an option → what happens. The cells of docs/workers.md and docs/serve.md are read
//! and compared with what `exec` and `serve` do.

use crate::fault_cases::{AgentCase, REFUSAL};
use crate::served::Served;
use crate::stack::{Stack, eventually, log};
use ecs_sim::http::{AgentErrorShape, AgentFault};
use std::time::{Duration, Instant};

fn answers(status: u16, body: &str) -> AgentFault {
    AgentFault::Answers { status, body: body.to_owned() }
}

const UNPROTECTED: &str = "starting the command without protection";

/// A column of the table of `exec`.
#[derive(Debug, Clone, Copy)]
enum ExecColumn {
    Run,
    Wait,
    Exit,
}

impl ExecColumn {
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Run => &[],
            Self::Wait => &["--if-refused", "wait", "--wait-timeout", "2s"],
            Self::Exit => &["--if-refused", "exit"],
        }
    }
}

/// What a cell says about the command, in this column and, for *the same*, in those before it.
fn starts(cells: &[String], column: ExecColumn) -> bool {
    let cell = &cells[column as usize];
    match column {
        ExecColumn::Run => {
            assert!(cell.contains("start"), "{cell}");
            true
        }
        _ if cell.contains("exits with 75") || cell.contains("does not start") || cell == "asks every minute" => false,
        _ => {
            assert!(cell.starts_with("starts"), "{cell}");
            true
        }
    }
}

fn exec_does_as_documented(case: AgentCase, column: ExecColumn) {
    let starts = starts(&case.cells("workers.md"), column);
    for (fault, words) in case.faults() {
        let stack = Stack::new();
        stack.agent().lock().lasting_fault.clone_from(&fault);
        let mut options = vec!["--start-timeout", "1s", "--check-interval", "1s"];
        options.extend(column.options());
        let output = stack.exec(&options, &["echo", "COMMAND ran"]).output().unwrap();
        let log = log(&output);
        assert_eq!(output.status.code(), Some(if starts { 0 } else { 75 }), "{fault:?}: {log}");
        assert_eq!(output.stdout == b"COMMAND ran\n", starts, "{log}");
        assert!(log.contains(words), "`{words}` is not in\n{log}");
        let is_unprotected = starts && case != AgentCase::Grants;
        assert_eq!(log.contains(UNPROTECTED), is_unprotected, "{log}");
    }
}

/// A column of the table of `serve`.
#[derive(Debug, Clone, Copy)]
enum ServeColumn {
    Put,
    PutInAnyCase,
}

fn serve_does_as_documented(case: AgentCase, column: ServeColumn) {
    let cell = &case.cells("serve.md")[column as usize];
    let body = match column {
        ServeColumn::Put => "",
        ServeColumn::PutInAnyCase => r#"{"ifRefused": "run"}"#,
    };
    for (fault, words) in case.faults() {
        let stack = Stack::new();
        let served = Served::start(&stack, &["--start-timeout", "1s", "--check-interval", "1s"], &[]);
        stack.agent().lock().lasting_fault.clone_from(&fault);
        #[expect(clippy::disallowed_methods, reason = "the test measures")]
        let began = Instant::now();
        let answer = served.put("a", body);
        let took = began.elapsed();
        assert_eq!(answer.status.to_string(), cell[..3], "{fault:?}: {answer:?}");
        assert_eq!(answer.body["protected"], case == AgentCase::Grants);
        // A missing answer delays this one.
        assert_eq!(took >= Duration::from_secs(1), case == AgentCase::Failing, "{fault:?}: {took:?}");
        if let ServeColumn::Put = column {
            assert_eq!(cell.contains("after `--start-timeout`"), case == AgentCase::Failing);
        }
        let is_recorded = cell.contains("recorded") || case == AgentCase::Grants;
        assert_eq!((&answer.body["recorded"], served.jobs().len()), (&is_recorded.into(), is_recorded.into()));
        // The simulated agent notes a request when it has answered it, which a slow one does not.
        if cell.contains("asked every minute") && !matches!(fault, Some(AgentFault::Slow(_))) {
            let before = stack.puts().len();
            eventually("it is asked again", || stack.puts().len() > before);
        }
        if cell.contains("not asked again") {
            std::thread::sleep(Duration::from_millis(1500));
            assert_eq!(stack.puts().len(), 1);
        }
        eventually("the log has the agent's words", || served.log().contains(words));
    }
}

macro_rules! rows {
    ($($case:ident: $run:ident, $wait:ident, $exit:ident, $put:ident, $in_any_case:ident;)*) => {$(
        #[test]
        fn $run() {
            exec_does_as_documented(AgentCase::$case, ExecColumn::Run);
        }
        #[test]
        fn $wait() {
            exec_does_as_documented(AgentCase::$case, ExecColumn::Wait);
        }
        #[test]
        fn $exit() {
            exec_does_as_documented(AgentCase::$case, ExecColumn::Exit);
        }
        #[test]
        fn $put() {
            serve_does_as_documented(AgentCase::$case, ServeColumn::Put);
        }
        #[test]
        fn $in_any_case() {
            serve_does_as_documented(AgentCase::$case, ServeColumn::PutInAnyCase);
        }
    )*};
}

rows! {
    Grants: granted_runs, granted_does_not_wait, granted_does_not_exit, granted_is_served, granted_is_served_in_any_case;
    Refuses: refused_runs, refused_waits, refused_exits, refused_is_served, refused_is_served_in_any_case;
    NoService: without_service_runs, without_service_does_not_wait, without_service_exits, without_service_is_served,
        without_service_is_served_in_any_case;
    Denied: denied_runs, denied_waits, denied_exits, denied_is_served, denied_is_served_in_any_case;
    Old: old_agent_runs, old_agent_waits, old_agent_exits, old_agent_is_served, old_agent_is_served_in_any_case;
    Failing: failing_runs, failing_waits, failing_exits, failing_is_served, failing_is_served_in_any_case;
    Nonsense: nonsense_runs, nonsense_waits, nonsense_exits, nonsense_is_served, nonsense_is_served_in_any_case;
    TooShort: too_short_runs, too_short_waits, too_short_exits, too_short_is_served, too_short_is_served_in_any_case;
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
