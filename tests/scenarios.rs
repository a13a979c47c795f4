//! Runs the scenarios of tests/scenarios in process and against the real function, those about alerts also with the events of
//! ECS in disorder, and some twice.
//!
//! By default each scenario runs under a sample of the variants of AWS that it allows, and some thirty run against the real function;
//! with `TASKHOLD_TESTS=all` each runs under every variant, and all run against the real function. `ecs_sim::scenario::Extent`
//! has the rules of the sample.

use crate::block_on;
use crate::in_process::{named, parsed, play, region_and_function, scenarios};
use ecs_sim::control_plane::Variants;
use ecs_sim::play::{Process, Workers};
use ecs_sim::progress::Progress;
use ecs_sim::region::{RECHECK_QUEUE, Region, SharedRegion};
use ecs_sim::scenario::{
    Disorder, Expectation, Extent, Scenario, SentAlert, Silent, Statement, Style, Summary, Timeline, alerts_of, run,
    run_with_workers,
};
use std::collections::{BTreeMap, BTreeSet};

fn timeline(scenario: &Scenario, variants: Variants) -> String {
    let mut printed = Vec::new();
    play(scenario, variants, &mut Timeline::new(&mut printed, Style::default())).unwrap();
    String::from_utf8(printed).unwrap()
}

#[test]
fn a_scenario_run_twice_is_the_same_to_the_byte() {
    for (number, scenario) in scenarios().iter().enumerate().step_by(13) {
        let [variants, _] = opposite_variants(scenario, number);
        let name = &scenario.name;
        assert_eq!(timeline(scenario, variants), timeline(scenario, variants), "{name} under {variants}");
    }
}

#[test]
fn every_scenario_holds_under_the_variants_of_aws_that_it_allows() {
    let mut failures = Vec::new();
    let (mut runs, mut of_two_writers) = (0, 0);
    let scenarios = scenarios();
    let mut progress = Progress::new("scenarios under their variants of AWS", scenarios.len());
    for scenario in &scenarios {
        let two_writers = has_two_writers(scenario);
        let variants = if two_writers { scenario.variants() } else { Extent::asked().variants(scenario) };
        assert!(!variants.is_empty(), "{}: no variant of AWS has all that it needs", scenario.name);
        runs += variants.len();
        let may_stop_jobs = !two_writers || BY_THE_WORKER.contains(&scenario.name.as_str());
        of_two_writers += usize::from(two_writers);
        for variants in variants {
            match play(scenario, variants, &mut Silent) {
                Ok(summary) if summary.interrupted > 0 && !may_stop_jobs => {
                    failures.push(format!("{} under {variants}: a scale-in stopped a job", scenario.name));
                }
                Ok(_) => {}
                Err(failure) => failures.push(failure),
            }
        }
        progress.step();
    }
    println!("{} scenarios, {runs} runs", scenarios.len());
    assert!(of_two_writers >= 18, "{of_two_writers} scenarios of two writers");
    assert!(failures.is_empty(), "{} of {runs} runs failed:\n{}", failures.len(), failures.join("\n"));
}

/// Whether the scenario runs under all its variants because two writers protect its tasks. In these, no scale-in may stop
/// a job that either writer protects. Two inputs from the field count too.
fn has_two_writers(scenario: &Scenario) -> bool {
    let field = ["outlived_shared_call.txt", "dead_letter_costs_nothing.txt"];
    let name = scenario.name.as_str();
    name.starts_with("two_writers_") || name.starts_with("agent_job") || field.contains(&name)
}

/// In these, a worker clears its protection in the middle of its job.
const BY_THE_WORKER: [&str; 2] = ["agent_job_protection_cleared.txt", "agent_job_cleared_before_its_finish.txt"];

#[test]
fn a_scenario_whose_expectation_does_not_hold_fails_with_its_line() {
    for (text, expected) in [
        ("job j starts on a\nexpect a unprotected", "2: a is protected until 11:00:00"),
        ("expect a protected", "1: a is not protected"),
        ("job j starts on a for 60m\nadvance 1m\nexpect a protected for 70m", "3: a is protected for 59m0s more"),
        ("deploy web\nexpect web steady", "2: web is not steady"),
        ("expect 1 call", "1: calls of UpdateTaskProtection: 0, not 1"),
        ("send {}\nexpect 1 dead-lettered because jobId", "2: the reason of the last one is: `version` is missing"),
        ("ecs denies 1\njob j starts on a", "2: the function logged an error"),
        ("expect warning nonsense", "1: no log line of level WARN contains this text"),
        ("job j starts on z", "1: there is no task `z` yet"),
        ("expect web desired 3", "1: desired count of web: 2, not 3"),
        ("expect api desired 3", "1: there is no service `api`"),
        ("expect 1 call of UpdateService", "1: calls of UpdateService: 0, not 1"),
        ("job j starts on a\nexpect 0 calls", "2: calls of UpdateTaskProtection: 1, not 0"),
        ("expect 1 interrupted", "1: interrupted jobs: 0, not 1"),
        ("expect mail anything", "1: no line before this one expects an alert"),
        (
            "job j starts on a\ncrash a\nexpect alert job-interrupted opened web\nexpect mail cheese",
            "4: the email does not contain this text",
        ),
        ("job j starts on b to z", "1: there is no task `z` yet"),
        ("mute alerts\nscale web to 0\nadvance 10m\nprotect a", "4: ECS refuses to protect a: MISSING"),
        ("deployment of web fails", "1: InvalidParameterException: no deployment without running tasks is in progress"),
        (
            "service web desired 1\nrebalance web",
            "2: InvalidParameterException: ECS rebalances only a steady service with at least two tasks",
        ),
        ("mute alerts\ndelete web\nadvance 1d\nexpect web steady", "4: there is no service `web`"),
        (
            "job i starts on a\njob j starts on b\nrelease b\nmute alerts\nevents are lost\nscale web to 1\nadvance 1m",
            "7: ECS stopped b in the middle of a job whose protection was cleared before it expired",
        ),
    ] {
        let failure = play(&parsed("made up", text), Variants::default(), &mut Silent).unwrap_err();
        assert!(failure.starts_with(&format!("made up:{expected}")), "{failure}");
    }
}

/// The Region after a scenario that holds.
fn region_after(text: &str) -> SharedRegion {
    let scenario = parsed("made up", text);
    let (region, mut function) = region_and_function(&scenario, Variants::default());
    let ran = block_on(run(&scenario, region.clone(), &mut function, &mut Silent));
    ran.unwrap_or_else(|failure| panic!("{failure}"));
    region
}

#[test]
fn a_fault_of_an_operation_passes_over_the_calls_of_others() {
    let region = region_after(
        "ecs fails 2 of UpdateService
         ecs denies 1
         status of web
         expect answer /error/code ecs-failed
         status of web
         expect answer /status/services/0/rolloutStatus steady",
    );
    assert_eq!(region.lock().faults_of["UpdateService"].len(), 2);
    let region = region_after("ecs fails 2 of UpdateService\necs recovers");
    assert!(region.lock().faults_of.is_empty());
}

#[test]
fn rechecks_that_are_lost_are_those_that_wait() {
    let waiting = |text: &str| region_after(text).lock().queues.messages(RECHECK_QUEUE).unwrap().len();
    let scenario = "job j starts on a\ndeploy web\nadvance 1m\n";
    assert_eq!(waiting(scenario), 1);
    assert_eq!(waiting(&format!("{scenario}lose rechecks")), 0);
}

#[test]
fn a_change_right_before_a_call_happens_once() {
    region_after(
        "scale web to 4 before DescribeServices
         expect web desired 2
         status of web
         expect answer /status/services/0/taskCounts/desired 4
         scale web to 2
         status of web
         expect web desired 2",
    );
}

#[test]
fn lost_events_are_not_delivered_and_later_ones_are() {
    region_after(
        "job j starts on a for 60m
         events are lost
         crash a
         advance 5m
         expect no alert
         events are delivered
         job k starts on b for 60m
         crash b
         expect alert job-interrupted opened web
         expect mail \"k\"",
    );
}

#[test]
fn an_unknown_word_fails_with_file_and_line() {
    let error = Scenario::parse("made up", "# fine\n\ndance\n").unwrap_err();
    assert_eq!(error.to_string(), "made up:3: unknown statement `dance`");
}

/// The result of a scenario, and the operations that the function called.
fn against_the_real_function(scenario: &Scenario, variants: Variants) -> Result<(Summary, BTreeSet<String>), String> {
    block_on(async {
        let region = SharedRegion::new(Region::for_scenario(variants));
        let bootstrap = crate::files::bootstrap();
        let mut function = Process::start(&region, bootstrap, scenario.settings()).await.unwrap();
        let summary = run(scenario, region.clone(), &mut function, &mut Silent).await;
        function.stop().await;
        let called = region.lock().called.clone();
        summary.map(|summary| (summary, called)).map_err(|failure| format!("{failure}, under {variants}"))
    })
}

#[test]
fn the_tour_is_the_same_in_process_and_against_the_real_function() {
    let scenario = named("tour.txt");
    let (summary, _) = against_the_real_function(&scenario, Variants::default()).unwrap();
    let in_process = play(&scenario, Variants::default(), &mut Silent).unwrap();
    // A process takes milliseconds itself, so a check may run one second late, and the chain compensates for it.
    assert!(summary.invocations.abs_diff(in_process.invocations) <= 2, "{summary:?} {in_process:?}");
    assert_eq!(Summary { invocations: 0, ..summary }, Summary { invocations: 0, ..in_process });
    assert_eq!((summary.deployments_completed, summary.interrupted), (1, 0));
}

#[test]
fn the_tour_is_the_same_with_a_worker_under_the_real_taskhold_run() {
    let scenario = named("tour.txt");
    let summary = block_on(async {
        let region = SharedRegion::new(Region::for_scenario_from(Variants::default(), Some(Workers::begin_at())));
        let mut function = Process::start(&region, crate::files::bootstrap(), scenario.settings()).await.unwrap();
        let mut workers = Workers::new(&region, function.endpoint(), crate::files::taskhold_run());
        let summary = run_with_workers(&scenario, region, &mut function, &mut workers, &mut Silent).await;
        function.stop().await;
        summary.unwrap_or_else(|failure| panic!("{failure}"))
    });
    assert_eq!((summary.messages, summary.calls, summary.deployments_completed, summary.interrupted), (5, 2, 1, 0));
}

/// Every operation that the function calls, except those of DynamoDB, which these tests do not use.
const CALLED: [&str; 14] = [
    "application-autoscaling:DescribeScalableTargets",
    "ecs:DescribeServiceDeployments",
    "ecs:DescribeServices",
    "ecs:DescribeTasks",
    "ecs:GetTaskProtection",
    "ecs:ListServices",
    "ecs:ListTasks",
    "ecs:UpdateService",
    "ecs:UpdateTaskProtection",
    "sns:Publish",
    "sqs:DeleteMessageBatch",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
    "sqs:SendMessageBatch",
];

#[test]
fn scenarios_hold_against_the_real_function_too_and_make_every_call() {
    // The latency of ECS follows the scenario's clock, and a process has its own clock.
    let slow = |scenario: &Scenario| scenario.lines.iter().any(|line| line.text.starts_with("ecs takes"));
    let mut all = scenarios();
    let slow_ones = all.extract_if(.., |scenario| slow(scenario)).count();
    assert!(slow_ones <= 1, "hardly any scenario is left out");
    let count = all.len();
    let scenarios = Extent::asked().scenarios(all);
    let mut progress = Progress::new("scenarios against the real function", scenarios.len());
    let mut called = BTreeSet::new();
    let mut failures = Vec::new();
    for scenario in &scenarios {
        match against_the_real_function(scenario, *scenario.variants().last().unwrap()) {
            Ok((_, calls)) => called.extend(calls),
            Err(failure) => failures.push(failure),
        }
        progress.step();
    }
    println!("{} of {count} scenarios against the real function", scenarios.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(called.iter().map(String::as_str).collect::<Vec<_>>(), CALLED);
}

/// Each kind of disorder, and two of shuffled events, because only the seed distinguishes them.
const DISORDERS: [Disorder; 5] = [
    Disorder::Doubled(1),
    Disorder::Shuffled(1),
    Disorder::Shuffled(2),
    Disorder::WithoutProtectionEvents,
    Disorder::WithoutServiceEvents,
];

/// Two variants of AWS that differ in every switch, as far as the scenario allows. Each scenario number gets
/// another pair.
fn opposite_variants(scenario: &Scenario, number: usize) -> [Variants; 2] {
    let all = scenario.variants();
    let at = number % all.len();
    [all[at], all[all.len() - 1 - at]]
}

/// Scenarios that expect alerts, or their absence.
fn is_about_alerts(scenario: &Scenario) -> bool {
    scenario
        .lines
        .iter()
        .any(|line| matches!(line.statement, Statement::Expect(Expectation::Alert(_) | Expectation::NoAlert)))
}

fn alerts_under(scenario: &Scenario, variants: Variants, disorder: Disorder) -> Result<Vec<SentAlert>, String> {
    let (region, mut function) = region_and_function(scenario, variants);
    block_on(alerts_of(scenario, region, &mut function, disorder)).map_err(|failure| failure.to_string())
}

/// The alerts of one incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct IncidentLife {
    /// Service and kind.
    of: String,
    /// The events of the incident in order, except those that only report that it continues.
    events: Vec<String>,
    repeated: usize,
}

/// The lives of the incidents behind alerts, sorted. The times of the alerts, and alerts about other incidents in
/// between, do not matter.
fn lives(alerts: &[SentAlert]) -> Vec<IncidentLife> {
    let mut lives: BTreeMap<&str, IncidentLife> = BTreeMap::new();
    for alert in alerts {
        let life = lives.entry(&alert.incident).or_default();
        life.of = format!("{} {}", alert.service, alert.kind);
        match alert.event.as_str() {
            "repeated" => life.repeated += 1,
            // Each of its jobs is reported once: all together, or later if they started after the notice.
            _ if alert.kind == "job-interrupted" && !life.events.is_empty() => {}
            event => life.events.push(event.to_owned()),
        }
    }
    let mut lives: Vec<IncidentLife> = lives.into_values().collect();
    lives.sort();
    lives
}

/// Whether two runs send the same alerts. Repetitions are counted from one reconcile to the next, and reconciles
/// may be late: for an incident that resolves at about that time, one run may send one repetition more.
fn same(one: &[IncidentLife], other: &[IncidentLife]) -> bool {
    let alike = |(one, other): (&IncidentLife, &IncidentLife)| {
        one.of == other.of && one.events == other.events && one.repeated.abs_diff(other.repeated) <= 1
    };
    one.len() == other.len() && one.iter().zip(other).all(alike)
}

#[test]
fn doubled_shuffled_and_missing_events_change_no_incident() {
    let scenarios: Vec<Scenario> = scenarios().into_iter().filter(is_about_alerts).collect();
    let mut failures = Vec::new();
    let mut runs = 0;
    for (number, scenario) in scenarios.iter().enumerate() {
        for variants in opposite_variants(scenario, number) {
            let lives =
                |disorder| lives(&alerts_under(scenario, variants, disorder).unwrap_or_else(|error| panic!("{error}")));
            let undisturbed = lives(Disorder::None);
            for disorder in DISORDERS {
                runs += 1;
                let disturbed = lives(disorder);
                if !same(&disturbed, &undisturbed) {
                    let name = &scenario.name;
                    failures.push(format!("{name}, {disorder:?}, {variants}: {disturbed:?}, not {undisturbed:?}"));
                }
            }
        }
    }
    println!("{} scenarios about alerts, {runs} runs in disorder", scenarios.len());
    assert!(failures.is_empty(), "{} of {runs} runs failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn runs_are_compared_by_the_lives_of_incidents_and_not_by_the_order_of_alerts() {
    let alert = |incident: &str, event: &str| SentAlert {
        incident: incident.to_owned(),
        kind: "deployment-blocked".to_owned(),
        event: event.to_owned(),
        service: "web".to_owned(),
    };
    let [one, two, over] = [alert("1", "opened"), alert("2", "opened"), alert("1", "resolved")];
    let again = alert("2", "repeated");
    let expected = lives(&[one.clone(), two.clone(), over.clone()]);
    for alike in [[&two, &one, &over].as_slice(), &[&one, &over, &two], &[&one, &two, &again, &over]] {
        let alike: Vec<SentAlert> = alike.iter().copied().cloned().collect();
        assert!(same(&lives(&alike), &expected), "{alike:?}");
    }
    for other in [
        [&one, &two].as_slice(),
        &[&one, &over],
        &[&one, &one, &two, &over],
        &[&over, &one, &two],
        &[&one, &two, &again, &again, &over],
        &[&one, &two, &over, &alert("3", "opened")],
        &[&one, &two, &over, &alert("2", "escalated")],
        &[&one, &two, &SentAlert { service: "api".to_owned(), ..over.clone() }],
    ] {
        let other: Vec<SentAlert> = other.iter().copied().cloned().collect();
        assert!(!same(&lives(&other), &expected), "{other:?}");
    }
}
