//! Every story of tests/scenarios under every reading of AWS that it allows, in process; random stories, twice; and the
//! tour against the real function.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so by a panic")]

use ecs_sim::control_plane::Variants;
use ecs_sim::play::Process;
use ecs_sim::region::{Region, SharedRegion};
use ecs_sim::story::{InProcess, Silent, Story, Style, Summary, Timeline, random_story, run};
use std::path::{Path, PathBuf};

fn scenarios() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = directory.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn read(file: &Path) -> Story {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    Story::parse(&name, &std::fs::read_to_string(file).unwrap()).unwrap_or_else(|error| panic!("{error}"))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn in_process(story: &Story, variants: Variants) -> Result<Summary, String> {
    let region = SharedRegion::new(Region::for_story(variants));
    let mut function = InProcess::new(&region, story.settings()).map_err(|error| error.to_string())?;
    let ran = block_on(run(story, region, &mut function, &mut Silent));
    ran.map_err(|failure| format!("{failure}, under {variants}"))
}

fn timeline(story: &Story, variants: Variants) -> String {
    let region = SharedRegion::new(Region::for_story(variants));
    let mut function = InProcess::new(&region, story.settings()).unwrap();
    let mut told = Vec::new();
    let mut audience = Timeline::new(&mut told, Style::default());
    block_on(run(story, region, &mut function, &mut audience)).unwrap();
    String::from_utf8(told).unwrap()
}

#[test]
fn a_story_told_twice_is_the_same_to_the_byte() {
    for seed in 1..=20 {
        let story = random_story(seed, 60).unwrap();
        let variants = Variants::all()[usize::try_from(seed).unwrap() % 32];
        assert_eq!(timeline(&story, variants), timeline(&story, variants), "seed {seed} under {variants}");
    }
}

#[test]
fn every_story_holds_under_every_reading_of_aws_that_it_allows() {
    let mut failures = Vec::new();
    let mut runs = 0;
    for file in scenarios() {
        let story = read(&file);
        let variants = story.variants();
        assert!(!variants.is_empty(), "{}: no reading of AWS has all that it needs", story.name);
        runs += variants.len();
        failures.extend(variants.into_iter().filter_map(|variants| in_process(&story, variants).err()));
    }
    println!("{} stories, {runs} runs", scenarios().len());
    assert!(failures.is_empty(), "{} of {runs} runs failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_story_whose_expectation_does_not_hold_fails_with_its_line() {
    for (text, expected) in [
        ("job j starts on a\nexpect a unprotected", "2: a is protected until 11:00:00"),
        ("expect a protected", "1: a is not protected"),
        ("job j starts on a for 60m\nadvance 1m\nexpect a protected for 70m", "3: a is protected for 59m0s more"),
        ("deploy web\nexpect web steady", "2: web is not steady"),
        ("expect 1 call", "1: 0 UpdateTaskProtection calls, not 1"),
        ("send {}\nexpect 1 parked because jobId", "2: the last one was parked because `version` is missing"),
        ("ecs denies 1\njob j starts on a", "2: the function logged an error"),
        ("expect warning nonsense", "1: no line of level WARN contains that"),
        ("job j starts on z", "1: there is no task `z` yet"),
    ] {
        let story = Story::parse("made up", text).unwrap();
        let failure = in_process(&story, Variants::default()).unwrap_err();
        assert!(failure.starts_with(&format!("made up:{expected}")), "{failure}");
    }
}

#[test]
fn an_unknown_word_fails_with_file_and_line() {
    let error = Story::parse("made up", "# fine\n\ndance\n").unwrap_err();
    assert_eq!(error.to_string(), "made up:3: `dance` begins no statement");
}

fn against_the_real_function(story: &Story, variants: Variants) -> Result<Summary, String> {
    block_on(async {
        let region = SharedRegion::new(Region::for_story(variants));
        let bootstrap = Path::new(env!("CARGO_BIN_EXE_bootstrap"));
        let mut function = Process::start(&region, bootstrap, story.settings()).await.unwrap();
        let summary = run(story, region, &mut function, &mut Silent).await;
        function.stop().await;
        summary.map_err(|failure| format!("{failure}, under {variants}"))
    })
}

#[test]
fn the_tour_is_the_same_in_process_and_against_the_real_function() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let story = read(&directory.join("tour.txt"));
    let summary = against_the_real_function(&story, Variants::default()).unwrap();
    assert_eq!(summary, in_process(&story, Variants::default()).unwrap());
    assert_eq!((summary.deployments_completed, summary.interrupted), (1, 0));
}

#[test]
fn every_story_holds_against_the_real_function_too() {
    // A slow ECS takes its time by the story's clock, and a process has its own.
    let slow = |story: &Story| story.lines.iter().any(|line| line.text.starts_with("ecs takes"));
    let stories: Vec<Story> = scenarios().iter().map(|file| read(file)).filter(|story| !slow(story)).collect();
    assert!(stories.len() + 1 >= scenarios().len(), "hardly any story is left out");
    let failures: Vec<String> = stories
        .iter()
        .filter_map(|story| against_the_real_function(story, *story.variants().last().unwrap()).err())
        .collect();
    println!("{} stories against the real function", stories.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
