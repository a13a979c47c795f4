//! The checks of the fuzz targets, on their seeds and on mutations of them. This needs no libFuzzer, so the targets
//! compile and pass wherever the tests run.

use super::config;
use crate::files::path;
use ecs_sim::fuzz::{TARGETS, json};
use proptest::prelude::*;
use proptest::sample::Index;
use std::fs;
use std::sync::OnceLock;

/// The seeds of each target, in the order of the targets.
fn seeds() -> &'static [Vec<String>] {
    static SEEDS: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    SEEDS.get_or_init(|| TARGETS.iter().map(|target| (target.seeds)()).collect())
}

#[test]
fn every_target_holds_on_what_it_begins_with() {
    for (target, seeds) in TARGETS.iter().zip(seeds()) {
        assert!(!seeds.is_empty(), "{} begins with nothing", target.name);
        seeds.iter().for_each(|seed| (target.check)(seed));
    }
}

#[test]
fn every_target_has_its_program_and_the_list_of_the_crate_has_no_other() {
    let fuzz = path("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let listed: Vec<&str> =
        manifest.split("[[bin]]\nname = \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(listed, TARGETS.map(|target| target.name));
    let page = fs::read_to_string(fuzz.join("README.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(rows, listed);
    for name in listed {
        let program = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            program.contains(&format!("init: seeds::write_if_asked({name}::seeds), |text: &str| {name}::check(text)"))
        );
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_target_holds_on_an_altered_seed(seed in any::<Index>(), draw in any::<u64>()) {
        for (target, seeds) in TARGETS.iter().zip(seeds()) {
            let (seed, mut rng) = (seed.get(seeds), fastrand::Rng::with_seed(draw));
            let altered = json::altered(seed, &mut rng).unwrap_or_else(|| json::altered_text(seed, &mut rng));
            (target.check)(&altered);
        }
    }
}
