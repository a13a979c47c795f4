//! The fuzz targets: one module each, with its initial inputs (`seeds`) and the condition for any text (`check`,
//! which panics on a violation).
//!
//! The programs of `fuzz/` run these checks under libFuzzer. Nothing here depends on it, so that the project's tests
//! run them too, on the seeds and on some thousand mutations of them (`tests/properties/fuzzed.rs`): a target neither
//! rots nor starts with a crash.

pub mod ecs_event;
pub mod expect;
pub mod hook_input;
pub mod json;
pub mod payload;
pub mod recheck;
pub mod scenario;
pub mod seeds;
pub mod service_message;
pub mod sqs_body;
pub mod store_item;

/// A target with its name.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As in `make fuzz TARGET=…`.
    pub name: &'static str,
    /// Its initial inputs.
    pub seeds: fn() -> Vec<String>,
    /// The condition for any text.
    pub check: fn(&str),
}

/// All targets.
pub const TARGETS: [Target; 8] = [
    Target { name: "payload", seeds: payload::seeds, check: payload::check },
    Target { name: "sqs_body", seeds: sqs_body::seeds, check: sqs_body::check },
    Target { name: "ecs_event", seeds: ecs_event::seeds, check: ecs_event::check },
    Target { name: "hook_input", seeds: hook_input::seeds, check: hook_input::check },
    Target { name: "service_message", seeds: service_message::seeds, check: service_message::check },
    Target { name: "scenario", seeds: scenario::seeds, check: scenario::check },
    Target { name: "recheck", seeds: recheck::seeds, check: recheck::check },
    Target { name: "store_item", seeds: store_item::seeds, check: store_item::check },
];
