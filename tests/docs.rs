//! Compares the tables of the documentation with the code: settings, parameters, attributes, log lines, metrics.
//! Also checks that every citation has its heading.

use crate::files::{path, read, rust_files, table};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use taskhold::config::declarations::SETTINGS;
use taskhold::lambda::dead_letter::{
    BODY_BYTES_ATTRIBUTE, MESSAGE_ID_ATTRIBUTE, REASON_ATTRIBUTE, SENDER_ATTRIBUTE, SOURCE_ATTRIBUTE,
};
use taskhold::lambda::received::SENT_AT_ATTRIBUTE;
use taskhold::metrics::{Counts, METRIC_DIMENSION, METRIC_NAMESPACE};
use taskhold::service::alert::{AlertKind, Transition};

fn bare(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// `[text](address)` as its text.
fn without_links(cell: &str) -> String {
    let mut parts = cell.split('[');
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (text, rest) = part.split_once("](").unwrap();
        plain.push_str(text);
        plain.push_str(rest.split_once(')').unwrap().1);
    }
    plain
}

/// An absent default is written out, so that no cell is empty.
fn or_none(default: &str) -> String {
    if default.is_empty() { "none".to_owned() } else { default.to_owned() }
}

/// The log lines of a source file: level, message, names of the fields.
fn log_lines(file: &Path) -> Vec<[String; 3]> {
    let source = fs::read_to_string(file).unwrap();
    // Only the test module: an item for tests may stand anywhere.
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    ["error", "warn", "info", "debug"].into_iter().flat_map(|level| log_lines_at(source, level)).collect()
}

fn log_lines_at(source: &str, level: &str) -> Vec<[String; 3]> {
    let call = format!("{level}!(");
    let calls = source.split(&call).skip(1);
    calls
        .map(|rest| {
            let (fields, rest) = rest.split_once('"').unwrap_or_else(|| panic!("{level}!({rest}"));
            let (message, _) = rest.split_once('"').unwrap();
            let fields = outer_parts(fields);
            let names =
                fields.iter().map(|field| field.split('=').next().unwrap().trim().trim_start_matches(['%', '?']));
            let names: Vec<String> = names.filter(|name| !name.is_empty()).map(|name| format!("`{name}`")).collect();
            [level.to_uppercase(), message.to_owned(), names.join(", ")]
        })
        .collect()
}

/// Splits at the commas outside of parentheses.
fn outer_parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut().unwrap().push(c),
        }
    }
    parts
}

#[test]
fn every_setting_is_documented_as_it_is_declared() {
    let documented: Vec<[String; 4]> = table("docs/configuration.md", "Setting")
        .into_iter()
        .map(|row| [bare(&row[0]), row[1].clone(), row[2].clone(), without_links(&row[3])])
        .collect();
    let settings: Vec<[String; 4]> = SETTINGS
        .iter()
        .map(|setting| {
            let rule = setting.values.rule().into_owned();
            [setting.name.to_owned(), or_none(setting.default), rule, setting.meaning.to_owned()]
        })
        .collect();
    assert_eq!(documented, settings);
}

#[test]
fn every_parameter_and_output_of_the_template_is_documented() {
    let template: yaml_serde::Value = yaml_serde::from_str(&read("template.yaml")).unwrap();
    let parameters = template["Parameters"].as_mapping().unwrap().iter().map(|(name, parameter)| {
        let default = match &parameter["Default"] {
            yaml_serde::Value::Null => String::new(),
            yaml_serde::Value::String(text) => text.clone(),
            other => serde_json::to_string(other).unwrap(),
        };
        [name.as_str().unwrap().to_owned(), or_none(&default)]
    });
    let documented = table("docs/configuration.md", "Parameter").into_iter().map(|row| [bare(&row[0]), row[1].clone()]);
    assert_eq!(documented.collect::<Vec<_>>(), parameters.collect::<Vec<_>>());

    let outputs = template["Outputs"].as_mapping().unwrap().keys().map(|name| name.as_str().unwrap().to_owned());
    let rows = table("docs/configuration.md", "Output");
    let documented = rows.iter().flat_map(|row| row[0].split(", ")).map(bare);
    assert_eq!(documented.collect::<BTreeSet<_>>(), outputs.collect::<BTreeSet<_>>());
}

#[test]
fn every_log_line_is_documented_with_its_level_and_fields() {
    let files = rust_files(&path("src"));
    let sources = files.iter().filter(|file| !file.ends_with("tests.rs"));
    let lines: BTreeSet<[String; 3]> = sources.flat_map(|file| log_lines(file)).collect();
    let documented = table("docs/configuration.md", "Level").into_iter();
    let documented: BTreeSet<[String; 3]> = documented.map(|row| row.try_into().unwrap()).collect();
    assert_eq!(documented, lines);
    let explained = table("docs/configuration.md", "Field");
    let explained: BTreeSet<&str> = explained.iter().flat_map(|row| row[0].split(", ")).collect();
    let used: BTreeSet<&str> = lines.iter().flat_map(|line| line[2].split(", ")).collect();
    assert_eq!(explained, used);
}

#[test]
fn every_metric_is_documented() {
    let counts = Counts::default();
    // Destructured by name, so that a new count fails to compile here.
    let Counts {
        done,
        retried,
        dead_lettered,
        unrecognized,
        misnamed_fields,
        protection_calls,
        throttled_calls,
        refused,
    } = &counts;
    for count in
        [done, retried, dead_lettered, unrecognized, misnamed_fields, protection_calls, throttled_calls, refused]
    {
        count.add(1);
    }
    let line: serde_json::Value =
        serde_json::from_str(&counts.metric_line("video", jiff::Timestamp::UNIX_EPOCH).unwrap()).unwrap();
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().clone();
    let names: Vec<String> = metrics.iter().map(|metric| metric["Name"].as_str().unwrap().to_owned()).collect();
    let documented: Vec<String> = table("docs/configuration.md", "Metric").iter().map(|row| bare(&row[0])).collect();
    assert_eq!(documented, names);
    let page = read("docs/configuration.md");
    assert!(page.contains(&format!("namespace `{METRIC_NAMESPACE}`")));
    assert!(page.contains(&format!("dimension `{METRIC_DIMENSION}`")));
}

#[test]
fn every_value_of_an_alerts_attributes_is_documented() {
    let one_of = |values: Vec<&str>| {
        let (last, first) = values.split_last().unwrap();
        let first: Vec<String> = first.iter().map(|value| format!("`{value}`")).collect();
        format!("{} or `{last}`", first.join(", "))
    };
    let kinds = one_of(AlertKind::ALL.iter().map(|kind| kind.as_str()).collect());
    let events = [Transition::Opened, Transition::Escalated, Transition::Repeated, Transition::Resolved];
    let events = one_of(events.iter().map(|event| event.as_str()).collect());
    let rows = table("docs/configuration.md", "Attribute");
    let documented: Vec<(String, &str)> = rows.iter().map(|row| (bare(&row[0]), row[1].as_str())).collect();
    assert_eq!(documented[..2], [("kind".to_owned(), kinds.as_str()), ("event".to_owned(), events.as_str())]);
}

#[test]
fn every_attribute_of_a_dead_lettered_message_is_documented() {
    let documented = table("docs/workers.md", "Attribute").into_iter().map(|row| bare(&row[0]));
    let attributes = [
        REASON_ATTRIBUTE,
        MESSAGE_ID_ATTRIBUTE,
        SOURCE_ATTRIBUTE,
        SENT_AT_ATTRIBUTE,
        SENDER_ATTRIBUTE,
        BODY_BYTES_ATTRIBUTE,
    ];
    assert_eq!(documented.collect::<Vec<_>>(), attributes);
}

/// The page that sources cite by its name without `.md`, and a heading.
const FACTS: &str = "docs/aws-facts.md";

/// Every text under a folder that could contain citations, except the page itself.
fn texts_under(folder: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut texts = Vec::new();
    for entry in entries.map(Result::unwrap) {
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
        if entry.file_type().unwrap().is_dir() {
            texts.extend(texts_under(&name));
        } else if name != FACTS && matches!(extension, Some("rs" | "md" | "txt")) {
            let text = read(&name);
            texts.push((name, text));
        }
    }
    texts
}

/// The text on one line, without comment markers.
fn unbroken(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim();
        line.trim_start_matches("//").trim_start_matches(['/', '!', '#']).trim()
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// The headings that a text cites, each after the page's name with or without a colon. A mention that is neither a
/// citation nor the file's name is an error, so that the test misses no citation because of its form.
fn cited_headings(text: &str) -> Result<Vec<String>, String> {
    let name = Path::new(FACTS).file_stem().and_then(|stem| stem.to_str()).unwrap();
    let text = unbroken(text);
    let mentions = text.split(name).skip(1).filter(|rest| !rest.starts_with(".md"));
    mentions
        .map(|rest| {
            let quoted = rest.strip_prefix(':').unwrap_or(rest).strip_prefix(" \"");
            let heading = quoted.and_then(|quoted| quoted.split_once('"')).map(|(heading, _)| heading.to_owned());
            heading.ok_or_else(|| format!("cites no heading: {name}{}", rest.chars().take(60).collect::<String>()))
        })
        .collect()
}

#[test]
fn a_citation_of_the_facts_is_read_in_every_form() {
    let name = FACTS.trim_start_matches("docs/").trim_end_matches(".md");
    let text = format!(
        "/// One ({name} \"A: b\").\n    //! {name}: \"C\", and ({name} \"D: the\n    //! end\"): {name}\n// \"E\". {FACTS}"
    );
    assert_eq!(cited_headings(&text).unwrap(), ["A: b", "C", "D: the end", "E"]);
    assert!(cited_headings(&format!("// {name}, \"A\"")).is_err());
}

#[test]
fn every_cited_fact_about_aws_has_its_section_and_every_section_is_cited() {
    let page = read(FACTS);
    let headings: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    let mut cited = BTreeSet::new();
    for folder in ["src", "ecs-sim/src", "ecs-sim/tests", "worker", "tests", "benches", "events", "docs"] {
        for (file, text) in texts_under(folder) {
            for heading in cited_headings(&text).unwrap_or_else(|error| panic!("{file} {error}")) {
                assert!(headings.contains(&heading), "{file} cites \"{heading}\", which {FACTS} does not have");
                cited.insert(heading);
            }
        }
    }
    assert_eq!(cited, headings);
}

/// Most files that a walkthrough of ARCHITECTURE.md may name.
const WALKTHROUGH_FILES_MAX: usize = 12;

#[test]
fn a_walkthrough_passes_through_twelve_files_at_most() {
    let text = read("ARCHITECTURE.md");
    let walkthroughs: Vec<&str> = text.split("\n## Walkthrough: ").skip(1).collect();
    assert!(walkthroughs.len() >= 3);
    for walkthrough in walkthroughs {
        let (body, _) = walkthrough.split_once("\n## ").unwrap_or((walkthrough, ""));
        let (title, body) = body.split_once('\n').unwrap();
        // Steps only: what follows them leads elsewhere.
        let steps = body.trim().split("\n\n").next().unwrap();
        let files: BTreeSet<&str> = steps.split('`').filter(|code| code.ends_with(".rs")).collect();
        assert!(files.len() <= WALKTHROUGH_FILES_MAX, "{title}: {files:?}");
        for file in files {
            assert!(path(&format!("src/{file}")).is_file(), "{title} names {file}");
        }
    }
}
