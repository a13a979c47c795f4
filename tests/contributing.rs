//! What CONTRIBUTING.md says of the checks and of the pages holds.

use crate::files::{names, path, read, table};
use std::collections::BTreeSet;
use std::fs;

/// The cells of each row of the table of checks.
fn checks() -> Vec<Vec<String>> {
    table("CONTRIBUTING.md", "Command")
}

/// The targets of the Makefile.
fn targets() -> BTreeSet<String> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    read("Makefile")
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.to_owned())
        .filter(|name| is_name(name))
        .collect()
}

#[test]
fn each_check_of_the_table_is_a_target_of_the_makefile() {
    let targets = targets();
    for row in checks() {
        for command in row[0].split('`').skip(1).step_by(2) {
            let words = command.strip_prefix("make ").unwrap_or_else(|| panic!("{command} is no make command"));
            for target in words.split(' ').filter(|word| !word.contains('=')) {
                assert!(targets.contains(target), "the Makefile has no target {target}");
            }
        }
    }
}

#[test]
fn the_table_of_checks_names_each_part_of_the_nightly_run_and_no_other() {
    let parts: BTreeSet<String> = targets().into_iter().filter(|target| target.starts_with("nightly-")).collect();
    let places = checks().into_iter().map(|row| row[2].clone());
    let named: BTreeSet<String> = places.filter(|place| !["check", "CI"].contains(&place.as_str())).collect();
    assert_eq!(named, parts);
}

/// Whether tests of the program `all` have names that begin so.
fn selects_tests(filter: &str) -> bool {
    let parts: Vec<&str> = filter.split("::").filter(|part| !part.is_empty()).collect();
    let source =
        |parts: &[&str]| fs::read_to_string(path(&format!("tests/{}.rs", parts.join("/")))).unwrap_or_default();
    let (last, before) = parts.split_last().expect("a filter has a name");
    let parent = if before.is_empty() { read("tests/main.rs") } else { source(before) };
    let tests: String = source(&parts) + &folder(&format!("tests/{}", parts.join("/")));
    let is_module = parent.contains(&format!("mod {last};")) && tests.contains("test]\n");
    is_module || begins_a_test(&source(before), last)
}

/// The files of a folder, one after the other; nothing if there is no such folder.
fn folder(relative: &str) -> String {
    let entries = fs::read_dir(path(relative)).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.filter_map(|file| fs::read_to_string(file).ok()).collect()
}

fn begins_a_test(source: &str, name: &str) -> bool {
    let mut functions =
        source.split("test]\n").skip(1).filter_map(|rest| rest.lines().find(|line| !line.starts_with("#[")));
    functions.any(|line| line.trim_start_matches("async ").starts_with(&format!("fn {name}")))
}

/// A filter without a test would pass.
#[test]
fn each_filter_of_a_command_selects_tests() {
    let mut filters = 0;
    let pages = ["CONTRIBUTING.md", "docs/gate.md", "docs/performance.md", "docs/reliability.md"];
    for file in ["Makefile", "tests/e2e/run", ".cargo/mutants-left.toml"].into_iter().chain(pages) {
        let text = read(file);
        let tests =
            text.lines().filter(|line| line.contains(" test ") || line.starts_with("additional_cargo_test_args"));
        for word in tests.flat_map(|line| line.split([' ', '"', ',', '`'])).filter(|word| word.contains("::")) {
            assert!(selects_tests(word), "{file}: no test has a name that begins with {word}");
            filters += 1;
        }
    }
    assert!(filters >= 15, "{filters}");
    assert!(!["scenario::", "watch::chains", "watch::store", "sweep::steady"].into_iter().any(selects_tests));
}

/// The Markdown pages of a folder.
fn pages(folder: &str) -> impl Iterator<Item = String> {
    let pages = names(folder).into_iter().filter(|name| name.ends_with(".md"));
    pages.map(move |name| format!("{folder}/{name}"))
}

#[test]
fn pages_are_wrapped_at_100_columns() {
    for page in [".", "docs", "docs/decisions", "events", "fuzz", "terraform", ".github"].into_iter().flat_map(pages) {
        let text = read(&page);
        let mut is_code = false;
        for (at, line) in text.lines().enumerate() {
            is_code ^= line.trim_start().starts_with("```");
            // A table row cannot be wrapped, nor can a link.
            let may_be_long = is_code || line.starts_with('|') || line.contains("](") || line.contains("http");
            assert!(may_be_long || line.chars().count() <= 100, "{page}:{}: {line}", at + 1);
        }
    }
}
