//! The real function with its ledger in a table, on the emulator that `make test-e2e` starts. Every story, and every story
//! again with an instance of the function that begins anew before each invocation and so knows nothing but what the table
//! holds.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

#[path = "template/stack.rs"]
#[allow(dead_code, reason = "of the stack only the table is looked at here")]
mod stack;
#[path = "e2e/table.rs"]
mod table;

use ecs_sim::control_plane::Millis;
use ecs_sim::play::Process;
use ecs_sim::region::{Region, SharedRegion};
use ecs_sim::story::{Function, Invoked, Silent, Story, run};
use std::fs;
use std::path::{Path, PathBuf};
use table::{Table, endpoint};

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn read(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// All but those in which ECS is slow: it takes its time by the story's clock, and a process has its own.
fn stories() -> Vec<Story> {
    let mut names: Vec<String> = path("tests/scenarios")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let stories = names.iter().map(|name| Story::parse(name, &read(&format!("tests/scenarios/{name}"))).unwrap());
    stories.filter(|story| !story.lines.iter().any(|line| line.text.starts_with("ecs takes"))).collect()
}

/// When the function's process begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instance {
    /// When it has died.
    Lasts,
    /// Before each invocation.
    IsNewEachTime,
}

/// The function as a process whose ledger is in a table.
struct OnTable {
    region: SharedRegion,
    process: Option<Process>,
    settings: Vec<(String, String)>,
    instance: Instance,
}

impl OnTable {
    fn new(region: &SharedRegion, story: &Story, place: (&Table, Instance)) -> Self {
        let (table, instance) = place;
        let ours = [("TASKHOLD_TABLE", table.name.clone()), ("AWS_ENDPOINT_URL_DYNAMODB", endpoint())];
        let settings = story.settings().map(|(name, value)| (name, value.to_owned())).chain(ours);
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).collect();
        Self { region: region.clone(), process: None, settings, instance }
    }

    async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop().await;
        }
    }
}

impl Function for OnTable {
    async fn invoke(&mut self, payload: &str, deadline: Millis) -> Invoked {
        if self.instance == Instance::IsNewEachTime {
            self.stop().await;
        }
        if self.process.is_none() {
            let settings = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let bootstrap = Path::new(env!("CARGO_BIN_EXE_bootstrap"));
            self.process = Some(Process::start(&self.region, bootstrap, settings).await.unwrap());
        }
        self.process.as_mut().expect("it was just started").invoke(payload, deadline).await
    }
}

/// Tells each story, and answers with what did not hold.
fn failures(stories: &[Story], instance: Instance) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tell = async |story: &Story| {
        let table = Table::create().await;
        let variants = *story.variants().last().unwrap();
        let region = SharedRegion::new(Region::for_story(variants));
        let mut function = OnTable::new(&region, story, (&table, instance));
        let told = run(story, region, &mut function, &mut Silent).await;
        function.stop().await;
        let items = table.client.scan().table_name(&table.name).send().await.unwrap().count();
        told.map(|_| items).map_err(|failure| format!("{failure}, under {variants}"))
    };
    let told: Vec<Result<i32, String>> = stories.iter().map(|story| runtime.block_on(tell(story))).collect();
    let items: i32 = told.iter().flatten().sum();
    println!("{} stories, {items} items", stories.len());
    assert!(items > 50, "they were told without the table: {items} items");
    told.into_iter().filter_map(Result::err).collect()
}

#[test]
#[ignore = "needs an emulator: make test-e2e"]
fn every_story_holds_with_the_ledger_in_a_table() {
    let failures = failures(&stories(), Instance::Lasts);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
#[ignore = "needs an emulator: make test-e2e"]
fn every_story_holds_though_no_instance_outlives_an_invocation() {
    let failures = failures(&stories(), Instance::IsNewEachTime);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
