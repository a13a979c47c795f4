//! The whole function under faults: runs of `ecs_sim::chaos` from seeds, and runs from `tests/sim/*.txt` that once
//! broke a promise. `ecs-sim/src/chaos.rs` documents what a run does and checks.
//!
//! A file starts with its expected result: `breaks PROMISE`, or nothing for a run that keeps every promise. A known bug
//! keeps its `breaks` line until the fix removes it. `ecs-sim sim --replay FILE` prints a run.

use crate::files::{names, read};
use ecs_sim::chaos::{Broken, Focus, Plan, RunCounts, RunOutcome, Sabotage, of_seed, replay, shortened};
use std::time::Duration;

/// Runs of each focus; they take about ten seconds on one core, in a debug build.
const RUNS: usize = 200;
/// Runs of services: more, because an alert whose answer is lost is rare.
const RUNS_OF_SERVICES: usize = 260;
/// A deliberate break must be caught within this number of runs.
const SABOTAGED_RUNS: u64 = 1_200;
/// Time limit for shrinking a run that breaks a promise before it is reported.
const SHORTEN: Duration = Duration::from_secs(10);

/// The plan of a file in tests/sim.
fn kept(file: &str) -> Plan {
    Plan::parse(&read(&format!("tests/sim/{file}"))).unwrap()
}

fn report(seed: u64, outcome: &RunOutcome) -> String {
    if outcome.broken.is_none() {
        return format!("seed {seed} keeps every promise: the bug is fixed, and the recording can be deleted");
    }
    let short = shortened(outcome, SHORTEN);
    format!("seed {seed} breaks a promise; keep this as a file in tests/sim:\n{}", short.plan.text(&short.narration))
}

#[test]
fn each_recorded_run_has_the_result_that_its_file_names() {
    let files = names("tests/sim");
    assert!(!files.is_empty());
    for file in files {
        let plan = kept(&file);
        let outcome = replay(&plan);
        let found = outcome.broken.as_ref().map(|(broken, _)| *broken);
        assert_eq!(found, plan.breaks(), "{file}:\n{}", outcome.plan.text(&outcome.narration));
    }
}

/// Makes runs with this focus, which keep every promise, and in which each of these events occurs often.
fn runs_keep_every_promise(focus: Focus, runs: usize, often: &[&str], least: u64) -> RunCounts {
    let mut counts = RunCounts::default();
    for seed in (1..).filter(|seed| Focus::of_seed(*seed) == focus).take(runs) {
        let outcome = of_seed(seed, Sabotage::None);
        assert_eq!(outcome.plan.breaks(), None, "{}", report(seed, &outcome));
        counts.add_all(&outcome.counts);
    }
    println!("{counts}");
    assert_eq!(counts.of("concurrent invocations, at most"), 4);
    for what in often {
        assert!(counts.of(what) > least, "the runs are too tame: only {} {what}", counts.of(what));
    }
    counts
}

#[test]
fn every_run_keeps_every_promise_under_faults() {
    let counts = runs_keep_every_promise(Focus::Services, RUNS_OF_SERVICES, &EVERY_FEW_RUNS, RUNS as u64 / 25);
    for what in NOW_AND_THEN {
        assert!(counts.of(what) > 0, "the runs are too tame: no {what}");
    }
}

#[test]
fn every_interleaving_of_invocations_and_effects_of_calls_keeps_a_busy_task_protected() {
    runs_keep_every_promise(Focus::Protection, RUNS, &IN_MOST_RUNS_OF_PROTECTION, RUNS as u64 / 10);
}

/// Events that must occur in the runs, and often.
const EVERY_FEW_RUNS: [&str; 41] = [
    "ECS throttles",
    "ECS answers 5xx",
    "ECS answers 5xx, with effect",
    "ECS loses calls",
    "ECS loses answers",
    "ECS loses answers, with late effect",
    "ECS denies access",
    "ECS answers partially",
    "reads of ECS fail",
    "store conflicts",
    "store: a record expires as early as it may",
    "store: a load fails",
    "store: a write fails",
    "store: the answer to a write is lost",
    "store: a write takes effect after its caller gave up",
    "late effects",
    "events lost",
    "events late",
    "events doubled",
    "batches in reverse order",
    "sweeps missed",
    "redeliveries",
    "messages done",
    "messages retried",
    "messages dead-lettered",
    "invocations killed",
    "invocations cut off at their deadline",
    "instances replaced",
    "tasks refused",
    "releases",
    "protections set by others",
    "protections requested by workers",
    "deployments",
    "desired counts set by others",
    "tasks crashed or stopped",
    "alerts: opened",
    "alerts: resolved",
    "deployment-blocked",
    "protection-refused",
    "job-interrupted",
    "jobs forwarded",
];

/// Rarer events. The model checker covers a call for several tasks that ECS rejects, which is rarer still.
const NOW_AND_THEN: [&str; 16] = [
    "ECS answers a read partially",
    "store: a list fails",
    "SNS: an alert is lost",
    "SNS: the answer to an alert is lost",
    "SQS: dead-lettering fails",
    "SQS: the answer to a recheck is lost",
    "SQS: a recheck is lost",
    "SQS: interrupted jobs are lost",
    "SQS: the answer to interrupted jobs is lost",
    "desired counts raised",
    "desired counts put back",
    "deployments that fail",
    "services deleted",
    "protection-expiring",
    "deployment-at-risk",
    "answers of the function lost",
];

/// Events that must occur with the focus on protection.
const IN_MOST_RUNS_OF_PROTECTION: [&str; 12] = [
    "invocations killed",
    "store conflicts",
    "late effects",
    "releases",
    "store: a record expires as early as it may",
    "messages done",
    "messages retried",
    "messages dead-lettered",
    "sweeps",
    "tasks refused",
    "protections requested by workers",
    "events through the queue",
];

#[test]
fn a_seed_is_a_run_and_its_plan_is_the_same_run() {
    for seed in 1..=15 {
        let (one, other) = (of_seed(seed, Sabotage::None), of_seed(seed, Sabotage::None));
        assert_eq!(one.plan, other.plan, "seed {seed}");
        let replayed = replay(&one.plan);
        assert_eq!((&replayed.plan, &replayed.counts), (&one.plan, &one.counts), "seed {seed}");
        let text = replayed.plan.text(&replayed.narration);
        let read = Plan::parse(&text).unwrap();
        assert_eq!((&read, replay(&read).narration), (&one.plan, replayed.narration), "seed {seed}");
    }
}

/// Whether a deliberate break violates one of these promises within a bounded number of runs.
fn is_caught(sabotage: Sabotage, breaks: &[Broken]) {
    let mut outcomes = (1..=SABOTAGED_RUNS).map(|seed| (seed, of_seed(seed, sabotage).broken));
    let caught = outcomes.find(|(_, broken)| broken.as_ref().is_some_and(|(broken, _)| breaks.contains(broken)));
    let (seed, broken) = caught.unwrap_or_else(|| panic!("{} is not caught", sabotage.as_str()));
    let (broken, why) = broken.expect("it was looked for");
    println!("{} is caught in run {seed}: {}: {why}", sabotage.as_str(), broken.as_str());
}

#[test]
fn releases_that_are_not_recorded_are_caught() {
    breaks_only_with("release_that_races_a_new_job.txt", Sabotage::ReleasesNotWrittenDown, Broken::Safety);
}

#[test]
fn a_store_that_stores_without_comparing_is_caught_leaving_a_job_unprotected() {
    is_caught(Sabotage::StoresWithoutComparing, &[Broken::Safety]);
}

#[test]
fn a_store_that_stores_without_comparing_is_caught_losing_a_message() {
    is_caught(Sabotage::StoresWithoutComparing, &[Broken::Loss]);
}

#[test]
fn a_failed_message_that_is_taken_for_done_is_caught() {
    is_caught(Sabotage::FailedMessageTakenForDone, &[Broken::Safety, Broken::Loss]);
}

#[test]
fn a_topic_that_swallows_resolutions_is_caught() {
    is_caught(Sabotage::ResolutionsSwallowed, &[Broken::Alerts]);
}

#[test]
fn a_recheck_queue_that_swallows_everything_is_caught() {
    is_caught(Sabotage::RechecksSwallowed, &[Broken::Convergence]);
}

#[test]
fn calls_that_take_effect_later_than_is_assumed_are_caught() {
    is_caught(Sabotage::StrikesTooLate, &[Broken::Safety]);
}

#[test]
fn a_desired_count_that_is_not_put_back_is_caught() {
    is_caught(Sabotage::CountsNotPutBack, &[Broken::Convergence]);
}

#[test]
fn a_queue_of_interrupted_jobs_that_swallows_everything_is_caught() {
    is_caught(Sabotage::InterruptionsSwallowed, &[Broken::Alerts]);
}

#[test]
fn a_store_that_forgets_records_before_their_time_is_caught() {
    is_caught(Sabotage::RecordsForgottenEarly, &[Broken::Loss]);
}

/// The recorded run keeps every promise, and breaks this one with the deliberate break that its protection is against.
fn breaks_only_with(file: &str, sabotage: Sabotage, breaks: Broken) {
    let plan = kept(file);
    assert_eq!(replay(&plan).plan.breaks(), None, "{file} keeps every promise");
    let broken = replay(&plan.with_sabotage(sabotage));
    let (name, text) = (sabotage.as_str(), broken.plan.text(&broken.narration));
    assert_eq!(broken.plan.breaks(), Some(breaks), "{file} with {name}:\n{text}");
}

#[test]
fn a_call_that_is_sent_long_after_it_was_recorded_is_caught() {
    breaks_only_with("call_sent_long_after_it_was_recorded.txt", Sabotage::TimeOfStoresIgnored, Broken::Safety);
}

#[test]
fn a_store_that_forgets_the_calls_of_others_is_caught() {
    breaks_only_with("release_in_flight_beside_newer_calls.txt", Sabotage::CallsOfOthersForgotten, Broken::Safety);
}

#[test]
fn a_record_that_is_dropped_with_a_release_in_flight_is_caught() {
    breaks_only_with("record_dropped_with_a_release_in_flight.txt", Sabotage::RecordsForgottenEarly, Broken::Safety);
}

#[test]
fn a_release_of_protection_that_another_writer_set_is_caught() {
    is_caught(Sabotage::ForeignProtectionNotSeen, &[Broken::Foreign]);
    let file = "foreign_protection_before_a_late_finish.txt";
    breaks_only_with(file, Sabotage::ForeignProtectionNotSeen, Broken::Foreign);
}

#[test]
fn a_release_at_a_job_s_declared_end_is_caught() {
    is_caught(Sabotage::DeclaredEndsRelease, &[Broken::Early]);
    let file = "job_that_outlives_its_time_beside_another.txt";
    breaks_only_with(file, Sabotage::DeclaredEndsRelease, Broken::Early);
}

#[test]
fn a_call_for_a_task_that_protects_itself_is_caught() {
    is_caught(Sabotage::AgentReportsDropped, &[Broken::Foreign]);
}

#[test]
fn a_store_that_uses_a_version_again_is_caught() {
    breaks_only_with("version_of_a_dropped_record.txt", Sabotage::VersionsCountedAnew, Broken::Loss);
}

#[test]
fn an_ecs_client_that_takes_no_answer_for_no_effect_is_caught() {
    breaks_only_with("release_whose_answer_is_lost.txt", Sabotage::EffectsDenied, Broken::Safety);
}
