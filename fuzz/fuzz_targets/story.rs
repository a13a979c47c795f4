#![no_main]

use libfuzzer_sys::fuzz_target;
use taskhold_fuzz::{seeds, story};

fuzz_target!(init: seeds::write_if_asked(story::seeds), |text: &str| story::check(text));
