//! The examples of docs/serve.md: each is extracted and run against a server. `worker/tests/queues/run` runs
//! those of Celery, Sidekiq, BullMQ and Temporal with the real queues.

use crate::served::Served;
use crate::serving::refuses;
use crate::stack::{Stack, eventually};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// The code blocks of a section, each with its language.
fn blocks(section: &str) -> Vec<(String, String)> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/serve.md")).unwrap();
    let text = page.split(&format!("\n### {section}\n")).nth(1).unwrap_or_else(|| panic!("no section {section}"));
    let text = text.split("\n### ").next().unwrap();
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.map(|block| block.split_once('\n').map(|(name, code)| (name.to_owned(), code.to_owned())).unwrap()).collect()
}

/// A server, and what runs beside it in the task.
struct Beside {
    stack: Stack,
    served: Served,
}

impl Beside {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(options: &[&str]) -> Self {
        let stack = Stack::new();
        let served = Served::start(&stack, options, &[]);
        Self { stack, served }
    }

    /// A program that the examples find on their path.
    fn install(&self, name: &str, script: &str) {
        let path = self.stack.file(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, program: &str, file: &str, text: &str, variables: &[(&str, &str)]) -> Output {
        let path = self.stack.file(file);
        std::fs::write(&path, text).unwrap();
        let mut run = self.stack.in_container(Command::new(program));
        let folder = Path::new(env!("CARGO_BIN_EXE_taskhold-run")).parent().unwrap();
        let system = std::env::var_os("PATH").unwrap();
        let installed = path.parent().unwrap().to_owned();
        let folders = [installed, folder.to_owned()].into_iter().chain(std::env::split_paths(&system));
        let path_variable = std::env::join_paths(folders);
        run.arg(path).env("PATH", path_variable.unwrap()).env("TASKHOLD_SERVER", self.served.url());
        let output = run.envs(variables.iter().copied()).output();
        output.unwrap_or_else(|error| panic!("{program} is needed: {error}"))
    }

    fn refuse(&self) {
        eventually("the protection is cleared", || !self.stack.is_protected());
        self.stack.agent().lock().lasting_fault = Some(refuses());
    }
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The two hooks of a runner, as its page shows them.
fn hooks_protect_the_job(section: &str, variables: &[(&str, &str)], id: &str) {
    let [(_, start), (_, finish)] = &blocks(section)[..] else { panic!("{section} has two hooks") };
    let beside = Beside::new();
    let output = beside.run("sh", "start", start, variables);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(beside.served.jobs(), [id]);
    assert!(beside.stack.is_protected());
    let output = beside.run("sh", "finish", finish, variables);
    assert!(output.status.success() && beside.served.jobs().is_empty(), "{output:?}");
    beside.refuse();
    assert!(beside.run("sh", "start", start, variables).status.success(), "the job runs all the same");
    assert_eq!(beside.served.jobs(), [id]);
}

#[test]
fn hooks_of_a_github_runner() {
    let variables = [
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("GITHUB_RUN_ID", "1658821493"),
        ("GITHUB_JOB", "build"),
        ("RUNNER_NAME", "ecs-1"),
        ("GITHUB_REPOSITORY", "octo-org/video"),
    ];
    hooks_protect_the_job("GitHub Actions runners", &variables, "1658821493/build/ecs-1");
}

#[test]
fn hooks_of_a_buildkite_agent() {
    let id = "0190046e-e199-453b-a302-a21a4d649d31";
    hooks_protect_the_job("Buildkite agents", &[("BUILDKITE_JOB_ID", id)], id);
}

/// Runs a game server for two matches. During the second one, which fails, the server gets the stop signal. Returns what it
/// printed.
fn play_two_matches(beside: &Beside) -> String {
    let [(_, server)] = &blocks("Game servers")[..] else { panic!("a game server is one program") };
    beside.install("sleep", "exec /bin/sleep 0.1");
    beside.install("offer-slot", r#"cd "$FOLDER"; echo >>offers; echo match-$(wc -l <offers)"#);
    beside.install(
        "play",
        r#"echo "[$1 $(curl -s "$ECS_AGENT_URI/task-protection/v1/state" | jq .protection.ProtectionEnabled)]"
        [ "$1" = match-1 ] || kill -TERM "$PPID"
        [ "$(curl -s "$TASKHOLD_SERVER/v1/jobs" | jq -r '.jobs[].id')" = "$1" ] && [ "$1" = match-1 ]"#,
    );
    let folder = beside.stack.file("");
    let output = beside.run("sh", "server", server, &[("FOLDER", folder.to_str().unwrap())]);
    let output = printed(&output);
    assert_eq!(std::fs::read_to_string(beside.stack.file("offers")).unwrap().lines().count(), 2);
    for (id, outcome) in [("match-1", "success"), ("match-2", "failure")] {
        let line = format!(r#"job ended job="{id}" outcome="{outcome}""#);
        eventually(&line, || beside.served.log().contains(&line));
    }
    output
}

#[test]
fn slots_of_a_game_server() {
    let beside = Beside::new();
    let output = play_two_matches(&beside);
    assert!(output.contains("[match-1 true]") && output.contains("[match-2 true]"), "{output}");
    eventually("the protection is cleared", || !beside.stack.is_protected());
    // The interval is how long the refusal keeps admission closed: longer than a match takes on a busy machine.
    let beside = Beside::with(&["--check-interval", "10s"]);
    beside.refuse();
    let output = play_two_matches(&beside);
    let [first, second] = ["[match-1 ", "[match-2 "].map(|played| output.find(played).expect("both are played"));
    assert!(output[first..second].contains(r#"{"reason":"DEPLOYMENT_BLOCKED"}"#), "no slot after a refusal: {output}");
}

#[test]
#[ignore = "worker/tests/snippets runs it"]
fn processor_of_bullmq() {
    let driver = r#"
        class DelayedError extends Error {}
        const job = { id: "a/b", moveToDelayed: async () => console.log("delayed") };
        const work = async () => (console.log((await (await fetch(`${server}/v1/jobs`)).json()).jobs[0].id), 7);
        const run = protectedJob(work, DelayedError);
        await run(job, "token").then(console.log, (error) => console.log(error.constructor.name));
    "#;
    let text = format!("{}\n{driver}", blocks("BullMQ")[0].1);
    let beside = Beside::new();
    assert_eq!(printed(&beside.run("node", "example.mjs", &text, &[])), "a/b\n7\n");
    assert!(beside.served.jobs().is_empty());
    beside.refuse();
    assert_eq!(printed(&beside.run("node", "example.mjs", &text, &[])), "delayed\nDelayedError\n");
}

#[test]
#[ignore = "worker/tests/snippets runs it"]
fn middleware_of_sidekiq() {
    let text = format!(
        "module Sidekiq; module ServerMiddleware; end; end\n{}\n{}",
        blocks("Sidekiq")[0].1,
        r#"
        begin
          ProtectTask.new.call(nil, { "jid" => "b4a577edbccf1d805744efa9" }, "video") do
            puts Net::HTTP.get(ProtectTask::SERVER + "/v1/jobs").include?("b4a577edbccf1d805744efa9")
          end
        rescue => error
          puts error.message
        end
        "#
    );
    let beside = Beside::new();
    assert_eq!(printed(&beside.run("ruby", "example.rb", &text, &[])), "true\n");
    assert!(beside.served.jobs().is_empty());
    beside.refuse();
    let refused = printed(&beside.run("ruby", "example.rb", &text, &[]));
    assert!(refused.starts_with("this ECS task is not protected: ") && refused.contains("DEPLOYMENT_BLOCKED"));
}
