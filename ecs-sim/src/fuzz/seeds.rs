//! The initial inputs: the project's own payloads and scenarios, read from its folders when fuzzing starts.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Names the folder to which a target writes its seeds instead of fuzzing, with its dictionary beside it as
/// FOLDER.dict.
const FOLDER_VARIABLE: &str = "TASKHOLD_FUZZ_SEEDS";
/// Longer than any word that the parsers know; the dictionary excludes longer words.
const WORD_BYTES_MAX: usize = 64;

/// Writes the seeds and ends the process, if the variable is set.
pub fn write_if_asked(seeds: fn() -> Vec<String>) {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else { return };
    let seeds = seeds();
    fs::create_dir_all(&folder).expect("the folder for the seeds can be made");
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).expect("a seed can be written");
    }
    let entries: String = words(&seeds).iter().map(|word| entry(word)).collect();
    fs::write(folder.with_extension("dict"), entries).expect("the dictionary can be written");
    std::process::exit(0);
}

/// The words in the seeds: without a sanitizer, libFuzzer does not see the strings in comparisons.
fn words(seeds: &[String]) -> BTreeSet<&str> {
    let is_of_a_word = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    let words = seeds.iter().flat_map(|seed| seed.split(move |c: char| !is_of_a_word(c)));
    words.filter(|word| (2..=WORD_BYTES_MAX).contains(&word.len())).collect()
}

/// A line of the dictionary. A word has neither quotation marks nor backslashes.
fn entry(word: &str) -> String {
    format!("\"{word}\"\n")
}

/// The project's own folder with this name.
fn folder(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|parent| parent.join(name)).find(|folder| folder.is_dir());
    found.unwrap_or_else(|| panic!("no folder {name} above {}", here.display()))
}

/// Every file of a folder with this extension, ordered by name: the name without the extension, and the text.
pub fn files(of: &str, ending: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder(of)).expect("the folder can be read");
    let paths: BTreeSet<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    let named = paths.iter().filter_map(|path| Some((path, path.file_name()?.to_str()?.strip_suffix(ending)?)));
    named.map(|(path, name)| (name.to_owned(), fs::read_to_string(path).expect("the file can be read"))).collect()
}

/// The payloads of `events/` whose names have this prefix, without insignificant white space.
pub fn payloads(beginning: &str) -> Vec<String> {
    let payload = |text: &str| serde_json::from_str::<Value>(text).expect("a payload is JSON").to_string();
    let named = files("events", ".json").into_iter().filter(|(name, _)| name.starts_with(beginning));
    named.map(|(_, text)| payload(&text)).collect()
}

/// The bodies of the SQS records in `events/`, and the bodies that scenarios send.
pub fn bodies() -> Vec<String> {
    let mut bodies = Vec::new();
    for payload in payloads("sqs-") {
        let batch: Value = serde_json::from_str(&payload).expect("a payload is JSON");
        let records = batch["Records"].as_array().expect("a batch has records").clone();
        bodies.extend(records.iter().filter_map(|record| record["body"].as_str()).map(str::to_owned));
    }
    for (_, scenario) in files("tests/scenarios", ".txt") {
        let sent = scenario.lines().filter_map(|line| line.strip_prefix("send ")).map(str::trim);
        bodies.extend(sent.map(str::to_owned));
    }
    bodies
}
