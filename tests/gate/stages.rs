//! Every answer of the gate at every stage, as ECS asks for it: scenarios made from one line for the service and one case.

use crate::in_process::{parsed, play};
use ecs_sim::scenario::{Extent, Silent};

const STAGES: [&str; 8] = [
    "reconcile-service",
    "pre-scale-up",
    "post-scale-up",
    "test-traffic-shift",
    "post-test-traffic-shift",
    "pre-production-traffic-shift",
    "production-traffic-shift",
    "post-production-traffic-shift",
];

/// The stages that ECS runs again during a rollback.
const STAGES_RUN_AGAIN: [&str; 2] = ["test-traffic-shift", "production-traffic-shift"];

/// A gate and the other words of its hook, and what happens after the deployment has reached the stage with a live job.
struct Case {
    name: &'static str,
    hook: &'static str,
    follows: &'static str,
}

const CASES: [Case; 12] = [
    Case {
        name: "no job is left",
        hook: "until no-live-jobs at most 4h for 5h then continue",
        follows: "expect hook answer IN_PROGRESS because 1 of its tasks have live jobs
            expect web held at STAGE
            job j-1 finishes
            advance 5m
            expect hook answer SUCCEEDED because its condition holds",
    },
    Case {
        name: "the deadline is met",
        hook: "until deadline-met at most 4h for 5h then continue",
        follows: "expect hook answer IN_PROGRESS because after the deployment's deadline
            expect web held at STAGE
            job j-1 finishes
            advance 5m
            expect hook answer SUCCEEDED because its condition holds",
    },
    Case {
        name: "the deadline comes",
        hook: "until deadline-met at most 4h for 5h then continue",
        follows: "advance 45m
            expect web held at STAGE
            advance 15m
            expect hook answer SUCCEEDED because its time to wait is over",
    },
    Case {
        name: "the deadline comes and rolls back",
        hook: "until deadline-met at most 4h then rollback for 5h then continue",
        follows: "advance 45m
            expect web held at STAGE
            advance 15m
            expect hook answer FAILED because its time to wait is over
            expect web rolled back",
    },
    Case {
        name: "the longest wait is over",
        hook: "until no-live-jobs at most 20m for 5h then continue",
        follows: "advance 17m
            expect web held at STAGE
            advance 3m
            expect hook answer SUCCEEDED because its time to wait is over",
    },
    Case {
        name: "the longest wait is over and rolls back",
        hook: "until no-live-jobs at most 20m then rollback for 5h then continue",
        follows: "advance 17m
            expect web held at STAGE
            advance 3m
            expect hook answer FAILED because its time to wait is over
            expect web rolled back",
    },
    Case {
        name: "the hook's own time is over first",
        hook: "until no-live-jobs at most 4h for 20m then rollback",
        follows: "advance 17m
            expect web held at STAGE
            advance 3m
            expect hook answer SUCCEEDED because its time to wait is over",
    },
    Case {
        name: "without a gate",
        hook: "for 5h then continue",
        follows: "expect hook answer SUCCEEDED because its hookDetails ask for no gate",
    },
    Case {
        name: "with the details of another function",
        hook: r#"details {"S3_BUCKET_NAME":"b"} for 5h then continue"#,
        follows: "expect hook answer SUCCEEDED because its hookDetails ask for no gate",
    },
    Case {
        name: "with a gate that cannot be used",
        hook: r#"details {"taskhold":{"until":"forever"}} for 5h then continue"#,
        follows: "expect hook answer SUCCEEDED because `until` is neither
            expect warning ignoring a deployment gate that cannot be used",
    },
    Case {
        name: "the service cannot be read",
        hook: "until no-live-jobs at most 20m then rollback for 5h then continue",
        follows: "ecs fails 1000 of ListTasks
            advance 17m
            expect web held at STAGE
            expect hook answer IN_PROGRESS because its tasks could not be listed
            advance 3m
            expect hook answer SUCCEEDED because its time to wait is over",
    },
    Case {
        name: "Lambda refuses an invocation",
        hook: "until no-live-jobs at most 4h for 5h then continue",
        follows: "expect web held at STAGE
            lambda throttles 1
            advance 5m
            expect hook answer TooManyRequestsException
            expect web rolled back",
    },
];

/// The deployment has reached the stage, and a job runs on an old task. A service with two active revisions reconciles
/// first.
fn at_stage(stage: &str, hook: &str) -> String {
    let two_revisions =
        if stage == "reconcile-service" { "deploy web\nadvance 10m\nexpect 2 deployments of web" } else { "" };
    format!(
        "set TASKHOLD_DEADLINE_MINUTES 60
        mute alerts
        service web desired 2 strategy blue-green hook gate {stage} {hook}
        job j-1 starts on a for 5h
        {two_revisions}
        deploy web
        advance 1m\n"
    )
}

/// A stage that a rollback runs again asks the function again, too.
fn rolls_back_at_once(stage: &str, follows: &str) -> String {
    let again = "expect hook answer SUCCEEDED because the deployment is rolling back";
    let is_last = |line: &str| line.contains("answer FAILED") || line.contains("answer TooManyRequests");
    let line = |line| if STAGES_RUN_AGAIN.contains(&stage) && is_last(line) { again } else { line };
    follows.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs a scenario under its variants of AWS; returns their number.
fn holds(name: &str, text: &str) -> usize {
    let scenario = parsed(name, text);
    let variants = Extent::asked().variants(&scenario);
    for variants in &variants {
        play(&scenario, *variants, &mut Silent).unwrap_or_else(|failure| panic!("{failure}:\n{text}"));
    }
    variants.len()
}

#[test]
fn every_answer_is_given_at_every_stage_and_ecs_does_what_it_says() {
    let mut runs = 0;
    for stage in STAGES {
        for Case { name, hook, follows } in &CASES {
            let mut text = at_stage(stage, hook) + &rolls_back_at_once(stage, follows).replace("STAGE", stage);
            text.push_str(if text.contains("rolled back") {
                "\nadvance 5m\nexpect a running"
            } else {
                "\nexpect web not held\nexpect web not rolled back"
            });
            runs += holds(&format!("{name} at {stage}"), &text);
        }
    }
    println!("{} stages, {} cases, {runs} runs", STAGES.len(), CASES.len());
}

#[test]
fn a_rollback_is_held_at_no_stage_that_ecs_runs_again() {
    for stage in STAGES_RUN_AGAIN {
        let text = format!(
            "mute alerts
            service web desired 1 strategy blue-green bake 1h hook gate {stage} until no-live-jobs at most 4h
            deploy web
            advance 1m
            expect 1 hook answers
            job j-1 starts on a for 5h
            deployment of web is stopped
            expect 1 hook answers
            expect hook answer SUCCEEDED because the deployment is rolling back
            expect web rolled back
            advance 5m
            expect web steady"
        );
        holds(&format!("a rollback at {stage}"), &text);
    }
}
