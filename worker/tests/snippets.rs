//! The short programs of docs/workers.md: each is extracted and run against the simulated agent.
//!
//! `cargo test` runs those in languages that the repository needs anyway. The others have the mark `ignored`, and
//! `worker/tests/snippets` runs them: it installs a missing language, or fails.

use crate::fault_cases::AgentCase;
use crate::stack::Stack;
use std::process::{Command, Output};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/workers.md");

/// The code block of a language in the section of the programs.
fn snippet(language: &str) -> String {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let section =
        page.split("\n### Protect the task without another program\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let block = section.split(&format!("\n```{language}\n")).nth(1);
    block.unwrap_or_else(|| panic!("no block `{language}`")).split("\n```").next().unwrap().to_owned()
}

/// How the program of a language is run from its file.
struct Interpreter {
    language: &'static str,
    file: &'static str,
    command: &'static [&'static str],
}

/// `go run` has an exit code of its own.
const BUILD_GO: &str = r#"go build -o "$0.program" "$0" && exec "$0.program" "$@""#;

fn run(stack: &Stack, interpreter: &Interpreter) -> Output {
    let file = stack.file(interpreter.file);
    std::fs::write(&file, snippet(interpreter.language)).unwrap();
    let mut run = Command::new(interpreter.command[0]);
    run.args(&interpreter.command[1..]).arg(file).arg("90");
    for name in ["PATH", "HOME"] {
        run.env(name, std::env::var_os(name).unwrap_or_default());
    }
    let output = stack.in_container(run).output();
    output.unwrap_or_else(|error| panic!("{} is needed: {error}", interpreter.command[0]))
}

fn protects_and_knows_whether_it_did(interpreter: &Interpreter) {
    let stack = Stack::new();
    let output = run(&stack, interpreter);
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(out.trim().ends_with('Z') && out.lines().count() == 1, "{out}");
    assert!(stack.is_protected());
    assert!(stack.agent().lock().requests[0].body.contains("90"));
    let faults = [AgentCase::Refuses, AgentCase::Denied, AgentCase::Old, AgentCase::Nonsense].map(AgentCase::faults);
    for (fault, _) in faults.into_iter().flatten() {
        let stack = Stack::new();
        stack.agent().lock().lasting_fault.clone_from(&fault);
        let output = run(&stack, interpreter);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(75), &b""[..]), "{fault:?}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("not protected"), "{fault:?}");
    }
    let stack = Stack::new();
    stack.agent().lock().lasting_fault = Some(ecs_sim::http::AgentFault::ConnectionLost);
    assert_eq!(run(&stack, interpreter).status.code(), Some(75));
}

macro_rules! snippets {
    ($($(#[$attribute:meta])* $name:ident: $language:expr, $file:expr, $command:expr;)*) => {
        $(#[test]
        $(#[$attribute])*
        fn $name() {
            let command = &$command;
            protects_and_knows_whether_it_did(&Interpreter { language: $language, file: $file, command });
        })*

        #[test]
        fn every_program_of_the_page_has_a_test() {
            let page = std::fs::read_to_string(PAGE).unwrap();
            let section = page.split("\n### Protect the task without another program\n").nth(1).unwrap();
            let section = section.split("\n## ").next().unwrap();
            let languages: Vec<&str> = section
                .split("\n```")
                .skip(1)
                .step_by(2)
                .map(|block| block.lines().next().unwrap())
                .collect();
            assert_eq!(languages, [$($language),*]);
        }
    };
}

snippets! {
    shell: "sh", "protect.sh", ["sh"];
    python: "python", "protect.py", ["python3"];
    #[ignore = "worker/tests/snippets runs it"]
    node: "js", "protect.mjs", ["node"];
    #[ignore = "worker/tests/snippets runs it"]
    go: "go", "protect.go", ["sh", "-c", BUILD_GO];
    #[ignore = "worker/tests/snippets runs it"]
    java: "java", "Protect.java", ["java"];
    #[ignore = "worker/tests/snippets runs it"]
    php: "php", "protect.php", ["php"];
    #[ignore = "worker/tests/snippets runs it"]
    ruby: "ruby", "protect.rb", ["ruby"];
}
