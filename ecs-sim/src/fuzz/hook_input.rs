//! The input of a deployment lifecycle hook, which must not parse as anything else.

use super::{expect, payload, seeds};
use serde_json::Value;
use taskhold::lambda::payload::Invocation;

/// The hook's input in `events/`, at each stage, and at one without a name.
pub fn seeds() -> Vec<String> {
    let stages = [
        "RECONCILE_SERVICE",
        "PRE_SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
        "",
    ];
    let inputs = seeds::payloads("lifecycle-hook-");
    inputs.iter().flat_map(|input| stages.map(|stage| input.replace("POST_SCALE_UP", stage))).collect()
}

/// Members that are read before those of a hook.
const MARKS: [&str; 3] = ["Records", "source", "detail-type"];

/// An object with the members of a hook's input, and without a member that is read first, is recognized as one.
pub fn check(text: &str) {
    payload::check(text);
    let Ok(Value::Object(input)) = serde_json::from_str::<Value>(text) else { return };
    let is_a_hook_s = ["executionId", "lifecycleStage", "resourceArn"].iter().all(|name| input.contains_key(*name));
    if is_a_hook_s && !MARKS.iter().any(|name| input.contains_key(*name)) {
        let read = Invocation::parse(text, expect::clusters());
        assert!(matches!(read, Invocation::Hook(_)), "{read:?}");
    }
}
