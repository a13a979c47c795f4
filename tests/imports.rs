//! Imports between the top-level modules of `src/` point one way, so that each can be read with only what lies below it in
//! mind. The order is the one that ARCHITECTURE.md draws.

use crate::files::path;
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom: a module may import from those before it, and from itself.
const ORDER: [&str; 14] = [
    "clock", "metrics", "text", "sqs", "budget", "ecs", "config", "outbox", "store", "task", "service", "notify",
    "api", "lambda",
];

/// Implements the ports of all of them, and only `main.rs` imports it.
const ADAPTERS: &str = "aws";

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The top-level modules that a source file names after `crate::`, in its code and not in its comments.
fn imports(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let grouped = code.split("use crate::{").skip(1).flat_map(|rest| {
        let group = rest.split_once("};").unwrap().0.to_owned();
        group.split(',').map(|path| path.trim().split("::").next().unwrap().to_owned()).collect::<Vec<_>>()
    });
    let plain = code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        rest[..end].to_owned()
    });
    plain.chain(grouped).filter(|module| !module.is_empty()).collect()
}

/// The place of a module in the order; an unknown module is a failure of its own.
fn rank(module: &str) -> usize {
    let known = ORDER.iter().position(|known| *known == module);
    known.unwrap_or_else(|| panic!("`{module}` has no place in the order of the modules"))
}

#[test]
fn imports_between_top_level_modules_point_down() {
    let root = path("src");
    let mut upward = Vec::new();
    for file in sources(&root) {
        let relative = file.strip_prefix(&root).unwrap();
        let module = relative.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        if ["main", "lib"].contains(&module.as_str()) {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap();
        // Tests may use anything.
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        if file.ends_with("tests.rs") || relative.iter().any(|part| part == "tests") {
            continue;
        }
        for imported in imports(source) {
            let is_upward = match (module == ADAPTERS, imported == ADAPTERS) {
                (true, _) => false,
                (false, true) => true,
                (false, false) => rank(&imported) > rank(&module),
            };
            if is_upward {
                upward.push(format!("{} imports {imported}", relative.display()));
            }
        }
    }
    assert!(upward.is_empty(), "these imports point up:\n{}", upward.join("\n"));
}

#[test]
fn an_import_is_found_wherever_it_stands() {
    assert_eq!(imports("use crate::task::job::Job;\nlet at = crate::text::shown_time(at);"), ["task", "text"]);
    assert_eq!(imports("use crate::{service, task};\n// crate::lambda in a comment\n"), ["service", "task"]);
}
