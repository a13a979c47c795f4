#![no_main]

use ecs_sim::fuzz::{seeds, service_message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write_if_asked(service_message::seeds), |text: &str| service_message::check(text));
