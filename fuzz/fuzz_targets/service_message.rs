#![no_main]

use libfuzzer_sys::fuzz_target;
use ecs_sim::fuzz::{seeds, service_message};

fuzz_target!(init: seeds::write_if_asked(service_message::seeds), |text: &str| service_message::check(text));
