#![no_main]

use ecs_sim::fuzz::{scenario, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write_if_asked(scenario::seeds), |text: &str| scenario::check(text));
