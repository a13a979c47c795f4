//! Scenarios with the real function and its state store in a table, on the emulator that `make test-e2e` starts. A process
//! runs for one invocation only, so that all state comes from the table. By default a selection of some thirty scenarios
//! covers everything that all of them cover; with `TASKHOLD_TESTS=all` all of them run.

pub(crate) mod table;

use crate::in_process::scenarios;
use ecs_sim::control_plane::Millis;
use ecs_sim::play::Process;
use ecs_sim::progress::Progress;
use ecs_sim::region::{Region, SharedRegion};
use ecs_sim::scenario::{Extent, FunctionUnderTest, Invoked, Scenario, Silent, run};
use table::{Table, endpoint};

/// All scenarios except those in which ECS is slow, because the delay follows the scenario's clock and a process has its own,
/// and those that expect one warning per instance, because each invocation is a new instance.
fn for_new_instances() -> Vec<Scenario> {
    let left_out = ["ecs takes", "expect no warning the function's role lacks"];
    let is_left_out = |text: &str| left_out.iter().any(|start| text.starts_with(start));
    let has_no_such = |scenario: &Scenario| !scenario.lines.iter().any(|line| is_left_out(&line.text));
    scenarios().into_iter().filter(has_no_such).collect()
}

/// The function with its state store in a table, as one process for each invocation.
struct AnewEachTime {
    region: SharedRegion,
    settings: Vec<(String, String)>,
}

impl AnewEachTime {
    fn new(region: &SharedRegion, scenario: &Scenario, table: &Table) -> Self {
        let ours = [("TASKHOLD_TABLE", table.name.clone()), ("AWS_ENDPOINT_URL_DYNAMODB", endpoint())];
        let settings = scenario.settings().map(|(name, value)| (name, value.to_owned())).chain(ours);
        Self { region: region.clone(), settings: settings.map(|(name, value)| (name.to_owned(), value)).collect() }
    }
}

impl FunctionUnderTest for AnewEachTime {
    async fn invoke(&mut self, payload: &str, deadline: Millis) -> Invoked {
        let settings = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let bootstrap = crate::files::bootstrap();
        let mut process = Process::start(&self.region, bootstrap, settings).await.unwrap();
        let invoked = process.invoke(payload, deadline).await;
        process.stop().await;
        invoked
    }
}

/// Runs a scenario and returns the number of items in the table afterwards.
async fn play(scenario: &Scenario) -> Result<i32, String> {
    let table = Table::create().await;
    let variants = *scenario.variants().last().unwrap();
    let region = SharedRegion::new(Region::for_scenario(variants));
    let mut function = AnewEachTime::new(&region, scenario, &table);
    let summary = run(scenario, region, &mut function, &mut Silent).await;
    summary.map_err(|failure| format!("{failure}, under {variants}"))?;
    Ok(table.client.scan().table_name(&table.name).send().await.unwrap().count())
}

#[test]
#[ignore = "needs an emulator: make test-e2e"]
fn scenarios_hold_though_no_instance_outlives_an_invocation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all = for_new_instances();
    let count = all.len();
    let scenarios = Extent::asked().scenarios(all);
    let mut progress = Progress::new("scenarios on an emulated DynamoDB", scenarios.len());
    let mut results = Vec::new();
    for scenario in &scenarios {
        results.push(runtime.block_on(play(scenario)));
        progress.step();
    }
    let items: i32 = results.iter().flatten().sum();
    println!("{} of {count} scenarios, {items} items", results.len());
    let of_every_other = i32::try_from(results.len()).unwrap() / 2;
    assert!(items > of_every_other, "the scenarios ran without the table: {items} items");
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
