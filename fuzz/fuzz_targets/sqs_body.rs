#![no_main]

use ecs_sim::fuzz::{json, seeds, sqs_body};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(init: seeds::write_if_asked(sqs_body::seeds), |text: &str| sqs_body::check(text));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json::mutate(data, size, max_size, seed, fuzzer_mutate)
});
