//! The cost of remediations in interrupted jobs. Each scenario about refusals and remediations runs twice: once
//! with taskhold unchanged, and once with its remediations off, beside a controller that releases the oldest
//! protected tasks. docs/remediations.md has the numbers, and names every policy and tag.

use crate::files::{names, read};
use crate::in_process::{parsed, region_and_function};
use ecs_sim::control_plane::{ArnForm, Millis, SimulatedTask, Variants};
use ecs_sim::region::{CLUSTER, EcsCallOutcome, Region, SharedRegion};
use ecs_sim::scenario::{FunctionUnderTest, InProcess, Invoked, Scenario, Silent, Statement, run};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use taskhold::config::policy::Policy;
use taskhold::service::remediation::{IDLE_RESERVE_TAG, MAX_DESIRED_COUNT_TAG, POLICY_TAG};
use taskhold::service::snapshot::managed::MANAGED_TAG;

/// The default of TASKHOLD_BLOCKED_AFTER_MINUTES: how long a deployment may be blocked before a task is released
/// for it.
const BLOCKED_AFTER_MS: Millis = 5 * 60_000;

/// The settings that enable remediations, in addition to tags, which are ignored without them.
const REMEDIATION_SETTINGS: [&str; 2] = ["TASKHOLD_REMEDIATIONS", "TASKHOLD_POLICY"];

/// A controller that knows the age of tasks but not their jobs. After every invocation of taskhold, it releases the
/// oldest protected task for each task that ECS has just refused, and requests that task's protection again. It
/// also releases one more task at each reconcile of a service that has been blocked for some minutes.
struct ByAge {
    taskhold: InProcess,
    region: SharedRegion,
    held_up_since: BTreeMap<String, Millis>,
}

impl FunctionUnderTest for ByAge {
    async fn invoke(&mut self, payload: &str, deadline: Millis) -> Invoked {
        let invoked = self.taskhold.invoke(payload, deadline).await;
        for (task, minutes) in self.refused() {
            let service = self.region.lock().ecs.task(&task).and_then(|task| task.service.clone());
            self.release_oldest(&service.unwrap_or_default());
            // If ECS refuses it again, the controller retries later.
            let _ = self.region.lock().ecs.set_own_protection(&task, Some(minutes));
        }
        for service in self.held_up_for_long() {
            self.release_oldest(&service);
        }
        invoked
    }
}

impl ByAge {
    /// The tasks that ECS has refused in this invocation, and the requested minutes.
    fn refused(&self) -> Vec<(String, i64)> {
        let mut refused = BTreeMap::new();
        for call in &self.region.lock().calls {
            let (EcsCallOutcome::Answered(Ok(answer)), Some(minutes)) =
                (&call.outcome, call.request["expiresInMinutes"].as_i64())
            else {
                continue;
            };
            for failure in answer["failures"].as_array().into_iter().flatten() {
                if failure["reason"] == "DEPLOYMENT_BLOCKED" {
                    let task = failure["arn"].as_str().unwrap().rsplit('/').next().unwrap();
                    refused.insert(task.to_owned(), minutes);
                }
            }
        }
        refused.into_iter().collect()
    }

    fn held_up_for_long(&mut self) -> Vec<String> {
        let region = self.region.lock();
        let held_up = region.ecs.services().filter(|service| service.is_held_up()).map(|service| service.name.clone());
        let since = |service: String| {
            let since = self.held_up_since.get(&service).copied().unwrap_or(region.now());
            (service, since)
        };
        self.held_up_since = held_up.map(since).collect();
        let for_long = self.held_up_since.iter().filter(|(_, since)| region.now() - **since >= BLOCKED_AFTER_MS);
        for_long.map(|(service, _)| service.clone()).collect()
    }

    fn release_oldest(&self, service: &str) {
        let mut region = self.region.lock();
        let protected = region.ecs.tasks_of(CLUSTER, service).filter(|task| task.is_protected());
        let oldest = protected
            .min_by_key(|task: &&SimulatedTask| (task.created_at, task.id.clone()))
            .map(|task| task.id.clone());
        if let Some(oldest) = oldest {
            region.ecs.set_own_protection(&oldest, None).unwrap();
        }
    }
}

/// The scenarios about refusals and remediations without their expectations, which another controller would not
/// meet. They run for two more hours, so that the remaining jobs finish or are interrupted.
fn scenarios() -> Vec<Scenario> {
    let mut names = names("tests/scenarios");
    names.retain(|name| name.starts_with("refused_") || name.starts_with("remediation_"));
    let read = |name: &String| {
        let text = read(&format!("tests/scenarios/{name}"));
        let mut scenario = parsed(name, &format!("{text}\nadvance 2h\nmute alerts\nmute stops"));
        scenario.lines.retain(|line| !matches!(line.statement, Statement::Expect(_)));
        scenario
    };
    names.iter().map(read).collect()
}

/// The variants of AWS that a scenario allows, except the ARN format, which affects no job.
fn variants(scenario: &Scenario) -> Vec<Variants> {
    scenario.variants().into_iter().filter(|variant| variant.arns == ArnForm::Long).collect()
}

/// The policies of a scenario's services, in order.
fn policies(scenario: &Scenario) -> String {
    let setting =
        scenario.settings().find(|(name, _)| *name == "TASKHOLD_POLICY").map_or("notify", |(_, policy)| policy);
    let mut policies: Vec<&str> = Vec::new();
    for line in &scenario.lines {
        let Statement::Service(service) = &line.statement else { continue };
        let tag = service.tags.iter().find(|(key, _)| key == POLICY_TAG);
        policies.push(tag.map_or(setting, |(_, policy)| policy));
    }
    policies.join(", ")
}

/// The number of tasks that ECS stopped with running jobs under taskhold alone, with its remediations.
fn killed_by_taskhold(scenario: &Scenario, variant: Variants) -> usize {
    let (region, mut taskhold) = region_and_function(scenario, variant);
    killed(scenario, region, &mut taskhold).unwrap_or_else(|(_, problem)| panic!("{problem}, under {variant}"))
}

/// The same with the controller by age. Skips the actions of workers and people on a task that does not exist in
/// its world.
fn killed_by_age(scenario: &Scenario, variant: Variants) -> usize {
    let mut scenario = scenario.clone();
    loop {
        let region = SharedRegion::new(Region::for_scenario(variant));
        let settings = scenario.settings().filter(|(name, _)| !REMEDIATION_SETTINGS.contains(name));
        let taskhold = InProcess::new(&region, settings).unwrap();
        let mut by_age = ByAge { taskhold, region: region.clone(), held_up_since: BTreeMap::new() };
        let (line, problem) = match killed(&scenario, region, &mut by_age) {
            Ok(killed) => return killed,
            Err(failure) => failure,
        };
        let is_about_a_task = |statement: &Statement| {
            matches!(statement, Statement::Job(_) | Statement::Protect(..) | Statement::Release(_) | Statement::End(..))
        };
        let before = scenario.lines.len();
        scenario.lines.retain(|kept| kept.number != line || !is_about_a_task(&kept.statement));
        assert!(scenario.lines.len() < before, "{problem}, under {variant}");
    }
}

fn killed<F: FunctionUnderTest>(
    scenario: &Scenario,
    region: SharedRegion,
    function: &mut F,
) -> Result<usize, (usize, String)> {
    let mut audience = Silent;
    let summary = crate::block_on(run(scenario, region, function, &mut audience));
    summary.map(|summary| summary.interrupted).map_err(|failure| (failure.line, failure.to_string()))
}

/// The minimum and the maximum over all variants.
fn range(numbers: impl Iterator<Item = usize>) -> RangeInclusive<usize> {
    numbers
        .map(|number| number..=number)
        .reduce(|one, other| *one.start().min(other.start())..=*one.end().max(other.end()))
        .unwrap()
}

fn written(range: &RangeInclusive<usize>) -> String {
    match (range.start(), range.end()) {
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    }
}

/// The rows of the table on the page whose first column has this heading, each as its cells without backticks.
fn table(heading: &str) -> Vec<Vec<String>> {
    let rows = crate::files::table("docs/remediations.md", heading).into_iter();
    rows.map(|row| row.into_iter().map(|cell| cell.replace('`', "")).collect()).collect()
}

#[test]
fn the_page_says_how_many_jobs_each_scenario_costs_with_taskhold_and_with_release_by_age() {
    let scenarios = scenarios();
    let ranges: Vec<_> = scenarios
        .iter()
        .map(|scenario| {
            let variants = variants(scenario);
            let taskhold = range(variants.iter().map(|variant| killed_by_taskhold(scenario, *variant)));
            let by_age = range(variants.iter().map(|variant| killed_by_age(scenario, *variant)));
            (taskhold, by_age)
        })
        .collect();
    let sum = |ranges: Vec<&RangeInclusive<usize>>| {
        written(&(ranges.iter().map(|range| range.start()).sum()..=ranges.iter().map(|range| range.end()).sum()))
    };
    let row = |(scenario, (taskhold, by_age)): (&Scenario, &(RangeInclusive<usize>, RangeInclusive<usize>))| {
        [scenario.name.clone(), policies(scenario), written(taskhold), written(by_age)]
    };
    let mut expected: Vec<[String; 4]> = scenarios.iter().zip(&ranges).map(row).collect();
    let (taskhold, by_age) = (ranges.iter().map(|(one, _)| one), ranges.iter().map(|(_, other)| other));
    expected.push(["all".to_owned(), String::new(), sum(taskhold.collect()), sum(by_age.collect())]);
    let mut shown: Vec<[String; 4]> = table("Scenario")
        .into_iter()
        .map(|row| <[String; 5]>::try_from(row).unwrap_or_else(|row| panic!("{row:?} has not five cells")))
        .map(|[scenario, policy, _, taskhold, by_age]| [scenario, policy, taskhold, by_age])
        .collect();
    let total = shown.pop().unwrap();
    shown.sort();
    shown.push(total);
    assert_eq!(shown, expected);
}

#[test]
fn the_page_names_every_policy_and_every_tag() {
    let first = |heading| table(heading).into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    let policies = [Policy::Notify, Policy::ReleaseIdle, Policy::RaiseDesiredCount];
    assert_eq!(first("Policy"), policies.map(Policy::as_str));
    assert_eq!(first("Tag"), [POLICY_TAG, MAX_DESIRED_COUNT_TAG, IDLE_RESERVE_TAG, MANAGED_TAG]);
}
