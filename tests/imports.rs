//! Imports point one way, so that each file can be read with only what lies below it in mind: between the top-level
//! modules of `src/`, `ecs-sim/src/` and `worker/src/` in the orders below, and between the files of one module without a cycle. Two
//! types never share a name.

mod graph;
mod source;

use graph::{Crate, cycles, shown};
use std::collections::BTreeMap;

const FUNCTION: &str = "src";
const SIMULATOR: &str = "ecs-sim/src";
const WORKER: &str = "worker/src";

/// From the bottom: a module may import from those before it. ARCHITECTURE.md draws the same order. `aws` implements the
/// ports of all others, and only `main.rs` imports it.
const ORDER_OF_FUNCTION: [&str; 16] = [
    "clock", "metrics", "text", "page", "sqs", "budget", "ecs", "config", "outbox", "store", "task", "service",
    "notify", "api", "lambda", "aws",
];

const ORDER_OF_SIMULATOR: [&str; 14] = [
    "control_plane",
    "queue",
    "event_source",
    "service_error",
    "autoscaling",
    "http",
    "region",
    "doubles",
    "progress",
    "scenario",
    "fuzz",
    "play",
    "chaos",
    "commands",
];

const ORDER_OF_WORKER: [&str; 33] = [
    "clock",
    "duration",
    "log",
    "answer",
    "watch",
    "http",
    "agent",
    "job",
    "jobs",
    "limits",
    "metadata",
    "container",
    "holders",
    "guard",
    "protector",
    "wire",
    "options",
    "signals",
    "child",
    "queue_problem",
    "aws",
    "no_sqs",
    "sqs",
    "ecs",
    "queue",
    "report",
    "client",
    "admission",
    "keeper",
    "server",
    "serve",
    "exec",
    "hooks",
];

/// The imports that point up, each with the names of its file and of what it imports.
fn upward(modules: &Crate, order: &[&str]) -> Vec<String> {
    let rank = |module: &str| {
        let known = order.iter().position(|known| *known == module);
        known.unwrap_or_else(|| panic!("`{module}` has no place in the order of the modules"))
    };
    for module in modules.top_level() {
        rank(module);
    }
    let imports = modules.imports();
    // What `lib.rs` itself holds, such as an exported macro, belongs to no module.
    let of_modules = imports.iter().filter(|import| !import.to.is_empty());
    let from_modules = of_modules.filter_map(|import| Some((import.from.first()?, import)));
    let is_upward = from_modules.filter(|(from, import)| rank(&import.through) > rank(from));
    is_upward
        .map(|(_, import)| format!("{} imports {}::{}", import.from.join("/"), import.through, import.name))
        .collect()
}

/// The cycles between files, each with the names that tie it.
fn file_cycles(modules: &Crate) -> Vec<String> {
    let imports = modules.imports();
    cycles(&imports).iter().map(|cycle| shown(cycle, &imports)).collect()
}

/// The names that more than one type has, with the modules that declare them.
fn shared_names<'a>(crates: &'a [(&str, Crate)]) -> BTreeMap<&'a str, Vec<String>> {
    let mut declared: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (folder, modules) in crates {
        for (name, module) in modules.types() {
            declared.entry(name).or_default().push(format!("{folder}/{}", module.join("/")));
        }
    }
    declared.retain(|_, places| places.len() > 1);
    declared
}

/// A crate of these files, for the tests of this test.
fn made_of(files: &[(&str, &str)]) -> Crate {
    Crate::of(files.iter().map(|(path, text)| (path.split('/').map(str::to_owned).collect(), (*text).to_owned())))
}

#[test]
fn imports_between_top_level_modules_point_down() {
    let orders = [(FUNCTION, &ORDER_OF_FUNCTION[..]), (SIMULATOR, &ORDER_OF_SIMULATOR), (WORKER, &ORDER_OF_WORKER)];
    for (folder, order) in orders {
        let upward = upward(&Crate::read(folder), order);
        assert!(upward.is_empty(), "these imports of {folder} point up:\n{}", upward.join("\n"));
    }
}

#[test]
fn imports_between_files_make_no_cycle() {
    for folder in [FUNCTION, SIMULATOR, WORKER] {
        let cycles = file_cycles(&Crate::read(folder));
        assert!(cycles.is_empty(), "files of {folder} import each other in a cycle:\n{}", cycles.join("\n"));
    }
}

#[test]
fn two_types_never_share_a_name() {
    let folders = [
        FUNCTION,
        SIMULATOR,
        WORKER,
        "tests",
        "ecs-sim/tests",
        "worker/tests",
        "benches/lambda/src",
        "fuzz/fuzz_targets",
    ];
    let crates = folders.map(|folder| (folder, Crate::read(folder)));
    let shared = shared_names(&crates);
    assert!(shared.is_empty(), "{shared:#?}");
}

#[test]
fn an_import_that_points_up_is_found_wherever_it_stands() {
    let below = "use crate::{low, top::Group};\nuse super::top::{self, One as Other};\n\
        fn f(x: crate::top::InPlace) { top::by_module(\"crate::top::Text\") } // crate::top::Comment\n\
        #[cfg(test)]\nmod fixture;\nfn g() { super::top::after_it(); assert!(f([crate::top::InMacro])) }\n\
        #[cfg(test)]\nmod tests { use crate::top::Test; }";
    let modules =
        made_of(&[("lib", ""), ("low", ""), ("mid", below), ("mid/fixture", "use crate::top::T;"), ("top", "")]);
    let expected = ["Group", "InMacro", "InPlace", "One", "after_it", "by_module"];
    let expected = expected.map(|name| format!("mid imports top::{name}"));
    assert_eq!(upward(&modules, &["low", "mid", "top"]), expected);
}

#[test]
fn a_cycle_is_shown_with_the_names_that_tie_it() {
    let modules = made_of(&[
        ("a", "mod child;\npub use child::Child;\nuse child::helper;\npub struct Parent;"),
        ("a/child", "use super::Parent;\npub struct Child;"),
        ("b", "use crate::a::Child;\npub struct Unneeded;"),
    ]);
    assert_eq!(file_cycles(&modules), ["  a -> a::child: helper\n  a::child -> a: Parent\n"]);
}

#[test]
fn a_name_that_a_parent_passes_on_ties_only_the_files_that_declare_and_use_it() {
    let modules = made_of(&[
        ("a", "mod one;\nmod two;\npub use one::One;\npub(crate) use two::Two;"),
        ("a/one", "pub struct One;"),
        ("a/two", "use super::One;\npub struct Two(One);"),
    ]);
    assert!(file_cycles(&modules).is_empty());
    let imports = modules.imports();
    let pairs: Vec<String> =
        imports.iter().map(|import| format!("{} {}", import.from.join("::"), import.to.join("::"))).collect();
    assert_eq!(pairs, ["a::two a::one"]);
}

#[test]
fn a_shared_name_is_found_and_an_associated_type_or_a_tests_type_is_none() {
    let one =
        "/// struct Commented\npub(crate) struct Shared<T>(T);\nimpl Port for Shared<u8> {\n    type Own = u8;\n}\n";
    let other = "fn f() {\n    enum Shared {}\n}\ntrait Own {}\nstruct Commented;\n#[cfg(test)]\nmod tests {\n    struct Own;\n}\n";
    let crates = [("x", made_of(&[("one", one)])), ("y", made_of(&[("deep/other", other)]))];
    let expected = vec!["x/one".to_owned(), "y/deep/other".to_owned()];
    assert_eq!(shared_names(&crates), BTreeMap::from([("Shared", expected)]));
}
