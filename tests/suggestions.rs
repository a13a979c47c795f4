//! Carries out every action that alerts suggest, and checks that it does what it says.
//!
//! Each scenario is played to each of its alerts. For each suggested action it is played to the same moment again, the
//! action's commands are run as they are printed, and time passes. Then the simulated ECS, not the function, says
//! whether the promise came true.
//!
//! `make test` runs each scenario under its default variant and one other. The other variants take turns from scenario to
//! scenario; they differ from the default in one switch or in all. CI runs each scenario under all of these
//! (`make suggestions`), and the nightly run under every variant (`ecs_sim::scenario::Extent`). A scenario in which an
//! alert suggests a higher desired count also runs with `refusal=blocked`, where that may not help.

mod command;
mod promise;

use crate::block_on;
use crate::in_process::{region_and_function, scenarios};
use command::{CommandEffect, read, shape};
use ecs_sim::control_plane::{RefusalRule, Variants};
use ecs_sim::progress::Progress;
use ecs_sim::region::SharedRegion;
use ecs_sim::scenario::{AfterAlert, Extent, InProcess, Scenario, Silent, after_alert};
use promise::AlertAction;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The world of a scenario right after one of its alerts.
type AlertMoment<'a> = AfterAlert<'a, InProcess, Silent>;

/// Plays the scenario to this alert, or to its end, and acts there.
fn at_alert<T>(
    scenario: &Scenario,
    variants: Variants,
    number: usize,
    act: impl AsyncFnOnce(&mut AlertMoment<'_>, &SharedRegion) -> Result<T, String>,
) -> Result<T, String> {
    let (region, mut function) = region_and_function(scenario, variants);
    block_on(async {
        let mut observer = Silent;
        let moment = after_alert(scenario, region.clone(), &mut function, &mut observer, number).await;
        act(&mut moment.map_err(|failure| failure.to_string())?, &region).await
    })
}

/// An action that an alert of a scenario suggests.
struct Suggestion {
    /// The number of the alert in the scenario.
    number: usize,
    alert: Value,
    action: Value,
}

/// The suggestions of a scenario: of the alerts of an incident, only the first one with each action.
fn suggestions_of(scenario: &Scenario, variants: Variants) -> Result<Vec<Suggestion>, String> {
    let alerts = at_alert(scenario, variants, usize::MAX, async |moment, _| Ok(moment.alerts().to_vec()))?;
    let mut seen = BTreeSet::new();
    let mut suggestions = Vec::new();
    for (at, alert) in alerts.iter().enumerate().filter(|(_, alert)| alert["event"] != "resolved") {
        for action in actions_of(alert) {
            if seen.insert((alert["incident"].to_string(), action["action"].to_string())) {
                suggestions.push(Suggestion { number: at + 1, alert: alert.clone(), action: action.clone() });
            }
        }
    }
    Ok(suggestions)
}

fn actions_of(alert: &Value) -> &[Value] {
    alert["suggestedActions"].as_array().map_or(&[], Vec::as_slice)
}

fn commands_of(action: &Value) -> impl Iterator<Item = &str> {
    action["commands"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The function leaves the protection of another writer, and its answer says that `force` releases it.
async fn release_of_others(moment: &mut AlertMoment<'_>, payload: &str, answer: &Value) -> Result<(), String> {
    let outcomes = answer["release"]["tasks"].as_array().into_iter().flatten();
    if !outcomes.into_iter().any(|task| task["outcome"] == "foreign") {
        return Ok(());
    }
    let mut forced: Value = serde_json::from_str(payload).unwrap();
    forced["release"]["force"] = true.into();
    forced["release"]["by"] = "on-call".into();
    moment.ask(&forced.to_string()).await.map(drop).ok_or_else(|| "the function failed".to_owned())
}

/// Carries out an action, lets the time of its promise pass, and says what does not hold.
async fn follow(moment: &mut AlertMoment<'_>, region: &SharedRegion, promise: &AlertAction<'_>) -> Result<(), String> {
    promise.is_needed(region)?;
    for line in commands_of(promise.action) {
        match read(line) {
            CommandEffect::Ecs { operation, request } => {
                moment.call_ecs(&operation, &request).map_err(|error| format!("{line}: {error}"))?;
            }
            CommandEffect::Invoke { payload } => {
                let answer = moment.ask(&payload).await.ok_or("the function failed")?;
                if answer.get("error").is_some() {
                    return Err(format!("{line}: {answer}"));
                }
                release_of_others(moment, &payload, &answer).await?;
            }
        }
    }
    promise.wait(moment, region).await?;
    promise.check(moment, region).await
}

/// The kinds of suggested actions. Each occurs in some scenario.
const KINDS: [&str; 10] = [
    "continue-deployment",
    "defer-clean-up",
    "extend-deadline",
    "raise-desired-count",
    "raise-maximum-percent",
    "release-by-force",
    "release-idle",
    "roll-back-deployment",
    "stop-deployment",
    "wait",
];

/// The results of the suggested actions.
#[derive(Default)]
struct ActionResults {
    /// The number of actions by kind.
    done: BTreeMap<String, usize>,
    scenarios: BTreeSet<String>,
    /// The number of scenarios, each under each of its variants.
    played: usize,
    failures: BTreeSet<String>,
    shapes: BTreeSet<String>,
    /// The number of raises of the desired count where ECS refuses while any protected task blocks.
    raises_while_blocked: usize,
}

impl ActionResults {
    fn and(mut self, other: Self) -> Self {
        other.done.into_iter().for_each(|(kind, count)| *self.done.entry(kind).or_default() += count);
        self.scenarios.extend(other.scenarios);
        self.played += other.played;
        self.failures.extend(other.failures);
        self.shapes.extend(other.shapes);
        self.raises_while_blocked += other.raises_while_blocked;
        self
    }

    /// Carries out what the alerts of the scenario with this number suggest.
    fn scenario(&mut self, scenario: &Scenario, variants: Vec<Variants>) {
        let (mut all, mut at) = (variants, 0);
        while let Some(&variants) = all.get(at) {
            at += 1;
            let suggestions = match suggestions_of(scenario, variants) {
                Ok(suggestions) => suggestions,
                Err(problem) => {
                    self.failures.insert(format!("{problem}, under {variants}"));
                    continue;
                }
            };
            let raises = suggestions.iter().filter(|one| one.action["action"] == "raise-desired-count").count();
            let is_blocked = |variants: &Variants| variants.refusal == RefusalRule::Blocked;
            if is_blocked(&variants) {
                self.raises_while_blocked += raises;
            } else if raises > 0 && !all.iter().any(is_blocked) {
                let blocked = Variants { refusal: RefusalRule::Blocked, ..variants };
                all.extend(scenario.variants().contains(&blocked).then_some(blocked));
            }
            self.played += usize::from(!suggestions.is_empty());
            for Suggestion { number, alert, action } in &suggestions {
                let promise = AlertAction { alert, action, variants };
                let followed = at_alert(scenario, variants, *number, async |moment, region| {
                    follow(moment, region, &promise).await
                });
                self.shapes.extend(commands_of(action).map(shape));
                self.scenarios.insert(scenario.name.clone());
                *self.done.entry(action["action"].as_str().unwrap().to_owned()).or_default() += 1;
                if let Err(problem) = followed {
                    let what = format!("{} {} {}", alert["kind"], alert["event"], action["action"]);
                    self.failures.insert(format!("{}: {what}: {problem}, under {variants}", scenario.name));
                }
            }
        }
    }
}

/// The variants of AWS under which `make test` runs the scenario with this number: the default variant and one other, or
/// all with `TASKHOLD_TESTS=all`.
fn two_variants(number: usize, scenario: &Scenario) -> Vec<Variants> {
    let mut variants = Extent::asked().variants(scenario);
    if Extent::asked() == Extent::Sample && variants.len() > 2 {
        let other = 1 + number % (variants.len() - 1);
        variants = vec![variants[0], variants[other]];
    }
    variants
}

#[test]
fn every_suggested_action_does_what_it_says() {
    carry_out_all(two_variants);
}

#[test]
#[ignore = "minutes; `make suggestions` runs it"]
fn every_suggested_action_does_what_it_says_under_each_variant() {
    carry_out_all(|_, scenario| Extent::asked().variants(scenario));
}

fn carry_out_all(variants_of: impl Fn(usize, &Scenario) -> Vec<Variants> + Sync) {
    let is_about_alerts = |scenario: &Scenario| scenario.lines.iter().any(|line| line.text.contains("alert"));
    let scenarios: Vec<Scenario> = scenarios().into_iter().filter(is_about_alerts).collect();
    let (next, progress) = (AtomicUsize::new(0), Mutex::new(Progress::new("suggested actions", scenarios.len())));
    let part = || {
        let mut carried_out = ActionResults::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(number) else { break };
            carried_out.scenario(scenario, variants_of(number, scenario));
            progress.lock().unwrap().step();
        }
        carried_out
    };
    let parts = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(part));
        threads.map(|thread| thread.join().unwrap())
    });
    let ActionResults { done, scenarios, played, failures, shapes, raises_while_blocked } =
        parts.into_iter().fold(ActionResults::default(), ActionResults::and);
    let runs: usize = done.values().sum();
    let sample = crate::files::read("tests/suggestions/commands.txt");
    let listed: BTreeSet<String> = sample.lines().map(shape).collect();
    let with_variants = format!("{} scenarios, {played} with their variants", scenarios.len());
    println!("{with_variants}: {runs} suggested actions carried out: {done:?}");
    let kinds: Vec<&str> = done.keys().map(String::as_str).collect();
    assert_eq!(kinds, KINDS, "the actions that were carried out");
    let first: Vec<&str> = failures.iter().map(String::as_str).take(60).collect();
    assert!(failures.is_empty(), "{} of {runs} failed:\n{}", failures.len(), first.join("\n"));
    assert!(raises_while_blocked > 0, "no raise was carried out while ECS refuses because a task blocks");
    assert_eq!(shapes, listed, "the commands that the AWS CLI parses, and those that were carried out");
}
