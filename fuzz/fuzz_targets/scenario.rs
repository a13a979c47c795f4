#![no_main]

use libfuzzer_sys::fuzz_target;
use ecs_sim::fuzz::{scenario, seeds};

fuzz_target!(init: seeds::write_if_asked(scenario::seeds), |text: &str| scenario::check(text));
