//! `ecs-sim story` and `ecs-sim twice`.

use super::{CommandError, read};
use crate::control_plane::Variants;
use crate::region::{Region, SharedRegion};
use crate::story::{self, Audience, InProcess, Silent, Story, Style, Summary, Timeline, random_story};
use std::path::PathBuf;

/// Runs each story under every reading of AWS that it allows, and shows the timeline of the first.
pub(super) async fn all(files: &[PathBuf]) -> Result<(), CommandError> {
    if files.is_empty() {
        return Err(CommandError::Usage("which story?".to_owned()));
    }
    for file in files {
        let story = read(file)?;
        let variants = story.variants();
        println!("{}", story.name);
        for (at, variants) in variants.iter().enumerate() {
            if at == 0 {
                let mut timeline = Timeline::new(std::io::stdout().lock(), Style::default());
                run_once(&story, *variants, &mut timeline).await?;
            } else {
                run_once(&story, *variants, &mut Silent).await?;
            }
        }
        println!("holds under {} of 32 readings of AWS\n", variants.len());
    }
    println!("{} stories passed", files.len());
    Ok(())
}

/// Runs a random story twice under each reading of AWS and compares the timelines.
pub(super) async fn twice(seed: u64, lines: usize) -> Result<(), CommandError> {
    let story = random_story(seed, lines)?;
    let mut bytes = 0;
    for variants in Variants::all() {
        let (first, second) = (told(&story, variants).await?, told(&story, variants).await?);
        bytes += first.len();
        if let Some((at, (one, other))) =
            first.lines().zip(second.lines()).enumerate().find(|(_, (one, other))| one != other)
        {
            return Err(CommandError::Differ(story.name, at + 1, one.to_owned(), other.to_owned()));
        }
        if first.len() != second.len() {
            return Err(CommandError::Differ(story.name, 0, "one of them is longer".to_owned(), String::new()));
        }
    }
    println!("{}: {} lines, told twice under 32 readings of AWS, {bytes} bytes alike", story.name, story.lines.len());
    Ok(())
}

async fn told(story: &Story, variants: Variants) -> Result<String, CommandError> {
    let mut told = Vec::new();
    run_once(story, variants, &mut Timeline::new(&mut told, Style::default())).await?;
    Ok(String::from_utf8_lossy(&told).into_owned())
}

/// Runs a story in process.
async fn run_once<A: Audience>(story: &Story, variants: Variants, audience: &mut A) -> Result<Summary, CommandError> {
    let region = SharedRegion::new(Region::for_story(variants));
    let mut function = InProcess::new(&region, story.settings())?;
    let summary = story::run(story, region, &mut function, audience).await;
    summary.map_err(|failure| CommandError::Failed(failure, variants))
}
